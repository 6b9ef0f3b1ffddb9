"""Looks for refused claims that are shown to the operator. Changes nothing."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Select, select

from bootos.server.store.table import Claim, read_clock

SHOWN_FOR = timedelta(days=7)


def open_claims(machine_ids: Sequence[int]) -> Select[Claim]:
    """The query for the claims that are shown of these machines, latest first."""
    return (
        select(Claim)
        .where(Claim.acknowledged_at.is_(None), Claim.last_at > read_clock() - SHOWN_FOR)
        .where(Claim.machine_id.in_(machine_ids))
        .order_by(Claim.last_at.desc())
    )
