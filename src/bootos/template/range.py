"""Ranges of numbers as operators write them: `2`, `>=2`, `2-4`, `256GiB +-10%`. Pure. Used by `expect`."""

import re
from collections.abc import Callable
from fractions import Fraction

import msgspec

from bootos.template.size import parse_bytes

_SLACK = re.compile(r"^(?P<value>.+?)\s*(?:\+-|\+/-|±)\s*(?P<percent>\d+(?:\.\d+)?)\s*%\s*$")
_BOUND = re.compile(r"^\s*(>=|<=|>|<)\s*(.+)$")
_SPEED = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([GM])b(?:/s|ps)\s*$", re.I)

Reader = Callable[[str], int]


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """Both ends belong to it; None is open."""

    minimum: int | None = None
    maximum: int | None = None

    def holds(self, number: int) -> bool:
        """Whether the number is in the range; both ends belong to it."""
        return (self.minimum is None or number >= self.minimum) and (
            self.maximum is None or number <= self.maximum
        )


def read_count(text: str) -> int:
    """A whole number. Raises ValueError with a sentence."""
    if not re.fullmatch(r"\s*\d+\s*", text):
        raise ValueError(f"{text.strip()!r} is not a whole number")
    return int(text)


def read_speed(text: str) -> int:
    """`25Gb/s`, `1000Mb/s` or a number of Mb/s, in Mb/s. Raises ValueError with a sentence."""
    found = _SPEED.match(text)
    if found:
        return int(Fraction(found[1]) * (1000 if found[2].upper() == "G" else 1))
    try:
        return read_count(text)
    except ValueError:
        raise ValueError(f"{text.strip()!r} is not a speed like 25Gb/s") from None


def parse_range(value: int | str, read: Reader = read_count, *, slack: Fraction = Fraction(0)) -> Range:
    """The numbers that `value` allows. `slack` is how far off a plain value may be. Raises ValueError."""
    text = str(value)
    tolerance = _SLACK.match(text)
    if tolerance:
        text, slack = tolerance["value"], Fraction(tolerance["percent"]) / 100
    bound = None if tolerance else _BOUND.match(text)
    if bound:
        sign, number = bound[1], read(bound[2])
        if sign.startswith(">"):
            return Range(minimum=number + (sign == ">"))
        return Range(maximum=number - (sign == "<"))
    if "-" in text and not tolerance:
        low, high = (read(part) for part in text.split("-", 1))
        if low > high:
            raise ValueError(f"{text!r} runs backwards: the smaller number comes first")
        return Range(minimum=low, maximum=high)
    number = read(text)
    return Range(minimum=number - int(number * slack), maximum=number + int(number * slack))


def parse_sizes(value: str, *, slack: Fraction = Fraction(0)) -> Range:
    """A range of sizes in bytes: `>=256GiB`, `32GiB`, `400GB-500GB`. Raises ValueError."""
    return parse_range(value, parse_bytes, slack=slack)
