"""Write cpio archives in the "newc" form the kernel unpacks (Documentation/driver-api/early-userspace/
buffer-format.rst). Names are sorted, owners are root, times are zero: the same input gives the same bytes.
"""

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

ALIGNMENT = 512
"""Segments of an initrd are padded to this; the kernel needs four bytes and skips zeros between segments."""

_TRAILER = "TRAILER!!!"


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
    encoded = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, size, 0, 0, os.major(device), os.minor(device), len(encoded), 0)
    output.write(b"070701" + b"".join(b"%08X" % field for field in fields) + encoded)
    output.write(b"\0" * (-(110 + len(encoded)) % 4))


def _pad(output: BinaryIO, start: int, alignment: int) -> None:
    output.write(b"\0" * (-(output.tell() - start) % alignment))
