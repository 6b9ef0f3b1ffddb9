"""Raw outputs about disks: lsblk, wipefs and sfdisk as JSON; and a disk as files of sysfs."""

import json
import re
from collections.abc import Iterator, Set
from typing import Any

from bootos.drivers.storage.lsblk import parse_lsblk
from bootos.engine.capture.blockrows import clean, cut, fill_in, find_number, list_below, nest
from bootos.engine.capture.excerpt import tell_first
from bootos.engine.capture.scene import Scene, Untold, build_driver
from bootos.engine.capture.source import RawFile, read_values
from bootos.hardware.describe import format_size
from bootos.process import Command
from bootos.wire.inventory import Inventory

_NAME = re.compile(r"^[a-z][\w!-]{0,63}$")
_WHOLE = re.compile(r"^([shv]d[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)$")


def build_lsblk(files: list[RawFile]) -> Scene:
    """`lsblk -J -b -O` (or fewer columns), and `wipefs --json`, `sfdisk --json`."""
    listed: list[dict[str, Any]] = []
    signatures: list[dict[str, Any]] = []
    tables: dict[str, Any] = {}
    notes: list[str] = []
    for name, value in read_values(files, "`lsblk -J -b -O`", notes):
        value = value if isinstance(value, dict) else {}
        if isinstance(value.get("blockdevices"), list):
            rows = [clean(item) for item in value["blockdevices"] if isinstance(item, dict)]
            listed += nest(rows, notes)
        elif isinstance(value.get("signatures"), list):
            signatures += [item for item in value["signatures"] if isinstance(item, dict)]
        elif isinstance(value.get("partitiontable"), dict):
            tables[str(value["partitiontable"].get("device"))] = value
        else:
            notes.append(f"{name}: it is no output of lsblk, wipefs or sfdisk as JSON.")
    is_told = bool(listed)
    if not listed:
        listed = [clean(item) for item in _list_devices(signatures, tables)]
        notes += (
            ["`lsblk` is not among the files: sizes are those of the partition tables."] if listed else []
        )
    fill_in(listed, tables)
    if is_told and not signatures:
        notes.append(
            "`wipefs --json` is not among the files: what lies on the disks is known by lsblk alone."
        )
    said = {item.get("device") for item in signatures}
    untold = _find_untold(listed, said, notes)
    signatures += [item for item in _find_signatures(listed) if item["device"] not in said]
    sizes = {
        item["path"]: int(item["size"]) for item in parse_lsblk(json.dumps({"blockdevices": listed})).values()
    }

    def answer(command: Command) -> str | None:
        tool, last = command.words[0], command.words[-1]
        if tool == "lsblk":
            return json.dumps({"blockdevices": listed}) if is_told or not unsized else None
        if tool == "wipefs":
            if unknown := [word for word in command.words[1:] if word in untold]:
                raise Untold(f"what lies on {', '.join(unknown)} is not among the files")
            names = {word.rpartition("/")[2] for word in command.words[1:]}
            return json.dumps({"signatures": [item for item in signatures if item.get("device") in names]})
        if tool == "sfdisk":
            return json.dumps(tables[last]) if last in tables else None
        return ""

    unsized = {item["path"] for item in listed if item["type"] == "disk" and not item["size"]}
    if unsized and is_told:
        notes.append(f"`lsblk` says no size of {', '.join(sorted(unsized))}: `-O` or `-o +SIZE` does.")

    def finish(inventory: Inventory, states: dict[str, Any]) -> list[str]:
        for disk in inventory.disks:  # as one without any size would be no disk
            disk.size_bytes = 0 if disk.path in unsized else disk.size_bytes
        return [] if states and not unsized else list(_tell_contents(listed, signatures))

    laid = [{**item, "size": 512} if item["path"] in unsized else item for item in listed]
    return Scene(
        answer=answer,
        finish=finish,
        programs=("lsblk", "wipefs", "sfdisk", "mdadm"),
        files={path: data for item in laid for path, data in lay_disk(item).items()},
        drivers=[build_driver("disk.partition:PartitionDriver")] if sizes else [],
        notes=notes,
    )


def _list_devices(signatures: list[dict[str, Any]], tables: dict[str, Any]) -> list[dict[str, Any]]:
    """The disks that wipefs and sfdisk name, in the columns of lsblk."""
    found: dict[str, dict[str, Any]] = {}
    for device, table in tables.items():
        inside = table["partitiontable"]
        sector_bytes = find_number(inside.get("sectorsize")) or 512
        parts = [part for part in inside.get("partitions") or () if isinstance(part, dict)]
        ends = [
            (find_number(part.get("start")) or 0) + (find_number(part.get("size")) or 0) for part in parts
        ]
        last = find_number(inside.get("lastlba")) or 0
        found[device] = {
            "name": device.rpartition("/")[2],
            "path": device,
            "log-sec": sector_bytes,
            "size": max([last, *ends]) * sector_bytes,
            "children": [
                {"name": str(part.get("node")).rpartition("/")[2], "path": str(part.get("node")), "type": "part",
                 "log-sec": sector_bytes, "size": (find_number(part.get("size")) or 0) * sector_bytes}
                for part in parts
            ],
        }  # fmt: skip
    for item in signatures:
        name = str(item.get("device") or "")
        if _WHOLE.match(name):
            found.setdefault(f"/dev/{name}", {"name": name})
    return list(found.values())


