"""Whom the agent takes for its server: the CA that it was told, and the connections that hold to it.

A pin is the SHA-256 of a certificate that the server sends in its handshake: of its CA, or where a site has it so of
its own. What is pinned is judged by its signature, not by the machine's clock, which may say 2003; and a CA that is the
server's own (`OWN`) signs nothing but that server, whatever address it is reached by. Reads, and connects; decides
nothing else.
"""

import contextlib
import hashlib
import ipaddress
import socket
import ssl
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import urllib3

from bootos.agent.network.place import default_port, parse_place
from bootos.errors import BootosError
from bootos.files import write_atomically
from bootos.waiting import Deadline

IMAGE_FILE = "etc/bootos/server-ca.pem"
"""The CAs that an image brings, as PEM; a recipe lays it there with an overlay."""
OWN = ("organizationName", "BootOS")
"""What stands in the subject of a CA that a server made for itself."""
KEPT = "server-end.json"
"""In the agent's directory: the TLS end that this boot goes to, for what is done by hand at the shell."""
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, for which Python's ssl has no name
HANDSHAKE_TIMEOUT_S = 10.0


class TlsUnreachable(BootosError):
    """There is no TLS end there now, or it breaks the handshake off."""


class WrongAuthority(BootosError):
    """Who answers is not the server that was pinned."""


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """One TLS end and the certificate that it is known by. `any_name`: this certificate is for no other server."""

    url: str
    ca_sha256: str
    der: bytes
    any_name: bool

    @property
    def pem(self) -> str:
        """The certificate as PEM (RFC 7468)."""
        return ssl.DER_cert_to_PEM_cert(self.der)

    def build_context(self) -> ssl.SSLContext:
        """What verifies a connection to it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = not self.any_name
        context.load_verify_locations(cadata=self.der)
        # PARTIAL_CHAIN: what is pinned may have been signed by another, which is not asked.
        context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME) | ssl.VERIFY_X509_PARTIAL_CHAIN
        return context


class ServerHttp(urllib3.PoolManager):
    """The agent's connections: what is at the server, by either of its addresses, goes to its TLS end; what is
    elsewhere goes there as ever."""

    def __init__(self, server_addr: str, trust: Trust) -> None:
        super().__init__(maxsize=4, retries=False)
        self.trust = trust
        self._end = parse_place(trust.url)
        self._places = {parse_place(server_addr), self._end}

    def connection_from_host(
        self,
        host: str | None,
        port: int | None = None,
        scheme: str | None = "http",
        pool_kwargs: dict[str, Any] | None = None,
    ) -> urllib3.HTTPConnectionPool:
        """A pool of connections to this place, or to the TLS end in its stead."""
        name = scheme or "http"
        if (name, (host or "").lower(), port or default_port(name)) in self._places:
            scheme, host, port = self._end
        return super().connection_from_host(host, port, scheme, pool_kwargs)

    def _new_pool(
        self, scheme: str, host: str, port: int, request_context: dict[str, Any] | None = None
    ) -> urllib3.HTTPConnectionPool:
        """As urllib3 has it, which says that it may be overridden."""
        context = dict(request_context if request_context is not None else self.connection_pool_kw)
        if (scheme, host, port) == self._end:
            context["ssl_context"] = self.trust.build_context()
            if self.trust.any_name:
                context["assert_hostname"] = False
        return super()._new_pool(scheme, host, port, context)


def keep_trust(directory: Path, trust: Trust) -> None:
    """Leave the end that this boot goes to, for `find_connections`. Raises OSError."""
    write_atomically(directory / KEPT, msgspec.json.encode(trust), durable=False)  # in memory


def find_connections(directory: Path, server_addr: str) -> ServerHttp | None:
    """Connections as the service of this boot has them, which left its `directory`; None: it has no TLS end."""
    try:
        trust = msgspec.json.decode((directory / KEPT).read_bytes(), type=Trust)
    except (OSError, msgspec.DecodeError):
        return None
    return ServerHttp(server_addr or trust.url, trust)


def choose_offered_url(url: str, server_addr: str) -> str | None:
    """Where the TLS end is that a greeting offers. A server that knows no better name for itself than one that only it
    can use (`0.0.0.0`, `127.0.0.1`) is meant at the host of SERVER_ADDR. None: it is
    no https URL of a server."""
    try:
        parts, own = urlsplit(url), urlsplit(server_addr)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:
        return None
    if parts.scheme != "https" or parts.username or parts.path.strip("/") or parts.query or parts.fragment:
        return None
    if is_local(host) and not is_local(own.hostname or ""):
        host = own.hostname or ""
    name = f"[{host}]" if ":" in host else host
    return f"https://{name}{'' if port == 443 else f':{port}'}" if host else None


def is_local(host: str) -> bool:
    """Whether this names a server only to itself."""
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        return address.is_loopback or address.is_unspecified
    return host in ("", "localhost")


def read_image_pins(root: Path) -> tuple[str, ...]:
    """The fingerprints of the CAs in the image's file; none without one. A file that cannot be read pins what nobody
    has: who laid it there wanted a server to be told from others."""
    file = root / IMAGE_FILE
    if not file.exists():
        return ()
    text = file.read_text(errors="replace")
    end = "-----END CERTIFICATE-----"
    blocks = [f"{block[block.find('-----BEGIN') :]}{end}\n" for block in text.split(end)[:-1]]
    try:
        ders = [ssl.PEM_cert_to_DER_cert(block) for block in blocks]
    except ValueError:
        ders = []
    return tuple(hashlib.sha256(der).hexdigest() for der in ders) or (f"(no certificate in /{IMAGE_FILE})",)


def find_trust(url: str, pins: Sequence[str], before: str = "", *, deadline: Deadline | None = None) -> Trust:
    """The TLS end at `url`, which is the one that was pinned: it sends the certificate, and proves that it stands
    behind it. Where it sends several of the pinned, the one that this boot knew it by `before` counts, else the last,
    which is that of its CA, and the new one while one CA follows another. It connects twice, which takes until
    `deadline` at most, or as long as two handshakes. Raises TlsUnreachable, WrongAuthority."""
    deadline = deadline or Deadline(2 * HANDSHAKE_TIMEOUT_S)
    with telling(url):
        chain = read_chain(url, deadline)
    prints = {hashlib.sha256(der).hexdigest(): der for der in chain}
    sent = [sha256 for sha256 in prints if sha256 in pins]
    found = before if before in sent else next(reversed(sent), None)
    if found is None:
        seen = list(prints)[-1] if prints else "none"
        raise WrongAuthority(
            f"{url} is not the server that this machine was told: the certificate of its CA is sha256:{seen}, "
            f"and sha256:{' or sha256:'.join(pins)} is asked for",
            hint="somebody is between this machine and its server, or SERVER_CA is that of another one; if the "
            "server's authority was rotated since this machine booted, boot it again",
        )
    trust = Trust(
        url=url,
        ca_sha256=found,
        der=prints[found],
        any_name=is_own(prints[found]) or prints[found] == chain[0],
    )
    try:
        with telling(url), open_tls(url, trust.build_context(), deadline):
            return trust
    except ssl.SSLCertVerificationError as cause:
        raise WrongAuthority(
            f"{url} is not the server that this machine was told: it sends the certificate sha256:{found}, and its own "
            f"is not good by it: {cause.verify_message or cause.reason}",
            hint="somebody is between this machine and its server, or its certificate is for another address",
        ) from cause


def read_chain(url: str, deadline: Deadline) -> list[bytes]:
    """The certificates (DER) that a TLS end sends, its own first, unverified. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with open_tls(url, context, deadline) as connection:
        if sys.version_info >= (3, 13):
            return list(connection.get_unverified_chain())
        # Before 3.13 the same is there under a private name; only tests run so old a Python.
        sent = connection._sslobj.get_unverified_chain() or []  # type: ignore[attr-defined]
        return [ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in sent]


