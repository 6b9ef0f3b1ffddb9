"""What ssacli shows of a controller, in the words of `storage.controller`. Pure; used by `raid.smartarray`."""

from bootos.drivers.raid.kerneldisk import find_disk
from bootos.drivers.storage.controller import (
    Array,
    ArrayState,
    Capability,
    Controller,
    Drive,
    DriveState,
    Mode,
    number_drives,
)
from bootos.drivers.storage.state import Storage
from bootos.hardware import smartarray as ssa
from bootos.wire.inventory import Disk

STRIPS = tuple(kib * 1024 for kib in (8, 16, 32, 64, 128, 256, 512, 1024))
LABEL_LENGTH = 64


def find_id(volume: ssa.SsaVolume) -> str:
    """What a logical drive is known by, for ever."""
    return volume.values.get("Unique Identifier") or volume.id


def build_controller(
    found: ssa.SsaController, number: int, storage: Storage, *, is_labelled: bool = True
) -> Controller:
    """The tool's words in those of `controller`. Pure."""
    values = found.values
    serial = values.get("Serial Number", "")
    mode = _find_mode(values)
    pending = _read_mode(values.get("Pending Controller Mode", "")) or mode
    spares = [
        drive for drive in found.drives if drive.values.get("Drive Type", "").lower().startswith("spare")
    ]
    return Controller(
        id=f"slot={found.slot}",
        number=number,
        model=found.model,
        serial=serial,
        firmware=values.get("Firmware Version", ""),
        pci_address=values.get("PCI Address (Domain:Bus:Device.Function)", "").lower(),
        mode=mode,
        pending_mode=pending if pending != mode else None,
        capability=_find_capability(values, mode, is_labelled=is_labelled),
        drives=number_drives([_build_drive(drive, storage) for drive in found.drives]),
        arrays=tuple(
            _build_array(found, volume, storage, {drive.id for drive in spares}) for volume in found.volumes
        ),
        remarks=tuple(found.remarks),
    )


def _read_mode(text: str) -> Mode | None:
    word = text.strip().lower().removesuffix(" mode")
    return "raid" if word == "raid" else "hba" if word == "hba" else "mixed" if word == "mixed" else None


def _find_mode(values: dict[str, str]) -> Mode:
    if (
        values.get("HBA Mode Enabled", "").lower() == "true"
        or "(hba mode)" in values.get("Title", "").lower()
    ):
        return "hba"
    return _read_mode(values.get("Controller Mode", "")) or "raid"


def _find_capability(values: dict[str, str], mode: Mode, *, is_labelled: bool) -> Capability:
    has_six = any(
        value.lower() == "enabled"
        for key, value in values.items()
        if key.startswith("RAID 6") and "Status" in key
    )
    has_cache = values.get("Cache Board Present", "").lower() == "true"
    can_switch = "HBA Mode Enabled" in values or (mode != "mixed" and "Controller Mode" in values)
    return Capability(
        levels=(0, 1, 5, 6, 10, 50, 60) if has_six or mode == "hba" else (0, 1, 5, 10, 50),
        most_drives_of={1: 2},
        strip_bytes=STRIPS,
        hotspares=("dedicated",),
        jbod=False,
        modes=("raid", "hba") if can_switch or mode == "hba" else (),
        boot="Primary Boot Volume" in values,
        write_policies=("through", "back") if has_cache else ("through",),
        initializations=("background", "full"),
        partial=True,
        pairs_only=True,
        name_length=LABEL_LENGTH if is_labelled else 0,
    )


def _build_drive(found: ssa.SsaDrive, storage: Storage) -> Drive:
    values = found.values
    size_bytes, least_bytes = _read_size(values.get("Size", ""), 1000)
    state, trouble = _find_drive_state(found)
    enclosure, _, slot = found.id.rpartition(":")
    interface = values.get("Interface Type", "")
    disk = None
    if values.get("Drive exposed to OS", "").lower() == "true":
        disk = find_disk(storage, serial=values.get("Serial Number", ""), node=values.get("Disk Name", ""))
    status = values.get("Status", "")
    return Drive(
        id=found.id,
        number=0,
        enclosure=enclosure,
        slot=slot,
        model=" ".join(values.get("Model", "").split()),
        serial=values.get("Serial Number", ""),
        wwn=values.get("WWID", ""),
        firmware=values.get("Firmware Revision", ""),
        size_bytes=size_bytes,
        usable_bytes=least_bytes,
        sector_bytes=_read_sector(values),
        type=ssa.find_type(interface),
        interface=interface.removeprefix("Solid State").strip() or interface,
        state=state,
        trouble=trouble,
        progress=status.partition(", ")[2] if "%" in status else "",
        device=disk.path if disk else "",
    )


