"""The audit log: every operator action that changed something, with who, from where, and on what."""

from sqlalchemy.orm import Session

from bootos.server.store.table import Audit


def record(
    session: Session,
    action: str,
    subject: str,
    detail: str = "",
    *,
    actor: str = "operator",
    address: str = "",
) -> None:
    """Add a line, in the transaction of the action itself."""
    row = Audit(actor=actor, address=address, action=action, subject=subject[:500], detail=detail[:2000])
    session.add(row)
