"""X.509 certificates (RFC 5280): made, signed, read, and written as PEM (RFC 7468). Nothing here touches a file."""

import datetime as dt
import hashlib
import ipaddress
import socket
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFE = dt.timedelta(days=20 * 365)
LEAF_LIFE = dt.timedelta(days=90)
WARN_BEFORE = dt.timedelta(days=14)
BACKDATED = dt.timedelta(days=1)  # a client whose clock is somewhat late takes the certificate all the same


def read_fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate's DER, in hex: what a client pins."""
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


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
    mark = hashlib.sha256(dump_public(key.public_key())).hexdigest()[:8]
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


def describe_life(certificate: x509.Certificate, now: dt.datetime) -> str:
    """What is wrong with when a certificate is good, as `is over since 2026-03-01`; empty when nothing is."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin:
        return f"is good from {begin:%Y-%m-%d} only"
    if now >= end:
        return f"is over since {end:%Y-%m-%d}"
    return f"is over on {end:%Y-%m-%d}" if now >= end - WARN_BEFORE else ""


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


def dump_public(key: PublicKeyTypes) -> bytes:
    """A public key, as DER."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
