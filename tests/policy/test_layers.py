"""Imports go one way (ARCHITECTURE.md): template <- wire <- hardware <- drivers <- engine <- agent; wire <- server.

Inside `drivers`, its own files lie below the rooms that several drivers use, and those below the drivers.
"""

import ast
import functools
from collections.abc import Iterable
from pathlib import Path

import pytest
from sourcetree import parse_file

SOURCE = Path(__file__).parents[2] / "src/bootos"
SHARED = {"", "errors", "masking", "process", "document", "waiting", "printable", "threadpool"}
MAY_IMPORT = {
    "template": SHARED,
    "wire": SHARED | {"template"},
    "hardware": SHARED | {"template", "wire"},
    "drivers": SHARED | {"template", "wire", "hardware", "fetch"},
    "engine": SHARED | {"template", "wire", "hardware", "drivers"},
    "agent": SHARED | {"template", "wire", "hardware", "drivers", "engine", "fetch", "files", "repository"},
    "server": SHARED | {"template", "wire", "engine", "files", "loader", "screen"},
    "image": SHARED | {"wire", "files", "repository", "loader", "screen"},
    "lab": SHARED | {"wire", "image", "files", "loader", "fetch", "screen"},
    "errors": set(),
    "masking": set(),
    "process": {"errors", "masking"},
    "document": {"errors"},
    "waiting": {"errors"},
    "fetch": {"errors", "masking", "waiting"},
    "files": set(),
    "repository": set(),
    "loader": set(),
    "printable": set(),
    "threadpool": set(),
    "screen": {"printable"},
}
# Folders of `drivers` that several drivers use. No folder imports any other one.
SHARED_ROOMS = {"storage", "redfish"}
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "base", "misc"}


@functools.cache
def read_imports(file: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    tree = parse_file(file)
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


def imported_parts(file: Path) -> set[str]:
    """The parts of bootos that a module imports: `wire` for `from bootos.wire import v2`."""
    parts = set()
    for node in read_imports(file):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif node.module:
            names = (
                [node.module] if node.module != "bootos" else [f"bootos.{alias.name}" for alias in node.names]
            )
        for name in names:
            if name == "bootos" or name.startswith("bootos."):
                part = name.split(".")[1] if "." in name else ""
                parts.add("" if part == "__version__" else part)
    return parts


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_a_part_imports_only_what_lies_below_it(part: str) -> None:
    files = sorted((SOURCE / part).rglob("*.py")) if (SOURCE / part).is_dir() else [SOURCE / f"{part}.py"]
    assert files
    for file in files:
        beyond = imported_parts(file) - MAY_IMPORT[part] - {part}
        assert not beyond, f"{file.relative_to(SOURCE)} must not import {sorted(beyond)}"


def test_a_migration_imports_nothing_that_may_change() -> None:
    """Whoever skips releases gets the rows that the release of each migration made: each has its own copy of a rule."""
    files = sorted((SOURCE / "server/store/migrations/versions").glob("*.py"))
    assert files
    assert {file.name: parts for file in files if (parts := imported_parts(file))} == {}


def list_modules() -> dict[str, Path]:
    """All modules of bootos by their name below it: `drivers.storage.read`; `drivers.storage` is the folder's own."""
    found = {}
    for file in SOURCE.rglob("*.py"):
        parts = file.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imported_modules(file: Path, modules: Iterable[str]) -> set[str]:
    """What a file imports of bootos, inside functions too: `from bootos.wire import v2` is `wire.v2`."""
    found = set()
    for node in read_imports(file):
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("bootos.") for alias in node.names}
        elif node.module and (node.module + ".").startswith("bootos."):
            place = node.module.removeprefix("bootos").removeprefix(".")
            for alias in node.names:
                inner = f"{place}.{alias.name}".removeprefix(".")
                found.add(inner if inner in modules else place)
    return found & set(modules)


@functools.cache
def build_graph() -> dict[str, frozenset[str]]:
    """What each module of bootos imports of bootos."""
    modules = list_modules()
    return {name: frozenset(imported_modules(file, modules) - {name}) for name, file in modules.items()}


