"""The listening socket of the server, and what connections inherit from it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from serving import Running


def find_accepted(port: int) -> Iterator[socket.socket]:
    """The sockets of this process that were accepted at this port, as duplicates that the caller closes."""
    for path in Path("/proc/self/fd").iterdir():
        try:
            if not path.is_socket():
                continue
            found = socket.socket(fileno=os.dup(int(path.name)))
        except OSError:
            continue  # it was closed meanwhile, or is no socket that Python can name
        try:
            found.getpeername()
            is_accepted = found.family == socket.AF_INET and found.getsockname()[1] == port
        except OSError:
            is_accepted = False
        if is_accepted:
            yield found
        else:
            found.close()


def test_an_accepted_connection_sends_small_answers_without_delay(server: Running) -> None:
    assert server.call("GET", "/api/v2/agent/").status == 200  # the pool keeps this connection open

    delays = []
    for accepted in find_accepted(urlsplit(server.url).port or 0):
        with accepted:
            delays.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    assert delays
    assert all(delays)
