"""Which disks of this machine an array of the template means, and how much they hold. Pure.

Called by drivers that build arrays on whole disks. Every problem is found, none of them stops the rest.
"""

import msgspec

from bootos.drivers.contract import Planned
from bootos.drivers.raid.pick import Candidate, Picker, find_named, tell_drives
from bootos.drivers.storage import imsm, md
from bootos.drivers.storage.desk import find_use
from bootos.drivers.storage.state import Storage, describe_disk
from bootos.errors import Problem, Problems
from bootos.template.imsmcheck import EXACT_DRIVES, find_container
from bootos.template.model import ArrayWanted, Raid, Template
from bootos.template.raid import Drives
from bootos.template.raidcheck import find_need
from bootos.template.size import format_size, parse_bytes
from bootos.wire.inventory import Disk

DEFAULT_CHUNK_BYTES = 512 * 1024  # mdadm's default
IMSM_STEP_BYTES = 1024**2  # Intel's metadata counts volumes in whole MiB
IMSM_RESERVED_BYTES = 8 * 1024**2  # more than it keeps of each drive for itself, and between two volumes
UNSUPPORTED_LEVELS = (50, 60)
WHY_NOT = {
    "hotspares": "a hot spare of Linux md belongs to one array: name it there",
    "jbod": "Linux md has no controller that could hide drives from the system",
    "mode": "Linux md has no controller whose mode could be set",
    "foreign": "Linux md knows no foreign configurations",
    "controller": "Linux md has no controllers to choose from",
    "read_policy": "Linux md has no cache with a read policy",
    "write_policy": "Linux md has no cache with a write policy",
    "initialize": "Linux md builds its arrays up in the background, always",
}


class Resolved(msgspec.Struct, kw_only=True):
    """A wanted array with its drives found on this machine."""

    at: str
    wanted: ArrayWanted
    drives: list[Disk]
    hotspares: list[Disk]
    sound: bool  # it can be planned: its drives exist, are enough, and are in no other array of the template
    home: str = (
        ""  # the place of the first array in its container, of Intel's metadata; empty: it lies in none
    )
    blocked: bool = False  # an array that may not be deleted is in the way

    @property
    def disks(self) -> list[Disk]:
        """Drives and hot spares."""
        return [*self.drives, *self.hotspares]

    @property
    def paths(self) -> frozenset[str]:
        """The device paths of drives and hot spares."""
        return frozenset(disk.path for disk in self.disks)


def resolve_arrays(state: Storage, template: Template, raid: Raid, planned: Planned) -> list[Resolved]:
    """Say which disks every wanted array means; problems go to `planned`."""
    numbered = {disk.index: disk for disk in state.disks}
    picker = Picker(
        (_build_candidate(state, disk, raid) for disk in state.disks), _named(template, raid), planned
    )
    found: list[Resolved] = []
    for index, wanted in enumerate(raid.arrays):
        at = f"raid.arrays[{index}]"
        before = len(planned.problems)
        first = find_container(raid.arrays, index)
        own = frozenset(
            disk.index
            for disk in state.disks
            if any(array.name == wanted.name and disk.path in array.nodes for array in state.arrays)
        )
        if first == index:
            drives = picker.pick(wanted.drives, f"{at}.drives", own)
            hotspares = picker.pick(wanted.hotspares, f"{at}.hotspares", own)
        else:  # it lies in the container of an earlier one, and has its drives
            drives = [disk.index for disk in found[first].drives]
            hotspares = [disk.index for disk in found[first].hotspares]
        needs = find_need(wanted.level, len(drives), wanted.span)
        if wanted.level == 0 and len(drives) == 1:
            needs = "RAID 0 of Linux md needs at least 2 drives"
        if wanted.metadata == "imsm" and len(drives) != EXACT_DRIVES.get(wanted.level, len(drives)):
            needs = needs or f"RAID {wanted.level} of IMSM has {EXACT_DRIVES[wanted.level]} drives"
        if needs and len(planned.problems) == before:
            message = f"{needs}; {tell_drives(wanted.drives)} means {len(drives)} here"
            planned.complain(f"{at}.drives", message)
        found.append(
            Resolved(
                at=at,
                wanted=wanted,
                drives=[numbered[number] for number in drives],
                hotspares=[numbered[number] for number in hotspares],
                sound=len(planned.problems) == before and wanted.level not in UNSUPPORTED_LEVELS,
                home=f"raid.arrays[{first}]" if wanted.metadata == "imsm" else "",
            )
        )
    return found


def find_unsupported(raid: Raid) -> list[Problem]:
    """What is asked for and only a hardware controller has."""
    problems = Problems()
    for key in ("hotspares", "jbod", "mode", "foreign", "controller"):
        if getattr(raid, key) is not None:
            problems.complain(f"raid.{key}", WHY_NOT[key], "leave it out")
    for index, wanted in enumerate(raid.arrays):
        at = f"raid.arrays[{index}]"
        if wanted.level in UNSUPPORTED_LEVELS:
            hint = f"RAID {wanted.level // 10} or 10; md arrays in md arrays are not built"
            problems.complain(f"{at}.level", f"Linux md has no RAID {wanted.level} in one array", hint)
        for key in ("read_policy", "write_policy", "initialize", "controller"):
            if getattr(wanted, key) is not None:
                problems.complain(f"{at}.{key}", WHY_NOT[key], "leave it out")
        if wanted.span is not None and wanted.level == 10:
            problems.complain(f"{at}.span", "RAID 10 of Linux md has no spans")
        if wanted.hotspare_kind == "global":
            message = "a hot spare of Linux md belongs to one array"
            problems.complain(f"{at}.hotspare_kind", message, "dedicated")
        if wanted.boot:
            message = "Linux md has no boot array: the system's boot loader chooses"
            problems.complain(f"{at}.boot", message, "leave it out")
    return problems


