"""The jobs: made, found, moved from state to state, cancelled. Called by `order`, `cloudboot`, the APIs and the web.

Every change of a job's state goes through `lifecycle.find_next`. All functions take an open transaction.
"""

from typing import Any, Literal

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.errors import Problem
from bootos.server.context import Context
from bootos.server.fault import ConflictError, ForbiddenError, UnusableError
from bootos.server.lifecycle import ENDED, Event, State, find_next, keeps_pxe_file
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.enrolment import find_or_enrol_word
from bootos.server.operation.placeholder import build_machine_finder
from bootos.server.operation.pxe_template import find_pxe_template
from bootos.server.operation.template import find_template, read_text
from bootos.server.store.engine import WriteSession
from bootos.server.store.job import find_active_job as find_active_job
from bootos.server.store.job import find_job as find_job
from bootos.server.store.job import find_latest_job as find_latest_job
from bootos.server.store.machine import find_machine
from bootos.server.store.table import Job, LogLine, Machine, read_clock
from bootos.server.store.vault import find_unknown
from bootos.server.view.job import JobDetail, view_job_detail
from bootos.template.check import find_secrets, read_template
from bootos.template.placeholder import fill_document

TEXT_MAX = 8192  # characters of one log line


class NewJob(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`machine` is a serial number, or an id as `id:5`; a serial number not seen yet is enrolled, and the job waits."""

    machine: str
    template: str
    pxe: str = ""
    mode: Literal["apply", "plan"] = "apply"
    skip_hardware: bool = False
    reboot: bool = True


def create_job(context: Context, actor: Actor, wanted: NewJob, *, enrol: bool) -> JobDetail:
    """Queue a job; returns it. `enrol`: a machine that is not known is made. Raises NotFoundError, ConflictError (the
    machine has one), UnusableError with problems, and on a server with --require-approval ForbiddenError for
    everything that would configure hardware without an approved plan."""
    find = find_or_enrol_word if enrol else find_machine
    with context.store.write() as session:
        machine = find(session, wanted.machine)
        if context.settings.require_approval and wanted.mode == "apply" and not wanted.skip_hardware:
            raise ForbiddenError(
                "this server carries out approved plans only",
                hint="plan first (bootos job create --plan), look at it, then bootos job approve JOB",
            )
        job = queue_job(context, session, build_job(session, machine, wanted, created_by=actor.signature))
        record(session, actor, "job.create", job.id, f"{machine.sn}: {job.mode} {job.template_name}")
        return view_job_detail(job)


def cancel_job(context: Context, actor: Actor, job_id: int) -> JobDetail:
    """Cancel a job; returns it. A running one whose agent is heard of is asked to stop first; a second cancel does not
    wait. Raises NotFoundError, ConflictError (it has ended)."""
    with context.store.write() as session:
        job = find_job(session, job_id)
        _cancel(context, session, job)
        record(session, actor, "job.cancel", job.id, job.machine.sn)
        return view_job_detail(job)


def build_job(session: Session, machine: Machine, wanted: NewJob, *, created_by: str) -> Job:
    """The job, not yet queued, with copies of its template and PXE template, and the machine's values filled in. Raises
    NotFoundError, UnusableError with problems."""
    stored = find_template(session, wanted.template)
    pxe = find_pxe_template(session, wanted.pxe) if wanted.pxe else None
    draft = read_text(session, stored.text, stored.format)
    value, template, problems = draft.resolved, draft.template, list(draft.problems)
    if not problems:
        value, problems = fill_template(session, machine, draft.resolved)
        if not problems:
            template, problems = read_template(value)
    secret_names = sorted(find_secrets(template)) if template is not None else []
    for name in find_unknown(session, secret_names):
        hint = f"set it: bootos secret set {name}"
        problems.append(Problem(path="", message=f"the secret {name!r} is not stored", hint=hint))
    if problems or template is None:
        raise UnusableError(f"the template {wanted.template!r} cannot be used", problems=problems)
    return Job(
        machine=machine,
        mode=wanted.mode,
        template_name=stored.name,
        template_version=stored.version,
        template_format=stored.format,
        template_text=stored.text,
        template=value,
        bases=[msgspec.to_builtins(base) for base in draft.bases],
        secret_names=secret_names,
        pxe_name=pxe.name if pxe else "",
        pxe_content=pxe.content if pxe else "",
        pxe_answer=pxe.answer if pxe else "",
        pxe_reports=pxe.reports if pxe else True,
        skip_hardware=wanted.skip_hardware,
        skip_reason="the operator asked for it" if wanted.skip_hardware else "",
        reboot=wanted.reboot,
        created_by=created_by,
    )


def queue_job(context: Context, session: WriteSession, job: Job) -> Job:
    """Queue a job that is made. Raises ConflictError: the machine has one."""
    machine = job.machine
    with session.no_autoflush:
        active = find_active_job(session, machine.id)
        if active is not None:
            raise ConflictError(
                f"machine {machine.sn} has an active job: job {active.id} is {active.state}",
                hint=f"wait for its end, or cancel it: bootos job cancel {active.id}",
            )
    session.add(job)
    session.flush()
    drop_pxe_files(context, session, machine.id)
    add_line(session, job, f"job {job.id} was created by {job.created_by or 'an operator'}")
    touch(session, job)
    return job


def fill_template(
    session: Session, machine: Machine, document: dict[str, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    """The document with this machine's values, and a problem for each that there is not."""
    variables = document.get("variables")
    return fill_document(document, build_machine_finder(session, machine, variables or {}))


def touch(session: WriteSession, job: Job) -> None:
    """Wake whoever waits for something new of the job or its machine, once this is committed."""
    session.touch(f"job:{job.id}", f"machine:{job.machine_id}", "machines", "jobs")


def add_line(session: Session, job: Job, text: str, *, level: str = "info", source: str = "server") -> None:
    """A line of the server's own in the job's log."""
    at = read_clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    row = LogLine(
        machine_id=job.machine_id, job_id=job.id, at=at, level=level, source=source, text=text[:TEXT_MAX]
    )
    session.add(row)


def keep_evidence(session: Session, job: Job) -> None:
    """The job runs in developer mode: keep the machine as it was before, for `bootos support add --from-job`."""
    if job.developer or job.skip_hardware:
        return
    job.developer = True
    job.inventory_before = job.machine.inventory
    add_line(session, job, "developer mode: the machine's inventory is kept as evidence of this run")


def move(context: Context, session: WriteSession, job: Job, event: Event, *, message: str = "") -> bool:
    """Let `event` happen to the job; False when the table does not allow it, and then nothing changed."""
    before = State(job.state)
    after = find_next(before, event)
    if after is None:
        return False
    if message:
        job.message = message
    if after is State.RUNNING and job.started_at is None:
        job.started_at = read_clock()
    if after is not before:
        job.state = after.value
        add_line(session, job, f"job {job.id}: {before} -> {after}" + (f": {message}" if message else ""))
    if after in ENDED:
        job.ended_at = read_clock()
    if job.pxe_file and not keeps_pxe_file(after, installer_expected=job.pxe_reports):
        name, job.pxe_file = job.pxe_file, ""
        session.after_commit(lambda: context.pxe.remove([name]))
    touch(session, job)
    return True


def _cancel(context: Context, session: WriteSession, job: Job) -> None:
    state = State(job.state)
    if state in ENDED:
        raise ConflictError(f"job {job.id} has ended already: it is {state}")
    agent_heard = context.presence.is_heard(job.machine_id, job.machine.last_heard_at)
    if state is State.RUNNING and agent_heard and not job.cancel_requested:
        job.cancel_requested = True
        add_line(session, job, "the operator cancelled; the agent stops after its present action")
        touch(session, job)
        return
    job.cancel_requested = True
    move(context, session, job, Event.CANCELLED, message="cancelled by the operator")


def drop_pxe_files(context: Context, session: WriteSession, machine_id: int) -> None:
    """Forget the machine's PXE files: its next boot comes to BootOS."""
    held = list(session.scalars(select(Job).where(Job.machine_id == machine_id, Job.pxe_file != "")))
    names = {job.pxe_file for job in held}
    for job in held:
        job.pxe_file = ""
    session.after_commit(lambda: context.pxe.remove(names))
