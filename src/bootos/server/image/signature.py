"""Who made an image: Ed25519 (RFC 8032) over the bytes of its manifest, which holds the sha256 of every file.

The signature is `manifest.json.sig`, 64 bytes, as `openssl pkeyutl -sign -rawin` makes it. The server trusts the public
keys in `<data>/trusted-keys`: files, and not a call of the API, so that who holds the operator token cannot add one.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bootos.errors import BootosError
from bootos.files import write_atomically

log = logging.getLogger(__name__)

SIGNATURE = "manifest.json.sig"
_PEM = serialization.Encoding.PEM


def create_key(path: Path) -> Path:
    """Make a private key at `path` (mode 0600); returns the file of its public one, `path`.pub. Raises BootosError."""
    public = path.with_name(f"{path.name}.pub")
    for file in (path, public):
        if file.exists():
            raise BootosError(f"{file} is there already", hint="remove it, or choose another name")
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    content = key.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, private, mode=0o600)
        write_atomically(public, content, mode=0o644)
    except OSError as cause:
        raise BootosError(f"{path} cannot be written: {cause.strerror}") from cause
    return public


def sign(key_file: Path, content: bytes) -> bytes:
    """The Ed25519 signature of `content` (RFC 8032), 64 bytes. Raises BootosError when the key cannot be used."""
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except OSError as cause:
        raise BootosError(f"the key {key_file} cannot be read: {cause.strerror}") from cause
    except (ValueError, TypeError, UnsupportedAlgorithm) as cause:
        raise BootosError(f"{key_file} is no private key without a password: {cause}") from cause
    if not isinstance(key, Ed25519PrivateKey):
        raise BootosError(f"{key_file} is no Ed25519 key", hint="bootos image key create makes one")
    return key.sign(content)


def read_public_key(path: Path) -> Ed25519PublicKey:
    """The Ed25519 key in a PEM file (RFC 8410). Raises BootosError when it is none."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as cause:
        raise BootosError(f"the key {path} cannot be read: {cause.strerror}") from cause
    except (ValueError, UnsupportedAlgorithm) as cause:
        raise BootosError(
            f"{path} is no public key: {cause}", hint="it is the file that ends in .pub"
        ) from cause
    if not isinstance(key, Ed25519PublicKey):
        raise BootosError(f"{path} is no Ed25519 key", hint="bootos image key create makes one")
    return key


def read_trusted(directory: Path) -> dict[str, Ed25519PublicKey]:
    """The trusted keys by their files' names without `.pub`. One that cannot be used is told in the log."""
    keys = {}
    for path in sorted(directory.glob("*.pub")) if directory.is_dir() else ():
        try:
            keys[path.stem] = read_public_key(path)
        except BootosError as error:
            log.warning("a trusted key is not used: %s", error)
    return keys


def find_signer(keys: Mapping[str, Ed25519PublicKey], content: bytes, signature: bytes) -> str:
    """The name of the trusted key that made the signature; empty when none did."""
    for name, key in keys.items():
        try:
            key.verify(signature, content)
        except InvalidSignature:
            continue
        return name
    return ""
