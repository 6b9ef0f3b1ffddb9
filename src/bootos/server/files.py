"""Writes files whole or not at all: a reader never sees half of one, and a crash leaves the old one."""

import os
import secrets
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, mode: int) -> None:
    """Write beside `path`, flush to the disk, rename over it. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def flush(path: Path) -> None:
    """Have the kernel write a file, or what stands in a directory, to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_or_create(path: Path, content: bytes, *, mode: int) -> tuple[bytes, bool]:
    """The file's content, written first when there is none; returns (content, whether it was created)."""
    try:
        return path.read_bytes(), False
    except FileNotFoundError:
        write_atomically(path, content, mode=mode)
        return content, True
