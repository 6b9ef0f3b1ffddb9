"""Looks for what confirmed machines are known by: one machine's marks, and the others that have one of them, too.
Changes nothing."""

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from bootos.server.fingerprint import Fingerprint, Value, join_values
from bootos.server.store.table import Machine, Mark


def read_fingerprint(session: Session, machine: Machine) -> Fingerprint:
    """What the machine was known by when it was confirmed; of one that was not, nothing."""
    rows = session.execute(select(Mark.kind, Mark.value).where(Mark.machine_id == machine.id))
    return join_values((row.kind, row.value) for row in rows)


def find_shared(session: Session, machine: Machine, *prints: Fingerprint) -> set[Value]:
    """Which of these values other confirmed machines have, too."""
    values = {value for whole in prints for value in whole.list_values()}
    if not values:
        return set()
    same = tuple_(Mark.kind, Mark.value).in_(sorted(values))
    rows = session.execute(select(Mark.kind, Mark.value).where(same, Mark.machine_id != machine.id))
    return {(row.kind, row.value) for row in rows}


def find_alike(session: Session, machine: Machine, told: Fingerprint, *, limit: int) -> list[int]:
    """The ids of other confirmed machines that have one of these values, at most `limit`: as long as there is one, no
    row and no rule confirms this machine (`operation.standing`)."""
    values = told.list_values()
    if not values:
        return []
    same = tuple_(Mark.kind, Mark.value).in_(values)
    query = select(Mark.machine_id).where(same, Mark.machine_id != machine.id).distinct()
    return list(session.scalars(query.order_by(Mark.machine_id).limit(limit)))
