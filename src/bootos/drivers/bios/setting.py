"""What a setting of a BIOS is, whichever tool shows it: its values, and what forbids to set it. Pure."""

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from bootos.errors import Problem

Value = str | int | bool
Comparison = Literal["EQU", "NEQ", "GTR", "GEQ", "LSS", "LEQ"]  # the words of DMTF DSP0268, AttributeRegistry
WORDS = {
    "EQU": "is",
    "NEQ": "is not",
    "GTR": "is above",
    "GEQ": "is at least",
    "LSS": "is below",
    "LEQ": "is at most",
}
LISTED_MOST = 20
_SUFFIX = re.compile(r"_[0-9A-F]{4}$")
_SECRET = re.compile(r"(password|passphrase|chapsecret)(salt|hash)?\d*$")


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """`attribute` compared with `value`."""

    attribute: str
    value: Value
    comparison: Comparison = "EQU"

    def __str__(self) -> str:
        return f"{self.attribute} {WORDS[self.comparison]} {show(self.value)}"


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """A dependency: while all conditions hold, the setting cannot be set; it then has `value`, where that is known."""

    when: tuple[Condition, ...]
    value: Value | None = None


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting as the machine has it. `pending`: what it becomes with the next start (None: nothing is pending).
    `allowed` empty: the tool does not say what is allowed. `applies_at_once`: without a restart. `place`: where the
    driver's tool finds it (a group, a menu), `spelling` and `order` are how that tool writes its name, and which of
    several of that name it is (empty: as `name`, and the only one)."""

    name: str
    title: str = ""
    type: Literal["enum", "integer", "string", "boolean"] = "string"
    current: Value | None = None
    pending: Value | None = None
    default: Value | None = None
    allowed: tuple[str, ...] = ()
    minimum: int | None = None  # the least value of an integer, or the least length of a text
    maximum: int | None = None
    step: int | None = None
    read_only: bool = False
    applies_at_once: bool = False
    place: str = ""
    spelling: str = ""
    order: str = ""
    locks: tuple[Lock, ...] = ()


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A setting as the template wants it; `path` is the place that says so."""

    name: str
    value: Value
    path: str


class SetDetail(msgspec.Struct, frozen=True, kw_only=True):
    """Of an action: what to set. `staged`: it is pending already, only the restart is missing. `kind`, `place`,
    `spelling` and `order` are the setting's, `secret` is the name of the secret that opens the setup."""

    name: str
    value: Value
    staged: bool = False
    kind: str = "string"
    place: str = ""
    spelling: str = ""
    order: str = ""
    secret: str = ""


def show(value: Value | None) -> str:
    """A value for people."""
    if value is None:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'


def squash(text: str) -> str:
    """Letters and digits alone: how spellings are compared."""
    folded = text.casefold()
    return folded if folded.isalnum() else "".join(filter(str.isalnum, folded))


def strip_suffix(name: str) -> str:
    """A name without the number that some BIOSes append (`Password_0250`, `NUMA_003B`)."""
    return _SUFFIX.sub("", name)


def is_secret(name: str, title: str = "") -> bool:
    """Whether a text setting of this name, or shown under this title, holds a secret: those are neither read nor saved
    nor set here. What is known to be no text (an enumeration) is none, whatever its name is."""
    return any(_SECRET.search(squash(strip_suffix(text))) for text in (name, title))


def get_future(setting: Setting) -> Value | None:
    """What the setting is after the next start, if nobody changes it."""
    return setting.current if setting.pending is None else setting.pending


def find_lock(setting: Setting, values: Mapping[str, Value | None]) -> Lock | None:
    """The dependency that forbids to set it while the settings have these values."""
    for lock in setting.locks:
        if lock.when and all(_holds(condition, values) for condition in lock.when):
            return lock
    return None


def convert_value(setting: Setting, value: Value) -> Value | Problem:
    """The value in the setting's own type and spelling, or the problem that says why the setting cannot have it. The
    problem has no path. What it has already it may have, whatever is said to be allowed."""
    if type(value) is type(setting.current) and value == setting.current:
        return value
    if setting.type == "boolean":
        words = {"true": True, "false": False}
        found = value if isinstance(value, bool) else words.get(str(value).lower())
        message = f"{setting.name} takes true or false, not {show(value)!r}"
        return Problem(path="", message=message) if found is None else found
    if isinstance(value, bool):
        message = f"{setting.name} is no yes/no setting: it cannot be {show(value)}"
        hint = 'write words as "Yes", "On" in quotes: YAML takes them for true and false'
        return Problem(path="", message=message, hint=_list_allowed(setting) or hint)
    if setting.type == "integer":
        return _convert_integer(setting, value)
    text = str(value)
    if setting.allowed and text not in setting.allowed:
        near = difflib.get_close_matches(text, setting.allowed, n=1, cutoff=0.5)
        same = [item for item in setting.allowed if item.casefold() == text.casefold()] or near
        hint = f"did you mean {same[0]!r}? " if same else ""
        message = f"{setting.name} does not take {text!r}"
        return Problem(path="", message=message, hint=hint + _list_allowed(setting))
    if not setting.allowed:
        for limit, wrong in ((setting.minimum, int.__lt__), (setting.maximum, int.__gt__)):
            if setting.type == "string" and limit is not None and wrong(len(text), limit):
                message = (
                    f"{setting.name} takes {_tell_range(setting)} characters, and {text!r} has {len(text)}"
                )
                return Problem(path="", message=message)
    return text


def _convert_integer(setting: Setting, value: Value) -> Value | Problem:
    try:
        number = int(value)
    except ValueError:
        message = f"{setting.name} takes a whole number, not {show(value)!r}"
        return Problem(path="", message=message, hint=_tell_range(setting))
    low, high = setting.minimum, setting.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        message = f"{setting.name} cannot be {number}"
        return Problem(path="", message=message, hint=f"it takes {_tell_range(setting)}")
    if setting.step and setting.step > 1 and (number - (low or 0)) % setting.step:
        message = f"{setting.name} goes in steps of {setting.step} from {low or 0}, which {number} is not"
        return Problem(path="", message=message)
    return number


def _tell_range(setting: Setting) -> str:
    low = "" if setting.minimum is None else str(setting.minimum)
    high = "" if setting.maximum is None else str(setting.maximum)
    if low and high:
        return f"{low} to {high}"
    return f"{low} or more" if low else f"{high} or less" if high else ""


def _list_allowed(setting: Setting) -> str:
    if not setting.allowed:
        return ""
    listed = ", ".join(setting.allowed[:LISTED_MOST])
    return f"it takes: {listed}" + (", ..." if len(setting.allowed) > LISTED_MOST else "")


_NUMERIC: dict[str, Callable[[Any, Any], bool]] = {
    "GTR": lambda left, right: left > right,
    "GEQ": lambda left, right: left >= right,
    "LSS": lambda left, right: left < right,
    "LEQ": lambda left, right: left <= right,
}


def _holds(condition: Condition, values: Mapping[str, Value | None]) -> bool:
    """A setting that is not there or has no value fulfils no condition: nothing is forbidden on a guess."""
    value = values.get(condition.attribute)
    if value is None:
        return False
    if condition.comparison in ("EQU", "NEQ"):
        same = squash(str(value)) == squash(str(condition.value))
        return same == (condition.comparison == "EQU")
    try:
        return _NUMERIC[condition.comparison](int(value), int(condition.value))
    except ValueError:
        return False
