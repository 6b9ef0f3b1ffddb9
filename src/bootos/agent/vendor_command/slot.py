"""What a drive list of `raid.sh` means on this machine, with the arrays that are there. Pure.

The scripts know no names, and each call knows only its own array. So an array is recognised by its level and its
drives, and the open forms (`2-`, `all`) mean the drives that are left: those of other arrays are passed over, unless
`-c` deletes these.
"""

import re

import msgspec

from bootos.drivers.storage.controller import ControllerState
from bootos.template.drivelist import DriveList
from bootos.wire.inventory import Disk, Inventory


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A drive by its number: a disk of the system, or a drive behind a controller."""

    number: int
    id: str
    usable: bool = True


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """An array that is there, by drive numbers. `hotspares` are those that are spares at the moment; `members` are
    all of them by the inventory's ids."""

    name: str
    level: str
    members: frozenset[str]
    drives: frozenset[int]
    hotspares: frozenset[int]
    whole: bool = False  # the array is on all drives that are asked for

    @property
    def numbers(self) -> frozenset[int]:
        """All drives that the array has, hot spares too."""
        return self.drives | self.hotspares


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """The drives that are meant; `array` is the one that is there already, `passed` the others passed over."""

    drives: tuple[int, ...]
    hotspares: tuple[int, ...]
    array: Present | None = None
    passed: tuple[Present, ...] = ()


def find_slots(inventory: Inventory) -> list[Slot]:
    """The disks that the kernel sees."""
    return [
        Slot(number=disk.index, id=disk.path, usable=not (disk.removable or disk.read_only))
        for disk in inventory.disks
    ]


def read_controller(state: ControllerState) -> tuple[list[Slot], list[Present]]:
    """The drives and arrays behind the machine's hardware controller. With several, those of the first: the scripts
    cannot say which one is meant, and the driver refuses."""
    controller = state.controllers[0]
    numbers = {drive.id: drive.number for drive in controller.drives}
    slots = [
        Slot(number=drive.number, id=drive.id, usable=drive.id not in controller.failed)
        for drive in controller.drives
    ]
    present = [
        Present(
            name=array.title,
            level=array.level,
            members=frozenset([*array.drives, *array.hotspares]),
            drives=frozenset(numbers[id] for id in array.drives),
            hotspares=frozenset(numbers[id] for id in array.hotspares),
        )
        for array in controller.arrays
    ]
    return slots, present


def find_present(inventory: Inventory, driver: str) -> list[Present]:
    """The arrays of the driver's controllers, as far as their drives are disks with a number."""
    found = []
    for controller in inventory.raid:
        if controller.driver != driver:
            continue
        for array in controller.arrays:
            drives = find_numbers(array.drives, inventory.disks)
            spares = find_numbers(array.hotspares, inventory.disks)
            found.append(
                Present(
                    name=array.name,
                    level=array.level,
                    members=frozenset([*array.drives, *array.hotspares]),
                    drives=drives,
                    hotspares=spares,
                )
            )
    return found


def find_numbers(members: list[str], disks: list[Disk]) -> frozenset[int]:
    """The numbers of the disks that these devices are, or are partitions of."""
    return frozenset(
        disk.index
        for disk in disks
        for member in members
        if re.fullmatch(rf"{re.escape(disk.path)}(p?\d+)?", member)
    )


def find_meaning(
    level: int,
    drives: DriveList,
    hotspares: DriveList | None,
    slots: list[Slot],
    present: list[Present],
    *,
    clear: bool,
) -> Meaning:
    """Which drives the lists mean, and which existing array lies on them. An array with exactly these hot spares comes
    first, then an array on the same drives: md decides which drive is the spare at the moment, and that is no reason to
    rebuild."""
    alike: Meaning | None = None
    for array in present:
        if array.level != str(level):
            continue
        meaning = _resolve(
            drives, hotspares, slots, [] if clear else [other for other in present if other is not array]
        )
        if array.numbers == {*meaning.drives, *meaning.hotspares}:
            meaning = msgspec.structs.replace(meaning, array=msgspec.structs.replace(array, whole=True))
            if array.hotspares == set(meaning.hotspares):
                return meaning
            alike = alike or meaning
    if alike is not None:
        return alike
    meaning = _resolve(drives, hotspares, slots, [] if clear else present)
    wanted = {*meaning.drives, *meaning.hotspares}
    for array in present:  # an array that lacks a drive or a hot spare
        if array.level == str(level) and array.drives and array.drives <= wanted:
            return msgspec.structs.replace(meaning, array=array)
    return meaning


def _resolve(
    drives: DriveList, hotspares: DriveList | None, slots: list[Slot], others: list[Present]
) -> Meaning:
    """The numbers that a list means. Open forms leave out the drives of `others`, and drives that no array can use."""
    count = max((slot.number for slot in slots), default=-1) + 1
    busy = frozenset[int]().union(*(array.numbers for array in others))
    unusable = {slot.number for slot in slots if not slot.usable}
    spare_numbers = set(hotspares.named) if hotspares is not None else set()
    data, _ = drives.resolve(count, elsewhere=spare_numbers | busy | unusable)
    spares: list[int] = []
    if hotspares is not None:
        spares, _ = hotspares.resolve(count, elsewhere=set(drives.named) | busy | unusable)
    opened = [entry.open_from for entry in (drives, hotspares) if entry and entry.open_from is not None]
    passed = [array for array in others if opened and any(n >= min(opened) for n in array.numbers)]
    return Meaning(drives=tuple(data), hotspares=tuple(spares), passed=tuple(passed))
