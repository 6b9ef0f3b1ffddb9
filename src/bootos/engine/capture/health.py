"""Raw outputs of smartctl and nvme, as JSON."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from bootos.drivers.nvme.lbaformat import find_format, parse_current, parse_formats
from bootos.engine.capture.block import lay_disk
from bootos.engine.capture.blockrows import find_number
from bootos.engine.capture.scene import Scene, build_driver
from bootos.engine.capture.source import RawFile, read_values
from bootos.hardware.health import parse_smartctl
from bootos.process import Command, ToolError
from bootos.wire.inventory import DiskType, Inventory

_SIGNS = {
    "smart-log": ("critical_warning", "percent_used", "percentage_used", "avail_spare"),
    "id-ctrl": ("oacs", "mn", "cntlid"),
    "id-ns": ("nsze", "lbafs"),
    "list-ns": ("nsid_list",),
    "list-ctrl": ("ctrl_list",),
    "id-ns-granularity": ("namespace-granularity-list",),
}


def build_smartctl(files: list[RawFile]) -> Scene:
    """`smartctl --json`, one file for each disk."""
    answers: dict[str, str] = {}
    scene = Scene(programs=("smartctl", "mdadm"))  # without nvme-cli smartctl is asked for NVMe too

    def answer(command: Command) -> str | None:
        return "" if command.words[0] == "mdadm" else answers.get(command.words[-1])

    scene.answer = answer
    sizes: dict[str, int] = {}
    of_unknown_kind: set[str] = (
        set()
    )  # lsblk always says whether a disk turns; smartctl of some disks does not
    for number, (file_name, value) in enumerate(read_values(files, "`smartctl --json`", scene.notes)):
        if not isinstance(value, dict) or not {"smartctl", "device"} & set(value) or "devices" in value:
            scene.notes.append(f"{file_name}: it is no output of `smartctl --json` of a disk.")
            continue
        item = _read_smart_disk(value, number, sizes)
        if item["path"] in answers:
            item["name"] = f"{item['name']}x{number}"
            item["path"] = f"/dev/{item['name']}"
        sizes[item["path"]] = item["known"]
        if item.pop("kind unknown"):
            of_unknown_kind.add(item["path"])
        scene.files |= lay_disk(item)
        answers[item["path"]] = json.dumps(value)
    resize = _build_finish(sizes)

    def finish(inventory: Inventory, states: dict[str, Any]) -> list[str]:
        notes = resize(inventory, states)
        for disk in inventory.disks:
            if disk.path in of_unknown_kind:
                disk.type = DiskType.UNKNOWN
            # Of an NVMe disk, nvme-cli was asked.
            if disk.type == DiskType.NVME and disk.path in answers:
                disk.health = None
                try:
                    disk.health = parse_smartctl(answers[disk.path])
                except ToolError as cause:
                    notes.append(f"health of {disk.name}: not read: {cause}")
        return notes

    scene.finish = finish
    return scene


def _build_finish(sizes: dict[str, int]) -> Callable[[Inventory, dict[str, Any]], list[str]]:
    """Disks are laid with some size, as one without any would be no disk."""

    def finish(inventory: Inventory, states: dict[str, Any]) -> list[str]:
        for disk in inventory.disks:
            disk.size_bytes = sizes.get(disk.path, disk.size_bytes)
        return []

    return finish


def _read_smart_disk(value: dict[str, Any], number: int, sizes: dict[str, int]) -> dict[str, Any]:
    """What smartctl says of the disk itself, in the columns of lsblk."""

    def part(key: str) -> dict[str, Any]:
        found = value.get(key)
        return found if isinstance(found, dict) else {}

    said = str(part("device").get("name") or "").removeprefix("/dev/")
    argv = part("smartctl").get("argv")
    last = str(argv[-1]).removeprefix("/dev/") if isinstance(argv, list) and argv else ""
    name = next(
        (text for text in (said, last) if re.fullmatch(r"(sd[a-z]+|hd[a-z]+|nvme\d+n\d+)", text)),
        f"sd{number}",
    )
    is_nvme = (
        str(part("device").get("protocol")).lower() == "nvme" or "nvme_smart_health_information_log" in value
    )
    if is_nvme and not name.startswith("nvme"):
        name = f"nvme{number}n1"
    rate = value.get("rotation_rate")
    wwn = part("wwn")
    numbers = [wwn.get(key) for key in ("naa", "oui", "id")]
    spaces = value.get("nvme_namespaces")
    space = spaces[0] if isinstance(spaces, list) and spaces and isinstance(spaces[0], dict) else {}
    held = space.get("size")
    size = next(
        (
            found
            for said in (
                part("user_capacity").get("bytes"),
                held.get("bytes") if isinstance(held, dict) else None,
                value.get("nvme_total_capacity"),
            )
            if (found := find_number(said))
        ),
        0,
    )
    return {
        "name": name,
        "path": f"/dev/{name}",
        "type": "disk",
        "known": size,
        "size": size or 512,
        "ro": False,
        "log-sec": find_number(value.get("logical_block_size"))
        or find_number(space.get("formatted_lba_size"))
        or 512,
        "phy-sec": value.get("physical_block_size"),
        "rota": rate != 0 if isinstance(rate, int) else not is_nvme,
        "kind unknown": not isinstance(rate, int) and not is_nvme,
        "model": value.get("model_name") or value.get("scsi_model_name") or value.get("product"),
        "vendor": value.get("vendor") or value.get("scsi_vendor"),
        "serial": value.get("serial_number"),
        "rev": value.get("firmware_version") or value.get("scsi_revision") or value.get("revision"),
        "wwn": f"0x{numbers[0]:x}{numbers[1]:06x}{numbers[2]:09x}"
        if all(isinstance(entry, int) and 0 <= entry < 1 << 64 for entry in numbers)
        else None,
    }


def build_nvme(files: list[RawFile]) -> Scene:
    """`nvme list`; and `smart-log`, `id-ctrl`, `id-ns`, `list-ns`, ... of one drive; with `-o json`."""
    answers: dict[str, str] = {}
    listed: list[dict[str, Any]] = []
    scene = Scene(programs=("nvme", "lsblk", "wipefs", "mdadm"))
    item: dict[str, Any] = {
        "name": "nvme0n1",
        "path": "/dev/nvme0n1",
        "type": "disk",
        "size": 512,
        "ro": False,
        "log-sec": 512,
        "rota": False,
        "mountpoints": [],
        "children": [],
    }
    for name, value in read_values(files, "`-o json`", scene.notes):
        keys = set(value) if isinstance(value, dict) else set()
        if "Devices" in keys:
            found = list(_list_drives(value))
            listed += found
            scene.notes += [] if found else [f"{name}: it lists no drive."]
            continue
        kind = next((kind for kind, signs in _SIGNS.items() if keys & set(signs)), "")
        if not kind:
            scene.notes.append(f"{name}: it is no output of nvme with `-o json` that is read.")
            continue
        answers[kind] = json.dumps(value)
        if kind == "id-ctrl":
            item |= {
                "model": _strip(value.get("mn")),
                "serial": _strip(value.get("sn")),
                "rev": _strip(value.get("fr")),
            }
        if kind == "id-ns":
            item["size"] = _find_namespace_size(value) or 512
    sizes = {entry["path"]: entry["size"] for entry in listed}
    sizes.setdefault(item["path"], item["size"] if item["size"] != 512 else 0)
    own = _find_own(item, listed)
    item |= own or {}
    for entry in listed:
        scene.files |= lay_disk({**entry, "size": entry["size"] or 512})
    if answers and own is None:
        scene.notes.append("Which of the drives that are listed the other files are of is not known.")
        answers.clear()
    if answers:
        scene.files |= lay_disk({**item, "size": item["size"] or 512})
        missing = [f"`nvme {kind}`" for kind in ("smart-log", "id-ctrl", "id-ns") if kind not in answers]
        scene.notes += [f"Not among the files: {', '.join(missing)}."] if missing else []

    def answer(command: Command) -> str | None:
        if command.words[0] == "lsblk":
            return json.dumps({"blockdevices": [item]})
        if command.words[0] != "nvme":
            return ""
        asked = command.words[-1]
        is_other = asked != item["path"] and any(entry["path"] == asked for entry in listed)
        return None if is_other else answers.get(command.words[1])

    scene.answer, scene.finish = answer, _build_finish(sizes)
    if {"id-ns", "id-ctrl"} <= set(answers):
        scene.drivers = [build_driver("nvme.nvme:NvmeDriver")]
    return scene


def _find_own(item: dict[str, Any], listed: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Of the drives that are listed, the one that the other answers are of; none is known of several."""
    same = [entry for entry in listed if entry["serial"] and entry["serial"] == item.get("serial")]
    if not listed:
        return {}
    return (same or listed)[0] if len(same or listed) == 1 else None


