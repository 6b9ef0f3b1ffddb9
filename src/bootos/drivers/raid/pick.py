"""Which drives a drive list or a selection of the `raid` section means. Pure; the same for disks and for the drives
behind a controller. Every problem is found, none of them stops the rest.
"""

from collections.abc import Callable, Iterable, Mapping, Set

import msgspec

from bootos.drivers.contract import Planned
from bootos.template.drivelist import parse_drives
from bootos.template.raid import Drives, DriveSelect
from bootos.template.size import parse_range
from bootos.wire.inventory import DiskType


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A drive by its number. `trouble`: why it cannot be used at all; `busy`: why a selection passes it over,
    though a list may mean it; `foreign`: why only its own number means it, and no open list."""

    number: int
    title: str
    size_bytes: int
    type: DiskType = DiskType.UNKNOWN
    trouble: str = ""
    busy: str = ""
    foreign: str = ""


class Picker:
    """`noun` is what the numbers count ("disk", "drive"); `where` has them ("this machine"). `elsewhere` are numbers
    that the template gives anywhere: open lists and selections leave those to others."""

    def __init__(
        self,
        candidates: Iterable[Candidate],
        elsewhere: Set[int],
        planned: Planned,
        *,
        noun: str = "disk",
        where: str = "this machine",
    ) -> None:
        self._numbered: Mapping[int, Candidate] = {drive.number: drive for drive in candidates}
        self._elsewhere = elsewhere
        self._claimed: dict[int, str] = {}
        self._planned = planned
        self._noun = noun
        self._where = where

    def pick(
        self,
        value: Drives | None,
        path: str,
        own: Set[int] = frozenset(),
        lost: Set[int] = frozenset(),
    ) -> list[int]:
        """The numbers that `value` means. `own` are the drives of the array that exists already: a selection takes
        these first, so that it means the same drives when it is given again. `lost` are drives in trouble that may
        belong to that array: a list still means them."""
        if value is None:
            return []
        if isinstance(value, DriveSelect):
            found = self._select(value, path, own)
        else:
            found = self._read_list(value, path, lost)
        for number in found:
            self._claimed.setdefault(number, path)
        return found

    def _read_list(self, value: str | int, path: str, lost: Set[int]) -> list[int]:
        try:
            listed = parse_drives(value)
        except ValueError as cause:
            self._planned.complain(path, str(cause))
            return []
        count = max(self._numbered, default=-1) + 1
        there, missing = listed.resolve(count, elsewhere=self._elsewhere - set(listed.named))
        missing += [number for number in there if number not in self._numbered]
        for number in sorted(set(missing)):
            self._planned.complain(path, f"drive {number} is not there: {self._tell_count()}")
        found = []
        for number in there:
            drive = self._numbered.get(number)
            if drive is None:
                continue
            trouble = drive.trouble if number not in lost else ""
            passed = trouble or drive.foreign
            if passed and number not in listed.named:
                self._planned.notes.append(f"{path}: {drive.title} is passed over: {passed}")
                continue
            if trouble:
                self._planned.complain(path, f"{drive.title} cannot be used: {trouble}")
            if number in self._claimed:
                self._planned.complain(path, f"{drive.title} is used by {self._claimed[number]} already")
            found.append(number)
        return found

    def _select(self, select: DriveSelect, path: str, own: Set[int]) -> list[int]:
        tests: list[Callable[[Candidate], bool]] = []
        if select.size is not None:
            try:
                wanted = parse_range(select.size)
            except ValueError as cause:
                self._planned.complain(f"{path}.size", str(cause))
                return []
            tests.append(lambda drive: wanted.holds(drive.size_bytes))
        if select.type is not None:
            tests.append(lambda drive: drive.type.value == select.type)
        fitting = [drive for drive in self._numbered.values() if all(test(drive) for test in tests)]
        free = [
            drive
            for drive in fitting
            if not drive.trouble
            and not drive.foreign
            and (not drive.busy or drive.number in own)
            and drive.number not in self._claimed
            and drive.number not in self._elsewhere
        ]
        free.sort(key=lambda drive: (drive.number not in own, drive.number))
        if select.count is not None and len(free) < select.count:
            message = f"{select.count} drives are asked for, and {len(free)} that fit are free"
            self._planned.complain(path, message, self._tell_others(fitting, free))
        elif not free:
            self._planned.complain(path, "no drive that fits is free", self._tell_others(fitting, free))
        return sorted(drive.number for drive in free[: select.count])

    def _tell_others(self, fitting: list[Candidate], free: list[Candidate]) -> str:
        if not fitting:
            return f"none fits: {self._tell_count()}"
        why = [f"{drive.title}: {self._why_not(drive)}" for drive in fitting if drive not in free]
        return "; ".join(why[:8])

    def _why_not(self, drive: Candidate) -> str:
        owner = self._claimed.get(drive.number)
        if owner is None and drive.number in self._elsewhere:
            owner = "another part of the template, by its number"
        return drive.trouble or drive.foreign or drive.busy or f"it is used by {owner}"

    def _tell_count(self) -> str:
        if not self._numbered:
            return f"{self._where} has no {self._noun}s"
        if len(self._numbered) == 1:
            return f"{self._where} has 1 {self._noun}, drive {min(self._numbered)}"
        numbers = f"drives {min(self._numbered)} to {max(self._numbered)}"
        return f"{self._where} has {len(self._numbered)} {self._noun}s, {numbers}"


def find_named(values: Iterable[Drives | None]) -> set[int]:
    """The drives that are given by number in any of these."""
    named: set[int] = set()
    for value in values:
        try:
            if value is not None and not isinstance(value, DriveSelect):
                named |= set(parse_drives(value).named)
        except ValueError:
            continue  # this is reported elsewhere
    return named


def tell_drives(value: Drives) -> str:
    """As it was written, for messages."""
    return "the selection" if isinstance(value, DriveSelect) else repr(value)
