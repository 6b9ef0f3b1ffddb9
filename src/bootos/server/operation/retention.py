"""Removes what is old: logs, jobs, the inventories before them and the audit log, each after the days that the limits
say. The newest inventory of a machine and every certificate of what was erased stay.

Nothing younger than LEAST_DAYS is ever removed, and nothing at all in the first LEAST_DAYS of a database, or after the
upgrade that brought this: whoever wants to keep more has that long to say so. The wall clock says what is old, and it
may step; so these days begin anew when it is more than MOST_AWAY_DAYS ahead of where the server saw it last. Called by
`app` now and then, and by the operator (`bootos retention`).
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Select, Text, delete, func, select, type_coerce, update
from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.limit import Limits
from bootos.server.operation.audit import Actor, record
from bootos.server.store.table import Audit, Boot, Job, LogLine, Machine, Retention, read_clock

log = logging.getLogger(__name__)

LEAST_DAYS = 30
MOST_AWAY_DAYS = 7  # a server that was off for longer cannot tell that from a clock that is wrong
BATCH = 2000  # rows of one transaction, so that agents never wait long
SERVER = Actor(name="the server", address="")


class Wish(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`dry_run`: only count."""

    dry_run: bool = False


class Removed(msgspec.Struct, kw_only=True):
    """How many rows are old enough, or were removed. `begins_at`: when the first of them may be removed."""

    log_lines: int = 0
    jobs: int = 0
    inventories: int = 0
    boots: int = 0
    audit: int = 0
    begins_at: datetime
    dry_run: bool


class Ages(msgspec.Struct, frozen=True, kw_only=True):
    """Before which moments what is old."""

    logs: datetime
    jobs: datetime
    inventories: datetime
    audit: datetime


def read_ages(limits: Limits, now: datetime) -> Ages:
    """The moments that the limits say; none is younger than LEAST_DAYS."""

    def before(days: int) -> datetime:
        try:
            return now - timedelta(days=max(LEAST_DAYS, days))
        except OverflowError:  # more days than there were
            return datetime.min.replace(tzinfo=UTC)

    return Ages(
        logs=before(limits.kept_log_days),
        jobs=before(limits.kept_job_days),
        inventories=before(limits.kept_inventory_days),
        audit=before(limits.kept_audit_days),
    )


def plan_begin(since: datetime, seen_at: datetime | None, now: datetime) -> tuple[datetime, str]:
    """From when the first LEAST_DAYS count, and why they begin anew; empty when they do not."""
    if seen_at is not None and now - seen_at > timedelta(days=MOST_AWAY_DAYS):
        days = (now - seen_at).days
        return (
            now,
            f"the clock is {days} days ahead of where this server saw it last ({seen_at:%Y-%m-%d %H:%M} UTC)",
        )
    if since > now:
        return now, f"the clock is behind the day from which it counted ({since:%Y-%m-%d %H:%M} UTC)"
    return since, ""


def see_clock(context: Context, *, now: datetime | None = None) -> datetime:
    """Write down what the clock says; returns when the first row may be removed. To be called at each start, too. When
    the days begin anew, audit log and health say why."""
    now = now or read_clock()
    with context.store.write() as session:
        row = _find_row(session)
        if row is None:
            session.add(row := Retention(since=now))
        row.since, reason = plan_begin(row.since, row.seen_at, now)
        row.seen_at = now
        begins_at = row.since + timedelta(days=LEAST_DAYS)
        if reason:
            record(session, SERVER, "retention.wait", "old rows", reason)
    if reason:
        context.health.note("retention", f"{reason}: nothing is removed for {LEAST_DAYS} days")
    return begins_at


