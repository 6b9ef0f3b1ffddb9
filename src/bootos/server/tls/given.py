"""Certificates that the site made (`--tls-cert`, `--tls-key`): they are used as they are, and read again when they
change."""

import itertools
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from bootos.errors import BootosError
from bootos.server.tls.authority import Authority, Now, build_tls, read_now
from bootos.server.tls.certificate import describe_life, dump_public, is_address, read_names


class GivenAuthority(Authority):
    """`cert` is a chain that begins with the server's certificate, `key` its key, both PEM. The last certificate of the
    chain is what clients pin. Raises BootosError when they cannot be used."""

    is_own = False

    def __init__(self, cert: Path, key: Path, now: Now = read_now) -> None:
        self._cert, self._key = cert, key
        self._now = now
        self._seen: object = None
        try:
            self.renew()
        except (OSError, ValueError) as cause:
            raise BootosError(
                f"the certificate {cert} with the key {key} cannot be used: {cause}",
                hint="--tls-cert is PEM: the server's certificate, then the one that signed it, and so on; --tls-key "
                "is its key, without a password",
            ) from cause

    def renew(self) -> str:
        stats = [path.stat() for path in (self._cert, self._key)]
        seen = [(stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in stats]
        if seen == self._seen:
            return ""
        chain = read_chain(self._cert)
        check_key(self._key, chain[0])
        self.tls = build_tls(self._cert, self._key)
        self.leaf, self.certificate, self._chain = chain[0], chain[-1], chain
        is_first, self._seen = self._seen is None, seen
        return "" if is_first else f"the certificate {self._cert} was read again"

    def find_trouble(self) -> str:
        now = self._now()
        for number, certificate in enumerate(self._chain, 1):
            if trouble := describe_life(certificate, now):
                return (
                    f"certificate {number} of {self._cert} {trouble}: renew it where it was made; the file is read "
                    "again when it changes"
                )
        return ""

    def find_name(self) -> str:
        names = read_names(self.leaf)
        name = next((name for name in names if not is_address(name)), "")
        return name.replace("*", "bootos", 1)


def read_chain(path: Path) -> list[x509.Certificate]:
    """The certificates of a PEM file, of which each was signed by the next. Raises OSError, ValueError."""
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError as cause:
        raise ValueError(f"{path} holds no certificate as PEM") from cause
    for number, (certificate, issuer) in enumerate(itertools.pairwise(chain), 2):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as cause:
            raise ValueError(f"certificate {number} of {path} did not sign the one before it") from cause
    return chain


def check_key(path: Path, certificate: x509.Certificate) -> None:
    """Check that the key in this PEM file is the certificate's. Raises OSError, ValueError."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except TypeError as cause:  # how `cryptography` says that one is needed
        raise ValueError(f"the key {path} has a password") from cause
    except (ValueError, UnsupportedAlgorithm) as cause:
        raise ValueError(f"{path} holds no key as PEM") from cause
    if dump_public(key.public_key()) != dump_public(certificate.public_key()):
        raise ValueError(f"the key {path} is not the one of its first certificate")
