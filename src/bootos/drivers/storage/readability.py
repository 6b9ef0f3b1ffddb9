"""Whether the places can be read at all where signatures lie. `wipefs` and `blkid` (util-linux 2.38.1) print
nothing and end well when a read fails, so what cannot be read looks blank to them. Changes nothing.
"""

import os
from pathlib import Path

EDGE_BYTES = 256 * 1024
"""Where libblkid looks for nearly all that it knows: that far from the beginning and from the end."""


def can_read_edges(root: Path, node: str, size_bytes: int, offset: int = 0) -> bool:
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
            os.pread(descriptor, edge, place)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
