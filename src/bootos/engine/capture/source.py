"""The files that somebody hands in: read with bounds, whatever they hold. What cannot be used is told, never raised."""

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bootos.document import MOST_DEPTH, is_deeper
from bootos.engine.capture.pasted import read_plain
from bootos.errors import BootosError

MOST_BYTES = 32 * 1024 * 1024  # of one file, unpacked
MOST_TOGETHER_BYTES = 4 * MOST_BYTES  # of all files
MOST_FILES = 10_000  # in a directory; the mockup of a DGX H100 has 5,090
# What reading outputs of any kind may raise: a file may hold everything.
FAILURES = (
    BootosError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    RuntimeError,  # also what is nested too deep, and links in a ring
    SyntaxError,
    zlib.error,
    msgspec.MsgspecError,
)
# Where JSON begins, and a prompt like `[root@host ~]#` does not.
_VALUE = re.compile(r"^[^\S\n]*(?=\{\s*[\"}]|\[\s*[\[{\"\]])", re.MULTILINE)
_COMMA = re.compile(r"\s*+,?\s*+")


class RawFile(msgspec.Struct, frozen=True, kw_only=True):
    """What one command printed. `name` is how the file was called."""

    name: str
    data: bytes

    @property
    def text(self) -> str:
        """As its tool printed it, whatever was made of it on the way."""
        return read_plain(self.data)


def read_files(
    paths: Sequence[Path], most_together: int = MOST_TOGETHER_BYTES
) -> tuple[list[RawFile], list[str]]:
    """The files, and those below directories; and a sentence for each that is not used."""
    found: list[RawFile] = []
    notes: list[str] = []
    left = most_together
    for path in paths:
        inside = sorted(entry for entry in path.rglob("*") if entry.is_file()) if path.is_dir() else [path]
        if len(inside) > MOST_FILES:
            notes.append(f"{path}: {len(inside)} files are too many; the first {MOST_FILES} are read.")
        for file in inside[:MOST_FILES]:
            name = str(file.relative_to(path)) if file != path else file.name
            most = min(MOST_BYTES, left)
            try:
                data = _read_bytes(file, most)
            except (OSError, EOFError, zlib.error) as cause:
                told = (isinstance(cause, OSError) and cause.strerror) or str(cause)
                notes.append(f"{name} cannot be read: {told}.")
                continue
            if len(data) > MOST_BYTES:
                notes.append(f"{name} is not read: it has more than {MOST_BYTES // 1024**2} MiB.")
            elif len(data) > most:
                notes.append(
                    f"{name} is not read: all together have more than {most_together // 1024**2} MiB."
                )
            elif not data.strip():
                notes.append(f"{name} is empty.")
            else:
                left -= len(data)
                found.append(RawFile(name=name, data=data))
    return found, notes


def _read_bytes(file: Path, most: int) -> bytes:
    """The content, unpacked; at most one byte more than `most`."""
    with file.open("rb") as stream:
        data = stream.read(most + 1)
    if data.startswith(b"\x1f\x8b"):
        with gzip.open(file) as unpacked:
            return unpacked.read(most + 1)
    return data


def is_json(text: str) -> bool:
    """Whether something that begins like JSON is in a text."""
    return _VALUE.search(text) is not None


def find_values(text: str, key: str = "") -> Iterator[Any]:
    """The JSON values in a text, one after the other, with whatever was printed around them. Raises ValueError for a
    text that holds none, and at the first one that is broken: what is inside of it is no value of its own. But an
    object that begins with a list by the name `key` is found with those entries that are whole before the break."""
    decoder, place, is_found = json.JSONDecoder(strict=False), 0, False
    while (start := _VALUE.search(text, place)) is not None:
        try:
            value, place = decoder.raw_decode(text, start.end())
        except RecursionError as cause:
            raise ValueError("its JSON is nested too deep") from cause
        except ValueError:
            if key and (entries := list(_find_entries(decoder, text, start.end(), key))):
                yield {key: entries}
            raise
        if is_deeper(value, MOST_DEPTH):
            raise ValueError("its JSON is nested too deep")
        is_found = True
        yield value
    if not is_found:
        raise ValueError("it holds no object and no list")


def _find_entries(decoder: json.JSONDecoder, text: str, place: int, key: str) -> Iterator[Any]:
    """The whole entries of the list that a broken object begins with."""
    head = re.compile(rf'\{{\s*"{key}"\s*:\s*\[\s*').match(text, place)
    place = head.end() if head else len(text)
    while place < len(text) and text[place] in "{[":
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            return
        if is_deeper(value, MOST_DEPTH):
            return
        yield value
        after = _COMMA.match(text, place)
        place = after.end() if after else len(text)


def read_values(
    files: Sequence[RawFile], hint: str, notes: list[str], key: str = ""
) -> Iterator[tuple[str, Any]]:
    """(name of the file, JSON value) of everything in these files, as `find_values` finds it; `hint` says what prints
    it, where there is none. A note tells of a file that is broken."""
    for file in files:
        is_found = False
        try:
            for value in find_values(file.text, key):
                is_found = True
                yield file.name, value
        except ValueError as cause:
            if is_found:
                notes.append(
                    f"{file.name}: it is cut off or broken ({cause}); only what is whole before that is used."
                )
            else:
                notes.append(f"{file.name}: it cannot be read as JSON ({cause}); {hint} prints it.")
