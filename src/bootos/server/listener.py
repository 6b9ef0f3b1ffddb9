"""The sockets that the server listens at, and what stands between a connection and its application.

A connection begins as a `Porch`, which holds nothing. At a TLS listener the handshake begins with the first bytes. What
goes on then is uvicorn's protocol, told apart by how far a request has come; `crowd` decides who stays. Called by
`serve`.
"""

import asyncio
import functools
import socket
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from typing import Literal

import h11
import msgspec
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from bootos.errors import BootosError
from bootos.server.crowd import Crowd, Guest
from bootos.server.fault import Fault
from bootos.server.plane import MACHINE_HEADERS
from bootos.server.settings import Address
from bootos.server.tls.authority import Authority

BACKLOG = 1024
FAREWELL_S = 2.0  # how long a client may take to close TLS in order


class Listener(msgspec.Struct, frozen=True):
    """A socket that listens, for whom, and whether it speaks TLS."""

    side: Literal["machines", "operators"]
    socket: socket.socket
    is_tls: bool = False

    @property
    def url(self) -> str:
        """Its address, as the socket has it."""
        host, port = self.socket.getsockname()[:2]
        return f"{'https' if self.is_tls else 'http'}://{Address(host, port)}"


def bind(address: Address, option: str) -> socket.socket:
    """A socket that listens there. Raises BootosError that names the option to choose another address with."""
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
        # The protocol is named: asyncio sets TCP_NODELAY only on sockets whose protocol is IPPROTO_TCP. Without it the
        # body of each answer waits for the peer's delayed acknowledgement of the head (benchmarks/keep_alive.py shows
        # it).
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
    except OSError as cause:
        raise BootosError(
            f"cannot listen on {address}: {cause.strerror or cause}",
            hint=f"another server may be running there; choose another address with {option} HOST:PORT",
        ) from cause
    listener.listen(BACKLOG)
    return listener


class TlsProtocol(SSLProtocol):
    """asyncio's, with a buffer of the size of one record of TLS (RFC 8446, section 5.1) for each connection; its own
    are 256 KiB (benchmarks/connections.py measures both)."""

    max_size = 16 * 1024

    def __init__(
        self, application: asyncio.Protocol, tls: ssl.SSLContext, on_end: Callable[[], None]
    ) -> None:
        super().__init__(
            asyncio.get_running_loop(),
            application,
            tls,
            None,  # type: ignore[arg-type]  # nobody waits for the handshake
            server_side=True,
            ssl_shutdown_timeout=FAREWELL_S,
        )
        self._on_end = on_end

    def connection_lost(self, exc: BaseException | None) -> None:
        """Also of a handshake that failed, which the application never hears of."""
        super().connection_lost(exc)
        self._on_end()


class Request(H11Protocol):
    """uvicorn's protocol, which tells the crowd how far each request has come."""

    def __init__(self, config: Config, state: ServerState, crowd: Crowd, guest: Guest) -> None:
        super().__init__(config, state, {})
        self._crowd = crowd
        self._guest = guest

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It may send a request now; over TLS the handshake is done."""
        super().connection_made(transport)
        self._guest.connection = self
        self._crowd.end_handshake(self._guest)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._crowd.leave(self._guest)

    def data_received(self, data: bytes) -> None:
        """More of a request came: how far is it now?"""
        super().data_received(data)
        if self.transport.is_closing():
            return
        self._tell_stage()
        if self.conn.their_state is not h11.IDLE:
            self._crowd.hold(self._guest, len(data))

    def on_response_complete(self) -> None:
        """The request was answered, or what is left of the answer waits for its reader. The next request, or a part of
        it, may have come with this one (pipelining; RFC 9112, section 9.3.2)."""
        self._crowd.expect_nothing(self._guest)
        if self.flow.write_paused:
            self._crowd.expect_reader(self._guest)
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self.conn.our_state is h11.SEND_RESPONSE:
            self._tell_stage()
            self._crowd.hold(self._guest, len(self.cycle.body))
        elif self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._crowd.expect_head(self._guest)

    def _tell_stage(self) -> None:
        """Tell the crowd how far the request has come that is being read."""
        crowd, guest, state = self._crowd, self._guest, self.conn.their_state
        if state is h11.IDLE:
            crowd.expect_head(guest)
        elif state is h11.SEND_BODY:
            crowd.expect_body(guest)
        elif guest.stage != "busy":
            crowd.expect_answer(guest)

    def pause_writing(self) -> None:
        """What was sent is not read."""
        super().pause_writing()
        self._crowd.expect_reader(self._guest)

    def resume_writing(self) -> None:
        """It is read again."""
        super().resume_writing()
        self._crowd.meet_reader(self._guest)

    def drop(self) -> None:
        """End it at once, without a word."""
        self.transport.abort()

    def refuse(self, status: int, error: str, hint: str, *, retry_after_s: int | None = None) -> None:
        """Answer in the place of the application, which is told that the client has gone."""
        if (
            self.cycle is not None
            and not self.cycle.response_started
            and self.conn.our_state is h11.SEND_RESPONSE
        ):
            body = msgspec.json.encode(Fault(error=error, hint=hint, retry_after_s=retry_after_s))
            headers = {
                **MACHINE_HEADERS,
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                "Connection": "close",
            }
            if retry_after_s is not None:
                headers["Retry-After"] = str(retry_after_s)
            head = h11.Response(status_code=status, headers=list(headers.items()), reason="")
            self.transport.write(self.conn.send(head) + self.conn.send(h11.Data(data=body)))
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.body = bytearray()
            self.cycle.message_event.set()
        self.transport.close()


class Porch(asyncio.Protocol):
    """A connection that has said nothing yet."""

    def __init__(self, crowd: Crowd, authority: Authority | None, build: Callable[[Guest], Request]) -> None:
        self._crowd = crowd
        self._authority = authority
        self._build = build
        self._guest: Guest | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, or end it."""
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._guest = self._crowd.admit(peer[0] if peer else "", self)
        if self._guest is None:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed, before it said anything."""
        if self._guest is not None:
            self._crowd.leave(self._guest)

    def data_received(self, data: bytes) -> None:
        """Its first bytes: hand it on, to the handshake or to the request."""
        if self._guest is None:
            return
        request = self._build(self._guest)
        transport = self._transport
        if self._authority is None:
            transport.set_protocol(request)
            request.connection_made(transport)
            request.data_received(data)
            return
        self._crowd.begin_handshake(self._guest)
        handshake = TlsProtocol(
            request, self._authority.tls, functools.partial(self._crowd.leave, self._guest)
        )
        transport.set_protocol(handshake)
        handshake.connection_made(transport)
        while data:  # what is here already is given to it as the transport will give it the rest
            room = memoryview(handshake.get_buffer(len(data)))[: len(data)]
            room[:] = data[: len(room)]
            data = data[len(room) :]
            handshake.buffer_updated(len(room))

    def drop(self) -> None:
        """End it at once, without a word."""
        self._transport.abort()

    def refuse(self, status: int, error: str, hint: str, *, retry_after_s: int | None = None) -> None:
        """There is no request that could be answered."""
        self.drop()
