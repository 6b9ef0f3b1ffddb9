"""Looks for jobs, and reads from their rows what several parts ask. Changes nothing."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.fault import NotFoundError
from bootos.server.lifecycle import ENDED, GOOD, State
from bootos.server.store.table import Job
from bootos.wire import v2


def find_job(session: Session, job_id: int | str) -> Job:
    """The job with this id, locked in a transaction that may change it. Raises NotFoundError."""
    number = parse_id(str(job_id))
    job = session.get(Job, number, with_for_update={"of": Job}) if number is not None else None
    if job is None:
        raise NotFoundError(f"there is no job {str(job_id)[:40]!r}", hint="see bootos job list")
    return job


def parse_id(word: str) -> int | None:
    """The id of a row that somebody writes so; None for what is the id of none."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else None


def find_active_job(session: Session, machine_id: int) -> Job | None:
    """The machine's job that has not ended, locked; there is at most one."""
    query = select(Job).where(Job.machine_id == machine_id, Job.ended_at.is_(None))
    return session.scalar(query.with_for_update(of=Job))


def find_latest_job(session: Session, machine_id: int) -> Job | None:
    """The machine's newest job, whatever its state."""
    return session.scalar(select(Job).where(Job.machine_id == machine_id).order_by(Job.id.desc()).limit(1))


def find_approved_job(session: Session, plan_id: int) -> Job | None:
    """The newest job that carries out, or carried out, the approved plan of this one."""
    query = select(Job).where(Job.plan_job == plan_id)
    return session.scalar(query.order_by(Job.id.desc()).limit(1))


def is_rebooting(job: Job) -> bool:
    """Whether the job's last word was that the machine reboots inside it."""
    return any(step["state"] == v2.StepState.REBOOTING for step in (job.report or {}).get("steps", []))


def why_not_approvable(session: Session, job: Job) -> str:
    """Why this job's plan cannot be approved; empty when it can. What was approved is not approved again, unless
    the job that was to carry it out came to no good end."""
    if job.mode != "plan":
        return f"job {job.id} is no plan: it applies its template"
    if State(job.state) is not State.PLANNED:
        return f"job {job.id} has no plan: it is {job.state}"
    if not (job.report or {}).get("plan_hash"):
        return f"the agent that planned job {job.id} gave its plan no hash"
    approved = find_approved_job(session, job.id)
    if approved is not None and State(approved.state) not in ENDED - GOOD:
        return f"the plan of job {job.id} was approved already: job {approved.id} is {approved.state}"
    return ""
