"""The audit log, as it is shown."""

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.store.table import Audit
from bootos.server.view.conversion import build_view


class AuditView(msgspec.Struct, kw_only=True):
    """What an operator did, when, from where, and to what."""

    at: datetime
    actor: str
    address: str
    action: str
    subject: str
    detail: str


def list_audit(session: Session, limit: int) -> list[AuditView]:
    """The latest lines, newest first."""
    rows = session.scalars(select(Audit).order_by(Audit.id.desc()).limit(limit))
    return [build_view(AuditView, row) for row in rows]
