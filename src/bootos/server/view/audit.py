"""The audit log, as it is shown."""

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.store.table import Audit
from bootos.server.view.conversion import build_view


class AuditView(msgspec.Struct, kw_only=True):
    """What an operator did, when, from where, and to what."""

    id: int
    at: datetime
    actor: str
    address: str
    action: str
    subject: str
    detail: str


def list_audit(session: Session, limit: int, after: int = 0) -> list[AuditView]:
    """The latest lines, newest first; `after`: those before the line with this id."""
    query = select(Audit).order_by(Audit.id.desc()).limit(limit)
    query = query.where(Audit.id < after) if after else query
    return [build_view(AuditView, row) for row in session.scalars(query)]
