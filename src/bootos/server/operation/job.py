"""Jobs: made, queued, cancelled. Called by the operator API and the pages, and by `approval`."""

from typing import Any, Literal

import msgspec
from sqlalchemy.orm import Session

from bootos.engine.drivername import find_driver_notes, find_driver_problems
from bootos.errors import Problem, Problems
from bootos.server.context import Context
from bootos.server.fault import ConflictError, ForbiddenError, UnusableError
from bootos.server.lifecycle import ENDED, Event, State
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.enrolment import find_or_enrol_word
from bootos.server.operation.placeholder import build_machine_finder
from bootos.server.operation.pxe_template import find_pxe_template
from bootos.server.operation.secrecy import check_secrecy
from bootos.server.operation.standing import find_order_bar
from bootos.server.operation.template import find_template, read_text
from bootos.server.operation.transition import add_line, drop_pxe_files, move, touch
from bootos.server.script import list_sums, list_texts, sum_up
from bootos.server.store.engine import WriteSession
from bootos.server.store.job import find_active_job, find_job
from bootos.server.store.machine import find_machine
from bootos.server.store.table import Job, Machine
from bootos.server.store.vault import find_unknown
from bootos.server.view.job import JobDetail, mask_plain, view_job_detail
from bootos.template.check import find_secrets, read_template
from bootos.template.placeholder import fill_document


class NewJob(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`machine` is a serial number, or an id as `id:5`; a serial number not seen yet is enrolled, and the job waits.
    `scripts_sha256`: what whoever approves the scripts has seen (`read_scripts`); empty: those of the template now."""

    machine: str
    template: str
    pxe: str = ""
    mode: Literal["apply", "plan"] = "apply"
    skip_hardware: bool = False
    reboot: bool = True
    scripts_sha256: str = ""


class JobScripts(msgspec.Struct, kw_only=True):
    """The scripts that a job would send to an agent of Cloudboot v1: each with its group, name, SHA-256 and text, and
    one SHA-256 for all."""

    sha256: str
    scripts: list[dict[str, Any]]


def read_scripts(context: Context, wanted: NewJob) -> JobScripts:
    """The scripts of the job that `create_job` would make of this; passwords in their texts are masked. Raises
    NotFoundError, UnusableError with problems."""
    with context.store.write() as session:
        job = build_job(session, find_machine(session, wanted.machine), wanted, created_by="")
        sums, texts = job.script_sums or [], list_texts(job.template)
        session.rollback()  # also of addresses that the template would take from a pool
    scripts = [{**row, "text": text} for row, text in zip(sums, texts, strict=True)] if sums else []
    return JobScripts(sha256=sum_up(sums), scripts=mask_plain(scripts))


def check_scripts(job: Job, wanted: NewJob) -> None:
    """Check that the scripts are those that were approved. Raises ConflictError."""
    present = sum_up(job.script_sums or [])
    if wanted.scripts_sha256 and wanted.scripts_sha256.removeprefix("sha256:") != present:
        raise ConflictError(
            f"the scripts of the template {job.template_name!r} for this machine are not those that were approved",
            hint="look at them again: bootos job scripts --machine MACHINE --template NAME",
        )


def create_job(context: Context, actor: Actor, wanted: NewJob, *, enrol: bool) -> JobDetail:
    """Queue a job; returns it. `enrol`: a machine that is not known is made. Raises NotFoundError, ConflictError (the
    machine has one), UnusableError with problems, and on a server with --require-approval ForbiddenError for
    everything that would configure hardware without an approved plan."""
    find = find_or_enrol_word if enrol else find_machine
    with context.store.write() as session:
        machine = find(session, wanted.machine)
        session.refresh(
            machine, with_for_update=True
        )  # of two jobs at the same moment the second is told of the first
        if context.settings.require_approval and wanted.mode == "apply" and not wanted.skip_hardware:
            raise ForbiddenError(
                "this server carries out approved plans only",
                hint="plan first (bootos job create --plan), look at it, then bootos job approve JOB",
            )
        job = build_job(session, machine, wanted, created_by=actor.signature)
        check_scripts(job, wanted)
        queue_job(context, session, job)
        for note in find_driver_notes(job.template, machine.drivers):
            add_line(session, job, str(note), level="warning")
        record(session, actor, "job.create", job.id, f"{machine.sn}: {job.mode} {job.template_name}")
        return view_job_detail(session, job)


def cancel_job(context: Context, actor: Actor, job_id: int) -> JobDetail:
    """Cancel a job; returns it. A running one whose agent is heard of is asked to stop first; a second cancel does not
    wait. Raises NotFoundError, ConflictError (it has ended)."""
    with context.store.write() as session:
        job = find_job(session, job_id)
        _cancel(context, session, job)
        record(session, actor, "job.cancel", job.id, job.machine.sn)
        return view_job_detail(session, job)


def build_job(session: Session, machine: Machine, wanted: NewJob, *, created_by: str) -> Job:
    """The job, not yet queued, with copies of its template and PXE template, and the machine's values filled in. Raises
    NotFoundError, UnusableError with problems."""
    stored = find_template(session, wanted.template)
    pxe = find_pxe_template(session, wanted.pxe) if wanted.pxe else None
    draft = read_text(session, stored.text, stored.format, stored=True)
    value, template, problems = draft.resolved, draft.template, Problems(draft.problems)
    if not problems:
        value, unknown = fill_template(session, machine, draft.resolved)
        problems += unknown
        if not problems:
            template, found = read_template(value)
            problems += [*found, *find_driver_problems(value)]
    secret_names = sorted(find_secrets(template)) if template is not None else []
    for name in find_unknown(session, secret_names):
        hint = f"set it: bootos secret set {name}"
        problems.complain("", f"the secret {name!r} is not stored", hint)
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
        script_sums=[] if wanted.skip_hardware else list_sums(value),
        created_by=created_by,
    )


def queue_job(context: Context, session: WriteSession, job: Job) -> Job:
    """Queue a job that is made. Raises ConflictError: the machine has one, or it is known that it cannot be sent the
    job's secrets."""
    machine = job.machine
    with session.no_autoflush:
        active = find_active_job(session, machine.id)
        if active is not None:
            raise ConflictError(
                f"machine {machine.sn} has an active job: job {active.id} is {active.state}",
                hint=f"wait for its end, or cancel it: bootos job cancel {active.id}",
            )
        check_secrecy(context, session, job)
    session.add(job)
    session.flush()
    drop_pxe_files(context, session, machine.id)
    add_line(session, job, f"job {job.id} was created by {job.created_by or 'an operator'}")
    if bar := find_order_bar(context, session, machine, None):
        job.message = bar
        add_line(session, job, f"the job waits: {bar}")
    touch(session, job)
    return job


def fill_template(
    session: Session, machine: Machine, document: dict[str, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    """The document with this machine's values, and a problem for each that there is not."""
    variables = document.get("variables")
    return fill_document(document, build_machine_finder(session, machine, variables or {}))


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
