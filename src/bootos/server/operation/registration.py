"""Registrations of protocol v2. One boot at a time holds a machine's identity, proven by a random token; another boot
takes over only when the present one has not been heard of for a while."""

import logging
import secrets
from datetime import datetime

from sqlalchemy import ColumnElement, Integer, bindparam, delete, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.fault import ConflictError, UnusableError
from bootos.server.limit import FIXED
from bootos.server.operation.admission import admit, check_new_rate
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.claim import is_return, record_claim, settle_claim
from bootos.server.operation.identity import Client, Rival, find_bar
from bootos.server.operation.inventory import build_stored, store_inventory
from bootos.server.operation.mark import find_refusal, renew_marks
from bootos.server.operation.naming import NameTakenError, find_or_enrol_told, settle_names
from bootos.server.operation.next_boot import write_pinned_files
from bootos.server.operation.standing import find_order_bar, settle_standing
from bootos.server.operation.told import Told, read_told
from bootos.server.operation.words import draw_registered
from bootos.server.store.engine import WriteSession
from bootos.server.store.hold import HoldLostError
from bootos.server.store.machine import hash_token
from bootos.server.store.support import read_lines
from bootos.server.store.table import Boot, LogLine, Machine, Moment, read_clock
from bootos.server.support import Verdict, judge, read_model
from bootos.wire import v2
from bootos.wire.ability import parse_abilities

log = logging.getLogger(__name__)


def register(context: Context, said: v2.Registration, address: str, *, secure: bool = False) -> v2.Registered:
    """Give a boot of a machine a session; the machine is made when it is new. `secure`: it came over TLS. Raises
    UnusableError, and ConflictError with the seconds to wait when another client holds the identity: that claim is
    recorded, and shown to the operator."""
    with context.store.write() as session:
        outcome = _claim_identity(context, session, said, address, secure)
        if not isinstance(outcome, ConflictError):
            machine, token = outcome
            verdict = judge_model(session, machine)
            bar = find_order_bar(context, session, machine, session.get(Boot, machine.boot_pk))
            for sentence in write_pinned_files(context, session, machine):
                log.warning("%s", sentence)
    if isinstance(outcome, ConflictError):
        raise outcome
    unlisted = "" if verdict.ok or said.developer else f"{verdict.reason}; to proceed, {verdict.remedy}"
    return v2.Registered(
        machine_id=str(machine.id),
        session=token,
        poll_s=context.settings.poll_s,
        message="; ".join(filter(None, (bar, unlisted))),
    )


def _claim_identity(
    context: Context, session: WriteSession, said: v2.Registration, address: str, secure: bool
) -> tuple[Machine, str] | ConflictError:
    """The machine and the token of its new session; or the refusal, whose claim must be committed too."""
    if not 0 < len(said.boot_id) <= 128:
        raise UnusableError("the boot id is empty or too long")
    words = draw_registered(context, said, secure=secure)
    told = read_told(said, address)
    try:
        machine = find_or_enrol_told(session, told)
    except NameTakenError as taken:
        record_claim(session, taken.owner, said.boot_id, address)
        return taken.tell(told.name)
    if machine.by_itself and machine.registered_at is None:
        admit(context, session, machine, address)
    check_new_rate(context, machine, address)
    refusal = find_refusal(session, machine, told.marks)
    is_believed = not refusal or context.settings.enrol == "open"
    present = session.get(Boot, machine.boot_pk) if machine.boot_pk is not None else None
    client = Client(address=address, boot_id=said.boot_id, words=words, believed=is_believed)
    bar = find_bar(context, session, machine, client)
    if bar is not None and bar.rival is Rival.ANYBODY:
        return ConflictError(
            f"the operator has taken the identity of machine {said.sn} from this client",
            hint="another one may have it first",
            retry_after_s=max(1, round(bar.left_s)),
        )
    if bar is not None:
        return _refuse(context, session, machine, said, address, bar.left_s)
    token = secrets.token_urlsafe(32)
    known = select(Boot).where(Boot.machine_id == machine.id, Boot.boot_id == said.boot_id)
    boot = session.scalar(known)
    if boot is None:
        boot = Boot(machine_id=machine.id, boot_id=said.boot_id, serial=0)
        session.add(boot)
    if present is not None and present.boot_id != said.boot_id:
        present.token_hash = present.inventory = None
        session.flush()
        if machine.doubt or machine.confirmed_at is None:
            _drop_boots(session, Boot.id == present.id)  # who was not believed may boot as often as he likes
    boot.token_hash = hash_token(token)
    boot.serial += 1
    boot.closing = False
    boot.developer = said.developer
    boot.compared = bool(boot.compared) and boot.words == words
    boot.secure, boot.words = secure, words
    boot.ca_sha256 = said.ca_sha256 if secure and said.ca_sha256 in context.tls.fingerprints else ""
    boot.abilities = parse_abilities(said.abilities)
    boot.last_heard_at = read_clock()
    boot.inventory = None
    session.flush()
    machine.boot_pk = boot.id
    if machine.confirmed_at is None and machine.by_itself:
        _drop_boots(session, Boot.machine_id == machine.id, Boot.id != machine.boot_pk)
    if is_believed:
        machine.protocol = 2
    machine.registered_at = machine.last_heard_at = read_clock()
    if is_believed:
        settle_claim(session, machine, said.boot_id, address)
        settle_names(session, machine, told)
        _believe(context, session, machine, said, told, address)
    else:
        _doubt(context, session, machine, boot, said, refusal, address)
    if boot.ca_sha256 in context.tls.fingerprints[1:]:
        context.health.note(
            "former authority",
            f"{machine.sn} came by the former authority: where its boot file or image names that, name the new one, "
            "and boot it, before bootos ca rotate --finish",
        )
    session.touch(f"machine:{machine.id}", "machines")
    context.presence.hear(machine.id)
    return machine, token


