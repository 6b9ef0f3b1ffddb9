"""Whether the places can be read at all where signatures lie. `wipefs` and `blkid` (util-linux 2.38.1) print
nothing and end well when a read fails, so what cannot be read looks blank to them. Changes nothing.
"""

import os
from collections.abc import Callable
from pathlib import Path

Reader = Callable[[int, int, int], bytes]  # descriptor, bytes, place: as `os.pread`

EDGE_BYTES = 256 * 1024
"""Where libblkid looks for nearly all that it knows: that far from the beginning and from the end."""


def can_read_edges(
    root: Path, node: str, size_bytes: int, offset: int = 0, *, read: Reader = os.pread
) -> bool:
    """Whether beginning and end of a device, or of a stretch of it, can be read. `root` is where /dev is; a node that
    is not there is not judged: whoever uses it finds out."""
    edge = min(EDGE_BYTES, size_bytes)
    try:
        descriptor = os.open(root / node.removeprefix("/"), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        for place in (offset, offset + size_bytes - edge):
            _read_through(read, descriptor, edge, place)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _read_through(read: Reader, descriptor: int, length: int, place: int) -> None:
    """Read all of a stretch, or to the end of the device. Linux answers a read that meets a bad sector with the bytes
    before it and no error (pread(2)); the next read, from there on, has the error. Raises OSError."""
    end = place + length
    while place < end:
        piece = read(descriptor, end - place, place)
        if not piece:
            return
        place += len(piece)
