"""Read and write cpio archives in the "newc" form the kernel unpacks (Documentation/driver-api/early-userspace/
buffer-format.rst). What is written has sorted names, root as owner and no times: the same input gives the same bytes.
"""

import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from bootos.errors import BootosError

ALIGNMENT = 512
"""Segments of an initrd are padded to this; the kernel needs four bytes and skips zeros between segments."""

HEADER_BYTES = 110
_HEADER = re.compile(rb"07070[12][0-9A-Fa-f]{104}")
_TRAILER = "TRAILER!!!"


class Entry(NamedTuple):
    """One name in an archive. `offset`: where its content, or a symlink's target, begins in the file that was read."""

    name: str
    mode: int
    offset: int
    size_bytes: int


def is_header(data: bytes, at: int = 0) -> bool:
    """Whether an archive, or an entry of one, begins at this place of the data."""
    return _HEADER.match(data, at) is not None


def read_cpio(source: BinaryIO, position: int = 0) -> tuple[list[Entry], int]:
    """The entries of the archive that begins at `position` of a file, up to its trailer, and where that ends. Raises
    BootosError: it is damaged, or no archive."""
    entries: list[Entry] = []
    while True:
        source.seek(position)
        header = source.read(HEADER_BYTES)
        if not is_header(header):
            raise BootosError(
                f"the initrd is damaged at byte {position}: not a cpio header", hint="bootos image build"
            )
        mode, size_bytes, name_bytes = (int(header[at : at + 8], 16) for at in (14, 54, 94))
        name = source.read(name_bytes).rstrip(b"\0").decode(errors="replace")
        offset = position + (HEADER_BYTES + name_bytes + 3) // 4 * 4
        position = offset + (size_bytes + 3) // 4 * 4
        if name == _TRAILER:
            return entries, position
        entries.append(Entry(name=name, mode=mode, offset=offset, size_bytes=size_bytes))


def write_cpio(output: BinaryIO, root: Path) -> None:
    """Write everything below `root` (directories, files, symlinks, device nodes) as one padded archive."""
    write_cpio_entries(output, ((path.relative_to(root).as_posix(), path) for path in _walk(root)))


def write_cpio_entries(output: BinaryIO, entries: Iterable[tuple[str, Path]]) -> None:
    """Write (name in the archive, what to store there) pairs as one padded archive; parents come first."""
    start = output.tell()
    for number, (name, path) in enumerate(entries, start=1):
        info = path.lstat()
        if stat.S_ISLNK(info.st_mode):
            target = os.fsencode(path.readlink())
            _write_header(output, number, info.st_mode, len(target), name)
            output.write(target)
        elif stat.S_ISREG(info.st_mode):
            _write_header(output, number, info.st_mode, info.st_size, name)
            with path.open("rb") as source:
                shutil.copyfileobj(source, output, 1 << 20)
        else:
            _write_header(output, number, info.st_mode, 0, name, info.st_rdev)
        _pad(output, start, 4)
    _write_header(output, 0, 0, 0, _TRAILER)
    _pad(output, start, ALIGNMENT)


def write_layer(output: BinaryIO, name: str, squashfs: Path) -> None:
    """Write a layer as one padded archive that holds `rootfs/NAME.squashfs`, where `/init` looks for it."""
    start = output.tell()
    _write_header(output, 1, 0o40755, 0, "rootfs")
    _write_header(output, 2, 0o100644, squashfs.stat().st_size, f"rootfs/{name}.squashfs")
    with squashfs.open("rb") as source:
        shutil.copyfileobj(source, output, 1 << 20)
    _pad(output, start, 4)
    _write_header(output, 0, 0, 0, _TRAILER)
    _pad(output, start, ALIGNMENT)


def _walk(root: Path) -> Iterator[Path]:
    """Parents before their contents, sorted by name, as the kernel needs it."""
    for path in sorted(root.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _write_header(output: BinaryIO, number: int, mode: int, size: int, name: str, device: int = 0) -> None:
    encoded = os.fsencode(name) + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, size, 0, 0, os.major(device), os.minor(device), len(encoded), 0)
    output.write(b"070701" + b"".join(b"%08X" % field for field in fields) + encoded)
    output.write(b"\0" * (-(HEADER_BYTES + len(encoded)) % 4))


def _pad(output: BinaryIO, start: int, alignment: int) -> None:
    output.write(b"\0" * (-(output.tell() - start) % alignment))
