"""The reports of v2 agents: whole and numbered, so that repeating, losing or reordering one does no harm. Called by
`api.agent_v2`."""

from typing import Any, TypeGuard, TypeVar

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.masking import Masker
from bootos.server.context import Context
from bootos.server.fault import ConflictError
from bootos.server.lifecycle import State, find_next, read_event
from bootos.server.mark import read_marks
from bootos.server.operation.inventory import renew_inventory
from bootos.server.operation.logroom import cut_line, has_room
from bootos.server.operation.mark import find_refusal
from bootos.server.operation.secrecy import note_way
from bootos.server.operation.standing import find_order_bar
from bootos.server.operation.transition import move
from bootos.server.store.engine import WriteSession
from bootos.server.store.job import find_latest_job, is_rebooting, parse_id
from bootos.server.store.machine import find_session
from bootos.server.store.table import Boot, Job, LogLine, Machine, read_clock
from bootos.wire import v2
from bootos.wire.saved import FREE_TEXT

T = TypeVar("T")
BEGUN = (v2.StepState.RUNNING, v2.StepState.DONE, v2.StepState.REBOOTING, v2.StepState.FAILED)


def take_report(
    context: Context, authorization: str | None, report: v2.Report, *, secure: bool
) -> v2.Receipt:
    """Take in a report of the boot that this `Authorization` header proves; returns what the agent is to know.
    `secure`: it came over TLS. Raises UnauthorizedError, ConflictError (it is of another boot)."""
    note_way(context, authorization, secure=secure)
    with context.store.write() as session:
        machine, boot = find_session(session, authorization)
        context.presence.hear(machine.id)
        if report.boot_id != boot.boot_id:
            raise ConflictError("the report is of another boot than the session")
        return apply_report(context, session, machine, boot, report)


def apply_report(
    context: Context, session: WriteSession, machine: Machine, boot: Boot, report: v2.Report
) -> v2.Receipt:
    """Take in a report; returns what the agent is to know. One that is older than what is known of this boot only adds
    its log lines. Who gets no order says nothing of a job: what he logs is his boot's alone."""
    job = _find_reported_job(session, machine, report)
    is_barred = bool(find_order_bar(context, session, machine, boot))
    named = job or _find_held_job(session, boot)
    known = {} if named is None else context.vault.resolve(session, named.secret_names, skip_lost=True)
    masker = Masker(known.values())  # what an agent sends is not trusted to be clean
    _store_lines(context, session, machine, boot, None if is_barred else named, report.log, masker)
    is_newer = report.number > boot.report_number
    if is_newer:
        boot.report_number = report.number
        is_believed = _is_believed(context, session, machine, report)
        if is_believed and _is_small(report.inventory, context, machine, "registration_bytes"):
            renew_inventory(context, session, machine, report.inventory)
        if is_believed and _is_small(report.saved, context, machine, "saved_bytes"):
            machine.saved = masker.plain(report.saved, keys=FREE_TEXT)
            machine.saved_at = read_clock()
    is_holder = job is not None and job.handed_to.partition(":")[0] == str(boot.id)
    if job is not None and is_newer and is_holder and not is_barred:
        _apply_state(context, session, job, boot, report, masker)
    session.touch(f"machine:{machine.id}")
    if job is not None:
        session.touch(f"job:{job.id}")
    return v2.Receipt(
        number=report.number,
        log_next=boot.log_next,
        cancel=report.job_id is not None
        and (job is None or not is_holder or job.cancel_requested or job.state == State.CANCELLED),
    )


def _is_believed(context: Context, session: Session, machine: Machine, report: v2.Report) -> bool:
    """Whether what the report says of the machine is kept: not what another machine would say."""
    if machine.doubt:
        return False
    if report.inventory is None or context.settings.enrol == "open":
        return True
    return not find_refusal(session, machine, read_marks(report.inventory))


