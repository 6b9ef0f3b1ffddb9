"""Stores secrets and removes them. Their values are encrypted by the vault and never shown again."""

from sqlalchemy import select

from bootos.server.context import Context
from bootos.server.fault import NotFoundError
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.template import check_name
from bootos.server.store.table import Secret


def put_secret(context: Context, actor: Actor, name: str, value: str) -> bool:
    """Store a secret; returns whether its name is new. Raises UnusableError when that cannot be a name."""
    check_name(name, "secret")
    with context.store.write() as session:
        is_new = context.vault.put(session, name, value)
        record(session, actor, "secret.set", name, "new" if is_new else "changed")
        return is_new


def remove_secret(context: Context, actor: Actor, name: str) -> None:
    """Remove a secret. Raises NotFoundError."""
    with context.store.write() as session:
        row = session.scalar(select(Secret).where(Secret.name == name))
        if row is None:
            raise NotFoundError(f"there is no secret {name!r}")
        session.delete(row)
        record(session, actor, "secret.remove", name)
