"""Refused claims: a client said that it is a machine, while the session of another client holds that machine's
identity.

Recorded by `registration` (protocol v2) and `cloudboot.caller` (v1), shown on the machine's page and in lists until the
operator acknowledges it or a week passed without another one. The audit log keeps who claimed what.
"""

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.limit import FIXED
from bootos.server.operation.audit import Actor, record
from bootos.server.store.claim import open_claims
from bootos.server.store.engine import WriteSession
from bootos.server.store.machine import find_machine
from bootos.server.store.table import Claim, Machine, read_clock
from bootos.server.view.machine import MachineDetail, view_machine_detail

MOST = FIXED.claims  # of one machine: a client that claims again and again must not fill the disk


def record_claim(
    session: WriteSession, machine: Machine, boot_id: str, address: str, *, audited: bool = False
) -> Claim:
    """Count the claim; the caller refuses, and must commit. `audited`: the audit log has it already."""
    query = select(Claim).where(
        Claim.machine_id == machine.id, Claim.boot_id == boot_id, Claim.address == address
    )
    claim = session.scalar(query)
    is_shown = claim is not None and claim.acknowledged_at is None
    if claim is None:
        claim = Claim(machine_id=machine.id, boot_id=boot_id, address=address)
        session.add(claim)
    else:
        claim.count += 1
        claim.last_at = read_clock()
        claim.acknowledged_at = None
    session.flush()
    if (
        not is_shown
        and not audited
        and (session.scalar(select(func.count()).select_from(open_claims([machine.id]).subquery())) or 0)
        < MOST
    ):
        detail = f"boot {boot_id[:60]}: refused, {machine.address or 'another client'} holds the identity"
        record(session, Actor(name="a client", address=address), "machine.claim", machine.sn, detail)
    kept = select(Claim.id).where(Claim.machine_id == machine.id).order_by(Claim.last_at.desc()).limit(MOST)
    old = set(session.scalars(select(Claim.id).where(Claim.machine_id == machine.id)))
    session.execute(delete(Claim).where(Claim.id.in_(old - set(session.scalars(kept)))))
    session.touch(f"machine:{machine.id}", "machines")
    return claim


def acknowledge_claims(context: Context, actor: Actor, word: str) -> MachineDetail:
    """The operator has seen the refused claims of a machine's identity, and what of it has changed; returns the
    machine. Another claim is shown again. Raises NotFoundError."""
    with context.store.write() as session:
        machine = find_machine(session, word)
        claims = list(session.scalars(open_claims([machine.id])))
        for claim in claims:
            claim.acknowledged_at = read_clock()
        machine.changes = ""
        session.touch(f"machine:{machine.id}", "machines")
        record(session, actor, "machine.acknowledge", machine.sn, f"{len(claims)} refused claim(s)")
        session.flush()
        return view_machine_detail(context, session, machine)


def settle_claim(session: Session, machine: Machine, boot_id: str, address: str) -> None:
    """This boot holds the identity now. If it comes from where the machine was before, its earlier claims were those
    of a machine that had lost power and came back before its old session had aged: nothing to show."""
    if address != machine.address:
        return
    query = select(Claim).where(
        Claim.machine_id == machine.id, Claim.boot_id == boot_id, Claim.address == address
    )
    for claim in session.scalars(query):
        claim.acknowledged_at = read_clock()


def is_return(context: Context, machine: Machine, claim: Claim) -> bool:
    """Whether this claim is what a machine does that has lost power and comes back before its old session has aged: it
    comes from where the machine was, and has not claimed for longer than such a session is kept."""
    age_s = (claim.last_at - claim.first_at).total_seconds()
    return claim.address == machine.address and age_s <= context.settings.session_grace_s


def settle_claims(session: Session, machine: Machine, boot_id: str) -> None:
    """An operator has said that this boot is the machine: what it claimed is nothing to show any more."""
    for claim in session.scalars(
        select(Claim).where(Claim.machine_id == machine.id, Claim.boot_id == boot_id)
    ):
        claim.acknowledged_at = read_clock()