def apply_retention(context: Context, actor: Actor, *, dry_run: bool, now: datetime | None = None) -> Removed:
    """Remove what is old, or with `dry_run` only count it. Says how much."""
    now = now or read_clock()
    ages = read_ages(context.settings.limits, now)
    queries: dict[str, Callable[[], Select[Any]]] = {
        "log_lines": lambda: _find_lines(ages),
        "inventories": lambda: _find_inventories(ages),
        "jobs": lambda: _find_jobs(ages),
        "boots": lambda: _find_boots(ages),
        "audit": lambda: select(Audit.id).where(Audit.at < ages.audit),
    }
    seen = None if dry_run else see_clock(context, now=now)
    with context.store.read() as session:
        begins_at = seen or _read_begin(session, now)
        counts = {name: _count(session, find()) for name, find in queries.items()}
    removed = Removed(**counts, begins_at=begins_at, dry_run=dry_run)
    if dry_run or now < begins_at or not any(counts.values()):
        return removed if dry_run or now >= begins_at else Removed(begins_at=begins_at, dry_run=False)
    for name, find in queries.items():
        setattr(removed, name, _remove_all(context, name, find))
    with context.store.write() as session:
        told = (
            f"{removed.log_lines} log lines, {removed.jobs} jobs, {removed.inventories} inventories, "
            f"{removed.boots} boots, {removed.audit} lines of the audit log"
        )
        record(session, actor, "retention", "old rows", told)
    log.info("removed what was old: %s", told)
    return removed


def _find_row(session: Session) -> Retention | None:
    return session.scalar(select(Retention).order_by(Retention.since).limit(1))


def _read_begin(session: Session, now: datetime) -> datetime:
    row = _find_row(session)
    since = now if row is None else plan_begin(row.since, row.seen_at, now)[0]
    return since + timedelta(days=LEAST_DAYS)


def _count(session: Session, query: Select[Any]) -> int:
    return session.scalar(select(func.count()).select_from(query.subquery())) or 0


def _remove_all(context: Context, name: str, find: Callable[[], Select[Any]]) -> int:
    """Remove all that the query finds, a batch at a time; returns how many."""
    count = 0
    while True:
        with context.store.write() as session:
            keys = list(session.scalars(find().limit(BATCH)))
            if not keys:
                return count
            if name == "log_lines":
                session.execute(delete(LogLine).where(LogLine.seq.in_(keys)))
            elif name == "jobs":
                session.execute(delete(LogLine).where(LogLine.job_id.in_(keys)))
                session.execute(delete(Job).where(Job.id.in_(keys)))
                session.touch("machines", "jobs")
            elif name == "boots":
                session.execute(delete(Boot).where(Boot.id.in_(keys)))
            elif name == "audit":
                session.execute(delete(Audit).where(Audit.id.in_(keys)))
            else:
                session.execute(update(Job).where(Job.id.in_(keys)).values(inventory_before=None))
            count += len(keys)


def _find_lines(ages: Ages) -> Select[Any]:
    """Lines of jobs that ended, and of boots that ended without one."""
    jobs = select(Job.id).where(Job.ended_at < ages.logs)
    alone = select(Boot.id).where(Boot.last_heard_at < ages.logs)
    return select(LogLine.seq).where(
        LogLine.job_id.in_(jobs) | (LogLine.job_id.is_(None) & LogLine.boot_pk.in_(alone))
    )


def _find_inventories(ages: Ages) -> Select[Any]:
    """Jobs whose inventory before them is old: evidence of runs in developer mode."""
    return select(Job.id).where(Job.ended_at < ages.inventories, Job.inventory_before.is_not(None))


def _find_jobs(ages: Ages) -> Select[Any]:
    """Jobs that ended, without those that erased something, and without plans whose job is kept."""
    certified = type_coerce(Job.report, Text).contains('"certificates":[{')
    kept_plans = select(Job.plan_job).where(
        Job.plan_job.is_not(None), (Job.ended_at >= ages.jobs) | Job.ended_at.is_(None)
    )
    return select(Job.id).where(
        Job.ended_at < ages.jobs,
        Job.pxe_file == "",
        Job.report.is_(None) | ~certified,
        Job.id.not_in(kept_plans),
    )


def _find_boots(ages: Ages) -> Select[Any]:
    """Boots that are over, and of which no line is left."""
    present = select(Machine.boot_pk).where(Machine.boot_pk.is_not(None))
    lines = select(LogLine.seq).where(LogLine.boot_pk == Boot.id)
    return select(Boot.id).where(Boot.last_heard_at < ages.logs, Boot.id.not_in(present), ~lines.exists())
