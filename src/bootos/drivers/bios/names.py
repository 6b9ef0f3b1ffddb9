"""What the neutral names of a template's `bios` section are called on this machine. Pure.

Generations differ in spelling, so names and values of the files (`namefile`) are compared by their letters and digits
alone ("Processors.HyperThreading" is "Processors_HyperThreading", `Enable` is not `Enabled`: the file lists both). What
counts is what the machine really has: the first attribute that exists is the one.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bootos.drivers.bios.namefile import GENERIC, Candidate, find_candidates, read_names
from bootos.drivers.bios.setting import (
    LISTED_MOST,
    Condition,
    Lock,
    Setting,
    Value,
    Wanted,
    convert_value,
    find_lock,
    get_future,
    show,
    squash,
    strip_suffix,
)
from bootos.errors import Problem, Problems
from bootos.template.bios import NEUTRAL_NAMES, Bios, find_wanted

_SWITCHES = {"enabled": True, "enable": True, "on": True, "yes": True, "true": True} | {
    "disabled": False, "disable": False, "off": False, "no": False, "false": False,
}  # fmt: skip


def add_locks(settings: Iterable[Setting], vendor: str) -> list[Setting]:
    """Settings with the dependencies that the vendor's file knows, for tools that do not tell them."""
    settings = list(settings)
    present = {squash(setting.name): setting for setting in settings}
    extra: dict[str, list[Lock]] = {}
    for depend in read_names(vendor).depends:
        source = present.get(squash(depend.attribute))
        if source is None:
            continue
        for name in depend.locks:
            implied = depend.implied.get(name, {})
            for value, then in implied.items():
                when = (Condition(attribute=source.name, value=value),)
                extra.setdefault(squash(name), []).append(Lock(when=when, value=then))
            when = (Condition(attribute=source.name, value=depend.value, comparison="NEQ"),)
            extra.setdefault(squash(name), []).append(Lock(when=when))
    return [
        msgspec.structs.replace(setting, locks=setting.locks + tuple(extra.get(squash(setting.name), ())))
        for setting in settings
    ]


def resolve_bios(bios: Bios, settings: Sequence[Setting], vendor: str) -> tuple[list[Wanted], list[Problem]]:
    """The settings of this machine that a `bios` section asks for, and every reason why one cannot be told."""
    wanted: list[Wanted] = []
    problems = Problems()
    for name, value in find_wanted(bios).items():
        found = _resolve_neutral(name, value, settings, vendor)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            wanted += found
    wanted += [
        Wanted(name=name, value=value, path=f"bios.vendor.{name}") for name, value in bios.vendor.items()
    ]
    return _drop_repeated(wanted, {setting.name: setting for setting in settings}, problems), problems


