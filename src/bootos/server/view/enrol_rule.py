"""Rules that confirm machines as they register, as they are shown."""

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.store.table import EnrolRule, read_clock
from bootos.server.view.conversion import build_view


class RuleView(msgspec.Struct, kw_only=True):
    """`confirmed`: how many machines it has confirmed; `in_force`: it has not ended."""

    id: int
    network: str
    vendor: str
    created_by: str
    created_at: datetime
    ends_at: datetime
    confirmed: int
    in_force: bool


def view_rule(row: EnrolRule) -> RuleView:
    """One rule."""
    return build_view(RuleView, row, in_force=row.ends_at > read_clock())


def list_rules(session: Session) -> list[RuleView]:
    """All rules, the newest first."""
    return [view_rule(row) for row in session.scalars(select(EnrolRule).order_by(EnrolRule.id.desc()))]
