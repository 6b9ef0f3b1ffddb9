"""What lies on the disks of a machine, as rows for people. Pure; called by `text`."""

from collections.abc import Iterator
from typing import Any

from bootos.engine.capture.understand import Understood
from bootos.hardware.describe import format_size

_TABLES = frozenset({"gpt", "dos", "pmbr"})  # signatures of what the layout says better


def list_disks(found: Understood) -> Iterator[list[str]]:
    """(device, size, model, serial number, what lies there) of each disk, array and partition, as the driver of
    partitions read them; of the disks alone, where it could not."""
    disks = {disk.path: disk for disk in found.inventory.disks}
    blocks: dict[str, Any] = next(
        (state["blocks"] for state in found.states.values() if state.get("blocks")), {}
    )
    for block in blocks.values():
        disk = disks.get(block["node"])
        named = [disk.model or "", disk.serial or ""] if disk is not None else ["", ""]
        layout = block["layout"] or {}
        yield [block["device"], _tell_size(block["size_bytes"]), *named, _tell_block(block, layout)]
        for part in (*layout.get("slices", ()), *block["strays"]):
            size = _tell_size(part["sectors"] * block["sector_bytes"])
            yield [f"  {part['device']}", size, "", "", _tell_part(part)]
    if not blocks and "disk.partition" in found.unread:
        for disk in found.inventory.disks:
            yield [disk.path, _tell_size(disk.size_bytes), disk.model or "", disk.serial or "", ""]


def _tell_block(block: dict[str, Any], layout: dict[str, Any]) -> str:
    said = [
        f"{layout['table'].upper()} table" if layout else "",
        *_tell_signatures(block, hidden=_TABLES if layout else frozenset()),
        "read-only" if block["read_only"] else "",
        "contents not known" if block["unreadable"] else "",
        *block["used_by"],
    ]
    return ", ".join(filter(None, said))


def _tell_part(part: dict[str, Any]) -> str:
    name = f'"{part["name"]}"' if part["name"] else ""
    unreadable = "contents not known" if part["unreadable"] else ""
    return ", ".join(filter(None, [name, *_tell_signatures(part, hidden=frozenset()), unreadable]))


def _tell_signatures(place: dict[str, Any], *, hidden: frozenset[str]) -> list[str]:
    """`ext4 "root"`: each kind of content, with its label."""
    return [
        f'{entry["type"]} "{entry["label"]}"' if entry["label"] else entry["type"]
        for entry in place["signatures"]
        if entry["type"].lower() not in hidden
    ]


def _tell_size(size_bytes: int | None) -> str:
    return format_size(size_bytes or None, decimal=True)
