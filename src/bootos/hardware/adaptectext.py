"""The text of `arcconf GETCONFIG n AL` as parts: a title, and the lines of keys and values below it. Pure; used by
`adaptec`.
"""

import re
from collections.abc import Sequence

import msgspec

from bootos.hardware.keyline import parse_pair

_RULE = re.compile(r"^-{5,}$")
_SECTION = re.compile(
    r"^(controller|array|logical device|logical drive|physical device|maxcache) information$", re.I
)
_SECTION_RULE = 70  # characters; those of the parts of sections have 67 at most
# A section of any other name, like `maxCache 3.0 information`: what is in it belongs to nothing that is read.
_OTHER_SECTION = re.compile(r"^\w[\w .,/()-]{0,60} information$", re.IGNORECASE)
# The parts of a section whose keys are read with it. Others (batteries, sensors, PHYs) have keys of their own.
_OWN_PART = re.compile(r"^([\w ]+ (version|segment) information|RAID properties)$", re.IGNORECASE)
_VOLUME = re.compile(r"^Logical (?:device|drive) number (\d+)$", re.IGNORECASE)
_ARRAY = re.compile(r"^Array Number (\d+)$", re.IGNORECASE)
_DEVICE = re.compile(r"^Device #(\d+)$", re.IGNORECASE)
_HARD_DRIVE = re.compile(r"^Device is an? (Hard drive|SSD|NVMe.*)$", re.IGNORECASE)
PAIRS = re.compile(r"^\d+,\d+(?:\s+\d+,\d+)*$")


class Line(msgspec.Struct, frozen=True):
    """`key` is empty where the line continues the places of the line before it; `is_own`: it is told of the part
    itself, not of a battery or PHY in it."""

    key: str
    value: str
    is_own: bool


class Part(msgspec.Struct, kw_only=True):
    """What the tool prints of one thing. `kind`: controller, array, logical device, physical device."""

    kind: str
    id: str = ""
    is_drive: bool = False
    lines: list[Line] = []

    def keep(self, values: dict[str, str]) -> None:
        """Put what is told of the part itself into `values`; of a key that is there twice the first counts."""
        for line in self.lines:
            if line.is_own:
                values.setdefault(line.key.lower(), line.value)


def parse_parts(text: str) -> list[Part]:
    """The parts of one controller in order. A line that is not known changes nothing."""
    reader = _Reader()
    lines = [line for line in text.splitlines() if line.strip()]
    for place, line in enumerate(lines):
        if not _is_rule(line):
            reader.read(line, lines[max(0, place - 3) : place], lines[place + 1 : place + 2])
    return reader.parts


def _is_rule(line: str) -> bool:
    return _RULE.match(line.strip()) is not None


def _is_below_short_rule(before: Sequence[str]) -> bool:
    """Whether the title is that of a part of a section: where the indentation was lost, the rule before it tells."""
    rule = next((line.strip() for line in reversed(before) if _is_rule(line)), None)
    return rule is not None and len(rule) < _SECTION_RULE


class _Reader:
    """Takes the lines of one controller, in order."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.section = ""
        self.part: Part | None = None  # what the lines belong to; None: nothing that is read
        self.is_own = True  # whether the keys of this part of the section are those of `part`

    def read(self, raw: str, before: Sequence[str], after: Sequence[str]) -> None:
        """Take one line, with the lines around it."""
        line, part = raw.strip(), self.part
        is_inside = raw[:1].isspace() or _is_below_short_rule(before)
        is_ruled = any(map(_is_rule, before[-1:]))
        if title := _SECTION.match(line):
            self._begin(title[1].lower())
            if self.section == "controller":
                self._open("controller")
        elif not is_inside and _OTHER_SECTION.match(line) and any(map(_is_rule, before)):
            self._begin("")
        elif found := _VOLUME.match(line):
            self._begin("logical device")
            self._open("logical device", found[1])
        elif self.section == "array" and (found := _ARRAY.match(line)):
            self._open("array", found[1])
        elif self.section == "physical device" and (found := _DEVICE.match(line)):
            self._open("physical device", found[1])
        elif part is not None and part.kind == "physical device" and _HARD_DRIVE.match(line):
            part.is_drive = True
        elif part is not None and part.kind == "logical device" and PAIRS.match(line):
            part.lines.append(Line("", line, self.is_own))
        elif is_inside and _OWN_PART.search(line) and (is_ruled or any(map(_is_rule, after))):
            self.is_own = True
        elif is_inside and is_ruled and parse_pair(line) is None:
            self.is_own = False
        elif part is not None and (pair := parse_pair(line)):
            part.lines.append(Line(*pair, self.is_own))

    def _begin(self, section: str) -> None:
        self.section, self.part, self.is_own = section, None, True

    def _open(self, kind: str, id: str = "") -> None:
        self.part, self.is_own = Part(kind=kind, id=id), True
        self.parts.append(self.part)
