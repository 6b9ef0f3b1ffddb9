"""A man in the middle: to a machine he is the server, with a TLS end and a CA of his own; to the server he is the
machine. He passes every call on, and answers the greeting with an offer of himself."""

import http.server
import ssl
import threading
from pathlib import Path
from typing import Any, Self

import msgspec
import urllib3
from certificate import Authority

from bootos.wire import v2


class Middle:
    """Between machines and the server at `server_url`. `said`: the calls that he passed on."""

    def __init__(self, server_url: str, authority: Authority, directory: Path) -> None:
        self.authority = authority
        self.said: list[tuple[str, bytes]] = []
        self._server_url = server_url
        # He does not care who the server is.
        self._pool = urllib3.PoolManager(
            retries=False, timeout=30, cert_reqs="CERT_NONE", assert_hostname=False
        )
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.write(directory))
        self._servers = [self._listen(None), self._listen(context)]
        self.plain_url, self.tls_url = (
            f"{scheme}://127.0.0.1:{server.server_address[1]}"
            for scheme, server in zip(("http", "https"), self._servers, strict=True)
        )

    def _listen(self, context: ssl.SSLContext | None) -> http.server.ThreadingHTTPServer:
        middle = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self.pass_on(None)

            def do_POST(self) -> None:
                self.pass_on(self.rfile.read(int(self.headers["Content-Length"])))

            def pass_on(self, body: bytes | None) -> None:
                status, content = middle.pass_on(self.command, self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server

    def pass_on(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        kept: dict[str, Any] = {
            name: text
            for name, text in headers.items()
            if name in ("Authorization", "Content-Type", "Accept")
        }
        answer = self._pool.request(method, self._server_url + path, body=body, headers=kept)
        self.said.append((path, body or b""))
        if path == f"{v2.PREFIX}/":
            greeting = msgspec.json.decode(answer.data, type=v2.Greeting)
            greeting.tls = v2.TlsOffer(url=self.tls_url, ca_sha256=self.authority.fingerprint)
            return answer.status, msgspec.json.encode(greeting)
        return answer.status, answer.data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._pool.clear()