def export_bios(settings: Sequence[Setting], vendor: str) -> dict[str, Any]:
    """The `bios` section that describes these settings: neutral names where there are, and by their own names those
    that are not at their default. Texts (asset tags, addresses) are left out: they are a machine's own. So is what
    another setting decides."""
    values = {setting.name: get_future(setting) for setting in settings}
    section: dict[str, Any] = {}
    told: set[str] = set()
    for name in NEUTRAL_NAMES:
        for candidate in find_candidates(vendor, name):
            found = find_settings(candidate, settings)
            if not found:
                continue
            words = {_read_neutral(candidate, setting) for setting in found}
            word = words.pop() if len(words) == 1 else None
            if word is not None and all(find_lock(setting, values) is None for setting in found):
                again = _resolve_neutral(name, word, settings, vendor)
                if not isinstance(again, Problem) and all(values[want.name] == want.value for want in again):
                    section[name] = word
                    told |= {setting.name for setting in found} | {want.name for want in again}
            break
    raw = {
        setting.name: values[setting.name]
        for setting in settings
        if setting.name not in told
        and setting.type != "string"
        and "boot option" not in setting.name.casefold()  # a boot order names the devices of this one machine
        and not setting.read_only
        and setting.default is not None
        and values[setting.name] not in (None, setting.default)
        and find_lock(setting, values) is None
    }
    return section | ({"vendor": raw} if raw else {})


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What a neutral name is on one machine: `settings` are those that mean it, with what they will be; `value` is the
    neutral word for that, None where none of its words is."""

    settings: dict[str, Value | None]
    value: str | None = None


def find_meanings(settings: Sequence[Setting], vendor: str) -> dict[str, Meaning]:
    """The neutral names that this machine has settings for."""
    found: dict[str, Meaning] = {}
    for name in NEUTRAL_NAMES:
        for candidate in find_candidates(vendor, name):
            own = find_settings(candidate, settings)
            if own:
                words = {_read_neutral(candidate, setting) for setting in own}
                values = {setting.name: get_future(setting) for setting in own}
                found[name] = Meaning(settings=values, value=words.pop() if len(words) == 1 else None)
                break
    return found


def find_settings(candidate: Candidate, settings: Sequence[Setting]) -> list[Setting]:
    """The machine's settings that an attribute of a file means: mostly one. Several are one setting that the BIOS has
    more than once, told apart by the number that it appends (`SecurityDeviceSupport_005A`, `_005B`). A `*` at the end
    stands for whatever is appended. A title counts only where one setting has it."""
    if candidate.title:
        title = squash(candidate.title)
        found = [setting for setting in settings if squash(setting.title) == title]
        return found if len(found) == 1 else []
    wanted = squash(candidate.attribute)
    exact = [setting for setting in settings if squash(setting.name) == wanted]
    if exact:
        return exact[:1]
    found = [setting for setting in settings if squash(strip_suffix(setting.name)) == wanted]
    if not found and candidate.attribute.endswith("*"):
        found = [setting for setting in settings if squash(setting.name).startswith(wanted)]
    return found if len({squash(strip_suffix(setting.name)) for setting in found}) == 1 else []


def _resolve_neutral(
    name: str, value: str, settings: Sequence[Setting], vendor: str
) -> list[Wanted] | Problem:
    path = f"bios.{name}"
    candidates = find_candidates(vendor, name)
    for candidate in candidates:
        wanted: list[Wanted] = []
        for setting in find_settings(candidate, settings):
            word = _choose_word(candidate, setting, value)
            if isinstance(word, Problem):
                return msgspec.structs.replace(word, path=path)
            wanted.append(Wanted(name=setting.name, value=word, path=path))
        for more in candidate.also if wanted else ():
            for other in find_settings(more, settings):
                also = _choose_word(more, other, value) if value in more.values else None
                if also is not None and not isinstance(also, Problem):
                    wanted.append(Wanted(name=other.name, value=also, path=path))
        if wanted:
            return wanted
    message = "this machine's BIOS shows no setting that is known to mean this"
    hint = "if it has one, give it by its own name: bios.vendor: {NAME: VALUE}"
    names = list(dict.fromkeys(candidate.attribute or candidate.title for candidate in candidates))
    tried = ", ".join(names[:LISTED_MOST])
    known = {squash(setting.name): setting.name for setting in settings}
    near = difflib.get_close_matches(squash(name), known, n=2, cutoff=0.7)
    if name == "power_restore":
        hint += "; the BMC may have it: oob.power_policy"
    if near:
        hint += f"; nearest: {', '.join(known[word] for word in near)}"
    if vendor == GENERIC:  # the names of all makers say nothing about this machine
        tried = f"{len(names)} names that makers give it" if names else ""
    return Problem(path=path, message=f"{message} (looked for: {tried})" if tried else message, hint=hint)


def _choose_word(candidate: Candidate, setting: Setting, value: str) -> Value | Problem:
    """The machine's own spelling of a neutral value: that which it has already where it means the same (`Auto`)."""
    words = candidate.values.get(value)
    if words is None:
        known = ", ".join(candidate.values)
        message = f"{setting.name} of this BIOS cannot be {value}"
        return Problem(path="", message=message, hint=f"it can be: {known}")
    future = get_future(setting)
    if future is not None and setting.type == "enum" and squash(show(future)) in map(squash, words):
        return future
    if _is_unclear(candidate, setting):
        message = f"{setting.name} is true or false here, and whether true means {value} is not known"
        return Problem(
            path="", message=message, hint=f"give it by its own name: bios.vendor: {{{setting.name}: true}}"
        )
    if setting.type == "boolean":
        switches = {_SWITCHES[squash(word)] for word in words if squash(word) in _SWITCHES}
        return switches.pop() if len(switches) == 1 else convert_value(setting, words[0])
    if setting.type == "integer":
        return convert_value(setting, words[0])
    allowed = setting.allowed or tuple(
        str(item) for item in (setting.current, setting.pending, setting.default) if item is not None
    )
    spelled = {squash(item): item for item in allowed}
    for word in words:
        if squash(word) in spelled:
            return spelled[squash(word)]
    if setting.allowed:
        message = f"{setting.name} of this BIOS takes none of: {', '.join(words)}"
        return Problem(path="", message=message, hint=f"it takes: {', '.join(setting.allowed)}")
    return _find_sibling(candidate, setting, value) or words[0]


def _find_sibling(candidate: Candidate, setting: Setting, value: str) -> str | None:
    """The tool lists no values: of several spellings (`Enable`, `Enabled`) that in the place of the present one."""
    for words in candidate.values.values():
        for place, word in enumerate(words):
            if squash(word) == squash(str(setting.current)) and place < len(candidate.values[value]):
                return candidate.values[value][place]
    return None


def _is_unclear(candidate: Candidate, setting: Setting) -> bool:
    """Whether nobody can tell what true means: `ProcessorHyperThreadingDisable` as a switch. A word says it."""
    return setting.type == "boolean" and squash(setting.name) in map(squash, candidate.words_only)


def _read_neutral(candidate: Candidate, setting: Setting) -> str | None:
    future = get_future(setting)
    if _is_unclear(candidate, setting):
        return None
    for value, words in candidate.values.items():
        if squash(show(future)) in [squash(word) for word in words]:
            return value
        if isinstance(future, bool) and future in [_SWITCHES.get(squash(word)) for word in words]:
            return value
    return None


def _drop_repeated(
    wanted: Sequence[Wanted], known: Mapping[str, Setting], problems: Problems
) -> list[Wanted]:
    """One wish for each setting; two that differ are a contradiction."""
    kept: dict[str, Wanted] = {}
    for want in wanted:
        first = kept.setdefault(want.name, want)
        setting = known.get(want.name)
        value = want.value if setting is None else convert_value(setting, want.value)
        if first is not want and not isinstance(value, Problem) and value != first.value:
            message = f"asks for {want.name} {show(want.value)}, and {first.path} for {show(first.value)}"
            problems.complain(want.path, message, "leave one of them out")
    return list(kept.values())
