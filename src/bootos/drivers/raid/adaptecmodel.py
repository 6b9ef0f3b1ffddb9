"""What arcconf shows of a controller, in the words of `controller`. Pure; used by `raid.adaptec`."""

import re

from bootos.drivers.raid.kerneldisk import find_disk
from bootos.drivers.storage.controller import (
    Array,
    ArrayState,
    Capability,
    Controller,
    Drive,
    DriveState,
    Mode,
    ReadPolicy,
    WritePolicy,
    number_drives,
)
from bootos.drivers.storage.state import Storage
from bootos.hardware import adaptec as arc
from bootos.wire.inventory import Disk, DiskType

_STRIPS = tuple(kib * 1024 for kib in (16, 32, 64, 128, 256, 512, 1024))
# Entry-level controllers have no RAID with parity: 2405, 6405E, 7804E, 8405E.
_NO_PARITY = re.compile(r"\b(?:ASR-?)?(?:2\d{3}|[678]\d{3}E)\b")
_MADE_UP = re.compile(r"^(LogicalDrv|Logical Drive|Device) \d+$")
_STATES: dict[str, DriveState] = {  # lower case
    "online": "online",
    "online (jbod)": "jbod",
    "ready": "good",
    "raw": "good",
    "raw (pass through)": "jbod",
    "hot spare": "hotspare",
    "rebuilding": "rebuilding",
    "failed": "failed",
    "defunct": "failed",
    "dead": "failed",
    "missing": "missing",
}


def build_controller(
    config: arc.ArcController, number: int, tasks: list[arc.ArcTask], storage: Storage
) -> Controller:
    """`number` counts from 0, the tool from 1."""
    values = config.values
    smart = arc.is_smart(config)
    mode = _read_mode(values.get("controller mode", ""))
    pending = values.get("pending controller mode")
    drives = number_drives([_build_drive(device, mode, storage) for device in config.devices])
    return Controller(
        id=str(number + 1),
        number=number,
        model=values.get("controller model", ""),
        serial=values.get("controller serial number", ""),
        firmware=values.get("firmware", ""),
        pci_address=arc.find_address(config),
        mode=mode,
        pending_mode=_read_mode(pending) if pending and _read_mode(pending) != mode else None,
        capability=_find_capability(values, smart),
        drives=drives,
        arrays=tuple(_build_array(config, volume, tasks, drives, storage) for volume in config.volumes),
        hotspares=tuple(
            device.id
            for device in config.devices
            if device.values.get("state", "").lower() == "global hot-spare"
        ),
        remarks=tuple(config.remarks),
    )


def find_id(volume: arc.ArcVolume) -> str:
    """What a logical device is known by, for ever."""
    values = volume.values
    return values.get("volume unique identifier") or values.get("unique identifier") or volume.id


def _read_mode(text: str) -> Mode:
    plain = text.strip().lower()
    return "hba" if plain.startswith("hba") else "mixed" if plain.startswith("mixed") else "raid"


def _find_capability(values: dict[str, str], smart: bool) -> Capability:
    model = values.get("controller model", "")
    is_hba_only = re.search(r"\bHBA 1[01]\d\d", model) is not None
    is_small = _NO_PARITY.search(model) is not None
    return Capability(
        levels=() if is_hba_only else (0, 1, 10) if is_small else (0, 1, 5, 6, 10, 50, 60),
        most_drives_of={1: 2},
        strip_bytes=_STRIPS,
        hotspares=("dedicated",) if smart else ("dedicated", "global"),
        modes=("raid", "hba") if "controller mode" in values and not is_hba_only else (),
        boot="primary boot volume" in values,
        read_policies=() if smart else ("none", "ahead"),
        write_policies=("through", "back") if smart else ("through", "back", "always-back"),
        initializations=() if smart else ("fast", "full", "background", "none"),
        partial=True,
        pairs_only=True,
        name_length=64 if smart else 15,
    )


def _build_drive(device: arc.ArcDevice, mode: Mode, storage: Storage) -> Drive:
    values = device.values
    enclosure, slot = arc.find_place(device)
    said = values.get("state", "")
    state = _STATES.get(said.lower(), "hotspare" if "hot-spare" in said.lower() else "unusable")
    node = values.get("disk name", "")
    trouble = said if state in ("failed", "missing", "unusable") else ""
    if values.get("maxcache assigned", "").lower() == "yes" and state not in ("failed", "missing"):
        state, trouble = "unusable", "it caches other drives (maxCache)"
    warnings = values.get("s.m.a.r.t. warnings", "")
    if state == "hotspare" and warnings.isdigit() and int(warnings):
        trouble = f"S.M.A.R.T. warnings: {warnings}"
    if state == "good" and mode == "mixed" and node.startswith("/dev/"):
        state = "jbod"  # the system sees it as a disk until it is in an array
    size_bytes = _read_size(values.get("total size") or values.get("size", ""))
    disk = find_disk(storage, serial=arc.read_serial(device), node=node) if state == "jbod" else None
    sector = re.match(r"(\d+)(K)? Bytes", values.get("block size", ""), re.IGNORECASE)
    return Drive(
        id=device.id,
        number=0,
        enclosure=enclosure,
        slot=slot,
        model=" ".join(f"{values.get('vendor', '')} {values.get('model', '')}".split()),
        serial=arc.read_serial(device),
        wwn=values.get("world-wide name", ""),
        firmware=values.get("firmware", ""),
        size_bytes=size_bytes,
        usable_bytes=max(0, size_bytes - _read_size(values.get("reserved size", ""))),
        sector_bytes=int(sector[1]) * (1024 if sector[2] else 1) if sector else 512,
        type=_find_type(values),
        interface=values.get("transfer speed", "").partition(" ")[0],
        state=state,
        trouble=trouble,
        device=disk.path if disk else "",
    )


