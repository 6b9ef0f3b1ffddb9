"""The secrets: stored encrypted, resolved only into an order for the machine that needs them.

The key is in a file of its own (mode 0600), so that a copy of the database alone tells nothing. Nothing here
logs a value, and the operator API has no call that returns one.
"""

from collections.abc import Iterable
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.errors import BootosError
from bootos.files import read_or_create
from bootos.server.store.table import Secret, read_clock


class Vault:
    """Encrypts and decrypts with the key in `key_file`, which is made at the first start."""

    def __init__(self, key_file: Path) -> None:
        key, _ = read_or_create(key_file, Fernet.generate_key() + b"\n", mode=0o600)
        self._key = key.strip()
        try:
            self._fernet = Fernet(self._key)
        except ValueError as cause:
            raise BootosError(
                f"{key_file} does not hold a key for the secrets",
                hint="restore it from the backup; without it the stored secrets cannot be read",
            ) from cause

    def derive_key(self, purpose: str) -> bytes:
        """32 bytes for another purpose than the secrets, the same after a restart (RFC 5869, HKDF with SHA-256)."""
        return HKDF(hashes.SHA256(), length=32, salt=None, info=purpose.encode()).derive(self._key)

    def put(self, session: Session, name: str, value: str) -> bool:
        """Store a value; returns whether the name is new."""
        row = session.scalar(select(Secret).where(Secret.name == name))
        sealed = self._fernet.encrypt(value.encode())
        if row is not None:
            row.value, row.updated_at = sealed, read_clock()
            return False
        session.add(Secret(name=name, value=sealed))
        return True

    def find_lost(self, session: Session) -> list[str]:
        """The names of the secrets that this key does not open: it is another one than that they were stored with."""
        rows = session.scalars(select(Secret).order_by(Secret.name))
        return [row.name for row in rows if self._open(row) is None]

    def _open(self, row: Secret) -> str | None:
        try:
            return self._fernet.decrypt(row.value).decode()
        except InvalidToken:
            return None

    def resolve(self, session: Session, names: Iterable[str], *, skip_lost: bool = False) -> dict[str, str]:
        """The values of `names`; a name that is gone is left out. Raises BootosError when one cannot be decrypted;
        `skip_lost`: it is left out as well, for what only masks them."""
        wanted = sorted(set(names))
        if not wanted:
            return {}
        values: dict[str, str] = {}
        for row in session.scalars(select(Secret).where(Secret.name.in_(wanted))):
            value = self._open(row)
            if value is not None:
                values[row.name] = value
            elif not skip_lost:
                raise BootosError(
                    f"the secret {row.name!r} was encrypted with another key",
                    hint=f"set it again: bootos secret set {row.name}",
                )
        return values


def find_unknown(session: Session, names: Iterable[str]) -> list[str]:
    """Those of `names` that are not stored."""
    wanted = set(names)
    known = set(session.scalars(select(Secret.name).where(Secret.name.in_(wanted)))) if wanted else set()
    return sorted(wanted - known)
