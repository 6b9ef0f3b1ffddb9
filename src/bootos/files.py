"""Files that are written whole or not at all: a reader never sees half of one, and a crash leaves the old one.

The one way to write them, for all parts. What is too large for the memory is written beside its place and renamed by
whoever makes it. The console's process imports this, so nothing large is imported at the top.
"""

import json
import os
import re
from pathlib import Path

# Type checkers take this name for true. The console's process does not import `typing`, which is large.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.tmp", re.DOTALL)  # a name of `write_atomically`


def write_atomically(path: Path, content: bytes, *, mode: int | None = None, durable: bool = True) -> None:
    """Write beside `path`, and rename over it. `mode` None: as the umask says. `durable`: it is flushed to the disk
    first, for what must outlive a power cut. Raises OSError, and then the old file is there, and nothing else."""
    temporary = write_beside(path, content, mode=mode, durable=durable)
    try:
        put_in_place(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def put_in_place(temporary: Path, path: Path) -> None:
    """Rename what `write_beside` wrote. Raises OSError."""
    temporary.replace(path)


def write_beside(path: Path, content: bytes, *, mode: int | None = None, durable: bool = True) -> Path:
    """Write what `put_in_place` renames to `path`, which then takes no more room; returns where it is. As
    `write_atomically` otherwise. Raises OSError, and then nothing is left of it."""
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            if mode is not None:
                os.fchmod(stream.fileno(), mode)
            if durable:
                os.fsync(stream.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def clean_temporary(directory: Path) -> list[Path]:
    """Remove what a process that was killed left of `write_atomically` in the directory, if nobody writes there now;
    returns what it was. Raises OSError."""
    left = [
        path for path in sorted(directory.iterdir()) if TEMPORARY.fullmatch(path.name) and not path.is_dir()
    ]
    for path in left:
        path.unlink(missing_ok=True)
    return left


def flush(path: Path) -> None:
    """Have the kernel write a file, or what stands in a directory, to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_or_create(path: Path, content: bytes, *, mode: int) -> tuple[bytes, bool]:
    """The file's content, written first when there is none; returns (content, whether it was created). Raises
    OSError."""
    try:
        return path.read_bytes(), False
    except FileNotFoundError:
        write_atomically(path, content, mode=mode)
        return content, True


def write_json(path: Path, value: "Any") -> None:
    """Write `value` (plain values or msgspec models) as JSON, sorted and indented: for later steps and for people.
    Raises OSError."""
    import msgspec

    text = json.dumps(msgspec.to_builtins(value), indent=2, sort_keys=True) + "\n"
    write_atomically(path, text.encode(), durable=False)


def read_json(path: Path) -> "Any":
    """Read what `write_json` wrote. Raises OSError, ValueError: it is no JSON."""
    return json.loads(path.read_text())
