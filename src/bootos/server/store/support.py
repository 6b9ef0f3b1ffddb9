"""Reads the support list. Changes nothing."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.store.table import Support


def read_lines(session: Session, *, by_model: bool = False) -> list[Support]:
    """All lines, in the order they were added, or sorted by vendor and product."""
    order = (Support.vendor, Support.product) if by_model else (Support.id,)
    return list(session.scalars(select(Support).order_by(*order)))
