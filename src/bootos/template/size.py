"""Sizes as operators write them: `512MiB`, `480GB`, `30%`, `rest`, and ranges `>=1TB`, `400GB-500GB`.

Pure. Used by the static checks and by the drivers. Units of 1000 (`GB`) and of 1024 (`GiB`) are both exact;
a bare `G` is refused because it means either, depending on whom you ask.
"""

import re
from fractions import Fraction

import msgspec

UNITS = {
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgtp", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgtp", 1)},
}

TOLERANCE = Fraction(5, 100)  # makers round: a `480GB` disk may have 480.10 GB or 447 GiB

_NUMBER = r"(\d+(?:\.\d+)?)"
_SIZE = re.compile(rf"^\s*{_NUMBER}\s*([A-Za-z]+)\s*$")
_BARE = re.compile(rf"^\s*{_NUMBER}\s*$")
_PERCENT = re.compile(rf"^\s*{_NUMBER}\s*%\s*$")
_BOUND = re.compile(r"^\s*(>=|<=|>|<)\s*(.+)$")


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """Exactly one of the three: a number of bytes, a part of the whole (0 to 1), or all that is left."""

    size_bytes: int | None = None
    share: Fraction | None = None
    rest: bool = False

    def of(self, whole_bytes: int) -> int | None:
        """The size in bytes on a disk of `whole_bytes`; None for `rest`."""
        if self.share is not None:
            return int(whole_bytes * self.share)
        return self.size_bytes


class SizeRange(msgspec.Struct, frozen=True, kw_only=True):
    """Both ends belong to the range; None is open."""

    minimum_bytes: int | None = None
    maximum_bytes: int | None = None

    def holds(self, size_bytes: int) -> bool:
        """Whether the size in bytes is in the range; both ends belong to it."""
        return (self.minimum_bytes is None or size_bytes >= self.minimum_bytes) and (
            self.maximum_bytes is None or size_bytes <= self.maximum_bytes
        )


def parse_bytes(text: str) -> int:
    """A size with its unit, in bytes. Raises ValueError with a sentence."""
    found = _SIZE.match(text)
    if not found:
        if _BARE.match(text):
            raise ValueError(f"{text!r} has no unit: write {text.strip()}GiB or {text.strip()}GB")
        raise ValueError(f"{text!r} is not a size like 512MiB or 480GB")
    number, unit = found.groups()
    factor = UNITS.get(unit.lower())
    if factor is None:
        if unit.lower() in "kmgtp":
            upper = unit.upper()
            raise ValueError(f"{text!r}: {unit} is ambiguous: write {upper}iB (1024) or {upper}B (1000)")
        raise ValueError(
            f"{text!r} has an unknown unit {unit!r}: use B, kB, MB, GB, TB or KiB, MiB, GiB, TiB"
        )
    size_bytes = int(Fraction(number) * factor)
    if size_bytes <= 0:
        raise ValueError(f"{text!r} is not more than zero")
    return size_bytes


def parse_size(text: str) -> Size:
    """`512MiB`, `30%` or `rest`. Raises ValueError with a sentence."""
    if text.strip().lower() == "rest":
        return Size(rest=True)
    percent = _PERCENT.match(text)
    if percent:
        share = Fraction(percent.group(1)) / 100
        if not 0 < share <= 1:
            raise ValueError(f"{text!r} is not between 0% and 100%")
        return Size(share=share)
    if not _SIZE.match(text) and not _BARE.match(text):
        raise ValueError(f"{text!r} is not a size like 512MiB, 480GB, 30% or rest")
    return Size(size_bytes=parse_bytes(text))


def parse_range(text: str) -> SizeRange:
    """`480GB` (within 5 %), `>=1TB`, `<2TiB` or `400GB-500GB`. Raises ValueError with a sentence."""
    bound = _BOUND.match(text)
    if bound:
        sign, size_bytes = bound.group(1), parse_bytes(bound.group(2))
        if sign.startswith(">"):
            return SizeRange(minimum_bytes=size_bytes + (sign == ">"))
        return SizeRange(maximum_bytes=size_bytes - (sign == "<"))
    if "-" in text:
        low, high = (parse_bytes(part) for part in text.split("-", 1))
        if low > high:
            raise ValueError(f"{text!r} runs backwards: the smaller size comes first")
        return SizeRange(minimum_bytes=low, maximum_bytes=high)
    size_bytes = parse_bytes(text)
    slack = int(size_bytes * TOLERANCE)
    return SizeRange(minimum_bytes=size_bytes - slack, maximum_bytes=size_bytes + slack)


def format_size(size_bytes: int) -> str:
    """For messages: `480.1 GB`; exact multiples of KiB (small ones), MiB, GiB and TiB as such."""
    if 1024 <= size_bytes < 1024**2 and size_bytes % 1024 == 0:
        return f"{size_bytes // 1024} KiB"
    for unit, factor in (("TiB", 1024**4), ("GiB", 1024**3), ("MiB", 1024**2)):
        if size_bytes >= factor and size_bytes % factor == 0:
            return f"{size_bytes // factor} {unit}"
    for unit, factor in (("TB", 1000**4), ("GB", 1000**3), ("MB", 1000**2), ("kB", 1000)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes} B"
