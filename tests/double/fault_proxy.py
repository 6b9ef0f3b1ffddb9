"""An HTTP proxy that misbehaves on demand: between a machine and its server it hangs, cuts, loses and reorders.

Used by the fault suites. It reads whole requests and whole answers; which call a fault hits is the caller's to say, by
a `Rule`. Of what they mean it knows one thing: where the server's greeting offers a TLS end, the machine is offered the
proxy's own, so that it stays behind the proxy when it changes over.
"""

import contextlib
import http.client
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import msgspec
from certificate import Authority

from bootos.lab.loopback import HOST_ADDRESS, LOOPBACK, LoopbackHandler, LoopbackServer
from bootos.wire import v2

_UPSTREAM_TIMEOUT_S = 90.0
_GREETING = f"{v2.PREFIX}/"
_DROPPED = (OSError, http.client.HTTPException)


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Fate(StrEnum):
    """What becomes of a call."""

    PASS = "pass"
    LOSE_CALL = "lose call"  # the server never sees it, the machine gets no answer
    LOSE_ANSWER = "lose answer"  # the server did it, the machine gets no answer
    DELAY = "delay"  # the machine gets no answer now; the server sees the call after those that come later
    HANG = "hang"  # the server never sees it, the machine waits until it gives up


Rule = Callable[[Call], Fate]


def let_pass(call: Call) -> Fate:
    """The rule of a network that works."""
    return Fate.PASS


class FaultProxy:
    """Listens on free ports, by http and over TLS, and passes to `port` on the loopback, by http. `rule` may be
    replaced at any time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.rule: Rule = let_pass
        self.hung = 0  # how many calls were left without an answer by HANG
        self._delayed: list[Call] = []
        self._lock = threading.Lock()
        self._healed = threading.Event()
        proxy = self

        class Handler(LoopbackHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                call = Call(method=self.command, path=self.path, headers=dict(self.headers), body=body)
                try:
                    answer = proxy.handle(call)
                    if answer is None:
                        raise ConnectionAbortedError
                    status, headers, content = answer
                    self.send_response_only(status)
                    for name, value in headers:
                        if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                            self.send_header(name, value)
                    if status != 204:
                        self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except _DROPPED:
                    self.close_connection = True
                    with contextlib.suppress(OSError):
                        self.connection.shutdown(socket.SHUT_RDWR)

            do_POST = do_GET

        class Server(LoopbackServer):
            def handle_error(self, request: object, client_address: object) -> None:
                """A machine that was cut off in the middle of a call; there is nobody to tell."""

        self._server, self._tls_server = Server(Handler), Server(Handler)
        self.authority = Authority()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory(prefix="bootos-proxy-") as directory:
            context.load_cert_chain(*self.authority.write(Path(directory), LOOPBACK, HOST_ADDRESS))
        self._tls_server.socket = context.wrap_socket(
            self._tls_server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._server.begin()
        self._tls_server.begin()

    @property
    def listening_port(self) -> int:
        """Where machines reach it by http."""
        return self._server.server_port

    @property
    def tls_port(self) -> int:
        """Where they reach it over TLS."""
        return self._tls_server.server_port

    def handle(self, call: Call) -> tuple[int, list[tuple[str, str]], bytes] | None:
        """The answer to a call, or None: the connection is dropped. Raises OSError when there is no server."""
        fate = self.rule(call)
        if fate is Fate.LOSE_CALL:
            return None
        if fate is Fate.HANG:
            with self._lock:
                self.hung += 1
                healed = self._healed
            healed.wait(_UPSTREAM_TIMEOUT_S)
            return None
        if fate is Fate.DELAY:
            with self._lock:
                self._delayed.append(call)
            return None
        answer = self._forward(call)
        with self._lock:
            late = [old for old in self._delayed if old.path == call.path]
            self._delayed = [old for old in self._delayed if old.path != call.path]
        for old in late:  # the server gets them after the newer call
            self._forward(old)
        return None if fate is Fate.LOSE_ANSWER else self._offer(call, answer)

    def heal(self) -> None:
        """All is well again; calls that hang are dropped."""
        with self._lock:
            self.rule = let_pass
            self._healed.set()
            self._healed = threading.Event()

    def close(self) -> None:
        """End it."""
        self.heal()
        self._server.close()
        self._tls_server.close()

    def _offer(
        self, call: Call, answer: tuple[int, list[tuple[str, str]], bytes]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """The answer as the machine gets it: a greeting offers the proxy's TLS end in place of the server's."""
        status, headers, content = answer
        if call.path != _GREETING or status != 200:
            return answer
        greeting = msgspec.json.decode(content, type=v2.Greeting)
        if greeting.tls is not None:
            url = f"https://{LOOPBACK}:{self.tls_port}"
            greeting.tls = v2.TlsOffer(url=url, ca_sha256=self.authority.fingerprint)
        return status, headers, msgspec.json.encode(greeting)

    def _forward(self, call: Call) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=_UPSTREAM_TIMEOUT_S)
        try:
            connection.request(call.method, call.path, body=call.body or None, headers=call.headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()
