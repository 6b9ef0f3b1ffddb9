"""The server's own authority: made at the first start, and good for 20 years, so that whoever pinned it goes on as long
as its file is there. What it signs, the certificate of the server, is renewed by itself.
"""

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bootos.errors import BootosError
from bootos.files import put_in_place, write_atomically, write_beside
from bootos.server.tls.authority import Authority, Now, build_tls, read_now
from bootos.server.tls.certificate import (
    build_key,
    dump,
    dump_key,
    read_fingerprint,
    read_names,
    sign_authority,
    sign_leaf,
)

RENEW_BEFORE = dt.timedelta(days=30)


class OwnAuthority(Authority):
    """Lies in two files of `directory`, both for this user alone: in one the authority's key and certificate and, while
    there are two, the new one as signed by the former and the former; in the other the server's key and certificate
    and what is sent with it. A third has a copy of the authority's certificate, for people.

    `names` tells the host names and addresses by which clients reach this server. Raises BootosError when the files
    cannot be used.
    """

    def __init__(self, directory: Path, names: Callable[[], Iterable[str]], now: Now = read_now) -> None:
        self._read_names = names
        self._now = now
        self._lock = threading.Lock()  # the server renews by itself while an operator may rotate
        self._path, self._leaf_path = directory / "authority.pem", directory / "server.pem"
        self._copy_path = directory / "ca.pem"
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._path.exists():
                key = build_key()
                write_atomically(self._path, _join(key, [sign_authority(key, now())]), mode=0o600)
            self._load()
            self.renew()
            self.leaf = x509.load_pem_x509_certificates(self._leaf_path.read_bytes())[0]
            self.tls = build_tls(self._leaf_path)
        except (OSError, ValueError) as cause:  # ssl.SSLError is an OSError
            raise BootosError(
                f"the certificates in {directory} cannot be used: {cause}",
                hint="put them back from a copy; without one, remove the directory: a new authority is made, which "
                "whoever pinned the old one has to be told",
            ) from cause

    def renew(self) -> str:
        with self._lock:
            return self._renew()

    @contextmanager
    def rotating(self) -> Iterator[str]:
        with self._lock:
            if self.former is not None:
                raise BootosError(
                    "there are two authorities already",
                    hint="let the former one go first: bootos ca rotate --finish",
                )
            key = build_key()
            new = sign_authority(key, self._now())
            cross = sign_authority(key, self._now(), like=new, issuer=self.certificate, issuer_key=self._key)
            with self._putting(key, [new, cross, self.certificate]) as fingerprint:
                yield fingerprint

    @contextmanager
    def finishing(self) -> Iterator[str]:
        with self._lock:
            if self.former is None:
                raise BootosError("there is one authority only", hint="bootos ca rotate makes another")
            with self._putting(self._key, [self.certificate]) as fingerprint:
                yield fingerprint

    def _renew(self) -> str:
        names = sorted(set(self._read_names()))
        reason = self._find_reason(names)
        if not reason:
            return ""
        leaf, content = self._sign_leaf(self._key, self._certificates, names)
        write_atomically(self._leaf_path, content, mode=0o600)
        self.leaf, self.tls = leaf, build_tls(self._leaf_path)
        return f"the server has a new certificate until {leaf.not_valid_after_utc:%Y-%m-%d}: {reason}"

    @contextmanager
    def _putting(
        self, key: ec.EllipticCurvePrivateKey, certificates: list[x509.Certificate]
    ) -> Iterator[str]:
        """Have another authority, and a certificate of the server by it, at the end of the block: all is written beside
        its place before, so that a full disk changes nothing. A server that is killed between the renames, of which the
        authority's file is the first, makes the others at its next start."""
        leaf, served = self._sign_leaf(key, certificates, sorted(set(self._read_names())))
        with ExitStack() as left:

            def write(path: Path, content: bytes, mode: int) -> Path:
                temporary = write_beside(path, content, mode=mode)
                left.callback(temporary.unlink, missing_ok=True)
                return temporary

            authority = write(self._path, _join(key, certificates), 0o600)
            server = write(self._leaf_path, served, 0o600)
            copy = write(self._copy_path, dump(certificates[0]), 0o644)
            tls = build_tls(server)
            yield read_fingerprint(certificates[0])
            put_in_place(authority, self._path)
            self._take(key, certificates)
            self.leaf, self.tls = leaf, tls
            put_in_place(server, self._leaf_path)
            put_in_place(copy, self._copy_path)

    def _sign_leaf(
        self,
        authority_key: ec.EllipticCurvePrivateKey,
        certificates: list[x509.Certificate],
        names: list[str],
    ) -> tuple[x509.Certificate, bytes]:
        """A certificate of the server by this authority; the file that has it, with its key and what is sent with
        it."""
        key = build_key()
        leaf = sign_leaf(key, names, certificates[0], authority_key, self._now())
        return leaf, _join(key, [leaf, *certificates[1:], certificates[0]])

    def _take(self, key: ec.EllipticCurvePrivateKey, certificates: list[x509.Certificate]) -> None:
        self._key, self._certificates = key, certificates
        self.certificate = certificates[0]
        self.former = certificates[2] if len(certificates) > 2 else None

    def _load(self) -> None:
        content = self._path.read_bytes()
        key = serialization.load_pem_private_key(content, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"the key in {self._path.name} is none of an elliptic curve")
        certificates = x509.load_pem_x509_certificates(content)
        if certificates[0].public_key() != key.public_key():
            raise ValueError(f"key and certificate in {self._path.name} do not belong together")
        self._take(key, certificates)
        write_atomically(self._copy_path, dump(self.certificate), mode=0o644)

    def _find_reason(self, names: list[str]) -> str:
        """Why the server's certificate has to be made anew; empty: it is good."""
        try:
            leaf, *chain = x509.load_pem_x509_certificates(self._leaf_path.read_bytes())
        except (OSError, ValueError):
            return "there was none"
        if chain != [*self._certificates[1:], self.certificate]:
            return "it is of another authority"
        if read_names(leaf) != names:
            return "the server is reached by other names"
        if not leaf.not_valid_before_utc <= self._now() < leaf.not_valid_after_utc - RENEW_BEFORE:
            return "the one before runs out"
        return ""


def _join(key: ec.EllipticCurvePrivateKey, certificates: list[x509.Certificate]) -> bytes:
    return dump_key(key) + b"".join(map(dump, certificates))
