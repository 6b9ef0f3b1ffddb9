"""The Redfish service of a lab machine: HTTP(S) on the host's loopback, which the guest reaches as 10.0.2.2.

`vendor_tools/redfish.py` is what it serves; here are sockets, TLS with a certificate nobody signed (as BMCs have), and
the knobs: a request that hangs is never answered.
"""

import base64
import contextlib
import datetime
import hashlib
import logging
import ssl
import sys
import tempfile
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bootos.lab.loopback import LoopbackHandler, LoopbackServer
from bootos.lab.vendor_tools.redfish import STATUS, RedfishTool
from bootos.lab.vendor_tools.redfish_answer import RedfishRefusal, build_error
from bootos.lab.vendor_tools.redfish_state import PROGRAM
from bootos.lab.vendor_tools.silicon import Output, Silicon
from bootos.lab.vendor_tools.tool import HangError, run_tool

log = logging.getLogger(__name__)

_LONGEST_BYTES = 1 << 30
# What a request's headers are called in what the tool gets
_HEADERS = {
    "type": "Content-Type",
    "token": "X-Auth-Token",
    "if-match": "If-Match",
    "if-none-match": "If-None-Match",
    "odata-version": "OData-Version",
}
# DSP0266, 7.3: what every answer has; a resource's own headers go over these
_ALWAYS = {"Cache-Control": "no-cache", "Content-Type": "application/json", "OData-Version": "4.0"}
_WITHOUT_BODY = (204, 304)


class RedfishService:
    """Serves the silicon of one machine from the start until `close`. `fingerprint`: SHA-256 of its certificate."""

    def __init__(self, silicon: Silicon, *, tls: bool = True) -> None:
        self.silicon = silicon
        self.fingerprint = ""
        self._tls = tls
        self._closing = threading.Event()
        tool = next((tool for tool in silicon.tools if isinstance(tool, RedfishTool)), RedfishTool())
        service = self

        class Handler(LoopbackHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def handle_request(self) -> None:
                with contextlib.suppress(OSError):  # the other side went away
                    length = int(self.headers.get("Content-Length") or 0)
                    path, _, query = self.path.partition("?")
                    files = {
                        "body": self.rfile.read(min(length, _LONGEST_BYTES)),
                        "query": query.encode(),
                        "basic": _read_basic(self.headers.get("Authorization", "")),
                        **{name: self.headers.get(header, "").encode() for name, header in _HEADERS.items()},
                    }
                    try:
                        output = run_tool(silicon, tool, PROGRAM, [self.command, path], files)
                    except HangError:
                        service._closing.wait()
                        return
                    self.answer(output)

            def answer(self, output: Output) -> None:
                said = output.stdout.encode()
                status = STATUS.get(output.code, output.code) or 200
                self.send_response_only(status)
                for name, value in {**_ALWAYS, **output.files}.items():
                    self.send_header(name, value)
                # without this header the other side may send its next request into a closed connection
                if self.close_connection:
                    self.send_header("Connection", "close")
                if status not in _WITHOUT_BODY:
                    self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(said)

            def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
                """What is no request of this service, as an unknown method (501)."""
                self.close_connection = True
                self.answer(build_error(RedfishRefusal(code, message or "The request makes no sense.")))

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request

        class Server(LoopbackServer):
            def handle_error(self, request: object, client_address: object) -> None:
                if not isinstance(sys.exception(), OSError):
                    # an OSError is a client that refused the certificate
                    log.exception("a Redfish request went wrong")

        self._server = Server(Handler)
        if tls:
            context, self.fingerprint = _make_context()
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._server.begin()

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        return self._server.server_port

    @property
    def scheme(self) -> str:
        """`https` or `http`."""
        return "https" if self._tls else "http"

    def close(self) -> None:
        """End it; requests that hang end too."""
        self._closing.set()
        self._server.close()


def _read_basic(header: str) -> bytes:
    kind, _, value = header.partition(" ")
    with contextlib.suppress(ValueError):
        return base64.b64decode(value) if kind.lower() == "basic" else b""
    return b""


def _make_context() -> tuple[ssl.SSLContext, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab-bmc")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # valid for a guest whose clock is wrong by years
        .not_valid_before(now - datetime.timedelta(days=3650))
        .not_valid_after(now + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="bootos-lab-") as directory:
        path = Path(directory) / "bmc.pem"
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context.load_cert_chain(path)
    digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()
    return context, digest
