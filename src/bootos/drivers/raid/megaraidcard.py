"""A MegaRAID controller in the words of `controller`: from what `hardware.storcli` parsed. Pure."""

import re
from typing import Any

from bootos.drivers.raid.kerneldisk import find_disk
from bootos.drivers.storage.controller import (
    Array,
    ArrayState,
    Capability,
    Controller,
    Drive,
    DriveState,
    Foreign,
    Initialization,
    Mode,
    ReadPolicy,
    WritePolicy,
    number_drives,
)
from bootos.drivers.storage.state import Storage
from bootos.hardware.storcli import StorController, is_foreign, is_second
from bootos.hardware.storcliarray import StorArray
from bootos.hardware.storclidrive import StorDrive, find_type, parse_size
from bootos.hardware.storclireply import find_part, find_text

NAME_LENGTH = 15
STRIPS = tuple(kib * 1024 for kib in (8, 16, 32, 64, 128, 256, 512, 1024))
_STATES: dict[str, DriveState] = {
    "Onln": "online", "UGood": "good", "GHS": "hotspare", "DHS": "hotspare", "JBOD": "jbod", "Rbld": "rebuilding",
    "Cpybck": "rebuilding", "CpyBck": "rebuilding", "Offln": "failed", "Failed": "failed", "UBad": "failed",
    "UGUnsp": "unusable", "UBUnsp": "unusable", "Msng": "missing", "Frgn": "foreign",
    "Conf": "online", "UConf": "good",
}  # fmt: skip
_TROUBLES: dict[str, DriveState] = {
    "Failed": "failed", "Bad": "failed", "Offline": "failed", "Missing": "missing", "Rebuild": "rebuilding",
    "Rbld": "rebuilding", "Unusable": "unusable", "Unsupported": "unusable", "Replacing": "rebuilding",
}  # fmt: skip
# The controller tests a drive behind a shield after errors, and sanitises one by order: neither can be used meanwhile.
_BUSY = {
    "ugshld": "it is shielded: the controller tests it",
    "hspshld": "it is a hot spare that is shielded: the controller tests it",
    "cfshld": "it is shielded: the controller tests it",
    "cbshld": "it is shielded: the controller tests it",
    "shielded": "it is shielded: the controller tests it",
    "sntze": "it is being sanitised",
    "sntz": "it is being sanitised",
    "sanitize": "it is being sanitised",
    "sanitizing": "it is being sanitised",
}
_SOUND = ("", "good", "online", "optimal")  # second words of the second generation
_ARRAYS: dict[str, ArrayState] = {
    "Optl": "optimal", "Dgrd": "degraded", "Pdgd": "degraded", "OfLn": "failed", "Rec": "rebuilding",
}  # fmt: skip
_READ: dict[str, ReadPolicy] = {"NR": "none", "R": "ahead", "Ra": "adaptive"}
_WRITE: dict[str, WritePolicy] = {"WT": "through", "WB": "back", "AWB": "always-back"}


def build_card(card: StorController, boot: int | None, storage: Storage) -> Controller:
    """`boot` is the VD number to boot from: None when the tool does not say, -1 for none."""
    mode, pending = _find_mode(card)
    drives = number_drives([_build_drive(drive, storage) for drive in card.drives])
    return Controller(
        id=f"/c{card.number}",
        number=card.number,
        model=card.model,
        serial=card.serial,
        firmware=card.firmware,
        pci_address=card.pci_address,
        mode=mode,
        pending_mode=pending,
        capability=_find_capability(card, boot),
        drives=drives,
        arrays=tuple(_build_array(entry, card, boot, storage) for entry in card.arrays),
        hotspares=card.hotspares,
        foreign=tuple(
            Foreign(id=str(number), drives=entry.drives, title=entry.title, trouble=entry.trouble)
            for number, entry in enumerate(card.foreign)
        ),
        remarks=card.remarks,
    )


def _find_mode(card: StorController) -> tuple[Mode, Mode | None]:
    status = find_part(card.data, "Status")
    said = find_text(status, "Current Personality", "Controller Personality").upper()
    mode: Mode = "hba" if said.startswith(("HBA", "JBOD")) else "raid"
    # HPE's MR controllers make arrays in their JBOD mode, too
    if card.arrays if mode == "hba" else any(drive.state.startswith("JBOD") for drive in card.drives):
        mode = "mixed"
    return mode, None


def _yes(card: StorController, part: str, *keys: str) -> bool | None:
    """What the controller says of itself; None: nothing."""
    values = find_part(card.data, part)
    said = [str(values[key]).strip() for key in keys if key in values]
    return said[0].startswith(("Yes", "Allowed", "On")) if said else None


