"""Passes datagrams of many clients on to one port of the loopback, and says whose an answer is.

Each client has a socket of its own, so that who answers can tell them apart. Used by `rmcp` and `sideband`.
"""

import contextlib
import socket
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from typing import Generic, TypeVar

from bootos.lab.loopback import LOOPBACK

_MOST_CLIENTS = 64
_MOST_BYTES = 4096

Client = TypeVar("Client", bound=Hashable)


class UdpRelay(Generic[Client]):
    """To `port`. Nothing is heard of an answer before `receive` is called."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sockets: OrderedDict[Client, socket.socket] = OrderedDict()

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """Those that may have an answer."""
        return list(self._sockets.values())

    def send(self, client: Client, datagram: bytes) -> None:
        """Pass one on. It may be lost, as any datagram."""
        if client not in self._sockets:
            self._drop_all_but(_MOST_CLIENTS - 1)
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.setblocking(False)
            one.connect((LOOPBACK, self._port))
            self._sockets[client] = one
        self._sockets.move_to_end(client)
        with contextlib.suppress(OSError):  # nobody listens now
            self._sockets[client].send(datagram)

    def receive(self, ready: Sequence[object]) -> Iterator[tuple[Client, bytes]]:
        """The answers that have come to those of `ready` that are ours, each with its client."""
        for client, one in list(self._sockets.items()):
            if one in ready:
                with contextlib.suppress(OSError):  # nobody listened when the last one was sent
                    yield client, one.recv(_MOST_BYTES)

    def close(self) -> None:
        """Forget all clients."""
        self._drop_all_but(0)

    def _drop_all_but(self, count: int) -> None:
        while len(self._sockets) > count:
            self._sockets.popitem(last=False)[1].close()
