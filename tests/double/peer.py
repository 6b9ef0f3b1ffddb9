"""A small v2 server on a socket for agent tests: keeps what it was sent, and can be told to misbehave."""

import http.server
import json
import ssl
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bootos import waiting
from bootos.wire import v2, words

SERVER_KEY = b"p" * 32

T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], timeout_s: float = 20.0) -> T:
    """Ask until the condition holds. Raises BootosError at the deadline."""
    return waiting.wait_for(condition, timeout_s, what="the condition", pause_s=0.01)


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust the certificate breaks the handshake off: no word of that."""
        if not isinstance(sys.exception(), ssl.SSLError):
            super().handle_error(request, client_address)


class Peer:
    """`answers` maps a path to a list of (status, body) given before the ordinary answer, one per call."""

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.reports: list[v2.Report] = []
        self.lines: dict[int, str] = {}
        self.registrations = 0
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.macs: list[str] = []
        self.queries: list[str] = []  # paths with queries of all calls, as `/order?wait_s=25`
        self.registered: list[v2.Registration] = []
        self.tls: v2.TlsOffer | None = None  # what the greeting offers
        self.files: dict[str, bytes] = {}  # by their paths, beside the calls
        self.poll_s = 25
        self.orders: list[v2.Order] = []
        self.cancel = False
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            # head and body are two writes, and with Nagle's algorithm the second waits for an ACK
            disable_nagle_algorithm = True
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer(None)

            def do_POST(self) -> None:
                self.answer(self.rfile.read(int(self.headers["Content-Length"])))

            def answer(self, body: bytes | None) -> None:
                peer.queries.append(self.path.removeprefix(v2.PREFIX))
                path = self.path.removeprefix(v2.PREFIX).partition("?")[0]
                if self.path in peer.files:
                    self.send_content(200, peer.files[self.path])
                    return
                planned = peer.answers.get(path) or []
                status, value = planned.pop(0) if planned else peer.serve(path, body)
                self.send_content(status, b"" if value is None else msgspec.json.encode(value))

            def send_content(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self._scheme = "http"
        if certificate is not None:
            self._scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            # the handshake is done by the connection's own thread, at its first read
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def serve(self, path: str, body: bytes | None) -> tuple[int, Any]:
        if path == "/":
            return 200, v2.Greeting(protocol=v2.VERSION, server="peer", tls=self.tls)
        if path == "/layers":
            return 200, []
        if path == "/register":
            self.registrations += 1
            self.registered.append(msgspec.json.decode(body or b"", type=v2.Registration))
            return 200, v2.Registered(machine_id="m1", session=f"s{self.registrations}", poll_s=self.poll_s)
        if path == "/key":
            asked = msgspec.json.decode(body or b"", type=v2.KeyCommitment)
            nonce = words.build_nonce(SERVER_KEY, asked.boot_id, asked.commitment)
            return 200, v2.KeyNonce(nonce=nonce)
        if path == "/order":
            return (200, self.orders.pop(0)) if self.orders else (204, None)
        if path == "/mac":
            self.macs.append(json.loads(body or b"{}")["mac"])
            return 200, v2.MacAccepted(pxe_file="01-52-54-00-00-00-01")
        report = msgspec.json.decode(body or b"", type=v2.Report)
        self.reports.append(report)
        self.lines.update({line.n: line.text for line in report.log})
        log_next = max(self.lines, default=-1) + 1
        return 200, v2.Receipt(number=report.number, log_next=log_next, cancel=self.cancel)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
