"""A person says which machines are the ones that they say to be, and takes an identity from who holds it. Called by the
operator API and the pages."""

import msgspec
from sqlalchemy import delete

from bootos.errors import Problem, Problems
from bootos.server.context import Context
from bootos.server.fault import ConflictError, RequestError, UnusableError
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.claim import settle_claims
from bootos.server.operation.inventory import store_inventory
from bootos.server.operation.standing import confirm
from bootos.server.operation.transition import add_line, touch
from bootos.server.store.engine import WriteSession
from bootos.server.store.job import find_active_job, find_latest_job
from bootos.server.store.machine import find_machine
from bootos.server.store.table import Boot, Machine, Mark
from bootos.server.view.machine import MachineDetail, view_machine_detail
from bootos.wire.inventory import Inventory


class Confirmation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`boot` and `words` are those that the person was shown (`MachineView`): between looking and confirming another
    boot may have come. `words` are needed where the machine's console shows some."""

    machine: str
    boot: int | None = None
    words: str = ""


class Release(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`unconfirm`: the machine is new again, and what it was known by is forgotten."""

    unconfirm: bool = False


class Confirmed(msgspec.Struct, kw_only=True):
    """Which machines were confirmed, by id and name."""

    machines: dict[int, str]


def confirm_machines(context: Context, actor: Actor, wanted: list[Confirmation]) -> Confirmed:
    """Confirm all of these machines, or none. Raises UnusableError with every problem, NotFoundError and ConflictError
    when it is about one machine."""
    problems, done = Problems(), dict[int, str]()
    with context.store.write() as session:
        for item in wanted:
            try:
                machine = find_machine(session, item.machine)
                _confirm(context, session, actor, machine, item)
                done[machine.id] = machine.sn
            except RequestError as fault:
                if len(wanted) == 1:
                    raise
                problems += [Problem(path=item.machine, message=fault.message, hint=fault.hint)]
        if problems:
            raise UnusableError(
                f"{len(problems)} of these machines cannot be confirmed, so none was", problems=problems
            )
    return Confirmed(machines=done)


def _confirm(
    context: Context, session: WriteSession, actor: Actor, machine: Machine, said: Confirmation
) -> None:
    boot = session.get(Boot, machine.boot_pk) if machine.boot_pk is not None else None
    if machine.registered_at is None:
        raise ConflictError(
            f"the machine {machine.sn} has not registered yet, so there is nothing to look at",
            hint="to say before what it will be: bootos machine import, with a column mac",
        )
    if said.boot is not None and said.boot != machine.boot_pk:
        raise ConflictError(
            f"another boot speaks for the machine {machine.sn} since you looked",
            hint="look again, and compare its words: bootos machine new",
        )
    shown = boot.words if boot is not None else ""
    if said.words.strip() and not shown:
        raise ConflictError(
            f"what speaks for the machine {machine.sn} shows no words any more",
            hint="somebody says its boot id, and has not the key of that boot: look again, bootos machine show "
            f"id:{machine.id}",
        )
    if said.words.split() != shown.split():
        raise UnusableError(
            f"these are not the words that the console of {machine.sn} must show"
            if said.words
            else f"the console of {machine.sn} shows words: compare them",
            hint="look at the machine's console, and at what it must show: bootos machine show "
            f"id:{machine.id}; with other words somebody stands between, or it is another machine",
        )
    if boot is not None and boot.inventory is not None:
        # The boot that was not believed: from now on it is the machine. Its agent registers again, and what else it
        # tells of the machine is kept: the address, the drivers.
        store_inventory(context, session, machine, msgspec.convert(boot.inventory, Inventory))
        boot.inventory = boot.token_hash = None
        session.flush()
    if boot is not None:
        boot.compared = bool(shown)
    confirm(context, session, machine, "words" if shown else "person", actor=actor)
    settle_claims(session, machine, boot.boot_id if boot is not None else "cloudboot v1")
    session.flush()


def release_machine(context: Context, actor: Actor, word: str, wanted: Release) -> MachineDetail:
    """Take the machine's identity from who holds it, by whichever protocol: its session ends, its job is no address's
    any more, and for two minutes only another client may have either. Returns the machine. Raises NotFoundError."""
    with context.store.write() as session:
        machine = find_machine(session, word)
        boot = session.get(Boot, machine.boot_pk) if machine.boot_pk is not None else None
        barred = {boot.boot_id, machine.address} if boot is not None and not machine.doubt else set[str]()
        if boot is not None:
            boot.token_hash, boot.closing, boot.compared, boot.inventory = None, True, False, None
            barred |= {boot.boot_id}
        barred_v1 = _release_v1(session, machine) if not machine.doubt else set[str]()
        machine.boot_pk, machine.doubt = None, ""
        if wanted.unconfirm:
            machine.confirmed_at, machine.confirmed_by, machine.changes = None, "", ""
            session.execute(delete(Mark).where(Mark.machine_id == machine.id))
        detail = f"id:{machine.id}" + (", and it is confirmed no more" if wanted.unconfirm else "")
        record(session, actor, "machine.release", machine.sn, detail)
        session.touch(f"machine:{machine.id}", "machines")
        session.flush()
        # Before the commit: who is barred may register in the moment after it.
        session.after_rollback(context.presence.let_go(machine.id, *sorted(barred - {""})))
        session.after_rollback(context.legacy_presence.let_go(machine.id, *sorted(barred_v1 - {""})))
        return view_machine_detail(context, session, machine)


def _release_v1(session: WriteSession, machine: Machine) -> set[str]:
    """Let the machine's job go from the address that it belongs to (`cloudboot.policy`); returns the addresses that
    spoke for the machine. An installer that is at work keeps its job by the job's token."""
    job = find_active_job(session, machine.id) or find_latest_job(session, machine.id)
    if job is None or not job.agent_address:
        return {machine.address}
    was, job.agent_address = job.agent_address, ""
    add_line(session, job, f"an operator took the machine from the client at {was}: the job is nobody's now")
    touch(session, job)
    return {machine.address, was}
