"""The orders that v2 agents get, and which boot may have which. Called by `api.agent_v2`, and by v1 for the verdict."""

from collections.abc import Sequence
from typing import Literal, cast

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.lifecycle import Event, State
from bootos.server.operation.capture import find_wish
from bootos.server.operation.report import read_earlier
from bootos.server.operation.secrecy import WAYS, find_unable, note_way
from bootos.server.operation.standing import find_order_bar, find_secret_bar
from bootos.server.operation.transition import add_line, hand_over, keep_evidence, move, touch
from bootos.server.store.engine import WriteSession
from bootos.server.store.job import find_active_job
from bootos.server.store.machine import find_session
from bootos.server.store.support import read_lines
from bootos.server.store.table import Boot, Job, Machine
from bootos.server.support import Verdict, judge, read_model, read_sections
from bootos.wire import v2
from bootos.wire.ability import is_able


def take_order(context: Context, authorization: str | None, *, secure: bool) -> v2.Order | None:
    """The order for the boot that this `Authorization` header proves, if there is one; its job is then running.
    `secure`: the answer goes over TLS. Raises UnauthorizedError."""
    note_way(context, authorization, secure=secure)
    # Most agents that ask have no job. A read does not wait for other writers.
    with context.store.read() as session:
        machine, boot = find_session(session, authorization)
        if find_active_job(session, machine.id) is None:
            wish = find_wish(session, machine, boot)
            return v2.Order(job_id=wish, mode="capture") if wish else None
    with context.store.write() as session:
        machine, boot = find_session(session, authorization)
        return _take(context, session, machine, boot)


def _take(context: Context, session: WriteSession, machine: Machine, boot: Boot) -> v2.Order | None:
    """The same session that asks twice gets the same attempt; a new one (another boot, or the agent started again) the
    next."""
    job = find_active_job(session, machine.id)
    if job is None or State(job.state) not in (State.QUEUED, State.RUNNING):
        return None
    is_barred = bool(find_order_bar(context, session, machine, boot))
    if job.cancel_requested and not is_barred:
        move(context, session, job, Event.CANCELLED, message="cancelled by the operator")
        return None
    if not is_barred and job.secret_names:
        unable = find_unable(context, boot)
        if unable:
            event = Event.REFUSED if State(job.state) is State.QUEUED else Event.FAILED
            move(context, session, job, event, message=f"{unable}: {WAYS}, then create the job again")
            return None
    if wait_for_standing(context, session, machine, boot, job):
        return None
    holder = f"{boot.id}:{boot.serial}"
    unknown = find_unknown(job, boot.abilities)
    if unknown:
        event = Event.REFUSED if State(job.state) is State.QUEUED else Event.FAILED
        move(context, session, job, event, message=unable_text(machine, unknown))
        return None
    if job.handed_to != holder and not boot.developer and not may_run(context, session, machine, job):
        return None
    values = context.vault.resolve(session, job.secret_names)
    if job.handed_to != holder:
        if boot.developer:
            keep_evidence(session, job)
        hand_over(context, session, job, holder=holder, receiver=machine.address, address=machine.address)
    return v2.Order(
        job_id=str(job.id),
        attempt=job.attempt,
        earlier={id: v2.StepState(state) for id, state in read_earlier(job).items()},
        earlier_boot_id=(job.report or {}).get("boot_id", ""),
        approved=msgspec.convert(job.approval, v2.Approval) if job.approval else None,
        mode=cast(Literal["apply", "plan"], job.mode),
        template_name=job.template_name,
        template=job.template,
        secrets=values,
        skip_hardware=job.skip_hardware,
        skip_reason=job.skip_reason,
        reboot=job.reboot,
    )


def wait_for_standing(
    context: Context, session: WriteSession, machine: Machine, boot: Boot | None, job: Job
) -> bool:
    """Whether the job waits, since this machine is not to be given it; the job then says why."""
    bar = find_order_bar(context, session, machine, boot)
    if not bar and job.secret_names:
        bar = find_secret_bar(context, session, machine, boot) or find_lost_bar(context, session, job)
    if bar and job.message != bar:
        job.message = bar
        add_line(session, job, bar, level="warning")
        touch(session, job)
    return bool(bar)


def tell_waiting_jobs(context: Context) -> int:
    """Jobs that wait until their machine is confirmed, and do not say so, say it from now on: those of a release that
    confirmed nobody, queued ones and those that an agent of Cloudboot v1 had begun. Returns how many."""
    done, waiting = 0, (State.QUEUED.value, State.RUNNING.value)
    with context.store.write() as session:
        for job in session.scalars(select(Job).where(Job.state.in_(waiting), Job.message == "")):
            if bar := find_order_bar(context, session, job.machine, None):
                job.message = bar
                add_line(session, job, f"the job waits: {bar}")
                touch(session, job)
                done += 1
    return done


def find_lost_bar(context: Context, session: Session, job: Job) -> str:
    """Why the job waits for its secrets: the key that they were stored with is lost. Empty: it does not."""
    lost = sorted(set(job.secret_names) & set(context.vault.find_lost(session)))
    if not lost:
        return ""
    commands = ", ".join(f"bootos secret set {name}" for name in lost)
    return f"secrets of this job were stored with another secret.key: put that file back, or set them again: {commands}"


def find_unknown(job: Job, abilities: Sequence[str]) -> str:
    """What of the job an agent with these abilities does not know; empty: it can be sent the job."""
    if not is_able(abilities, f"mode:{job.mode}"):
        return f"jobs of the mode {job.mode!r}"
    if isinstance(job.template.get("raid"), list) and not is_able(abilities, "template:raid-list"):
        return "templates whose raid is a list of sections"
    return ""


def unable_text(machine: Machine, unknown: str) -> str:
    """Why this machine's agent does not get the job, and how to proceed. `unknown` is what it does not know."""
    return (
        f"the agent of this boot ({machine.agent_version or 'of an unknown version'}) does not know {unknown}: "
        "boot the machine with an image of this server's release, then create the job again"
    )


def may_run(context: Context, session: WriteSession, machine: Machine, job: Job) -> bool:
    """Whether a boot in user mode may have the job; if not, the job has ended. One that began in user mode goes
    on: it was judged then, and may have changed a version since."""
    is_new = State(job.state) is State.QUEUED
    if not is_new and not job.developer:
        return True
    verdict = judge_job(session, machine, job)
    if verdict.ok:
        return True
    if is_new:
        event, message = Event.REFUSED, refusal_text(verdict)
    else:
        event, message = (
            Event.FAILED,
            (
                "an earlier boot began this job in developer mode, and the machine was booted in user mode since: "
                f"{verdict.reason}. Boot it with DEVELOPER=1 on the kernel command line and create the job again, "
                f"or {verdict.remedy}"
            ),
        )
    move(context, session, job, event, message=message)
    return False


def judge_job(session: Session, machine: Machine, job: Job) -> Verdict:
    """Whether the job may run on this model in user mode. Where no hardware is configured there is nothing to ask."""
    if job.skip_hardware:
        return Verdict()
    return judge(read_lines(session), read_model(machine), read_sections(job.template))


def refusal_text(verdict: Verdict) -> str:
    """Why the server does not let the job run, and how to proceed."""
    return (
        f"{verdict.reason}; the machine was booted in user mode: nothing was configured. To proceed, {verdict.remedy}; "
        "or boot the machine with DEVELOPER=1 on the kernel command line; then create the job again"
    )