def _read_size(text: str, unit: int) -> tuple[int, int]:
    try:
        return ssa.parse_size(text, unit)
    except ValueError:
        return 0, 0  # a failed drive has no size


def _read_sector(values: dict[str, str]) -> int:
    said = values.get("Logical/Physical Block Size") or values.get("Native Block Size", "")
    logical = said.partition("/")[0]
    return int(logical) if logical.isdigit() else 512


def _find_drive_state(found: ssa.SsaDrive) -> tuple[DriveState, str]:
    """(state, what is wrong with it)."""
    values = found.values
    status, kind = values.get("Status", ""), values.get("Drive Type", "").lower()
    word = status.lower()
    if word.startswith("failed"):
        return "failed", status
    if word.startswith(("rebuilding", "recovering")):
        return "rebuilding", ""
    if "erase" in word or "sanitize" in word or "not supported" in word or word == "offline":
        return "unusable", status
    trouble = "" if word == "ok" else status or "its status is not shown"  # for example `Predictive Failure`
    if kind.startswith("data"):
        return "online", trouble
    if kind.startswith("spare"):
        return "hotspare", trouble
    if kind.startswith("hba"):
        return "jbod", trouble
    if kind.startswith("unassigned"):
        # In mixed mode the system sees it as a disk until it is in an array; one line does not say whether it does.
        is_exposed = values.get("Drive exposed to OS", "true" if found.is_short else "")
        if is_exposed.lower() == "true":
            return "jbod", trouble
        return ("unusable" if trouble else "good"), trouble
    said = values.get("Drive Type", "")
    return "unusable", f"it is a {said}" if said else "its state is not known"


def _build_array(
    found: ssa.SsaController, volume: ssa.SsaVolume, storage: Storage, spares: set[str]
) -> Array:
    values = volume.values
    mine = [drive.id for drive in found.drives if drive.array == volume.array]
    drives = tuple(drive for drive in mine if drive not in spares)
    gone = {drive.id for drive in found.drives if _find_drive_state(drive)[0] == "failed"}
    wwn = values.get("Unique Identifier", "")
    disk = _find_volume_disk(volume, storage)
    block = storage.blocks.get(disk.path) if disk else None
    state, progress = _find_array_state(values)
    caching = values.get("Caching") or values.get("Array Accelerator")
    boot = found.values.get("Primary Boot Volume")
    level = ssa.parse_level(values.get("Fault Tolerance", ""))
    return Array(
        id=find_id(volume),
        name=ssa.find_label(values, found.values.get("Serial Number", "")),
        level=level,
        group=volume.array,
        drives=tuple(drive for drive in drives if drive not in gone),
        drive_count=len(drives),
        hotspares=tuple(drive for drive in mine if drive in spares),
        span=_find_span(level, volume, values, len(drives)),
        strip_bytes=ssa.read_bytes(values.get("Strip Size")),
        size_bytes=block.size_bytes if block else _read_size(values.get("Size", ""), 1024)[1],
        state=state,
        progress=progress,
        write_policy=None if caching is None else "back" if caching.lower() == "enabled" else "through",
        is_boot=None if boot is None else boot.startswith(f"logicaldrive {volume.id} "),
        wwn=f"0x{wwn.lower()}" if wwn else "",
        device=disk.path if disk else "",
    )


def _find_volume_disk(volume: ssa.SsaVolume, storage: Storage) -> Disk | None:
    values = volume.values
    return find_disk(storage, wwn=values.get("Unique Identifier", ""), node=values.get("Disk Name", ""))


def _find_span(level: str, volume: ssa.SsaVolume, values: dict[str, str], drive_count: int) -> int:
    said = values.get("Number of Parity Groups", "")
    if level in ("50", "60"):
        return int(said) if said.isdigit() else max(len(volume.groups), 1)
    return drive_count // 2 if level == "10" else 1


def _find_array_state(values: dict[str, str]) -> tuple[ArrayState, str]:
    """(state, progress in the tool's words)."""
    status = values.get("Status", "")
    word, progress = status.lower(), status.partition(", ")[2]
    if word.startswith(("failed", "offline")):
        return "failed", ""
    if word.startswith(("recovering", "rebuilding")):
        return "rebuilding", f"rebuild {progress}".strip()
    if word.startswith(
        ("interim recovery", "ready for rebuild", "waiting for rebuild", "queued for rebuild")
    ):
        return "degraded", ""
    parity = values.get("Parity Initialization Status", "Initialization Completed")
    if "completed" not in parity.lower():
        how_far = values.get("Parity Initialization Progress", "").removesuffix(" complete")
        return "initializing", f"initialization {how_far or parity.lower()}"
    return ("optimal" if word == "ok" else "unknown"), progress
