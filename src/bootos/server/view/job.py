"""Jobs and their logs, as they are shown: in lists, on a job's page, in its stream of events."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session, defer, joinedload

from bootos.server.script import sum_up
from bootos.server.store.job import find_approved_job, why_not_approvable
from bootos.server.store.table import Job, LogLine, Machine
from bootos.server.view.conversion import build_view
from bootos.wire.password import ScriptMasker

BATCH = 500  # log lines that are read at once


class JobView(msgspec.Struct, kw_only=True):
    """`machine` is the id, `sn` the serial number of the machine; `template` and `pxe` are names."""

    id: int
    machine: int
    sn: str
    state: str
    mode: str
    template: str
    template_version: int
    pxe: str
    message: str
    attempt: int
    progress: float | None
    cancel_requested: bool
    developer: bool
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class JobDetail(JobView, kw_only=True):
    """`evidence`: whether the machine as it was before is kept, for the support list. `template_text` is what the
    operator wrote, `template_resolved` what the machine gets: with its `bases` and the machine's values. `plan_job`:
    the job whose approved plan this one carries out; `approved_job`: the newest one that carries out this one's plan;
    `can_approve`: this one's plan can be approved, and was not, or what was to carry it out did not come to a good
    end. `scripts`: group, name and SHA-256 of every script as it is sent to agents of Cloudboot v1, `scripts_sha256`:
    one for all of them, by which the job was approved; empty: there is none, or the job was made by a release that kept
    none."""

    evidence: bool
    scripts: list[dict[str, Any]]
    scripts_sha256: str
    plan_job: int | None
    approved_job: int | None
    can_approve: bool
    bases: list[dict[str, Any]]
    skip_hardware: bool
    reboot: bool
    pxe_file: str
    template_format: str
    template_text: str
    template_resolved: dict[str, Any]
    report: dict[str, Any] | None


class LogView(msgspec.Struct, kw_only=True):
    """A line of a job's log; `seq` grows in the order they came in."""

    seq: int
    at: str
    level: str
    source: str
    text: str


def view_job(row: Job) -> JobView:
    """A job, as a list shows it."""
    return build_view(JobView, row, **_read_names(row))


def view_job_detail(session: Session, row: Job) -> JobDetail:
    """Everything of a job but its log. Passwords in its template are masked."""
    approved = find_approved_job(session, row.id) if row.mode == "plan" else None
    return build_view(
        JobDetail,
        row,
        **_read_names(row),
        evidence=row.inventory_before is not None,
        approved_job=approved.id if approved is not None else None,
        can_approve=not why_not_approvable(session, row),
        scripts=row.script_sums or [],
        scripts_sha256=sum_up(row.script_sums or []),
        template_text=ScriptMasker.of(row.template_text).text(row.template_text),
        template_resolved=mask_plain(row.template),
    )


class CertificateView(msgspec.Struct, kw_only=True):
    """What a page shows of an erase certificate; empty what it does not tell."""

    serial: str
    model: str
    method: str
    result: str
    ended_at: str


def list_certificates(report: dict[str, Any] | None) -> list[CertificateView]:
    """The erase certificates of a job's report, as agents of any release wrote them."""
    found = (report or {}).get("certificates") or []
    return [
        CertificateView(
            serial=_read_word(item, "drive", "serial"),
            model=_read_word(item, "drive", "model"),
            method=_read_word(item, "method", "method"),
            result=_read_word(item, "verification", "result"),
            ended_at=_read_word(item, "ended_at"),
        )
        for item in found
    ]


def _read_word(value: Any, *keys: str) -> str:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def list_jobs(
    session: Session, *, limit: int, machine_id: int | None = None, state: str = "", after: int = 0
) -> list[JobView]:
    """The newest jobs, at most `limit`: of all machines or of one, in every state or in one; `after`: those before the
    job with this id, which is the last of the page before. Of their machines only the names are read."""
    query = select(Job).order_by(Job.id.desc()).limit(limit)
    query = query.options(
        joinedload(Job.machine).load_only(Machine.sn), defer(Job.bases), defer(Job.secret_names)
    )
    if after:
        query = query.where(Job.id < after)
    if machine_id is not None:
        query = query.where(Job.machine_id == machine_id)
    if state:
        query = query.where(Job.state == state)
    return [view_job(row) for row in session.scalars(query)]


def _read_names(row: Job) -> dict[str, Any]:
    return {
        "machine": row.machine_id,
        "sn": row.machine.sn,
        "template": row.template_name,
        "pxe": row.pxe_name,
    }


def mask_plain(value: Any) -> Any:
    """Plain values of a template without the passwords that stand in its scripts."""
    return ScriptMasker.of(*_walk_texts(value)).plain(value)


def _walk_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _walk_texts(item)


def list_lines(session: Session, job_id: int, after: int, limit: int) -> list[LogView]:
    """Log lines of a job in the order they came in, at most `limit`, from the one after number `after` on."""
    query = select(LogLine).where(LogLine.job_id == job_id, LogLine.seq > after)
    rows = session.scalars(query.order_by(LogLine.seq).limit(limit))
    return [build_view(LogView, row) for row in rows]


def list_last_lines(session: Session, job_id: int, limit: int) -> list[LogView]:
    """The last `limit` lines of a job's log, in the order they came in."""
    query = select(LogLine).where(LogLine.job_id == job_id).order_by(LogLine.seq.desc()).limit(limit)
    return [build_view(LogView, row) for row in session.scalars(query)][::-1]
