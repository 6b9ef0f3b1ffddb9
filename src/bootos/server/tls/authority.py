"""Whose word clients take for this server: what its other parts know of it, whoever made it (`own`, `given`)."""

import datetime as dt
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from cryptography import x509

from bootos.errors import BootosError
from bootos.server.tls.certificate import BACKDATED, dump, read_fingerprint

Now = Callable[[], dt.datetime]


def read_now() -> dt.datetime:
    """The time, in UTC."""
    return dt.datetime.now(dt.UTC)


class Authority:
    """Whose word machines and operators take for this server.

    `certificate` is the authority's, which is sent in every handshake, `fingerprint` its SHA-256; `leaf` is the
    server's. `former` is the authority before it, as long as both are good. `tls` is what a connection that begins now
    is served with: a renewal puts another in its place.
    """

    certificate: x509.Certificate
    leaf: x509.Certificate
    former: x509.Certificate | None = None
    is_own = True

    tls: ssl.SSLContext

    def renew(self) -> str:
        """Renew what has to be renewed now; returns a sentence for the log, empty when nothing was to do. Raises
        OSError, ValueError, ssl.SSLError: the one that was there goes on."""
        raise NotImplementedError

    def rotating(self) -> AbstractContextManager[str]:
        """Make a new authority beside the present one, which stays good until `finishing`; gives its fingerprint. It is
        put in place at the end of the block, if that does not raise; what may fail has been done before. Raises
        BootosError, and OSError, ValueError: `fingerprint` tells what it is then."""
        raise BootosError(
            "the certificate of this server is the site's own (--tls-cert)", hint="renew it where it was made"
        )

    def finishing(self) -> AbstractContextManager[str]:
        """Let the former authority go, in the same way. Raises BootosError when there is none."""
        return self.rotating()

    def find_trouble(self) -> str:
        """Why clients do not take the server's certificate, or soon will not; empty when they do."""
        return ""

    def find_name(self) -> str:
        """A name that the certificate is for, where that is not the address which the server listens on."""
        return ""

    @property
    def fingerprint(self) -> str:
        """What a client pins."""
        return read_fingerprint(self.certificate)

    @property
    def fingerprints(self) -> list[str]:
        """All that a client may have pinned at present, the newest first."""
        both = (self.certificate, self.former)
        return [read_fingerprint(certificate) for certificate in both if certificate is not None]

    @property
    def changed_at(self) -> dt.datetime | None:
        """Since when there are two, to the second before; None when there is one."""
        return self.certificate.not_valid_before_utc + BACKDATED if self.former is not None else None

    @property
    def pem(self) -> str:
        """The authority's certificate as PEM (RFC 7468)."""
        return dump(self.certificate).decode()


def build_tls(cert: Path, key: Path | None = None) -> ssl.SSLContext:
    """How a listener speaks TLS: 1.2 and newer, without tickets, which clients that come once do not need; with the
    chain in `cert`, which has the key too where `key` is None. A context of its own for each: one that is given a
    certificate keeps those that it had with keys of other kinds. Raises OSError, ssl.SSLError."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.num_tickets = 0
    tls.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    tls.set_alpn_protocols(["http/1.1"])
    tls.load_cert_chain(cert, key, password=lambda: "")  # never asked for at the terminal
    return tls
