"""The marks of confirmed machines: pins what a machine is known by, and asks `fingerprint` whether what is told now is
that. For registrations of both protocols, inventories and confirmations."""

from sqlalchemy import delete
from sqlalchemy.orm import Session

from bootos.server.fingerprint import (
    Fingerprint,
    Verdict,
    describe_move,
    describe_refusal,
    drop_shared,
    judge,
)
from bootos.server.mark import Marks
from bootos.server.store.mark import find_shared, read_fingerprint
from bootos.server.store.table import Machine, Mark


def find_refusal(session: Session, machine: Machine, marks: Marks, *, v1: bool = False) -> str:
    """Why what is told is not the machine that was confirmed; empty: it is. `v1`: an agent of Cloudboot v1 tells
    neither UUID nor board. A machine that nobody confirmed is whatever it says."""
    if machine.confirmed_at is None:
        return ""
    pinned, told = read_fingerprint(session, machine), marks.fingerprint
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
    for kind, value in marks.fingerprint.list_values():
        session.add(Mark(machine_id=machine.id, kind=kind, value=value))
    session.flush()


def renew_marks(session: Session, machine: Machine, marks: Marks) -> str:
    """Keep what has changed of a confirmed machine and was accepted: its NICs, and what it tells for the first time.
    Returns which NICs have changed. What another confirmed machine has is not taken in: it would tell that one no more.
    """
    pinned, told = read_fingerprint(session, machine), marks.fingerprint
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