def _find_capability(card: StorController, boot: int | None) -> Capability:
    values = find_part(card.data, "Capabilities")
    limits = values | find_part(card.data, "Max. Supported Config")
    supported = find_text(values, "RAID Level Supported", "Supported RAID Levels")
    levels = tuple(n for n in (0, 1, 5, 6, 10, 50, 60) if re.search(rf"RAID{n}\b", supported))
    least, most = (parse_size(str(values.get(f"{word} Strip Size", ""))) for word in ("Min", "Max"))
    second = is_second(card.version)
    policies = "Supported VD Operations", "Supported VD operations"
    reads = [_yes(card, part, "Read Policy", "Support Changing Read Policy") for part in policies]
    writes = [_yes(card, part, "Write Policy", "Support Changing Write Policy") for part in policies]
    initial: tuple[Initialization, ...] = ("fast", "full", "none")
    jbod = second or bool(_yes(card, "Supported Adapter Operations", "Support JBOD", "Support SystemPD"))
    return Capability(
        levels=levels,
        most_drives=_number(limits, "Max Arms Per VD", "Max PD Per Array"),
        most_arrays=_number(limits, "Max Number of VDs"),
        most_drives_of={1: 2} if supported and not second and "RAID1(2 or more" not in supported else {},
        strip_bytes=tuple(size for size in STRIPS if least <= size <= most) if least and most else (),
        hotspares=("dedicated", "global"),
        jbod=jbod,
        modes=("raid", "hba")
        if not second and "Current Personality" in find_part(card.data, "Status")
        else (),
        foreign=True,
        boot=boot is not None,
        read_policies=() if False in reads else ("none", "ahead"),
        write_policies=() if False in writes else ("through", "back", "always-back"),
        initializations=initial,
        partial=True,
        mixed_media=bool(_yes(card, "Capabilities", "Mix of SSD/HDD in VD")),
        mixed_interface=bool(
            _yes(card, "Capabilities", "Mix of SAS/SATA of HDD type in VD", "Mix of SAS-HDD/SATA-HDD in VD")
        ),
        name_length=NAME_LENGTH,
    )


def _number(values: dict[str, Any], *keys: str) -> int | None:
    found = [str(values[key]) for key in keys if str(values.get(key, "")).isdigit()]
    return int(found[0]) if found else None


def _build_drive(drive: StorDrive, storage: Storage) -> Drive:
    enclosure, _, slot = drive.id.partition(":")
    state, trouble = _find_state(drive)
    # Only a JBOD is a disk of the kernel. A drive of an array may have a WWN that belongs to no disk there.
    disk = find_disk(storage, wwn=drive.wwn, serial=drive.serial) if state == "jbod" else None
    return Drive(
        id=drive.id,
        number=0,
        enclosure=enclosure.strip(),
        slot=slot.strip(),
        model=drive.model,
        serial=drive.serial,
        wwn=drive.wwn,
        firmware=drive.firmware,
        size_bytes=drive.size_bytes,
        usable_bytes=drive.usable_bytes,
        sector_bytes=drive.sector_bytes,
        type=find_type(drive),
        interface=drive.interface,
        state=state,
        trouble=trouble,
        device=disk.path if disk is not None else "",
    )


def _find_state(drive: StorDrive) -> tuple[DriveState, str]:
    """(state, what is wrong with it). What is not known is not free."""
    word, _, status = drive.state.partition("/")
    word, status = word.strip().split(" ")[0], status.strip()
    busy = _BUSY.get(status.lower()) or _BUSY.get(word.lower())
    if busy:
        return "unusable", f"{busy} ({drive.state})"
    state = _TROUBLES.get(status) or _STATES.get(word) or "unusable"
    if is_foreign(drive):
        return "foreign", ""
    if state == "good" and drive.group.isdigit():
        return "unusable", f"its state is {drive.state}, and it is in drive group {drive.group}"
    if state == "good" and status.lower() not in _SOUND:
        state = "unusable"
    if state in ("failed", "missing", "unusable"):
        return state, f"its state is {drive.state or 'not shown'}"
    if drive.is_failing:
        return ("unusable" if state == "good" else state), "it is failing: S.M.A.R.T. alert"
    if state == "hotspare" and status.lower() not in _SOUND:
        return state, f"its state is {drive.state}"
    return state, ""


def _build_array(array: StorArray, card: StorController, boot: int | None, storage: Storage) -> Array:
    disk = find_disk(storage, wwn=array.naa, node=array.node)
    state = _ARRAYS.get(array.state, "unknown")
    known = {drive.id: drive for drive in card.drives}
    members = tuple(row for row in array.rows if row in known)
    working = tuple(
        row for row in members if not known[row].state.startswith(("Failed", "Offln", "Conf/Failed"))
    )
    if any(known[row].state.startswith("Rbld") or known[row].state.endswith("Rebuild") for row in members):
        state = "rebuilding"
    elif state == "optimal" and "nitiali" in array.operation:
        state = "initializing"
    return Array(
        id=str(array.number),
        name=array.name,
        level=array.level,
        group=array.group,
        drives=working,
        drive_count=len(array.rows),
        hotspares=array.hotspares,
        span=array.spans,
        strip_bytes=array.strip_bytes,
        size_bytes=array.size_bytes,
        state=state,
        progress=array.operation,
        read_policy=_READ.get(array.read_word),
        write_policy=_WRITE.get(array.write_word),
        is_boot=None if boot is None else array.number == boot,
        wwn=array.naa,
        device=disk.path if disk is not None else "",
    )
