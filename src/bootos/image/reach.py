"""Which code a function reaches, and the hash of each piece of it: the part of a cache key that says how a stage works.

The source is read, not run, and nothing is listed by hand. A piece is one statement at the top of a module: a function,
a class, a constant. From a function on, each name it uses is followed, over imports, to the piece that defines it.
Where that cannot be told more is taken, never less: a class counts whole, with the classes that its annotations name,
and so does a module of which another thing is used than a name it defines. Comments, docstrings and the place of a line
do not count. Used by `cache`.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import bootos
from bootos.image.piece import Piece, Place, Source, parse_source

PACKAGE = "bootos"
UNCOUNTED: Mapping[str, str] = {
    "bootos.process": "it starts the program it is told to and hands back what that printed: no result has more of it",
    "bootos.errors": "a stage that raises leaves no result",
}
"""Modules that are not followed, and why. Everything else of bootos counts where it is reached."""
WHOLE = "*"
IMPORT = ""
"""Names that stand for all of a module, and for what runs when it is imported."""


class Reach:
    """The source of bootos in `root`, the directory of the package. What was read once is not read again."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sources: dict[str, Source | None] = {}
        self._files: dict[str, Path | None] = {}
        self._expanded: dict[Place, tuple[Sequence[Piece], set[Place]]] = {}

    def collect(self, module: str, name: str) -> dict[str, str]:
        """The pieces that a name of a module reaches, as `module:name` -> sha256; no name: what runs at import. Where
        the module does not define the name at its top, all of the module is meant. Raises OSError, SyntaxError: a
        source cannot be read."""
        found: dict[str, set[str]] = {}
        seen = {(module, name)}
        waiting = [(module, name)]
        while waiting:
            place = waiting.pop()
            pieces, more = self._expand(place)
            for piece in pieces:
                found.setdefault(f"{place[0]}:{', '.join(piece.names)}", set()).add(piece.sha256)
            waiting += more - seen
            seen |= more
        return {label: " ".join(sorted(hashes)) for label, hashes in sorted(found.items())}

    def add_module(self, module: str, file: Path) -> None:
        """Let `collect` find a module that is no part of bootos. Raises OSError, SyntaxError."""
        self._sources.setdefault(module, parse_source(file.read_text()))

    def _expand(self, place: Place) -> tuple[Sequence[Piece], set[Place]]:
        """The pieces of a name, and the places that count with it."""
        if place not in self._expanded:
            module, name = place
            source = self._read(module) if module not in UNCOUNTED else None
            if source is None:
                return (), set()
            pieces, more = self._open(source, module, name)
            more = {*more, *(found for piece in pieces for found in self._follow(source, piece, module))}
            self._expanded[place] = pieces, more
        return self._expanded[place]

    def _open(self, source: Source, module: str, name: str) -> tuple[Sequence[Piece], set[Place]]:
        """The pieces of a name, and the places that count with it, whatever they use."""
        imports = source.imports
        if name == IMPORT:
            above = {(module.rpartition(".")[0], IMPORT)} if "." in module else set()
            return source.loose, above | {(self._find_module(place), IMPORT) for place in imports.values()}
        if name in source.pieces:
            return source.pieces[name], {(module, IMPORT)}
        if name in imports:
            return (), {(module, IMPORT), self._find_import(imports[name])}
        return source.all_pieces, {(module, IMPORT), *map(self._find_import, imports.values())}

    def _follow(self, source: Source, piece: Piece, module: str) -> Iterator[Place]:
        """The places of what a piece uses."""
        if piece.is_dynamic:
            yield module, WHOLE
        yield from map(self._find_import, piece.look.imports.values())
        for name, attributes in piece.uses:
            if name in source.pieces:
                yield module, name
            if name in source.imports:
                yield self._find_import(source.imports[name], attributes)

    def _find_import(self, imported: Place, attributes: str = "") -> Place:
        """What is used of something imported: the first name on the way that is no module; else all of the module."""
        module = imported[0]
        for name in filter(None, (imported[1], *attributes.split("."))):
            if self._find_file(f"{module}.{name}") is None:
                return module, name
            module = f"{module}.{name}"
        return module, WHOLE

    def _find_module(self, imported: Place) -> str:
        """The module that an import runs: `from a import b` is a.b, where that is one."""
        inside = ".".join(filter(None, imported))
        return inside if self._find_file(inside) is not None else imported[0]

    def _read(self, module: str) -> Source | None:
        if module not in self._sources:
            file = self._find_file(module)
            self._sources[module] = parse_source(file.read_text()) if file is not None else None
        return self._sources[module]

    def _find_file(self, module: str) -> Path | None:
        if module not in self._files:
            first, *rest = module.split(".")
            path = self._root.joinpath(*rest)
            files = (path / "__init__.py", path.with_name(f"{path.name}.py")) if first == PACKAGE else ()
            self._files[module] = next((file for file in files if file.is_file()), None)
        return self._files[module]


@functools.cache
def open_reach() -> Reach:
    """The source that this program runs from."""
    return Reach(Path(bootos.__file__).parent)


def collect_code(function: Callable[..., Any]) -> dict[str, str]:
    """The pieces that a function reaches, as `module:name` -> sha256. One that was made inside another function counts
    as that one. Raises OSError, SyntaxError: a source cannot be read."""
    function = inspect.unwrap(function)
    reach, module = open_reach(), function.__module__
    if module.partition(".")[0] != PACKAGE:
        reach.add_module(module, Path(function.__code__.co_filename))
    return reach.collect(module, function.__qualname__.partition(".")[0])
