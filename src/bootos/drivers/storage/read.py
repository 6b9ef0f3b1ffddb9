"""Reading what is on the disks and arrays of this machine: sizes, signatures, partition tables, who uses them.

`read_storage` is the common `read` of the drivers that write on disks; it changes nothing on any. Parsers are pure.
"""

import json
import logging
from collections.abc import Iterable
from typing import Any

import msgspec

from bootos.drivers.contract import Machine
from bootos.drivers.look import Look
from bootos.drivers.storage import imsm, md, mdread, volume
from bootos.drivers.storage.completeness import is_complete, is_doubted
from bootos.drivers.storage.current import find_current_disks
from bootos.drivers.storage.lsblk import find_parts, find_users, read_devices
from bootos.drivers.storage.readability import can_read_edges
from bootos.drivers.storage.signature import IMSM_SIGNATURE, LVM_SIGNATURE, MD_SIGNATURE, TABLES, Signature
from bootos.drivers.storage.state import Block, Layout, Slice, Storage, describe_disk, partition_path
from bootos.drivers.storage.table import parse_attributes
from bootos.wire.inventory import Inventory

log = logging.getLogger(__name__)


def parse_wipefs(text: str) -> dict[str, tuple[Signature, ...]]:
    """`wipefs --json DEVICE...` by `name_in_wipefs`; each kind of signature once (vfat and GPT leave several)."""
    listed = json.loads(text).get("signatures", []) if text.strip() else []
    found: dict[str, dict[tuple[str, str], Signature]] = {}
    for item in listed:
        uuid, label = item.get("uuid") or "", item.get("label") or ""
        kinds = found.setdefault(name_in_wipefs(item["device"].replace("!", "/")), {})
        kinds.setdefault((item["type"], uuid), Signature(type=item["type"], label=label, uuid=uuid))
    return {device: tuple(kinds.values()) for device, kinds in found.items()}


def name_in_wipefs(node: str) -> str:
    """What `wipefs` calls a device: the last part of its path, also of /dev/mapper/NAME."""
    return node.rpartition("/")[2]


def parse_sfdisk(text: str, device: str) -> Layout | None:
    """`sfdisk -J`; `device` is the disk's name in plans. None: a table that is neither GPT nor MBR."""
    table = json.loads(text)["partitiontable"]
    kind = TABLES.get(table.get("label", ""))
    if kind is None:
        return None
    base = table["device"]
    slices = []
    for item in table.get("partitions", []):
        number = int(item["node"].removeprefix(base).removeprefix("p"))
        guid = kind == "gpt"
        slices.append(
            Slice(
                number=number,
                device=partition_path(device, number),
                start=int(item["start"]),
                sectors=int(item["size"]),
                type=str(item["type"]).upper() if guid else str(item["type"]).lower().zfill(2),
                name=item.get("name", ""),
                bootable="LegacyBIOSBootable" in item.get("attrs", "")
                if guid
                else bool(item.get("bootable")),
                attributes=parse_attributes(item.get("attrs", "")) if guid else (),
            )
        )
    return Layout(
        table=kind, id=table.get("id", ""), slices=tuple(sorted(slices, key=lambda part: part.number))
    )


def read_storage(machine: Machine, inventory: Inventory) -> Storage:
    """The storage in the look of this moment, else as it is read now. Raises DriverError, ToolError."""
    look = machine.look or Look(machine.root)
    return look.take("storage", inventory, lambda: _read_storage(machine, inventory))


def _read_storage(machine: Machine, inventory: Inventory) -> Storage:
    listed = read_devices(machine)
    disks = find_current_disks(machine, inventory)
    notes = [
        f"{describe_disk(disk)} was in the inventory and is gone" for disk in disks if disk.path not in listed
    ]
    blocks = _read_blocks(machine, {d.path: listed[d.path] for d in disks if d.path in listed})
    arrays, more, started = mdread.read_arrays(
        machine, _find_members_by_node(blocks.values(), MD_SIGNATURE).values()
    )
    intel = imsm.read_containers(machine, _find_members_by_node(blocks.values(), IMSM_SIGNATURE))
    arrays = md.name_apart([*arrays, *intel.arrays])
    if started or intel.started:
        listed = read_devices(machine)
    blocks |= _read_blocks(machine, {a.device: listed[a.node] for a in arrays if a.node in listed})
    names = _find_members_by_node(blocks.values(), LVM_SIGNATURE)
    groups, loose = volume.read_groups(machine, names) if names else ((), ())
    return Storage(
        disks=tuple(disks),
        blocks=blocks,
        arrays=tuple(arrays),
        containers=tuple(intel.containers),
        groups=groups,
        loose=loose,
        notes=(*notes, *more, *intel.notes),
        owner=machine.owner,
        begun=machine.begun,
    )


