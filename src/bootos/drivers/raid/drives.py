"""Which disks of this machine an array of the template means, and how much they hold. Pure.

Called by drivers that build arrays on whole disks. Every problem is found, none of them stops the rest.
"""

import msgspec

from bootos.drivers.contract import Planned
from bootos.drivers.disk.block import Storage, describe_disk
from bootos.errors import Problem
from bootos.template.drivelist import parse_drives
from bootos.template.model import ArrayWanted, Raid, Template
from bootos.template.raidcheck import FEWEST_DRIVES
from bootos.template.size import format_size, parse_bytes
from bootos.wire.inventory import Disk

DEFAULT_CHUNK_BYTES = 512 * 1024  # mdadm's own


class Resolved(msgspec.Struct, kw_only=True):
    """A wanted array with its drives found on this machine."""

    at: str
    wanted: ArrayWanted
    drives: list[Disk]
    hotspares: list[Disk]
    sound: bool  # whether it can be planned: its drives are there, enough, and not claimed twice
    blocked: bool = False  # by an existing array that may not be deleted

    @property
    def disks(self) -> list[Disk]:
        return [*self.drives, *self.hotspares]

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(disk.path for disk in self.disks)


def resolve_arrays(state: Storage, template: Template, raid: Raid, planned: Planned) -> list[Resolved]:
    """Say which disks every wanted array means; problems go to `planned`."""
    numbered = {disk.index: disk for disk in state.disks}
    count = max(numbered, default=-1) + 1
    named = _named_elsewhere(template)
    claimed: dict[str, str] = {}
    found: list[Resolved] = []
    for index, wanted in enumerate(raid.arrays):
        at = f"raid.arrays[{index}]"
        before = len(planned.problems)
        parts: dict[str, list[Disk]] = {"drives": [], "hotspares": []}
        for key, value in (("drives", wanted.drives), ("hotspares", wanted.hotspares)):
            if value is None:
                continue
            try:
                listed = parse_drives(value)
            except ValueError as cause:
                planned.problems.append(Problem(path=f"{at}.{key}", message=str(cause)))
                continue
            there, missing = listed.resolve(count, elsewhere=named - set(listed.named))
            missing += [number for number in there if number not in numbered]
            for number in sorted(set(missing)):
                message = f"drive {number} is not there: this machine has {_tell_count(numbered)}"
                planned.problems.append(Problem(path=f"{at}.{key}", message=message))
            for number in (number for number in there if number in numbered):
                disk = numbered[number]
                trouble = _find_trouble(state, disk)
                if trouble and number not in listed.named:
                    planned.notes.append(f"{at}.{key}: {describe_disk(disk)} is passed over: {trouble}")
                    continue
                if trouble:
                    message = f"{describe_disk(disk)} cannot be used: {trouble}"
                    planned.problems.append(Problem(path=f"{at}.{key}", message=message))
                if disk.path in claimed:
                    message = f"{describe_disk(disk)} is used by {claimed[disk.path]} already"
                    planned.problems.append(Problem(path=f"{at}.{key}", message=message))
                claimed.setdefault(disk.path, f"{at}.{key}")
                parts[key].append(disk)
        fewest = FEWEST_DRIVES[wanted.level]
        have = len(parts["drives"])
        if len(planned.problems) == before:
            if have < fewest:
                message = (
                    f"RAID {wanted.level} needs at least {fewest} drives; {wanted.drives!r} means {have} here"
                )
                planned.problems.append(Problem(path=f"{at}.drives", message=message))
            elif wanted.level == 10 and have % 2:
                message = f"RAID 10 needs an even number of drives; {wanted.drives!r} means {have} here"
                planned.problems.append(Problem(path=f"{at}.drives", message=message))
        found.append(
            Resolved(
                at=at,
                wanted=wanted,
                drives=parts["drives"],
                hotspares=parts["hotspares"],
                sound=len(planned.problems) == before,
            )
        )
    return found


def _named_elsewhere(template: Template) -> set[int]:
    """Drives that the template names by number anywhere: open lists (`6-`, `all`) pass them over."""
    values: list[str | int | None] = []
    for array in template.raid.arrays if template.raid else ():
        values += [array.drives, array.hotspares]
    values += [disk.select.drives for disk in template.disks]
    named: set[int] = set()
    for value in values:
        try:
            named |= set(parse_drives(value).named) if value is not None else set()
        except ValueError:
            continue  # a problem of its own
    return named


def _tell_count(numbered: dict[int, Disk]) -> str:
    if not numbered:
        return "no disks"
    if len(numbered) == 1:
        return "1 disk, drive 0"
    return f"{len(numbered)} disks, drives {min(numbered)} to {max(numbered)}"


def _find_trouble(state: Storage, disk: Disk) -> str:
    """Why this disk cannot be part of an array at all; empty: it can."""
    found = state.blocks.get(disk.path)
    if found is None:
        return "it is gone since the inventory was read"
    if disk.removable:
        return "it is removable"
    if disk.read_only:
        return "it is read-only"
    return found.obstacle or ", ".join(f"it is {use}" for use in found.used_by)


def data_drives(level: int, drive_count: int) -> int:
    """How many drives' worth of data the array holds."""
    return {0: drive_count, 1: 1, 5: drive_count - 1, 6: drive_count - 2, 10: drive_count // 2}[level]


def round_member(wanted: ArrayWanted, drive_count: int, array_bytes: int) -> int:
    """The part of each drive for an array of this size: up to whole chunks (RAID 1: to 64 KiB)."""
    step = 64 * 1024
    if wanted.level != 1:
        step = parse_bytes(wanted.chunk) if wanted.chunk else DEFAULT_CHUNK_BYTES
    share = -(-array_bytes // data_drives(wanted.level, drive_count))
    return -(-share // step) * step


def usable_bytes(drive_bytes: int) -> int:
    """A lower bound of what md 1.2 leaves of a drive for data: before it lie the superblock, the bitmap and
    the headroom for a reshape, 1/1024 of the drive and at most 128 MiB, rounded up to 1 MiB."""
    headroom = min(128 * 1024**2, drive_bytes // 1024)
    return max(0, (drive_bytes - headroom - 3 * 1024**2) // DEFAULT_CHUNK_BYTES * DEFAULT_CHUNK_BYTES)


def tell_waste(item: Resolved, sizes: list[int], planned: Planned) -> None:
    least, most = min(sizes), max(sizes)
    if most - least > least // 100:
        planned.notes.append(
            f"{item.at}: the drives differ in size ({format_size(least)} to {format_size(most)}); "
            "every one counts as the smallest"
        )
