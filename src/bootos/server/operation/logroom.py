"""How much of a log is kept: of a job, and of a boot of a machine, whichever protocol it comes over. What is past the
limit is dropped, and one line says so; who sends it goes on as if it had been kept.
"""

from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.store.table import Boot, Job, LogLine, Machine, read_clock

LINE_BYTES = 100  # what a line takes in the database beside its text


def has_room(
    context: Context, session: Session, machine: Machine, job: Job | None, text: str, *, boot: Boot | None
) -> bool:
    """Whether this line is to be kept; it is counted then. The first that is not leaves a line that says so."""
    limits, size = context.settings.limits, len(text.encode()) + LINE_BYTES
    of_boot = limits.boot_log_bytes if machine.confirmed_at is not None else limits.new_log_bytes
    held = [
        ("job_log_bytes", f"job {job.id if job else ''}", job, limits.job_log_bytes),
        (
            "boot_log_bytes" if machine.confirmed_at is not None else "new_log_bytes",
            "this boot",
            boot,
            of_boot,
        ),
    ]
    for name, whose, row, most in held:
        if row is not None and row.log_bytes + size > most:
            if row.log_bytes <= most:
                row.log_bytes = most + 1  # so that it is said once
                _say_cut(
                    session, machine, job, f"the log of {whose} has {most:,} bytes: what follows is left out"
                )
                context.health.note(name, f"the log of machine id:{machine.id} ({machine.sn}) was cut")
            return False
    for row in (job, boot):
        if row is not None:
            row.log_bytes += size
    return True


def _say_cut(session: Session, machine: Machine, job: Job | None, text: str) -> None:
    at = read_clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    row = LogLine(
        machine_id=machine.id,
        job_id=job.id if job else None,
        at=at,
        level="warning",
        source="server",
        text=text,
    )
    session.add(row)
