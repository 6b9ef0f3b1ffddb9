"""Where the lab's UNIX sockets lie: their paths are short, wherever temporary files go on this host."""

import os
import tempfile

MOST_BYTES = 60
"""Of the directory's path: unix(7) takes 107 bytes in all, and names are added to it."""


def open_socket_place(parent: str = "") -> tempfile.TemporaryDirectory[str]:
    """A new directory for sockets, which goes with the object that is returned: in `parent`, else where temporary files
    go, or in /tmp where that path is too long for a socket."""
    parent = parent or tempfile.gettempdir()
    is_short = len(os.fsencode(parent)) <= MOST_BYTES
    return tempfile.TemporaryDirectory(prefix="bootos-lab-", dir=parent if is_short else "/tmp")