def _named(template: Template, raid: Raid) -> set[int]:
    """Drives that the template names by number anywhere: open lists (`6-`, `all`) pass them over."""
    values: list[Drives | None] = [disk.select.drives for disk in template.disks]
    for array in raid.arrays:
        values += [array.drives, array.hotspares]
    return find_named(values)


def _build_candidate(state: Storage, disk: Disk, raid: Raid) -> Candidate:
    own = state.find_array_of(disk.path)
    wanted = {array.name for array in raid.arrays}
    busy = ""
    if own is not None and not raid.clear and own.name not in wanted:
        busy = f"it is in array {own.name!r}"
    found = state.blocks.get(disk.path)
    kinds = {"isw_raid_member": "Intel's firmware RAID (IMSM)", "ddf_raid_member": "a firmware RAID (DDF)"}
    members = (
        [kinds[entry.type] for entry in found.signatures if entry.type in kinds] if found is not None else []
    )
    return Candidate(
        number=disk.index,
        title=describe_disk(disk),
        size_bytes=disk.size_bytes,
        type=disk.type,
        trouble=_find_trouble(state, disk),
        busy=busy,
        foreign=f"it is a member of {members[0]}" if members and not _is_known(state, disk, raid) else "",
    )


def _is_known(state: Storage, disk: Disk, raid: Raid) -> bool:
    """Whether the disk is in a container of Intel's whose arrays are all in the template, or may be deleted."""
    home = state.find_container_of(disk.path)
    if home is None or not home.uuid:
        return False
    inside = {array.name for array in state.arrays if array.container == home.uuid}
    return raid.clear or inside <= {array.name for array in raid.arrays}


def _find_trouble(state: Storage, disk: Disk) -> str:
    """Why this disk cannot be part of an array at all; empty: it can."""
    found = state.blocks.get(disk.path)
    if found is None:
        return "it is gone since the inventory was read"
    if disk.removable:
        return "it is removable"
    if disk.read_only:
        return "it is read-only"
    return found.obstacle or find_use(found)


def find_differences(
    state: Storage, wanted: ArrayWanted, paths: frozenset[str], drive_count: int, array: md.Array
) -> list[str]:
    """Why an existing array cannot be what is wanted, not even by adding or removing a spare."""
    told: list[str] = []
    if not array.node:
        told.append("it cannot be started")
    if wanted.metadata not in (None, array.metadata):
        told.append(f"metadata {array.metadata}, not {wanted.metadata}")
    if array.level != str(wanted.level):
        told.append(f"level {array.level}, not {wanted.level}")
    if array.drive_count != drive_count:
        told.append(f"{array.drive_count} drives, not {drive_count}")
    spares = {member.node for member in array.members if member.role is None}
    strangers = array.nodes - paths - spares
    if strangers:
        told.append(f"{', '.join(sorted(strangers))} should not be in it")
    elif not array.nodes & paths:
        told.append("it is on other drives")
    if wanted.strip is not None and array.chunk_bytes not in (None, parse_bytes(wanted.strip)):
        told.append(f"strip {format_size(array.chunk_bytes or 0)}, not {wanted.strip}")
    if wanted.size is not None and array.device in state.blocks:
        asked, has = parse_bytes(wanted.size), state.blocks[array.device].size_bytes
        member_bytes = round_member(wanted, drive_count, asked, array.metadata)
        if has != member_bytes * data_drives(wanted.level, drive_count):
            told.append(f"size {format_size(has)}, not {wanted.size}")
    return told


def data_drives(level: int, drive_count: int) -> int:
    """How many drives' worth of data the array holds."""
    return {0: drive_count, 1: 1, 5: drive_count - 1, 6: drive_count - 2, 10: drive_count // 2}[level]


def round_member(wanted: ArrayWanted, drive_count: int, array_bytes: int, metadata: str | None) -> int:
    """The part of each drive for an array of this size: up to whole chunks (RAID 1: to 64 KiB; IMSM: to MiB)."""
    step = 64 * 1024
    if metadata == imsm.METADATA:
        step = IMSM_STEP_BYTES
    elif wanted.level != 1:
        step = parse_bytes(wanted.strip) if wanted.strip else DEFAULT_CHUNK_BYTES
    share = -(-array_bytes // data_drives(wanted.level, drive_count))
    return -(-share // step) * step


def usable_bytes(drive_bytes: int) -> int:
    """A lower bound of what md 1.2 leaves of a drive for data: before it lie the superblock, the bitmap and
    the headroom for a reshape, 1/1024 of the drive and at most 128 MiB, rounded up to 1 MiB."""
    headroom = min(128 * 1024**2, drive_bytes // 1024)
    return max(0, (drive_bytes - headroom - 3 * 1024**2) // DEFAULT_CHUNK_BYTES * DEFAULT_CHUNK_BYTES)


def usable_in_container(drive_bytes: int, used_bytes: int) -> int:
    """A lower bound of what Intel's metadata leaves of a drive for a volume; `used_bytes` are other volumes' parts of
    it. mdadm keeps 5.1 MiB of a drive, and 3 MiB between two volumes."""
    left = drive_bytes - IMSM_RESERVED_BYTES - used_bytes
    return max(0, left // IMSM_STEP_BYTES * IMSM_STEP_BYTES)


def tell_waste(item: Resolved, sizes: list[int], planned: Planned) -> None:
    """Add a note when the drives differ in size by more than one percent: each counts as the smallest."""
    least, most = min(sizes), max(sizes)
    if most - least > least // 100:
        planned.notes.append(
            f"{item.at}: the drives differ in size ({format_size(least)} to {format_size(most)}); "
            "every one counts as the smallest"
        )
