"""Imports go one way (ARCHITECTURE.md): template <- wire <- hardware <- drivers <- engine <- agent; wire <- server."""

import ast
import functools
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src/bootos"
SHARED = {"", "errors", "process", "document"}
MAY_IMPORT = {
    "template": SHARED,
    "wire": SHARED | {"template"},
    "hardware": SHARED | {"template", "wire"},
    "drivers": SHARED | {"template", "wire", "hardware", "fetch"},
    "engine": SHARED | {"template", "wire", "hardware", "drivers"},
    "agent": SHARED | {"template", "wire", "hardware", "drivers", "engine", "fetch", "repository"},
    "server": SHARED | {"template", "wire", "engine", "loader"},
    "image": SHARED | {"wire", "repository", "loader"},
    "lab": SHARED | {"wire", "image", "loader", "fetch"},
    "errors": set(),
    "process": {"errors"},
    "document": {"errors"},
    "fetch": {"errors", "process"},
    "repository": set(),
    "loader": set(),
}
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "base", "misc"}


@functools.cache
def read_imports(file: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    tree = ast.parse(file.read_text())
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
