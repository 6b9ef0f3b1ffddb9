"""Version ranges of the support list and of `expect`, as `>=2.10 <3`. Pure.

Conditions stand one after the other, with blanks or commas between them, and all must hold: `>=`, `>`, `<=`, `<`,
`=`, `!=` and a version, or a wildcard pattern (`U30*`) for the whole text. Versions are compared piece by piece:
`2.9` is less than `2.10`, `2` is `2.0`, and what is neither letter nor digit only separates.
"""

import itertools
import operator
import re
from collections.abc import Callable
from fnmatch import fnmatchcase

import msgspec

CONDITION = re.compile(r"(?P<sign>>=|<=|!=|==|=|>|<)?\s*(?P<version>[^\s,<>=!]+)")
SIGNS: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}


class Condition(msgspec.Struct, frozen=True):
    """`sign` is empty for a pattern."""

    sign: str
    version: str


def parse_range(text: str) -> list[Condition]:
    """The conditions of a range; none for an empty text. Raises ValueError with what is wrong."""
    conditions, at = [], 0
    while (at := _skip(text, at)) < len(text):
        match = CONDITION.match(text, at)
        if match is None:
            raise ValueError(f"{text[at:]!r} is not a condition as >=2.10 or a pattern as U30*")
        sign, version = match["sign"] or "", match["version"]
        if sign and not _split(version):
            raise ValueError(f"{version!r} holds neither letters nor digits")
        if sign and any(character in version for character in "*?["):
            raise ValueError(f"{sign}{version} mixes a comparison with a wildcard")
        conditions.append(Condition(sign, version))
        at = match.end()
    return conditions


def _skip(text: str, at: int) -> int:
    while at < len(text) and (text[at].isspace() or text[at] == ","):
        at += 1
    return at


def is_within(version: str, range_text: str) -> bool:
    """Whether the version fulfils every condition. An unknown version (empty) fulfils none."""
    conditions = parse_range(range_text)
    if not conditions:
        return True
    return bool(version.strip()) and all(_holds(version, condition) for condition in conditions)


def _holds(version: str, condition: Condition) -> bool:
    if not condition.sign:
        return fnmatchcase(version.strip().casefold(), condition.version.casefold())
    return SIGNS[condition.sign](compare_versions(version, condition.version), 0)


def compare_versions(one: str, other: str) -> int:
    """-1, 0 or 1. Numbers by value, words by letter, a word before a number (2.1rc before 2.1.1)."""
    empty = (1, 0, "")  # a part that is missing counts as the number 0
    for left, right in itertools.zip_longest(_split(one), _split(other), fillvalue=empty):
        if left != right:
            return -1 if left < right else 1
    return 0


def _split(version: str) -> list[tuple[int, int, str]]:
    pieces = re.findall(r"\d+|[a-z]+", version.casefold())
    return [(1, int(piece), "") if piece.isdigit() else (0, 0, piece) for piece in pieces]


def write_version(text: str) -> str:
    """A version as a machine tells it, in one word: `U30 v2.36 (07/16/2020)` -> `U30-v2.36-07-16-2020`."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")
