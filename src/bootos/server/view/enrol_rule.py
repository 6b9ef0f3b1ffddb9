"""Rules that confirm machines as they register, as they are shown."""

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.store.table import EnrolRule
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


def is_in_force(context: Context, row: EnrolRule) -> bool:
    """Whether it confirms machines now."""
    return not row.ended and not context.rule_terms.is_over(row.id, row.created_at, row.ends_at)


def view_rule(context: Context, row: EnrolRule) -> RuleView:
    """One rule."""
    return build_view(RuleView, row, in_force=is_in_force(context, row))


def list_rules(context: Context, session: Session) -> list[RuleView]:
    """All rules, the newest first."""
    return [
        view_rule(context, row) for row in session.scalars(select(EnrolRule).order_by(EnrolRule.id.desc()))
    ]
