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
from bootos.lab.vendor_tools.redfish_state import PROGRAM
from bootos.lab.vendor_tools.silicon import Silicon
from bootos.lab.vendor_tools.tool import HangError, run_tool

log = logging.getLogger(__name__)

_LONGEST_BYTES = 1 << 30


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
                    files = {
                        "body": self.rfile.read(min(length, _LONGEST_BYTES)),
                        "type": self.headers.get("Content-Type", "").encode(),
                        "if-match": self.headers.get("If-Match", "").encode(),
                        "token": self.headers.get("X-Auth-Token", "").encode(),
                        "basic": _read_basic(self.headers.get("Authorization", "")),
                    }
                    try:
                        argv = [self.command, self.path.partition("?")[0]]
                        output = run_tool(silicon, tool, PROGRAM, argv, files)
                    except HangError:
                        service._closing.wait()
                        return
                    said = output.stdout.encode()
                    self.send_response_only(STATUS.get(output.code, output.code) or 200)
                    for name, value in output.files.items():
                        self.send_header(name, value)
                    # without this header the other side may send its next request into a closed connection
                    if self.close_connection:
                        self.send_header("Connection", "close")
                    self.send_header("Content-Type", "application/json")
                    self.send_header("OData-Version", "4.0")
                    self.send_header("Content-Length", str(len(said)))
                    self.end_headers()
                    self.wfile.write(said)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_request

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
