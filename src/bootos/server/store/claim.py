"""Looks for refused claims that are shown to the operator. Changes nothing."""

from datetime import timedelta

from sqlalchemy import Select, select

from bootos.server.store.table import Claim, read_clock

SHOWN_FOR = timedelta(days=7)


def open_claims(machine_id: int | None = None) -> Select[Claim]:
    """The query for the claims that are shown, latest first: of one machine, or of all."""
    query = select(Claim).where(Claim.acknowledged_at.is_(None), Claim.last_at > read_clock() - SHOWN_FOR)
    if machine_id is not None:
        query = query.where(Claim.machine_id == machine_id)
    return query.order_by(Claim.last_at.desc())
