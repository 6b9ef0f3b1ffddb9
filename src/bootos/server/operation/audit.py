"""Who changes something, and the audit log that says so: one line for every operation that changed something, written
in the operation's own transaction."""

import msgspec
from sqlalchemy.orm import Session

from bootos.server.store.table import Audit


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for an operation, as they say themselves: a note for the log, not a proof. `address` is where the
    request came from; `door`: how people come in who tell no name, `web`, which is what jobs are signed with."""

    name: str = "operator"
    address: str = ""
    door: str = ""

    @property
    def signature(self) -> str:
        """Who a job says that it was created by."""
        return self.door or self.name


def record(session: Session, actor: Actor, action: str, subject: object, detail: str = "") -> None:
    """Add a line, in the transaction of the action itself. `action` is a noun and a verb, "job.create"."""
    session.add(
        Audit(
            actor=actor.name,
            address=actor.address,
            action=action,
            subject=str(subject)[:500],
            detail=detail[:2000],
        )
    )
