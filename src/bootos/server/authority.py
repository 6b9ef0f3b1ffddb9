"""The server's own certificate authority, and the certificate that it serves TLS with.

The authority is made at the first start and lives 20 years: whoever pinned it goes on as long as its file is there.
What it signs, the certificate of the server, is renewed by itself. A site that has certificates of its own hands them
over instead; then nothing is made here. Called by `app`.
"""

import datetime as dt
import hashlib
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bootos.errors import BootosError
from bootos.files import write_atomically

CA_LIFE = dt.timedelta(days=20 * 365)
LEAF_LIFE = dt.timedelta(days=90)
RENEW_BEFORE = dt.timedelta(days=30)
BACKDATED = dt.timedelta(days=1)  # a client whose clock is somewhat late takes the certificate all the same

Now = Callable[[], dt.datetime]


def read_now() -> dt.datetime:
    """The time, in UTC."""
    return dt.datetime.now(dt.UTC)


def read_fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate's DER, in hex: what a client pins."""
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


class Authority:
    """Whose word machines and operators take for this server.

    `certificate` is the authority's, which is sent in every handshake, `fingerprint` its SHA-256; `leaf` is the
    server's. `former` is the authority before it, as long as both are good. `tls` is what listeners serve with; after a
    renewal the same object has the new certificate, for connections that begin then.
    """

    certificate: x509.Certificate
    leaf: x509.Certificate
    former: x509.Certificate | None = None
    is_own = True

    def __init__(self) -> None:
        self.tls = build_tls()

    def renew(self) -> str:
        """Renew what has to be renewed now; returns a sentence for the log, empty when nothing was to do. Raises
        OSError, ValueError, ssl.SSLError: the one that was there goes on."""
        raise NotImplementedError

    def rotate(self) -> None:
        """Make a new authority beside the present one, which stays good until `finish`. Raises BootosError."""
        raise BootosError(
            "the certificate of this server is the site's own (--tls-cert)", hint="renew it where it was made"
        )

    def finish(self) -> None:
        """Let the former authority go. Raises BootosError when there is none."""
        self.rotate()

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
    def pem(self) -> str:
        """The authority's certificate as PEM (RFC 7468)."""
        return dump(self.certificate).decode()


class OwnAuthority(Authority):
    """Lies in two files of `directory`, both for this user alone: in one the authority's key and certificate and, while
    there are two, the new one as signed by the former and the former; in the other the server's key and certificate
    and what is sent with it. A third has a copy of the authority's certificate, for people.

    `names` tells the host names and addresses by which clients reach this server. Raises BootosError when the files
    cannot be used.
    """

    def __init__(self, directory: Path, names: Callable[[], Iterable[str]], now: Now = read_now) -> None:
        super().__init__()
        self._directory = directory
        self._read_names = names
        self._now = now
        self._path, self._leaf_path = directory / "authority.pem", directory / "server.pem"
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._path.exists():
                key = build_key()
                self._write(key, [sign_authority(key, now())])
            self._load()
            self.renew()
            self.leaf = x509.load_pem_x509_certificates(self._leaf_path.read_bytes())[0]
            self.tls.load_cert_chain(self._leaf_path)
        except (OSError, ValueError) as cause:  # ssl.SSLError is an OSError
            raise BootosError(
                f"the certificates in {directory} cannot be used: {cause}",
                hint="put them back from a copy; without one, remove the directory: a new authority is made, which "
                "whoever pinned the old one has to be told",
            ) from cause

    def renew(self) -> str:
        names = sorted(set(self._read_names()))
        reason = self._find_reason(names)
        if not reason:
            return ""
        key = build_key()
        leaf = sign_leaf(key, names, self.certificate, self._key, self._now())
        chain = [leaf, *self._certificates[1:], self.certificate]
        write_atomically(self._leaf_path, dump_key(key) + b"".join(map(dump, chain)), mode=0o600)
        self.leaf = leaf
        self.tls.load_cert_chain(self._leaf_path)
        return f"the server has a new certificate until {leaf.not_valid_after_utc:%Y-%m-%d}: {reason}"

    def rotate(self) -> None:
        if self.former is not None:
            raise BootosError(
                "there are two authorities already",
                hint="let the former one go first: bootos ca rotate --finish",
            )
        key = build_key()
        new = sign_authority(key, self._now())
        cross = sign_authority(key, self._now(), like=new, issuer=self.certificate, issuer_key=self._key)
        self._write(key, [new, cross, self.certificate])
        self._load()
        self.renew()

    def finish(self) -> None:
        if self.former is None:
            raise BootosError("there is one authority only", hint="bootos ca rotate makes another")
        self._write(self._key, [self.certificate])
        self._load()
        self.renew()

    def _write(self, key: ec.EllipticCurvePrivateKey, certificates: Sequence[x509.Certificate]) -> None:
        write_atomically(self._path, dump_key(key) + b"".join(map(dump, certificates)), mode=0o600)

    def _load(self) -> None:
        content = self._path.read_bytes()
        key = serialization.load_pem_private_key(content, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"the key in {self._path.name} is none of an elliptic curve")
        self._key = key
        self._certificates = x509.load_pem_x509_certificates(content)
        self.certificate = self._certificates[0]
        self.former = self._certificates[2] if len(self._certificates) > 2 else None
        if self.certificate.public_key() != key.public_key():
            raise ValueError(f"key and certificate in {self._path.name} do not belong together")
        write_atomically(self._directory / "ca.pem", dump(self.certificate), mode=0o644)

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