def _drop_boots(session: WriteSession, *where: ColumnElement[bool]) -> None:
    """Of boots that nobody believed the last one is kept, with its log: forget these. What they logged in a job stays
    with the job."""
    dropped = list(session.scalars(select(Boot.id).where(*where)))
    session.execute(delete(LogLine).where(LogLine.boot_pk.in_(dropped), LogLine.job_id.is_(None)))
    lines = select(LogLine.seq).where(LogLine.boot_pk == Boot.id)
    session.execute(delete(Boot).where(Boot.id.in_(dropped), ~lines.exists()))


def _refuse(
    context: Context,
    session: WriteSession,
    machine: Machine,
    said: v2.Registration,
    address: str,
    left_s: float,
) -> ConflictError:
    """`left_s`: for how many seconds the other one holds it at least."""
    claim = record_claim(session, machine, said.boot_id, address)
    if not is_return(context, machine, claim):
        note = f"a client at {address} was not taken for {machine.sn}: another one holds its identity"
        context.health.note("identity", note)
    return ConflictError(
        f"another client holds the identity of machine {said.sn}",
        hint="two machines with one serial number, or the last boot is still alive; this call may work "
        "when that client has been silent for a while; the operator sees this on the machine's page",
        retry_after_s=max(1, round(left_s)),
    )


def _believe(
    context: Context,
    session: WriteSession,
    machine: Machine,
    said: v2.Registration,
    told: Told,
    address: str,
) -> None:
    """Keep what the machine tells; it is confirmed, or new."""
    machine.doubt = ""
    machine.developer = said.developer
    machine.agent_version = said.agent_version[:100]
    machine.image_version = said.image_version[:100]
    machine.address = address
    machine.drivers = [name[: FIXED.name_letters] for name in said.drivers[: FIXED.drivers]]
    macs = [said.pxe_mac] if said.pxe_mac else []
    store_inventory(context, session, machine, said.inventory, extra_macs=macs)
    session.flush()
    if machine.confirmed_at is None or context.settings.enrol == "open":
        settle_standing(context, session, machine)
    elif changes := renew_marks(session, machine, told.marks):
        machine.changes = changes
        record(session, Actor(name="a client", address=address), "machine.change", machine.sn, changes)


def _doubt(
    context: Context,
    session: WriteSession,
    machine: Machine,
    boot: Boot,
    said: v2.Registration,
    refusal: str,
    address: str,
) -> None:
    """The boot is shown, and gets nothing. Nothing of the machine is changed by it."""
    boot.inventory = build_stored(context, machine, said.inventory)
    context.health.note("identity", f"a client at {address} was not taken for {machine.sn}: {refusal}")
    if machine.doubt != refusal:
        machine.doubt = refusal
        detail = f"boot {said.boot_id[:60]}: {refusal}"
        record(session, Actor(name="a client", address=address), "machine.doubt", machine.sn, detail)
    record_claim(session, machine, said.boot_id, address, audited=True)


def judge_model(session: Session, machine: Machine) -> Verdict:
    """Whether the support list covers the machine's model, whatever a job may ask for."""
    return judge(read_lines(session), read_model(machine))


def write_heard(context: Context) -> None:
    """Write down who was heard of: after a restart an identity is still held by who held it. What cannot be written is
    logged."""
    try:
        with context.presence.writing() as moments, context.store.write() as session:
            _write_moments(session, moments)
    except (SQLAlchemyError, HoldLostError) as cause:
        log.warning("who was heard of could not be written down: %s", cause)


def _write_moments(session: Session, moments: dict[int, datetime]) -> None:
    """When these machines, by id, and the boots that hold their identities were heard of last."""
    rows = [{"machine": machine_id, "at": moments[machine_id]} for machine_id in sorted(moments)]
    if not rows:
        return
    machine_id, at = bindparam("machine", type_=Integer), bindparam("at", type_=Moment)
    present = select(Machine.boot_pk).where(Machine.id == machine_id).scalar_subquery()
    connection = session.connection()
    connection.execute(update(Machine).where(Machine.id == machine_id).values(last_heard_at=at), rows)
    connection.execute(update(Boot).where(Boot.id == present).values(last_heard_at=at), rows)