def find_circles(graph: dict[str, frozenset[str]]) -> list[set[str]]:
    """Groups of modules of which each reaches the others: the strongly connected components of more than one."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = graph[waiting.pop()] - seen
            seen |= new
            waiting += new
        reached[start] = seen
    circles: list[set[str]] = []
    for name in graph:
        circle = {other for other in reached[name] if name in reached[other]}
        if circle and circle not in circles:
            circles.append(circle)
    return circles


def test_no_modules_import_each_other_in_a_circle() -> None:
    found = find_circles(build_graph())
    assert not found, f"take apart: {sorted(map(sorted, found))}"


def build_neighbours(folder: str) -> dict[str, frozenset[str]]:
    """What the files and folders that lie side by side in a folder import of each other; `` is bootos itself."""
    above = folder.split(".") if folder else []

    def find_neighbour(module: str) -> str | None:
        parts = module.split(".")
        return parts[len(above)] if parts[: len(above)] == above and len(parts) > len(above) else None

    neighbours: dict[str, set[str]] = {}
    for module, imported in build_graph().items():
        if name := find_neighbour(module):
            others = {other for other in map(find_neighbour, imported) if other}
            neighbours.setdefault(name, set()).update(others - {name})
    return {name: frozenset(others) for name, others in neighbours.items()}


def test_no_folders_import_each_other_in_a_circle() -> None:
    folders = {"", *(name for name, file in list_modules().items() if file.name == "__init__.py")}
    found = [
        {f"{folder}.{name}" for name in circle}
        for folder in folders
        for circle in find_circles(build_neighbours(folder))
    ]
    assert not found, f"take apart: {sorted(map(sorted, found))}"


def test_a_circle_is_found_and_a_chain_is_none() -> None:
    chain = {"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset[str]()}
    assert find_circles(chain) == []
    assert find_circles({**chain, "c": frozenset({"a"}), "d": frozenset({"a"})}) == [{"a", "b", "c"}]


def read_driver_room(module: str) -> str | None:
    """The folder of `drivers` that a module is in; empty: it lies directly in it; None: it is elsewhere."""
    parts = module.split(".")
    if parts[0] != "drivers":
        return None
    is_folder = len(parts) > 1 and (SOURCE / "drivers" / parts[1]).is_dir()
    return parts[1] if is_folder else ""


def test_no_driver_imports_another_one() -> None:
    for module, imported in build_graph().items():
        room = read_driver_room(module)
        if room is None:
            continue
        allowed = {None, "", room} if room in SHARED_ROOMS else {None, "", room, *SHARED_ROOMS}
        if room == "":
            allowed = {None, ""}
        beyond = {other for other in imported if read_driver_room(other) not in allowed}
        assert not beyond, f"{module} must not import {sorted(beyond)}"


def test_only_the_process_module_starts_subprocesses() -> None:
    for file in SOURCE.rglob("*.py"):
        if file.name == "process.py":
            continue
        names = set()
        for node in read_imports(file):
            names |= {a.name for a in node.names} if isinstance(node, ast.Import) else {node.module or ""}
        assert "subprocess" not in names, f"{file.relative_to(SOURCE)} must use bootos.process"


def test_no_module_has_a_name_that_says_nothing() -> None:
    vague = [file for file in SOURCE.rglob("*.py") if file.stem in FORBIDDEN_NAMES]
    assert not vague


def test_no_module_has_become_a_catch_all() -> None:
    long = {
        str(f.relative_to(SOURCE)): n
        for f in SOURCE.rglob("*.py")
        if (n := len(f.read_text().splitlines())) > 450
    }
    assert not long, f"split by noun: {long}"


def test_no_two_test_modules_have_the_same_name() -> None:
    names = [file.name for file in Path(__file__).parents[1].rglob("test_*.py")]
    assert sorted(names) == sorted(set(names)), "pytest cannot import two modules of one name"