class SiteAuthority(Authority):
    """Certificates that the site made: `cert` is a chain that begins with the server's, `key` its key, both PEM. They
    are read again when the files have changed. Raises BootosError when they cannot be used."""

    is_own = False

    def __init__(self, cert: Path, key: Path) -> None:
        super().__init__()
        self._cert, self._key = cert, key
        self._seen: object = None
        try:
            self.renew()
        except (OSError, ValueError) as cause:
            raise BootosError(
                f"the certificate {cert} with the key {key} cannot be used: {cause}",
                hint="--tls-cert is PEM with the server's certificate first, --tls-key its key without a password",
            ) from cause

    def renew(self) -> str:
        stats = [path.stat() for path in (self._cert, self._key)]
        seen = [(stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in stats]
        if seen == self._seen:
            return ""
        chain = x509.load_pem_x509_certificates(self._cert.read_bytes())
        self.tls.load_cert_chain(self._cert, self._key, password=lambda: "")
        self.leaf, self.certificate = chain[0], chain[-1]
        is_first, self._seen = self._seen is None, seen
        return "" if is_first else f"the certificate {self._cert} was read again"

    def find_name(self) -> str:
        names = read_names(self.leaf)
        name = next((name for name in names if not is_address(name)), "")
        return name.replace("*", "bootos", 1)


def build_tls() -> ssl.SSLContext:
    """How a listener speaks TLS: 1.2 and newer, without tickets, which clients that come once do not need."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.num_tickets = 0
    tls.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    tls.set_alpn_protocols(["http/1.1"])
    return tls


def build_key() -> ec.EllipticCurvePrivateKey:
    """A key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def sign_authority(
    key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
    *,
    like: x509.Certificate | None = None,
    issuer: x509.Certificate | None = None,
    issuer_key: ec.EllipticCurvePrivateKey | None = None,
) -> x509.Certificate:
    """A certificate of the authority with this key (RFC 5280, section 4.2), signed by itself, or by `issuer` with the
    subject of `like`."""
    mark = hashlib.sha256(dump_public(key)).hexdigest()[:8]
    words = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "BootOS"),
        x509.NameAttribute(NameOID.COMMON_NAME, f"BootOS {socket.gethostname()[:40]} {mark}"),
    ]
    subject = like.subject if like is not None else x509.Name(words)
    signer = issuer.public_key() if issuer is not None else key.public_key()
    assert isinstance(signer, ec.EllipticCurvePublicKey)
    return (
        x509.CertificateBuilder(issuer.subject if issuer is not None else subject, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(issuer.not_valid_after_utc if issuer is not None else now + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(build_usage(is_authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
        .sign(issuer_key or key, hashes.SHA256())
    )


def sign_leaf(
    key: ec.EllipticCurvePrivateKey,
    names: Sequence[str],
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
) -> x509.Certificate:
    """The certificate of a server with these host names and addresses."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "BootOS server")])
    alternatives = [
        x509.IPAddress(ipaddress.ip_address(name)) if is_address(name) else x509.DNSName(name)
        for name in names
    ]
    return (
        x509.CertificateBuilder(issuer.subject, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + LEAF_LIFE)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(build_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )


def build_usage(*, is_authority: bool) -> x509.KeyUsage:
    """What the key may be used for: signing certificates, or handshakes."""
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def is_address(name: str) -> bool:
    """Whether it is an IP address and no host name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def read_names(certificate: x509.Certificate) -> list[str]:
    """The host names and addresses that a certificate is for, sorted."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return sorted({*found.get_values_for_type(x509.DNSName), *addresses})


def dump(certificate: x509.Certificate) -> bytes:
    """As PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def dump_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    """As PEM, without a password: who may read the file may be the server."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def dump_public(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public half, as DER."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