def _find_members_by_node(blocks: Iterable[Block], kind: str) -> dict[str, str]:
    """The name in plans of each disk, array and partition with this signature, by the kernel's device."""
    found: dict[str, str] = {}
    for block in blocks:
        if any(signature.type == kind for signature in block.signatures):
            found[block.node] = block.device
        for part in block.parts:
            if any(signature.type == kind for signature in part.signatures):
                found[block.find_part_node(part)] = part.device
    return found


def _read_signatures(
    machine: Machine, sizes: dict[str, int]
) -> tuple[dict[str, tuple[Signature, ...]], set[str]]:
    """(signatures by device, devices that cannot be read); `sizes` are the devices with their bytes. `wipefs` without
    `--all` only looks."""
    found, unreadable = _ask_wipefs(machine, list(sizes))
    blank = (node for node in sizes if not found.get(node) and node not in unreadable)
    more = {node for node in blank if not can_read_edges(machine.root, node, sizes[node])}
    for node in sorted(more):
        log.warning("%s cannot be read where its signatures would be", node)
    return found, unreadable | more


def _ask_wipefs(machine: Machine, nodes: list[str]) -> tuple[dict[str, tuple[Signature, ...]], set[str]]:
    if not nodes:
        return {}, set()
    done = machine.run(["wipefs", "--json", *nodes], check=False)
    if done.returncode == 0:
        named = parse_wipefs(done.stdout)
        return {node: named.get(name_in_wipefs(node), ()) for node in nodes}, set()
    found: dict[str, tuple[Signature, ...]] = {}
    unreadable: set[str] = set()
    for node in nodes:
        done = machine.run(["wipefs", "--json", node], check=False)
        if done.returncode != 0:
            log.warning("%s cannot be read: %s", node, done.stderr.strip())
            unreadable.add(node)
        else:
            found[node] = parse_wipefs(done.stdout).get(name_in_wipefs(node), ())
    return found, unreadable


def _read_blocks(machine: Machine, items: dict[str, dict[str, Any]]) -> dict[str, Block]:
    """Blocks by their name in plans; `items` are their entries of `lsblk`."""
    shown = [*items.values(), *(part for item in items.values() for part in find_parts(item))]
    sizes = {item["path"]: int(item["size"]) for item in shown if item["size"]}
    signatures, unreadable = _read_signatures(machine, sizes)
    return {
        device: _build_block(machine, device, item, signatures, unreadable) for device, item in items.items()
    }


def _build_block(
    machine: Machine,
    device: str,
    item: dict[str, Any],
    signatures: dict[str, tuple[Signature, ...]],
    unreadable: set[str],
) -> Block:
    node = item["path"]
    own = _check_signatures(machine, device, node, signatures.get(node, ()))
    layout: Layout | None = None
    if any(signature.type in TABLES for signature in own):
        done = machine.run(["sfdisk", "--json", node], check=False)
        layout = parse_sfdisk(done.stdout, device) if done.returncode == 0 else None
    if layout is not None:
        parts = tuple(
            msgspec.structs.replace(
                part,
                signatures=_check_signatures(machine, part.device, path, found),
                unreadable=path in unreadable,
            )
            for part in layout.slices
            for path in [partition_path(node, part.number)]
            for found in [signatures.get(path, ())]
        )
        seen = {part["path"] for part in find_parts(item)}
        unseen = seen != {partition_path(node, part.number) for part in parts}
        layout = msgspec.structs.replace(layout, slices=parts, unseen=unseen)
    told = {partition_path(node, part.number) for part in layout.slices} if layout is not None else set()
    return Block(
        device=device,
        node=node,
        size_bytes=int(item["size"] or 0),
        sector_bytes=int(item.get("log-sec") or 512),
        read_only=bool(item.get("ro")),
        signatures=own,
        layout=layout,
        strays=tuple(
            _build_stray(device, node, part, signatures.get(part["path"], ()), part["path"] in unreadable)
            for part in find_parts(item)
            if part["path"] not in told
        ),
        used_by=tuple(dict.fromkeys(find_users(item))),
        unreadable=node in unreadable,
    )


def _build_stray(
    device: str, node: str, part: dict[str, Any], signatures: tuple[Signature, ...], unreadable: bool
) -> Slice:
    """A partition that only the kernel has. One of a device mapper has a name of its own, and no number."""
    number = part["path"].removeprefix(node).removeprefix("p")
    return Slice(
        number=int(number) if number.isdecimal() else 0,
        device=partition_path(device, int(number)) if number.isdecimal() else part["path"],
        start=0,
        sectors=int(part["size"] or 0) // int(part.get("log-sec") or 512),
        type="",
        signatures=signatures,
        unreadable=unreadable,
    )


def _check_signatures(
    machine: Machine, device: str, node: str, signatures: tuple[Signature, ...]
) -> tuple[Signature, ...]:
    """Mark the file system that an earlier attempt began to make here and did not finish."""
    if len(signatures) != 1 or not is_doubted(machine, device, signatures[0]):
        return signatures
    if is_complete(machine, signatures[0].type, node):
        return signatures
    return (msgspec.structs.replace(signatures[0], half_made=True),)
