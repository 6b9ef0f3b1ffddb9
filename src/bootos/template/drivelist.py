"""Drive lists in the documented form: `0`, `1,2`, `3-5`, `6-`, `all`, and these joined by commas.

Pure. `parse_drives` reads the form; `DriveList.resolve` says which of N drives it means. The open forms
(`6-`, `all`) mean *what is left*: they pass over drives that the template names elsewhere.
"""

import re
from collections.abc import Set

import msgspec

_ITEM = re.compile(r"^(\d+)(?:(-)(\d+)?)?$")
MOST = 4096  # a larger number is taken for a mistake


class DriveList(msgspec.Struct, frozen=True, kw_only=True):
    """`named` are drives given by number, in order; `open_from` is where an open form begins."""

    text: str
    named: tuple[int, ...] = ()
    open_from: int | None = None

    def resolve(self, count: int, *, elsewhere: Set[int] = frozenset()) -> tuple[list[int], list[int]]:
        """(drives that are there, named drives that are not) on a machine with `count` drives."""
        there = [number for number in self.named if number < count]
        missing = [number for number in self.named if number >= count]
        if self.open_from is not None:
            there += [n for n in range(self.open_from, count) if n not in self.named and n not in elsewhere]
            if self.open_from >= count and self.open_from > 0:
                missing.append(self.open_from)
        return there, missing


def parse_drives(value: str | int) -> DriveList:
    """Read a drive list. Raises ValueError with a sentence."""
    text = str(value).strip()
    named: list[int] = []
    open_from: int | None = None
    if not text:
        raise ValueError("is empty: write 0, 1,2, 3-5, 6- or all")
    for part in (part.strip() for part in text.split(",")):
        if part.lower() == "all":
            open_from = 0
            continue
        found = _ITEM.match(part)
        if not found:
            raise ValueError(f"{part!r} is not a drive: write 0, 1,2, 3-5, 6- or all")
        first, dash, last = int(found.group(1)), found.group(2), found.group(3)
        if max(first, int(last or 0)) > MOST:
            raise ValueError(f"{part!r}: there is no drive above {MOST}")
        if dash and last is None:
            open_from = first if open_from is None else min(open_from, first)
            continue
        if last is not None and int(last) < first:
            raise ValueError(f"{part!r} runs backwards")
        for number in range(first, int(last) + 1 if last is not None else first + 1):
            if number in named:
                raise ValueError(f"drive {number} is listed twice in {text!r}")
            named.append(number)
    return DriveList(text=text, named=tuple(named), open_from=open_from)