@contextlib.contextmanager
def open_tls(url: str, context: ssl.SSLContext, deadline: Deadline) -> Iterator[ssl.SSLSocket]:
    """A connection whose handshake is done. Raises OSError."""
    _, host, port = parse_place(url)
    with socket.create_connection((host, port), deadline.left_s(HANDSHAKE_TIMEOUT_S)) as plain:
        plain.settimeout(deadline.left_s(HANDSHAKE_TIMEOUT_S))
        with context.wrap_socket(plain, server_hostname=host) as connection:
            yield connection


@contextlib.contextmanager
def telling(url: str) -> Iterator[None]:
    """Errors of a connection in words; one of a certificate is left to the caller."""
    try:
        yield
    except ssl.SSLCertVerificationError:
        raise
    except (OSError, UnicodeError) as cause:  # UnicodeError: a host name that can be none (RFC 1035, 2.3.4)
        reason = getattr(cause, "strerror", None) or getattr(cause, "reason", None) or cause
        raise TlsUnreachable(f"the TLS end {url} cannot be reached: {reason}") from cause


def is_own(der: bytes) -> bool:
    """Whether this is the CA that a server made for itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=der)
    except ssl.SSLError:
        return False
    subjects: list[Any] = [certificate.get("subject", ()) for certificate in context.get_ca_certs()]
    return any(OWN in name for subject in subjects for name in subject)
