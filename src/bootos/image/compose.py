"""Put a recipe together from its parts, as plain values: what it includes, the profile that was chosen, itself.

Tables are merged key by key, lists are joined (what is there already is not repeated), single values of a later part
win; `[without]`, of the same shape, takes items out of lists at the end. Used by `recipe_file`, which checks it;
`Composed.place` says in which file the user finds what a problem is about.
"""

import os.path
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bootos.document import read_document
from bootos.errors import BootosError, Problem, Problems

PROFILES = "profiles"
PATH_KEYS = ("overlays", "debs", "rpms", "system.ca_certificates", "system.units", "system.scripts")
"""Lists of paths, which are relative to the file they stand in."""


class Composed(msgspec.Struct, kw_only=True):
    """The merged values; where each comes from (path in the values -> file and path there); what cannot be merged."""

    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    problems: Problems = msgspec.field(default_factory=Problems)

    def place(self, problem: Problem) -> Problem:
        """The problem with the path as it is written in the user's own file."""
        path = problem.path
        while path:
            if path in self.origins:
                rest = problem.path[len(path) :]
                return msgspec.structs.replace(problem, path=self.origins[path] + rest)
            path = re.sub(r"(\.[^.\[]*|\[\d+\]|^[^.\[]*)$", "", path)
        return problem


def compose_recipe(path: Path, profile: str = "") -> Composed:
    """Read a recipe and all its parts: includes, the recipe, and above them the profile: `profile`, or the one that the
    recipe or what it includes names. Raises BootosError."""
    composed = Composed()
    parts = list(_collect(path, (), composed))
    named = [str(values["profile"]) for _, values in parts if values.get("profile")]
    chosen = profile or (named[-1] if named else "")
    if chosen:
        parts += _collect(_find_profile(chosen, [file.parent for file, _ in reversed(parts)]), (), composed)
    seen: set[Path] = set()
    for file, values in parts:
        if file.resolve() in seen:
            continue
        seen.add(file.resolve())
        label = "" if file == path else f"{os.path.relpath(file, path.parent)}: "
        own = {key: value for key, value in values.items() if key not in ("include", "without")}
        _rebase(own, os.path.relpath(file.parent, path.parent))
        _merge(composed, composed.values, own, label, "")
    for file, values in parts:
        label = "" if file == path else f"{os.path.relpath(file, path.parent)}: "
        composed.problems += _take_out(composed, values.get("without", {}), label)
    if chosen:
        composed.values["profile"] = chosen
    return composed


def _find_profile(name: str, directories: Sequence[Path]) -> Path:
    """The file of a profile: beside the recipe, else beside what it includes."""
    for directory in directories:
        if (directory / PROFILES / f"{name}.toml").is_file():
            return directory / PROFILES / f"{name}.toml"
    found = {path.stem for directory in directories for path in (directory / PROFILES).glob("*.toml")}
    known = ", ".join(sorted(found)) or "none"
    raise BootosError(
        f"{directories[0]} has no profile {name!r}", hint=f"profiles of the recipe and its includes: {known}"
    )


def _read_table(path: Path) -> dict[str, Any]:
    values = read_document(path)
    if not isinstance(values, dict):
        raise BootosError(f"{path} is not a recipe: it holds no table")
    return values


def _collect(
    path: Path, above: tuple[Path, ...], composed: Composed
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The file's includes, theirs first, then the file itself."""
    values = _read_table(path)
    included = values.get("include", [])
    if not isinstance(included, list) or not all(isinstance(item, str) for item in included):
        composed.problems.complain("include", "must be a list of file names")
        included = []
    for index, name in enumerate(included):
        file = path.parent / name
        place = f"{path.name}: include[{index}]"
        if file.resolve() in [item.resolve() for item in (*above, path)]:
            composed.problems.complain(place, f"{name!r} includes itself")
        elif not file.is_file():
            composed.problems.complain(place, f"{name!r} is not a file beside {path}")
        else:
            yield from _collect(file, (*above, path), composed)
    yield path, values


def _rebase(values: dict[str, Any], directory: str) -> None:
    """Make paths relative to the main recipe. Relative, so that a checkout's place does not count."""
    for key in PATH_KEYS:
        *tables, last = key.split(".")
        table: Any = values
        for name in tables:
            table = table.get(name) if isinstance(table, dict) else None
        if directory != "." and isinstance(table, dict) and isinstance(table.get(last), list):
            table[last] = [f"{directory}/{item}" if isinstance(item, str) else item for item in table[last]]

    repositories = values.get("repositories")
    for repository in repositories.values() if directory != "." and isinstance(repositories, dict) else ():
        if isinstance(repository, dict) and isinstance(repository.get("key"), str):
            repository["key"] = f"{directory}/{repository['key']}"


def _merge(composed: Composed, into: dict[str, Any], values: Mapping[str, Any], label: str, at: str) -> None:
    for key, value in values.items():
        path = f"{at}.{key}" if at else key
        present = into.get(key)
        if isinstance(value, dict) and (isinstance(present, dict) or present is None):
            composed.origins.setdefault(path, f"{label}{path}")
            _merge(composed, into.setdefault(key, {}), value, label, path)
        elif isinstance(value, list) and isinstance(present, list):
            for index, item in enumerate(value):
                # An item that stands twice in one file is a mistake, which the checks report; one that two files name
                # is taken once.
                if item not in present:
                    composed.origins[f"{path}[{len(present)}]"] = f"{label}{path}[{index}]"
                    present.append(item)
        else:
            composed.origins[path] = f"{label}{path}"
            into[key] = list(value) if isinstance(value, list) else value


def _take_out(composed: Composed, without: Any, label: str) -> Iterator[Problem]:
    yield from _take_out_of(composed, composed.values, without, f"{label}without", "")


def _take_out_of(composed: Composed, values: Any, without: Any, place: str, at: str) -> Iterator[Problem]:
    if isinstance(without, dict) and isinstance(values, dict):
        for key, item in without.items():
            if key not in values:
                yield Problem(path=f"{place}.{key}", message="nothing of that name is in the recipe")
            else:
                inside = f"{at}.{key}" if at else key
                yield from _take_out_of(composed, values[key], item, f"{place}.{key}", inside)
    elif isinstance(without, list) and isinstance(values, list):
        for index, item in enumerate(without):
            if item not in values:
                yield Problem(path=f"{place}[{index}]", message=f"{item!r} is not in the list")
                continue
            gone = values.index(item)
            values.pop(gone)
            later = [composed.origins.pop(f"{at}[{n}]", f"{at}[{n}]") for n in range(gone, len(values) + 1)]
            composed.origins.update({f"{at}[{gone + n}]": origin for n, origin in enumerate(later[1:])})
    else:
        yield Problem(path=place, message="must have the shape of the recipe: tables, and lists to take from")
