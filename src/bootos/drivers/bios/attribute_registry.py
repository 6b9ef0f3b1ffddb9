"""Settings out of a Redfish Bios resource and its attribute registry (DMTF DSP0268, AttributeRegistry). Pure.

Used by every driver whose tool speaks Redfish in one way or another. Passwords are no settings: they are left out.
"""

from collections.abc import Mapping
from typing import Any, get_args

from bootos.drivers.bios.setting import Comparison, Condition, Lock, Setting, Value, is_secret
from bootos.drivers.redfish.reply import read_int, read_object, read_objects

COMPARISONS: dict[str, Comparison] = {word: word for word in get_args(Comparison)}
FORBIDS = frozenset({"readonly", "grayout", "hidden"})
TYPES = {"Enumeration": "enum", "Integer": "integer", "Boolean": "boolean", "String": "string"}


def parse_settings(
    attributes: Mapping[str, Any], pending: Mapping[str, Any], registry: Mapping[str, Any] | None
) -> list[Setting]:
    """`attributes` and `pending` are the `Attributes` of the Bios resource and of its settings object; without a
    registry the types are those of the values. Where the values are the registry's display names (Supermicro X13), so
    is what is allowed."""
    entries = read_object((registry or {}).get("RegistryEntries"))
    described = {str(entry.get("AttributeName")): entry for entry in read_objects(entries.get("Attributes"))}
    locks = parse_locks(entries.get("Dependencies"))
    shown = [_shows_titles(described.get(name, {}), value) for name, value in attributes.items()]
    by_title = True in shown and False not in shown
    found = []
    for name, value in attributes.items():
        entry = described.get(name, {})
        if _holds_secret(name, entry) or isinstance(value, (dict, list)):
            continue
        lock = tuple(locks.get(name, ()))
        found.append(parse_setting(name, value, pending.get(name), entry, lock, by_title=by_title))
    return found


def _holds_secret(name: str, entry: Mapping[str, Any]) -> bool:
    """By the type that the registry says; a text, or what has no type, by its name and title."""
    kind = entry.get("Type")
    if kind in (None, "String"):
        return is_secret(name, str(entry.get("DisplayName") or ""))
    return str(kind) == "Password"


def _read_words(entry: Mapping[str, Any], key: str) -> list[str]:
    """ValueName or ValueDisplayName of every value that an enumeration has."""
    return [str(option[key]) for option in read_objects(entry.get("Value")) if option.get(key) is not None]


def _shows_titles(entry: Mapping[str, Any], value: Any) -> bool | None:
    """Whether an attribute is shown by a display name and not by a name of its registry. None: it may be both, or
    neither."""
    names, titles = _read_words(entry, "ValueName"), _read_words(entry, "ValueDisplayName")
    told = [str(item) for item in (value, entry.get("CurrentValue")) if item is not None]
    in_names, in_titles = any(item in names for item in told), any(item in titles for item in told)
    return None if in_names == in_titles else in_titles


def parse_setting(
    name: str,
    value: Any,
    pending: Any,
    entry: Mapping[str, Any],
    locks: tuple[Lock, ...],
    *,
    by_title: bool = False,
) -> Setting:
    """One attribute with its entry of the registry (empty: it has none). `by_title`: this registry's values are shown
    by their display names where the value itself does not tell."""
    kind = TYPES.get(str(entry.get("Type")), "string")
    if "Type" not in entry and isinstance(value, int):
        kind = "boolean" if isinstance(value, bool) else "integer"
    shows_titles = _shows_titles(entry, value)
    titled = by_title if shows_titles is None else shows_titles
    options = _read_words(entry, "ValueDisplayName" if titled else "ValueName") if kind == "enum" else []
    bounds = ("LowerBound", "UpperBound") if kind == "integer" else ("MinLength", "MaxLength")
    low, high = (read_int(entry.get(key)) for key in bounds)
    default = entry.get("DefaultValue")
    return Setting(
        name=name,
        title=str(entry.get("DisplayName") or "").strip(),
        type=kind,  # type: ignore[arg-type]
        current=_read_value(value, kind),
        pending=None if pending is None or pending == value else _read_value(pending, kind),
        default=None if default is None else _read_value(default, kind),
        allowed=tuple(options),
        minimum=low,
        maximum=None if low is not None and high is not None and high < low else high or None,  # -1: no bound
        step=read_int(entry.get("ScalarIncrement")) or None,
        read_only=_is_true(entry.get("ReadOnly", entry.get("Readonly"))) or _is_true(entry.get("Immutable")),
        applies_at_once=entry.get("ResetRequired") is False,
        locks=locks,
    )


def parse_locks(dependencies: Any) -> dict[str, list[Lock]]:
    """By the setting they are of. A dependency that is not understood is passed over: the BMC has the last word."""
    locks: dict[str, list[Lock]] = {}
    for item in read_objects(dependencies):
        rule = read_object(item.get("Dependency"))
        name = rule.get("MapToAttribute") or item.get("DependencyFor")
        listed = rule.get("MapFrom")
        sources = [read_object(term) for term in listed] if isinstance(listed, list) else []
        conditions = [_parse_condition(term) for term in sources]
        terms = {str(term.get("MapTerms", "AND")).upper() for term in sources[1:]}
        if not name or not isinstance(name, str) or not conditions or None in conditions:
            continue
        whole = [condition for condition in conditions if condition is not None]
        target, value = rule.get("MapToProperty"), rule.get("MapToValue")
        if target == "CurrentValue" and value is not None:
            then: Value | None = _read_value(value, "")
        elif str(target).lower() in FORBIDS and _is_true(value):
            then = None
        else:
            continue
        if len(whole) == 1 or terms <= {"AND"}:
            locks.setdefault(name, []).append(Lock(when=tuple(whole), value=then))
        elif terms <= {"OR"}:
            locks.setdefault(name, []).extend(Lock(when=(condition,), value=then) for condition in whole)
    return {name: sorted(found, key=lambda lock: lock.value is None) for name, found in locks.items()}


def _parse_condition(term: Mapping[str, Any]) -> Condition | None:
    comparison = COMPARISONS.get(str(term.get("MapFromCondition")))
    if term.get("MapFromProperty") != "CurrentValue" or comparison is None:
        return None
    return Condition(
        attribute=str(term.get("MapFromAttribute")),
        comparison=comparison,
        value=_read_value(term.get("MapFromValue"), ""),
    )


def _read_value(value: Any, kind: str) -> Value:
    if kind == "integer" and isinstance(value, str) and (number := read_int(value)) is not None:
        return number
    return value if isinstance(value, (bool, int)) else "" if value is None else str(value)


def _is_true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"