def _list_drives(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What `nvme list` says, in the columns of lsblk: of a namespace each, or by hosts, subsystems and controllers."""
    for device in _rows(value.get("Devices")):
        yield from _build_drive(device, device)
        for subsystem in _rows(device.get("Subsystems")):
            controllers = _rows(subsystem.get("Controllers"))
            for controller in controllers:
                for space in _rows(controller.get("Namespaces")):
                    yield from _build_drive(controller, space)
            for space in _rows(subsystem.get("Namespaces")):
                yield from _build_drive(controllers[0] if controllers else {}, space)


def _rows(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _build_drive(drive: dict[str, Any], space: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Nothing where the row is not that of a namespace with a name."""
    name = str(space.get("DevicePath") or space.get("NameSpace") or "").removeprefix("/dev/")
    if re.fullmatch(r"nvme\d{1,6}n\d{1,6}", name):
        yield {
            "name": name,
            "path": f"/dev/{name}",
            "type": "disk",
            "size": find_number(space.get("PhysicalSize")) or 0,
            "ro": False,
            "log-sec": find_number(space.get("SectorSize")) or 512,
            "rota": False,
            "model": _strip(drive.get("ModelNumber")),
            "serial": _strip(drive.get("SerialNumber")),
            "rev": _strip(drive.get("Firmware")),
            "mountpoints": [],
            "children": [],
        }


def _strip(value: Any) -> str | None:
    return " ".join(value.split()) or None if isinstance(value, str) else None


def _find_namespace_size(value: dict[str, Any]) -> int | None:
    try:
        used = find_format(parse_formats(value), parse_current(value))
        return int(value["nsze"]) * used.sector_bytes if used is not None else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
