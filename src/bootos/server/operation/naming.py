"""Which machine an agent speaks for: by its name, by a name that the machine had before, by a placeholder of its maker
that agents of earlier releases take for a name.

A name that is no placeholder is a machine's own, as it ever was. What is called by a placeholder may be any of a
thousand machines: it is the one that has shown this UUID or board, and the MAC that this one booted from; where that
does not make it certain, it is another machine. Called by `registration` (protocol v2) and `cloudboot.product` (v1).
"""

import logging

from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.fault import ConflictError
from bootos.server.mark import MOST_MACS, Marks, read_stored_marks
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.enrolment import enrol
from bootos.server.operation.told import Told
from bootos.server.store.engine import WriteSession
from bootos.server.store.machine import fold, list_namesakes
from bootos.server.store.table import Alias, Claim, ImagePin, Job, Mac, Machine
from bootos.wire.identity import find_kind, is_placeholder

log = logging.getLogger(__name__)

MOST_SAID = 8  # names that a machine was never known by, and that are kept
MOST_NAMESAKES = 10  # of which it is asked whether one is certain
TAKEN_RETRY_S = 60
RANKS = {"serial": 0, "uuid": 1, "board": 2, "mac": 3}
"""A machine keeps the better name: a serial number is not given up for a UUID that an older agent says."""


class NameTakenError(Exception):
    """What an agent says is a former name of another machine. Who says that name, agent or operator, means its `owner`,
    so nobody else becomes known by it without an operator's word. The caller records a claim and refuses."""

    def __init__(self, owner: Machine) -> None:
        super().__init__(f"a former name of the machine id:{owner.id}")
        self.owner = owner

    def tell(self, name: str) -> ConflictError:
        """The refusal, in words for who registers and for the operator who looks there."""
        return ConflictError(
            f"{name} is a former name of the machine id:{self.owner.id}, and this seems to be another one",
            hint="the operator sees this on that machine's page; if it is the same one, "
            f"bootos machine rename id:{self.owner.id} gives it this name back; "
            "bootos machine rename --replace gives the name to another record",
            retry_after_s=TAKEN_RETRY_S,
        )


def find_or_enrol_told(session: Session, told: Told) -> Machine:
    """The machine that the agent speaks for, locked; made when there is none of which that is certain. Nothing that is
    there is changed. Raises UnusableError; NameTakenError."""
    query = select(Machine).where(Machine.sn_key == fold(told.name)).with_for_update()
    named = session.scalar(query)
    own = not is_placeholder(told.name)
    if named is not None and own:
        for older in list_namesakes(session, told.name, Machine.id != named.id, held=True, limit=2):
            if is_certain(session, older, told.name, told):
                raise NameTakenError(older)
        return named
    found = _find_by_former_name(session, told)
    owners = list_namesakes(session, told.name, held=True, limit=2) if own else []
    if owners and (found is None or found.id not in {owner.id for owner in owners}):
        raise NameTakenError(owners[0])
    if found is not None:
        session.refresh(found, with_for_update=True)
        return found
    return named or enrol(session, told.name, by_itself=True)


def settle_names(session: WriteSession, machine: Machine, told: Told) -> None:
    """The machine is called as it tells, if that is a better name than it has (`_take_name`); the one that it had
    stays as another word for it. For who holds the machine's identity."""
    key = fold(told.name)
    present = "" if is_placeholder(machine.sn) else machine.known_by or find_kind(machine.sn)
    if machine.sn_key != key and RANKS.get(told.by, 9) < RANKS.get(present, 9):
        _take_name(session, machine, told)
    if machine.sn_key == key and not (told.v1 and machine.known_by):
        machine.known_by = told.by
    for name in told.placeholders:
        if fold(name) != machine.sn_key:
            add_alias(session, machine, name, held=False)
    said = select(Alias).where(Alias.machine_id == machine.id, Alias.held.is_(False))
    now = {fold(name) for name in (told.name, *told.placeholders)}
    others = [row for row in session.scalars(said.order_by(Alias.id.desc())) if row.key not in now]
    for row in others[MOST_SAID:]:
        session.delete(row)


def _take_name(session: WriteSession, machine: Machine, told: Told) -> None:
    """Rename it. But where jobs, settings, a pin or a PXE file may be meant for it by its present name, a name that its
    inventory does not have proves nothing: the operator sees it, and may rename it."""
    stored = read_stored_marks(machine.inventory)
    marks = {fold(mark) for mark in (stored.uuid, stored.board) if mark} if stored is not None else set()
    actor = Actor(name="a client", address=told.address)
    if fold(told.name) in marks or not _is_bound(session, machine):
        log.info("the machine id:%d, known as %r, is known as %r now", machine.id, machine.sn, told.name)
        detail = f"id:{machine.id} was known as {machine.sn}: its inventory has the same UUID or board, and the MAC"
        record(session, actor, "machine.rename", told.name, detail)
        change_name(session, machine, told.name)
    elif add_alias(session, machine, told.name, held=False):
        log.warning("the machine id:%d, known as %r, calls itself %r", machine.id, machine.sn, told.name)
        detail = f"calls itself {told.name}, and keeps its name until the operator renames it"
        record(session, actor, "machine.name", machine.sn, detail)


