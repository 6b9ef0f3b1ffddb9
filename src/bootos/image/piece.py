"""A module taken apart into pieces: statements at its top, each with its hash and the names it uses. Pure: text in.

`reach` follows the names from piece to piece. The scopes of names are Python's own (`symtable`).
"""

import ast
import functools
import hashlib
import symtable
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

DYNAMIC = frozenset(
    {"eval", "exec", "globals", "locals", "vars", "__import__", "import_module", "__subclasses__", "__dict__"}
)
"""What uses one of these may use any name of its module."""
HARMLESS = frozenset({"cache", "contextmanager", "dataclass", "final", "lru_cache", "overload"})
"""Decorators that enter a function nowhere. With any other one it may be called although nobody names it."""

Place = tuple[str, str]
"""A module, and a name in it."""


class Piece:
    """One statement at the top of a module. It is looked into when it is asked: most are never reached."""

    def __init__(self, node: ast.stmt, text: str) -> None:
        self.names = read_names(node)
        self._node = node
        self._text = text

    @functools.cached_property
    def look(self) -> "Seen":
        """What it uses and imports. The docstrings are gone afterwards."""
        look = Seen()
        look.visit(self._node)
        return look

    @functools.cached_property
    def uses(self) -> set[Place]:
        """The names that it takes from its module, each with the attributes asked of it: "km.read_name()" uses
        ("km", "read_name")."""
        names = find_globals(self._text) | self.look.annotations
        return {use for use in self.look.uses if use[0] in names}

    @functools.cached_property
    def sha256(self) -> str:
        """The hash of the statement without comments, docstrings and places."""
        assert self.look
        return hashlib.sha256(ast.dump(self._node).encode()).hexdigest()

    @functools.cached_property
    def is_dynamic(self) -> bool:
        """Whether it may use names that it does not name."""
        words = {word for name, attributes in self.look.uses for word in (name, *attributes.split("."))}
        return bool(DYNAMIC & words) or ("sys", "modules") in self.look.uses


class Source(NamedTuple):
    """One module: its pieces by the names they define; those that run at import or may be called without being named;
    its imports, by the name that each has here."""

    pieces: Mapping[str, Sequence[Piece]]
    loose: Sequence[Piece]
    imports: Mapping[str, Place]

    @property
    def all_pieces(self) -> list[Piece]:
        """Every piece of the module."""
        return [*self.loose, *(piece for group in self.pieces.values() for piece in group)]


def parse_source(text: str) -> Source:
    """Take a module apart. Raises SyntaxError."""
    lines = text.splitlines(keepends=True)
    pieces: dict[str, list[Piece]] = {}
    loose: list[Piece] = []
    imports: dict[str, Place] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.update(read_imports(node))
        elif not _is_docstring(node):
            piece = Piece(node, "".join(lines[_find_start(node) - 1 : node.end_lineno]))
            for name in piece.names:
                pieces.setdefault(name, []).append(piece)
            if not piece.names or _is_entered(node):
                loose.append(piece)
                imports.update(piece.look.imports)
    return Source(pieces=pieces, loose=loose, imports=imports)


def read_names(node: ast.stmt) -> tuple[str, ...]:
    """The names that a statement defines; empty when the statement also defines something else."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return (node.name,)
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return ()
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    flat = [
        item for target in targets for item in (target.elts if isinstance(target, ast.Tuple) else [target])
    ]
    names = tuple(item.id for item in flat if isinstance(item, ast.Name))
    return names if len(names) == len(flat) else ()


def read_imports(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Place]]:
    """(name here, (module, name there)); no name there: the module itself. Imports are absolute in this project."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            yield alias.asname or alias.name, (node.module or "", alias.name)
        else:
            whole = alias.name if alias.asname else alias.name.partition(".")[0]
            yield alias.asname or whole, (whole, "")


def find_globals(text: str) -> set[str]:
    """The names that a statement at the top of a module takes from its module, by Python's own rules of scopes."""
    found: set[str] = set()
    waiting = [symtable.symtable(text, "piece", "exec")]
    while waiting:
        table = waiting.pop()
        is_function = table.get_type() == "function"
        for symbol in table.get_symbols():
            if symbol.is_global() or (symbol.is_referenced() and not is_function):
                found.add(symbol.get_name())
        waiting += table.get_children()
    return found


class Seen(ast.NodeVisitor):
    """Visits a statement: its imports, every name with the attributes asked of it, and the names in annotations, also
    in those that are strings. Takes the docstrings out."""

    def __init__(self) -> None:
        self.uses: set[Place] = set()
        self.imports: dict[str, Place] = {}
        self.annotations: set[str] = set()

    def generic_visit(self, node: ast.AST) -> None:
        """Any node: its docstrings go, and the names of its annotations are noted. Called by `ast`, as the others."""
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [item for item in body if not _is_docstring(item)]  # type: ignore[attr-defined]
        if isinstance(
            annotation := getattr(node, "annotation", None) or getattr(node, "returns", None), ast.expr
        ):
            self._visit_annotation(annotation)
        super().generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        """`import x`."""
        self.imports.update(read_imports(node))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """`from x import y`."""
        self.imports.update(read_imports(node))

    def visit_Name(self, node: ast.Name) -> None:
        """A bare name."""
        self.uses.add((node.id, ""))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """A name with all attributes that are asked of it, "a.b.c" as one."""
        inner: ast.expr = node
        attributes: list[str] = []
        while isinstance(inner, ast.Attribute):
            attributes.insert(0, inner.attr)
            inner = inner.value
        self.uses.add((inner.id if isinstance(inner, ast.Name) else "", ".".join(attributes)))
        if not isinstance(inner, ast.Name):
            self.visit(inner)

    def _visit_annotation(self, annotation: ast.expr) -> None:
        for inner in ast.walk(annotation):
            if isinstance(inner, ast.Name):
                self.annotations.add(inner.id)
            elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                try:
                    quoted = ast.parse(inner.value.strip(), mode="eval").body
                except SyntaxError:  # a string in a Literal is not code
                    continue
                self.visit(quoted)
                self._visit_annotation(quoted)


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _find_start(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(item.lineno for item in decorators)])


def _is_entered(node: ast.stmt) -> bool:
    """Whether a decorator may have passed it on."""
    calls = [
        item.func if isinstance(item, ast.Call) else item for item in getattr(node, "decorator_list", ())
    ]
    names = {item.attr if isinstance(item, ast.Attribute) else getattr(item, "id", "") for item in calls}
    return not names <= HARMLESS