def _find_type(values: dict[str, str]) -> DiskType:
    speed, ssd = values.get("transfer speed", ""), values.get("ssd", "")
    if speed.lower().startswith(("pcie", "nvme")):
        return DiskType.NVME
    if ssd:
        return DiskType.SSD if ssd.lower() == "yes" else DiskType.HDD
    return DiskType.HDD if "rpm" in values.get("power state", "").lower() else DiskType.UNKNOWN


def _read_size(text: str) -> int:
    try:
        return arc.parse_size(text)
    except ValueError:
        return 0  # a failed drive has no size


def _build_array(
    config: arc.ArcController,
    volume: arc.ArcVolume,
    tasks: list[arc.ArcTask],
    drives: tuple[Drive, ...],
    storage: Storage,
) -> Array:
    values = volume.values
    gone = {drive.id for drive in drives if drive.state in ("failed", "missing")}
    name = values.get("logical device name", "")
    members = [arc.find_device(config, member) for member in volume.members]
    level = values.get("raid level", "").partition(" ")[0]
    groups = len({member.group for member in volume.members})
    disk = find_volume_disk(volume, storage)
    block = storage.blocks.get(disk.path) if disk else None
    wwn = values.get("volume unique identifier", "")
    state, progress = _find_state(volume, tasks)
    boot = values.get("boot type")
    return Array(
        id=find_id(volume),
        name="" if _MADE_UP.match(name) else name,
        level=level,
        group=values.get("array", ""),
        drives=tuple(device.id for device in members if device is not None and device.id not in gone),
        drive_count=len(volume.members),
        hotspares=_find_hotspares(config, volume),
        span=groups if groups > 1 else len(members) // 2 if level == "10" else 1,
        strip_bytes=_read_size(values.get("stripe-unit size", "")) or None,
        size_bytes=block.size_bytes if block else _read_size(values.get("size", "")),
        state=state,
        progress=progress,
        read_policy=_read_policy(values),
        write_policy=_write_policy(values),
        is_boot="primary" in boot.lower() if boot is not None else None,
        wwn=f"0x{wwn.lower()}" if wwn else "",
        device=disk.path if disk else "",
    )


def find_volume_disk(volume: arc.ArcVolume, storage: Storage) -> Disk | None:
    """SmartRAID has world wide names. aacraid gives the kernel the unique identifier as a serial number, and the name
    of the logical device as its model."""
    values = volume.values
    node = values.get("disk name", "")
    found = find_disk(
        storage,
        wwn=values.get("volume unique identifier", ""),
        serial=values.get("unique identifier", ""),
        node=node,
    )
    name = values.get("logical device name", "")
    if found is None and name and "volume unique identifier" not in values:
        same = [disk for disk in storage.disks if disk.model == name]
        return same[0] if len(same) == 1 else None
    return found


def _find_hotspares(config: arc.ArcController, volume: arc.ArcVolume) -> tuple[str, ...]:
    array = volume.values.get("array")
    found = list(volume.hotspares)
    for device in config.devices:
        if "hot" not in device.values.get("state", "").lower():
            continue
        said = device.values.get("dedicated spare for", "").lower()
        numbers = set(re.findall(r"\d+", said))
        owner = array if array is not None and "logical" not in said else volume.id
        if owner in numbers and device.id not in found:
            found.append(device.id)
    return tuple(found)


def _find_state(volume: arc.ArcVolume, tasks: list[arc.ArcTask]) -> tuple[ArrayState, str]:
    """(state, progress in the tool's words)."""
    status = volume.values.get("status of logical device", "")
    task = next((task for task in tasks if task.volume == volume.id), None)
    progress = f"{task.operation.lower()} {task.percent}%" if task else ""
    word = status.split(" ")[0].strip(",").lower()
    parity = volume.values.get("parity initialization status", "Completed").lower()
    if word in ("failed", "offline"):
        return "failed", ""
    if word in ("degraded", "suboptimal", "rebuilding"):
        is_rebuilding = word == "rebuilding" or (task is not None and "rebuild" in task.operation.lower())
        return ("rebuilding" if is_rebuilding else "degraded"), progress
    if word == "impacted" or (task is not None and task.operation.lower().startswith(("build", "clear"))):
        return "initializing", progress or status.partition("(")[2].strip(" )")
    if "completed" not in parity:
        return "initializing", f"parity initialization {parity}"
    return ("optimal" if word in ("optimal", "okay") else "unknown"), progress


def _read_policy(values: dict[str, str]) -> ReadPolicy | None:
    said = values.get("read-cache setting") or values.get("read-cache mode")
    return None if said is None else "ahead" if said.lower().startswith("enabled") else "none"


def _write_policy(values: dict[str, str]) -> WritePolicy | None:
    said = values.get("write-cache setting") or values.get("write-cache mode")
    if said is not None:
        if "when protected" in said.lower():
            return "back"
        return "always-back" if said.lower().startswith(("enabled", "on")) else "through"
    caching = values.get("caching")
    return None if caching is None else "back" if caching.lower() == "enabled" else "through"
