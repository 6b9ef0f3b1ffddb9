"""Leave libpython (7 MB) out of the image. Modules of dnf are linked to it, but the Python interpreter that loads these
modules has the same functions in itself.

The modules are not linked to it any more, and dpkg does not list the package: another package that needs it (gdb)
installs it again. Called by `root`; the recipe's "cut.paths" removes the files.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

_DYNAMIC = 2  # types of program headers: PT_DYNAMIC and PT_LOAD
_LOAD = 1
_NEEDED = 1  # tags of the dynamic section: DT_NEEDED and DT_STRTAB
_STRINGS = 5
_MAGIC = b"\x7fELF\x02\x01"
_PROGRAM = struct.Struct("<IIQQQQQQ")
_ENTRY = struct.Struct("<QQ")


def drop_repeated(root: Path, repeated: Mapping[str, str]) -> None:
    """For each package and its library: no file below `root` is linked to the library, and dpkg forgets the package."""
    for package, library in repeated.items():
        for path in find_users(root, library):
            path.write_bytes(unlink(path.read_bytes(), library))
        forget_package(root / "var/lib/dpkg", package)


def find_users(root: Path, library: str) -> Iterator[Path]:
    """The programs and libraries below `root` that are linked to it."""
    for path in sorted((root / "usr").rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                continue
        data = path.read_bytes()
        if library.encode() in data and library in read_needed(data):
            yield path


def read_needed(data: bytes) -> list[str]:
    """The libraries that an ELF file is linked to (DT_NEEDED, elf(5))."""
    _, entries, strings = _read_dynamic(data)
    return [_read_text(data, strings + value) for tag, value in entries if tag == _NEEDED]


def unlink(data: bytes, library: str) -> bytes:
    """The ELF file without its need of the library: the entries behind move up, and the last one is empty."""
    place, entries, strings = _read_dynamic(data)
    left = [
        (tag, value)
        for tag, value in entries
        if tag != _NEEDED or _read_text(data, strings + value) != library
    ]
    packed = b"".join(_ENTRY.pack(*entry) for entry in left).ljust(len(entries) * _ENTRY.size, b"\0")
    return data[:place] + packed + data[place + len(packed) :]


def forget_package(database: Path, package: str) -> None:
    """Take a package out of dpkg's database (dpkg-query(1)), and out of what others depend on."""
    status = database / "status"
    stanzas = status.read_text().rstrip("\n").split("\n\n")
    kept = [stanza for stanza in stanzas if not stanza.startswith(f"Package: {package}\n")]
    status.write_text("".join(f"{drop_dependency(stanza, package)}\n\n" for stanza in kept))
    for path in (database / "info").iterdir():
        if path.stem.partition(":")[0] == package:
            path.unlink()


def drop_dependency(stanza: str, package: str) -> str:
    """A package's entry without its dependency on another one."""

    def rewrite(match: re.Match[str]) -> str:
        clauses = [clause for clause in match[2].split(", ") if re.split(r"[ :(]", clause)[0] != package]
        return f"{match[1]}: {', '.join(clauses)}{match[3]}" if clauses else ""

    return re.sub(r"^(Depends|Pre-Depends): (.+)(\n|\Z)", rewrite, stanza, flags=re.MULTILINE)


def _read_dynamic(data: bytes) -> tuple[int, list[tuple[int, int]], int]:
    """(where the dynamic section lies, its entries with the empty ones at its end, where its strings lie)."""
    (start,) = struct.unpack_from("<Q", data, 32)
    step, count = struct.unpack_from("<HH", data, 54)
    headers = [_PROGRAM.unpack_from(data, start + number * step) for number in range(count)]
    found = next((header for header in headers if header[0] == _DYNAMIC), None)
    if found is None:  # a static program has no dynamic section
        return 0, [], 0
    place, size = found[2], found[5]
    entries = [_ENTRY.unpack_from(data, place + at) for at in range(0, size, _ENTRY.size)]
    address = next(value for tag, value in entries if tag == _STRINGS)
    strings = next(
        address - header[3] + header[2]
        for header in headers
        if header[0] == _LOAD and header[3] <= address < header[3] + header[5]
    )
    return place, entries, strings


def _read_text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()
