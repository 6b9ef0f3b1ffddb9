"""The one planner of all BIOS drivers. Pure.

`names` turns the template's words into `Wanted`, `plan_settings` compares them with the machine's settings. A change
takes effect with the machine's next start, so every action asks for a reboot; what is still planned after it did not
take.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bootos.drivers.bios.setting import (
    Lock,
    SetDetail,
    Setting,
    Value,
    Wanted,
    convert_value,
    find_lock,
    get_future,
    show,
)
from bootos.drivers.contract import Change, Planned
from bootos.errors import Problem


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
        hint = "the BIOS, another setting or the hardware decides it: leave it out, or set what it depends on first"
        planned.complain(want.path, f"{setting.name} is read-only here; it is {show(setting.current)}", hint)
        return
    before = show(setting.current)
    if setting.pending is not None and setting.pending != setting.current:
        before += f" ({show(setting.pending)} is pending)"
    title = f" ({setting.title})" if setting.title and setting.title != setting.name else ""
    planned.act(
        f"{driver}:set:{setting.name}",
        f"restart, so that {setting.name}{title} becomes {show(want.value)}"
        if staged
        else f"set {setting.name}{title} to {show(want.value)}",
        SetDetail(
            name=setting.name,
            value=want.value,
            staged=staged,
            kind=setting.type,
            place=setting.place,
            spelling=setting.spelling,
            order=setting.order,
        ),
        want.path,
        Change(what=setting.name, before=before, after=show(want.value)),
        reboot=not setting.applies_at_once,
        estimate_s=5.0,
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


def _find_rank(setting: Setting, wanted: set[str], known: Mapping[str, Setting], depth: int = 0) -> int:
    """How many wanted settings stand before this one in a chain of dependencies; tools check them in order."""
    if depth > 8:  # settings that depend on each other in a circle
        return depth
    others = {condition.attribute for lock in setting.locks for condition in lock.when} & wanted - {
        setting.name
    }
    ranks = [_find_rank(known[name], wanted, known, depth + 1) for name in others]
    return 1 + max(ranks) if ranks else 0
