"""`base:` of a template: what it takes from others. Pure; the server resolves it when a template is checked and when
a job is made, `bootos template check --inventory` from the files beside it.

The rules: tables are merged key by key; lists whose items are all tables with a `name` are merged by name, those of
the base first, and so is a list of `raid` sections by `driver`; every other value of the template (other lists too)
replaces the base's; `null` takes the base's value away. Of several bases a later one goes over an earlier one, and the
template over all. A base may have bases. `name` and `description` are never inherited.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from bootos.errors import Problems

MOST_BASES = 50
OWN = ("name", "description", "base")

Find = Callable[[str], tuple[dict[str, Any], int] | None]
"""The document and version of a template by its name; None: there is none."""


class BaseTaken(msgspec.Struct, frozen=True, kw_only=True):
    """A base that was used; `version` 0: of a file."""

    name: str
    version: int


class Resolved(msgspec.Struct, kw_only=True):
    """`document` has no `base` any more."""

    document: dict[str, Any]
    bases: list[BaseTaken] = []
    problems: Problems = msgspec.field(default_factory=Problems)


def resolve_bases(document: dict[str, Any], find: Find) -> Resolved:
    """The document with everything that it inherits."""
    resolved = Resolved(document={})
    chain = [str(document.get("name") or "this template")]
    resolved.document = _resolve(document, find, chain, resolved)
    return resolved


def _resolve(document: dict[str, Any], find: Find, chain: list[str], resolved: Resolved) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name in _read_names(document, chain, resolved):
        shown = " -> ".join([*chain, name])
        if name in chain:
            message = f"a template cannot be its own base: {shown}"
            resolved.problems.complain("base", message)
            continue
        if len(resolved.bases) >= MOST_BASES:
            message = f"more than {MOST_BASES} bases"
            resolved.problems.complain("base", message)
            break
        found = find(name)
        if found is None:
            hint = "store the base first (bootos template add), or mend its name"
            message = f"there is no template {name!r}: {shown}"
            resolved.problems.complain("base", message, hint)
            continue
        base, version = found
        inherited = _resolve(base, find, [*chain, name], resolved)
        merged = _merge_documents(merged, {key: value for key, value in inherited.items() if key not in OWN})
        taken = BaseTaken(name=name, version=version)
        if taken not in resolved.bases:
            resolved.bases.append(taken)
    merged = _merge_documents(merged, {key: value for key, value in document.items() if key != "base"})
    return {key: merged[key] for key in [*OWN, *merged] if key in merged}


def _read_names(document: dict[str, Any], chain: list[str], resolved: Resolved) -> list[str]:
    value = document.get("base")
    names = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        where = "" if len(chain) == 1 else f" in {' -> '.join(chain)}"
        message = f"must be the name of a template, or a list of names{where}"
        resolved.problems.complain("base", message)
        return []
    return list(dict.fromkeys(names))


def _merge_documents(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = merge(base, own)
    if _is_named(base.get("raid"), "driver") and _is_named(own.get("raid"), "driver"):
        merged["raid"] = _merge_items(base["raid"], own["raid"], "driver")
    return merged


def merge(base: Any, own: Any) -> Any:
    """`own` over `base`, by the rules above."""
    if isinstance(base, dict) and isinstance(own, dict):
        merged = {key: value for key, value in base.items() if key not in own or own[key] is not None}
        for key, value in own.items():
            if value is not None:
                merged[key] = merge(base[key], value) if key in base else value
            elif key not in base:
                merged[key] = None
        return merged
    return _merge_items(base, own, "name") if _is_named(base, "name") and _is_named(own, "name") else own


def _merge_items(base: list[dict[str, Any]], own: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Items of the same name are one; `key` is where the name stands."""
    mine = {item[key]: item for item in own}
    names = {item[key] for item in base}
    both = [merge(item, mine[item[key]]) if item[key] in mine else item for item in base]
    return [*both, *(item for item in own if item[key] not in names)]


def _is_named(value: Any, key: str) -> bool:
    """Whether it is a list of tables that are told apart by what `key` says."""
    if not isinstance(value, list) or not value:
        return False
    names = [item.get(key) if isinstance(item, dict) else None for item in value]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
