"""Reads the support list. Changes nothing."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.store.table import Support


def read_lines(session: Session) -> list[Support]:
    """All lines, in the order they were added."""
    return list(session.scalars(select(Support).order_by(Support.id)))
