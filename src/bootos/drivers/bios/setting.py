"""What a setting of a BIOS is, whichever tool shows it, and the one planner of all BIOS drivers. Pure.

`names` turns the template's words into `Wanted`, `plan_settings` compares them with the machine's settings. A change
takes effect with the machine's next start, so every action asks for a reboot; what is still planned after it did not
take.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from bootos.drivers.contract import Action, Change, Planned
from bootos.errors import Problem

Value = str | int | bool
Comparison = Literal["EQU", "NEQ", "GTR", "GEQ", "LSS", "LEQ"]  # as DMTF DSP0268, AttributeRegistry, has them
WORDS = {
    "EQU": "is",
    "NEQ": "is not",
    "GTR": "is above",
    "GEQ": "is at least",
    "LSS": "is below",
    "LEQ": "is at most",
}
LISTED_MOST = 20


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
    driver's tool finds it (a group, a menu)."""

    name: str
    title: str = ""
    type: Literal["enum", "integer", "string", "boolean"] = "string"
    current: Value | None = None
    pending: Value | None = None
    default: Value | None = None
    allowed: tuple[str, ...] = ()
    minimum: int | None = None  # of an integer, or of a text's length
    maximum: int | None = None
    step: int | None = None
    read_only: bool = False
    applies_at_once: bool = False
    place: str = ""
    locks: tuple[Lock, ...] = ()


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A setting as the template wants it; `path` is the place that says so."""

    name: str
    value: Value
    path: str


class SetDetail(msgspec.Struct, frozen=True, kw_only=True):
    """Of an action: what to set. `staged`: it is pending already, only the restart is missing. `kind` and `place` are
    the setting's, `secret` is the name of the secret that opens the setup."""

    name: str
    value: Value
    staged: bool = False
    kind: str = "string"
    place: str = ""
    secret: str = ""


def show(value: Value | None) -> str:
    """A value for people."""
    if value is None:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'


def plan_settings(settings: Iterable[Setting], wanted: Sequence[Wanted], driver: str) -> Planned:
    """One action for each setting that is not as wanted, those first that others depend on; all problems at once."""
    planned = Planned()
    known = {setting.name: setting for setting in settings}
    found: list[tuple[Setting, Wanted]] = []
    for want in wanted:
        setting = known.get(want.name)
        if setting is None:
            planned.problems.append(_tell_unknown(want, known))
            continue
        value = convert_value(setting, want.value)
        if isinstance(value, Problem):
            planned.problems.append(msgspec.structs.replace(value, path=want.path))
            continue
        found.append((setting, msgspec.structs.replace(want, value=value)))
    present = {name: setting.current for name, setting in known.items()}
    future = {name: get_future(setting) for name, setting in known.items()}
    future |= {want.name: want.value for _, want in found}
    ranks = {
        setting.name: _find_rank(setting, {want.name for _, want in found}, known) for setting, want in found
    }
    for setting, want in sorted(found, key=lambda pair: ranks[pair[0].name]):
        _plan_one(setting, want, present, future, driver, planned)
    asked = {want.name for want in wanted}
    for setting in known.values():
        if setting.pending not in (None, setting.current) and setting.name not in asked:
            planned.notes.append(
                f"{setting.name} has {show(setting.pending)} pending, which the next start brings in as well"
            )
    return planned


def squash(text: str) -> str:
    """Letters and digits alone: how spellings are compared."""
    return "".join(character for character in text.casefold() if character.isalnum())


def is_secret(name: str) -> bool:
    """Whether a text setting of this name holds a secret: those are neither read nor saved nor set here."""
    return squash(name).endswith(("password", "chapsecret"))


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
    """The value in the setting's own type and spelling, or why it is none. The problem has no path."""
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


def make_action_id(driver: str, name: str) -> str:
    """The id of the action that sets one setting: it names what is changed (`contract.Action`)."""
    return f"{driver}:set:{name}"


def _plan_one(
    setting: Setting,
    want: Wanted,
    present: Mapping[str, Value | None],
    future: Mapping[str, Value | None],
    driver: str,
    planned: Planned,
) -> None:
    staged = setting.pending is not None and setting.pending == want.value
    lock = find_lock(setting, future)
    if lock is not None and lock.value not in (None, want.value) and find_lock(setting, present) != lock:
        planned.problems.append(_tell_lock(setting, want, lock))
        return
    if setting.current == want.value and (setting.pending is None or staged):
        planned.notes.append(f"{setting.name} is {show(want.value)} as wanted")
        return
    if lock is not None:
        if lock.value is not None and lock.value == want.value:
            reason = " and ".join(map(str, lock.when))
            planned.notes.append(f"{setting.name} becomes {show(want.value)} by itself, since {reason}")
            return
        planned.problems.append(_tell_lock(setting, want, lock))
        return
    if setting.read_only and not staged and not setting.locks:
        message = f"{setting.name} is read-only here; it is {show(setting.current)}"
        hint = "the BIOS, another setting or the hardware decides it: leave it out, or set what it depends on first"
        planned.problems.append(Problem(path=want.path, message=message, hint=hint))
        return
    before = show(setting.current)
    if setting.pending is not None and setting.pending != setting.current:
        before += f" ({show(setting.pending)} is pending)"
    title = f" ({setting.title})" if setting.title and setting.title != setting.name else ""
    planned.actions.append(
        Action(
            id=make_action_id(driver, setting.name),
            driver=driver,
            summary=(
                f"restart, so that {setting.name}{title} becomes {show(want.value)}"
                if staged
                else f"set {setting.name}{title} to {show(want.value)}"
            ),
            changes=(Change(what=setting.name, before=before, after=show(want.value)),),
            path=want.path,
            reboot=not setting.applies_at_once,
            estimate_s=5.0,
            detail=SetDetail(
                name=setting.name, value=want.value, staged=staged, kind=setting.type, place=setting.place
            ),
        )
    )


def _tell_unknown(want: Wanted, known: Mapping[str, Setting]) -> Problem:
    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(want.name.casefold(), folded, n=3, cutoff=0.6)
    hint = f"nearest: {', '.join(folded[name] for name in near)}" if near else f"it has {len(known)} others"
    return Problem(
        path=want.path, message=f"the BIOS of this machine has no setting {want.name!r}", hint=hint
    )


def _tell_lock(setting: Setting, want: Wanted, lock: Lock) -> Problem:
    reason = " and ".join(map(str, lock.when))
    then = f"; it is {show(lock.value)} then" if lock.value is not None else ""
    message = f"{setting.name} cannot be set to {show(want.value)} while {reason}{then}"
    opens = {
        condition.attribute: condition.value
        for other in setting.locks
        for condition in other.when
        if condition.comparison == "NEQ"
    }
    ways = [
        f"{name} to {show(opens[name]) if name in opens else 'something else'}"
        for name in dict.fromkeys(condition.attribute for condition in lock.when)
    ]
    return Problem(
        path=want.path, message=message, hint=f"set {' and '.join(ways)} as well, or leave this out"
    )


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


def _find_rank(setting: Setting, wanted: set[str], known: Mapping[str, Setting], depth: int = 0) -> int:
    """How many wanted settings stand before this one in a chain of dependencies; tools check them in order."""
    if depth > 8:  # a circle
        return depth
    others = {condition.attribute for lock in setting.locks for condition in lock.when} & wanted - {
        setting.name
    }
    ranks = [_find_rank(known[name], wanted, known, depth + 1) for name in others]
    return 1 + max(ranks) if ranks else 0