def _is_bound(session: Session, machine: Machine) -> bool:
    """Whether the operator, or a job, has left anything for this machine."""
    rows = (
        select(Job.id).where(Job.machine_id == machine.id),
        select(ImagePin.id).where(ImagePin.machine_id == machine.id),
        select(Mac.id).where(Mac.machine_id == machine.id, Mac.bound),
    )
    left = bool(machine.settings or machine.variables)
    return left or any(session.scalar(query.limit(1)) is not None for query in rows)


def change_name(session: WriteSession, machine: Machine, name: str) -> None:
    """The machine is known as `name`, and can be found by the name that it had. No other machine may have it."""
    key = fold(name)
    add_alias(session, machine, machine.sn, held=True)
    for alias in session.scalars(select(Alias).where(Alias.machine_id == machine.id, Alias.key == key)):
        session.delete(alias)
    machine.sn, machine.sn_key = name, key
    session.touch(f"machine:{machine.id}", "machines", "jobs")
    session.flush()


def add_alias(session: Session, machine: Machine, name: str, *, held: bool) -> bool:
    """Another word for the machine; `held`: it was known by it. Whether it is new."""
    row = session.scalar(select(Alias).where(Alias.machine_id == machine.id, Alias.key == fold(name)))
    if row is None:
        session.add(Alias(machine_id=machine.id, name=name, key=fold(name), held=held))
    else:
        row.held = row.held or held
    session.flush()
    return row is None


def _find_by_former_name(session: Session, told: Told) -> Machine | None:
    """The one machine that was called as this one may have been, and is certainly the same."""
    if not is_placeholder(told.name):
        owners = list_namesakes(session, told.name, held=True, limit=2)
        if len(owners) == 1 and not _is_another(read_stored_marks(owners[0].inventory), told):
            return owners[0]
    macs = told.marks.macs | ({told.mac} if told.mac else set())
    shown = select(Mac.machine_id).where(Mac.mac.in_(sorted(macs)[:MOST_MACS]))
    names = (told.name, *told.others) if is_placeholder(told.name) else told.others
    certain = {
        machine.id: machine
        for name in names
        for machine in list_namesakes(session, name, Machine.id.in_(shown), limit=MOST_NAMESAKES)
        if is_certain(session, machine, name, told)
    }
    if len(certain) > 1:
        words = ", ".join(f"id:{number} ({machine.sn!r})" for number, machine in sorted(certain.items()))
        log.warning("machine %r may be each of %s, so it is none of them", told.name, words)
    return next(iter(certain.values())) if len(certain) == 1 else None


def is_certain(session: Session, machine: Machine, name: str, told: Told) -> bool:
    """Whether the machine that was called `name` is the one that tells this: nothing contradicts it, the MAC that it
    booted from is that machine's, and so is its UUID or board. Where one side told neither, as Cloudboot v1 does, all
    MACs must agree, and the name be a placeholder, which v1 agents take for one. A record that several machines had
    under a placeholder is nobody's."""
    stored = read_stored_marks(machine.inventory)
    if stored is None or _is_another(stored, told):
        return False
    macs, said = stored.macs, told.marks.macs
    agree = bool(macs and said) and (macs <= said or said <= macs)
    rows = list(session.scalars(select(Mac).where(Mac.machine_id == machine.id)))
    if told.mac not in {row.mac for row in rows} if told.mac else not agree:
        return False
    if is_placeholder(machine.sn) and not told.v1:
        elsewhere = select(Alias.id).where(Alias.key == machine.sn_key, Alias.machine_id != machine.id)
        refused = select(Claim.id).where(
            Claim.machine_id == machine.id,
            Claim.acknowledged_at.is_(None),
            Claim.boot_id != told.boot_id,  # it may have come back before its last boot had aged
            Claim.address != told.address,
        )
        if session.scalar(elsewhere.limit(1)) is not None or session.scalar(refused.limit(1)) is not None:
            return False
        if any(row.bound and row.mac not in macs | said for row in rows):
            return False
    if told.v1:
        return agree and is_placeholder(name)
    if not (stored.uuid or stored.board):
        return agree and is_placeholder(machine.sn)
    return (stored.uuid is not None and stored.uuid == told.marks.uuid) or (
        stored.board is not None and stored.board == told.marks.board
    )


def _is_another(stored: Marks | None, told: Told) -> bool:
    """Whether what both tell says that they are two machines. A board is replaced with its UUID, or keeps both."""
    if stored is None:
        return False
    if stored.uuid and told.marks.uuid:
        return stored.uuid != told.marks.uuid
    return any(
        mine and other and fold(mine) != fold(other)
        for mine, other in ((stored.board, told.marks.board), (stored.serial, told.marks.serial))
    )