def _find_signatures(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What lsblk's own columns say lies on the devices."""
    found: list[dict[str, Any]] = []
    for item in items:
        if item.get("fstype"):
            said = {"type": str(item["fstype"]), "uuid": item.get("uuid"), "label": item.get("label")}
            found.append({"device": item["path"].rpartition("/")[2], "offset": "0x0", **said})
        if item.get("pttype"):
            kind = {"dos": "dos", "gpt": "gpt"}.get(str(item["pttype"]), str(item["pttype"]))
            found.append(
                {"device": item["path"].rpartition("/")[2], "type": kind, "uuid": item.get("ptuuid")}
            )
        found += _find_signatures(item["children"])
    return found


def _find_untold(items: list[dict[str, Any]], said: Set[Any], notes: list[str]) -> set[str]:
    """The devices of which it is not known what lies on them; one of `notes` names the disks and partitions."""
    untold = set(_list_untold(items, said))
    hidden = [place for item in items if item["type"] == "disk" for place in _list_hidden(item, untold)]
    if hidden:
        notes.append(
            f"What lies on {tell_first(hidden)} is not told, and no plan takes it for blank: "
            "`lsblk -J -b -O` tells it, `wipefs --json` only of what is not blank."
        )
    return untold


def _list_untold(items: list[dict[str, Any]], said: Set[Any]) -> Iterator[str]:
    """The disks and partitions of which it is not known what lies on them: lsblk was not asked that (FSTYPE), or not by
    which table they are parted (PTTYPE), and they are none of `said`, the devices that wipefs names. It prints nothing
    about one that is blank, so that of others nobody can tell whether it was asked about them."""
    for item in items:
        parts = [child for child in item["children"] if child["type"] == "part"]
        is_whole = item["type"] != "part" and not item.get("fstype")  # the list may be without its partitions
        is_asked = "fstype" in item and ("pttype" in item or not (parts or is_whole))
        if not is_asked and cut(item["path"]) not in said:
            yield item["path"]
        yield from _list_untold(parts, said)


def _list_hidden(disk: dict[str, Any], untold: Set[str]) -> list[str]:
    """The disk, where it is one of `untold`; else those of its partitions that are."""
    if disk["path"] in untold:
        return [disk["path"]]
    return [item["path"] for item in list_below(disk) if item["path"] in untold]


def _tell_contents(listed: list[dict[str, Any]], signatures: list[dict[str, Any]]) -> Iterator[str]:
    """A sentence for each disk on which something lies: what a person still wants to know where the driver reads
    nothing, as an output is missing."""
    contents: dict[str, dict[str, None]] = {}  # by the last word of the path, as wipefs names devices
    for item in signatures:
        label = f' "{item["label"]}"' if item.get("label") else ""
        contents.setdefault(str(item.get("device")), {}).setdefault(f"{item.get('type')}{label}")
    known: set[str] = set()
    for disk in listed:
        parts = list(list_below(disk))
        known |= {cut(entry["path"]) for entry in [disk, *parts]}
        said = list(contents.get(cut(disk["path"]), ()))
        for part in parts:
            size = [format_size(part["size"], decimal=True)] if part["size"] else []
            inside = [*size, *contents.get(cut(part["path"]), ())]
            said.append(part["path"] + (f" ({', '.join(inside)})" if inside else ""))
        if said:
            yield f"{disk['path']}: {', '.join(said)}."
    for device in sorted(contents.keys() - known):
        yield f"/dev/{device}: {', '.join(contents[device])}."


def lay_disk(item: dict[str, Any]) -> dict[str, bytes]:
    """A disk of lsblk as files of sysfs."""
    name = item["name"]
    if item["type"] != "disk" or not _NAME.match(name) or not item["size"]:
        return {}
    place = f"sys/block/{name}"
    spinning = item.get("rota")
    told: dict[str, Any] = {
        "size": item["size"] // 512,
        "ro": int(item["ro"]),
        "removable": int(item.get("rm") in (True, 1, "1")),
        "queue/logical_block_size": item["log-sec"],
        "queue/physical_block_size": find_number(item.get("phy-sec")) or item["log-sec"],
        "queue/rotational": None if spinning is None else int(spinning in (True, 1, "1")),
        "device/model": item.get("model"),
        "device/vendor": (item.get("vendor") or "").strip() or None
        if isinstance(item.get("vendor"), str)
        else None,
        "device/rev": item.get("rev"),
        "serial": item.get("serial"),
        "wwid": _write_wwid(str(item.get("wwn") or "")),
    }
    return {
        f"{place}/{path}": f"{value}\n".encode() for path, value in told.items() if value not in (None, "")
    }


def _write_wwid(wwn: str) -> str:
    return f"naa.{wwn[2:]}" if wwn.lower().startswith("0x") else wwn
