"""Every public function says what it is, or implements one that does; what docstrings name exists.

A method implements another when a base class has one of its name with a docstring, or when its class has every
method of a protocol that describes it. There are no exceptions.
"""

import ast
import functools
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from sourcetree import parse_file

from bootos.drivers.builtin import BUILTIN
from bootos.template.model import Template

SOURCE = Path(__file__).parents[2] / "src/bootos"
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Shape(NamedTuple):
    """A class: what it is built on, and its methods with whether they have a docstring."""

    bases: set[str]
    methods: dict[str, bool]


@functools.cache
def read_trees() -> dict[str, ast.Module]:
    """Every module of bootos, by its path below `src/bootos`."""
    return {str(file.relative_to(SOURCE)): parse_file(file) for file in sorted(SOURCE.rglob("*.py"))}


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


NAME = re.compile(r"`((?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*)(?:\(\))?`")
CALLERS = re.compile(r"Called by((?: |,|and|the|`\w+`)+)")
FILE = re.compile(r"\.(py|txt|sh|json|toml|yaml|squashfs|img|html|old|cfg|sig|symvers)$")


class Names(NamedTuple):
    """What a dotted name in backquotes may mean, besides a file and a name of the module's own."""

    modules: dict[str, set[str]]
    """By their dotted name below `bootos`, what they define, `Class.attribute` too. A folder defines nothing."""
    words: set[str]
    """Names of drivers and keys of templates: `raid.mdadm`, `raid.arrays`."""
    files: set[str]
    """The names of the modules' files, without `.py`."""
    simple: set[str]
    """All that may call something: modules, what they define, and modules of Python."""


@functools.cache
def collect_names() -> Names:
    modules: dict[str, set[str]] = {}
    for path, tree in read_trees().items():
        parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
        modules[".".join(parts)] = set(list_definitions(tree))
        for depth in range(1, len(parts)):
            modules.setdefault(".".join(parts[:depth]), set())
    schema = msgspec.json.schema(Template)
    words = {builtin.name for builtin in BUILTIN} | set(list_keys(schema, schema["$defs"]["Template"]))
    files = {Path(path).stem for path in read_trees()}
    simple = {name.split(".")[-1] for defined in modules.values() for name in defined}
    simple |= {module.split(".")[-1] for module in modules} | sys.stdlib_module_names
    return Names(modules, words, files, simple)


def list_definitions(tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
                if isinstance(tree, ast.ClassDef) and name == "__init__":
                    yield from (item.attr for item in ast.walk(node) if isinstance(item, ast.Attribute))
            case ast.ClassDef(name=name):
                yield from (name, *(f"{name}.{inner}" for inner in list_definitions(node)))
            case ast.Assign(targets=[ast.Name(id=name), *_]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def list_keys(schema: dict[str, Any], part: dict[str, Any], path: str = "") -> Iterator[str]:
    """`section.key`, and what is below it."""
    for name, value in part.get("properties", {}).items():
        yield path + name
        found = re.findall(r"#/\$defs/(\w+)", json.dumps(value))
        for inner in found:
            if path.count(".") < 3:
                yield from list_keys(schema, schema["$defs"][inner], f"{path}{name}.")


def list_texts(source: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The docstrings, also those of attributes, and the comments of a module, with their lines."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.lineno, node.value.value
    if not re.search("#.*`", source):  # searching for comments is slow, so most files are left out first
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def is_known(name: str, own: set[str], names: Names) -> bool:
    """Whether a dotted name means something: of Python, of the module itself, a driver, a key, or `module.name`."""
    name = name.removeprefix("bootos.")
    head = name.split(".")[0]
    if head in sys.stdlib_module_names or name in own or name in names.words:
        return True
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        ending, rest = ".".join(parts[:count]), ".".join(parts[count:])
        for module, defined in names.modules.items():
            if f".{module}".endswith(f".{ending}") and (not rest or rest in defined):
                return True
    return any(name in defined for defined in names.modules.values())


def list_unknown(path: str, source: str, names: Names) -> tuple[list[str], int]:
    """The names in backquotes that mean nothing, as `file:line name`, and how many were looked at."""
    tree = read_trees().get(path) or ast.parse(source)
    own = set(list_definitions(tree))
    unknown, seen = [], 0
    for line, text in list_texts(source, tree):
        for name in NAME.findall(text):
            seen += 1
            module = name.endswith(".py") and name.removesuffix(".py") not in names.files
            if module or not (FILE.search(name) or is_known(name, own, names)):
                unknown.append(f"{path}:{line} {name}")
        for callers in CALLERS.findall(text):
            unknown += [
                f"{path}:{line} {name}"
                for name in re.findall(r"`(\w+)`", callers)
                if name not in names.simple
            ]
    return unknown, seen


def test_what_docstrings_and_comments_name_exists() -> None:
    """In backquotes; words that name nothing of this tree, as an example does, have double quotes."""
    found = [list_unknown(path, (SOURCE / path).read_text(), collect_names()) for path in read_trees()]
    assert sum(seen for _, seen in found) > 150
    assert [name for unknown, _ in found for name in unknown] == []


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("`read.read_storage` reads `vendor.toml`, as `bootos.drivers.storage.read` does", []),
        ("`time.monotonic` for `raid.mdadm` and `raid.arrays`; `Template.extra`, `desk.py`", []),
        (
            "`block.read_storage` of `drivers.plan_hash`, see `helpers.py`",
            ["block.read_storage", "drivers.plan_hash", "helpers.py"],
        ),
        ("Called by `plan_job` and `nobody_at_all`.", ["nobody_at_all"]),
    ],
)
def test_a_name_that_means_nothing_is_found(text: str, unknown: list[str]) -> None:
    found, _ = list_unknown("door.py", f'"""{text}"""', collect_names())
    assert [row.split()[1] for row in found] == unknown