def _is_small(part: T | None, context: Context, machine: Machine, limit: str) -> TypeGuard[T]:
    """Whether this part of a report is there, and no larger than the limit of this name; a larger one is left out."""
    if part is None:
        return False
    is_small: bool = len(msgspec.json.encode(part)) <= getattr(context.settings.limits, limit)
    if not is_small:
        context.health.note(
            limit, f"a part of a report of machine id:{machine.id} ({machine.sn}) was left out"
        )
    return is_small


def read_earlier(job: Job) -> dict[str, str]:
    """How the steps and actions of the attempts before the present one stood last, by id. Only what was begun."""
    report = job.report or {}
    known = dict(report.get("earlier", {}))
    if report.get("attempt", 0) < job.attempt:
        for step in report.get("steps", []):
            for item in (step, *step["actions"]):
                if item["state"] in BEGUN:
                    known[item["id"]] = item["state"]
    return known


def join_certificates(job: Job, report: v2.Report) -> list[dict[str, Any]]:
    """Those of earlier attempts, and this one's: a certificate is never lost, whatever a later report says."""
    known: dict[str, dict[str, Any]] = {}
    for item in ((job.report or {}).get("certificates", []), report.certificates):
        known |= {str(certificate.get("sha256", "")): certificate for certificate in item}
    return list(known.values())


def _find_reported_job(session: Session, machine: Machine, report: v2.Report) -> Job | None:
    number = parse_id(report.job_id or "")
    if number is None:
        return None
    query = select(Job).where(Job.id == number, Job.machine_id == machine.id)
    return session.scalar(query.with_for_update(of=Job))


def _find_held_job(session: Session, boot: Boot) -> Job | None:
    """The job that this boot held last: an agent that was killed left lines for its successor to send."""
    job = find_latest_job(session, boot.machine_id)
    return job if job is not None and job.handed_to.partition(":")[0] == str(boot.id) else None


def _apply_state(
    context: Context, session: WriteSession, job: Job, boot: Boot, report: v2.Report, masker: Masker
) -> None:
    event = read_event(
        report.state,
        mode=job.mode,
        installer_expected=bool(job.pxe_file) and job.pxe_reports,
        cancel_requested=job.cancel_requested,
    )
    allowed = event is not None and find_next(State(job.state), event) is not None
    if not allowed and report.state != job.said:
        return
    snapshot = msgspec.to_builtins(report)
    del snapshot["log"], snapshot["inventory"], snapshot["saved"]
    snapshot["attempt"], snapshot["earlier"] = job.attempt, read_earlier(job)
    snapshot["certificates"] = join_certificates(job, report)
    job.report = masker.plain(snapshot, but=v2.COMPARED)
    job.said = report.state.value
    if (report.state is v2.JobState.SUCCEEDED and job.reboot) or is_rebooting(job):
        boot.closing = True
    if allowed and event is not None:
        message = masker.text(report.message) if report.state in v2.TERMINAL else ""
        move(context, session, job, event, message=message)


def _store_lines(
    context: Context,
    session: Session,
    machine: Machine,
    boot: Boot,
    job: Job | None,
    lines: list[v2.LogLine],
    masker: Masker,
) -> None:
    """Store what is not stored yet, within the limits; a line is known by its boot and number."""
    if not lines:
        return
    numbers = {line.n for line in lines}
    query = select(LogLine.n).where(LogLine.boot_pk == boot.id, LogLine.n >= min(numbers))
    stored = {n for n in session.scalars(query) if n is not None} if min(numbers) < boot.log_next else set()
    for line in sorted(lines, key=lambda line: line.n):
        if line.n in stored:
            continue
        stored.add(line.n)
        text = cut_line(context, machine, masker.text(line.text))
        if not has_room(context, session, machine, job, text, boot=boot):
            continue
        row = LogLine(
            machine_id=machine.id,
            job_id=job.id if job is not None else None,
            boot_pk=boot.id,
            n=line.n,
            at=line.at[:40],
            level=line.level[:20],
            text=text,
        )
        session.add(row)
    boot.log_next = max(boot.log_next, *(n + 1 for n in numbers))
