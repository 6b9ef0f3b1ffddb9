"""Every public function says what it is, or implements one that does; what docstrings name exists.

A method implements another when a base class has one of its name with a docstring, or when its class has every
method of a protocol that describes it. There are no exceptions.
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).parents[2] / "src/bootos"
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Shape(NamedTuple):
    """A class: what it is built on, and its methods with whether they have a docstring."""

    bases: set[str]
    methods: dict[str, bool]


@functools.cache
def read_trees() -> dict[str, ast.Module]:
    """Every module of bootos, by its path below `src/bootos`."""
    return {
        str(file.relative_to(SOURCE)): ast.parse(file.read_text()) for file in sorted(SOURCE.rglob("*.py"))
    }


def read_shape(node: ast.ClassDef) -> Shape:
    bases = {name.id for base in node.bases for name in ast.walk(base) if isinstance(name, ast.Name)}
    bases |= {base.attr for base in node.bases if isinstance(base, ast.Attribute)}
    methods = {item.name: has_docstring(item) for item in node.body if isinstance(item, Function)}
    return Shape(bases, methods)


def has_docstring(node: Function) -> bool:
    return bool(ast.get_docstring(node))


def collect_shapes(trees: dict[str, ast.Module]) -> dict[str, list[Shape]]:
    """The classes by name; several may have one name."""
    found: dict[str, list[Shape]] = {}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(read_shape(node))
    return found


def collect_methods(
    name: str, shapes: dict[str, list[Shape]], seen: frozenset[str] = frozenset()
) -> dict[str, bool]:
    """The methods of a class and of its bases, by name; whether one of them has a docstring."""
    found: dict[str, bool] = {}
    for shape in shapes.get(name, []):
        parts = [shape.methods]
        parts += [collect_methods(base, shapes, seen | {name}) for base in shape.bases - seen - {name}]
        for part in parts:
            for method, described in part.items():
                found[method] = found.get(method, False) or described
    return found


def list_functions(
    node: ast.AST, owner: ast.ClassDef | None = None
) -> Iterator[tuple[ast.ClassDef | None, Function]]:
    """The public functions of a module, and the public methods of its public classes."""
    for item in ast.iter_child_nodes(node):
        if isinstance(item, Function):
            if not item.name.startswith("_"):
                yield owner, item
        elif isinstance(item, ast.ClassDef):
            if not item.name.startswith("_"):
                yield from list_functions(item, item)
        else:
            yield from list_functions(item, owner)


def list_silent(trees: dict[str, ast.Module]) -> list[str]:
    """The functions that say nothing and implement none that does, as `file:line name`."""
    shapes = collect_shapes(trees)
    protocols = [shape for named in shapes.values() for shape in named if "Protocol" in shape.bases]
    silent = []
    for path, tree in trees.items():
        for owner, function in list_functions(tree):
            if has_docstring(function):
                continue
            if owner is not None:
                has = collect_methods(owner.name, shapes)
                kept = [shape.methods for shape in protocols if has.keys() >= shape.methods.keys()]
                if has[function.name] or any(methods.get(function.name) for methods in kept):
                    continue
            silent.append(f"{path}:{function.lineno} {owner.name + '.' if owner else ''}{function.name}")
    return silent


def test_every_public_function_says_what_it_is() -> None:
    trees = read_trees()
    assert sum(1 for tree in trees.values() for _ in list_functions(tree)) > 2000
    assert list_silent(trees) == []


def test_a_silent_function_is_found() -> None:
    source = '''
class Door(Protocol):
    def open(self) -> None:
        """Let somebody in."""
    def close(self) -> None: ...

class Gate:
    def open(self) -> None: ...
    def close(self) -> None: ...

class Half:
    def open(self) -> None: ...

class Iron(Gate):
    def lock(self) -> None:
        """Turn the key."""

class Old(Iron):
    def lock(self) -> None: ...
    def _rust(self) -> None: ...

if True:
    def knock() -> None: ...
'''
    found = [row.split()[1] for row in list_silent({"door.py": ast.parse(source)})]
    assert found == ["Door.close", "Gate.close", "Half.open", "knock"]
