"""The marks of confirmed machines: pins what a machine is known by, and asks `fingerprint` whether what is told now is
that. For registrations of both protocols, inventories and confirmations."""

from sqlalchemy import delete, select, tuple_
from sqlalchemy.orm import Session

from bootos.server.fingerprint import (
    Fingerprint,
    Value,
    Verdict,
    describe_move,
    describe_refusal,
    drop_shared,
    join_values,
    judge,
)
from bootos.server.operation.told import Marks
from bootos.server.store.table import Machine, Mark


def read_fingerprint(session: Session, machine: Machine) -> Fingerprint:
    """What the machine was known by when it was confirmed; of one that was not, nothing."""
    rows = session.execute(select(Mark.kind, Mark.value).where(Mark.machine_id == machine.id))
    return join_values((row.kind, row.value) for row in rows)


def build_fingerprint(marks: Marks) -> Fingerprint:
    """The fingerprint of an inventory."""
    return Fingerprint(uuid=marks.uuid, board=marks.board, macs=marks.macs)


def find_shared(session: Session, machine: Machine, *prints: Fingerprint) -> set[Value]:
    """Which of these values other confirmed machines have, too."""
    values = {value for whole in prints for value in whole.list_values()}
    if not values:
        return set()
    same = tuple_(Mark.kind, Mark.value).in_(sorted(values))
    rows = session.execute(select(Mark.kind, Mark.value).where(same, Mark.machine_id != machine.id))
    return {(row.kind, row.value) for row in rows}


def find_refusal(session: Session, machine: Machine, marks: Marks, *, v1: bool = False) -> str:
    """Why what is told is not the machine that was confirmed; empty: it is. `v1`: an agent of Cloudboot v1 tells
    neither UUID nor board. A machine that nobody confirmed is whatever it says."""
    if machine.confirmed_at is None:
        return ""
    pinned, told = read_fingerprint(session, machine), build_fingerprint(marks)
    if v1:
        pinned = Fingerprint(macs=pinned.macs)
    shared = find_shared(session, machine, pinned, told)
    pinned, told = drop_shared(pinned, shared), drop_shared(told, shared)
    verdict = judge(pinned, told)
    if verdict in (Verdict.ACCEPTED, Verdict.MOVED) or (v1 and verdict is Verdict.UNTOLD):
        return ""
    return describe_refusal(pinned, told)


def pin_marks(session: Session, machine: Machine, marks: Marks) -> None:
    """From now on the machine is known by this, and by nothing else."""
    session.execute(delete(Mark).where(Mark.machine_id == machine.id))
    for kind, value in build_fingerprint(marks).list_values():
        session.add(Mark(machine_id=machine.id, kind=kind, value=value))
    session.flush()


def renew_marks(session: Session, machine: Machine, marks: Marks) -> str:
    """Keep what has changed of a confirmed machine and was accepted: its NICs, and what it tells for the first time.
    Returns which NICs have changed. What another confirmed machine has is not taken in: it would tell that one no more.
    """
    pinned, told = read_fingerprint(session, machine), build_fingerprint(marks)
    own = drop_shared(told, find_shared(session, machine, told))
    kinds = {kind for kind, _ in pinned.list_values()}
    added = {
        (kind, value)
        for kind, value in own.list_values()
        if (kind == "mac" and value not in pinned.macs) or kind not in kinds
    }
    gone = pinned.macs - told.macs if told.macs else frozenset()
    session.execute(
        delete(Mark).where(Mark.machine_id == machine.id, Mark.kind == "mac", Mark.value.in_(sorted(gone)))
    )
    session.add_all(Mark(machine_id=machine.id, kind=kind, value=value) for kind, value in sorted(added))
    session.flush()
    return (
        describe_move(pinned, told)
        if pinned.macs and (gone or added & {("mac", mac) for mac in told.macs})
        else ""
    )


def find_likeness(session: Session, machine: Machine, marks: Marks) -> list[int]:
    """The ids of other confirmed machines that have one of these values."""
    values = build_fingerprint(marks).list_values()
    if not values:
        return []
    same = tuple_(Mark.kind, Mark.value).in_(values)
    query = select(Mark.machine_id).where(same, Mark.machine_id != machine.id).distinct()
    return sorted(session.scalars(query))
