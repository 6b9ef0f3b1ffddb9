"""How much of a log is kept: of a job, and of a boot of a machine, whichever protocol it comes over. What is past the
limit is dropped, and one line says so; who sends it goes on as if it had been kept.
"""

from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.store.table import Boot, Job, LogLine, Machine, read_clock

LINE_BYTES = 100  # what a line takes in the database beside its text


def cut_line(context: Context, machine: Machine, text: str) -> str:
    """The line, as long as it may be."""
    most = context.settings.limits.log_line_letters
    if len(text) > most:
        context.health.note("log_line_letters", f"a line of machine id:{machine.id} ({machine.sn}) was cut")
    return text[:most]


def has_room(
    context: Context, session: Session, machine: Machine, job: Job | None, text: str, *, boot: Boot | None
) -> bool:
    """Whether this line is to be kept; it is counted then. The first that is not leaves a line that says so."""
    limits, size = context.settings.limits, len(text.encode()) + LINE_BYTES
    is_known = machine.confirmed_at is not None and not machine.doubt
    of_boot = (
        ("boot_log_bytes", limits.boot_log_bytes) if is_known else ("new_log_bytes", limits.new_log_bytes)
    )
    held: list[tuple[str, str, Job | Boot | None, int]] = [
        ("job_log_bytes", f"job {job.id if job else ''}", job, limits.job_log_bytes),
        (of_boot[0], "this boot", boot, of_boot[1]),
    ]
    for name, whose, row, most in held:
        if row is not None and row.log_bytes + size > most:
            if row.log_bytes <= most:
                row.log_bytes = most + 1  # so that it is said once
                said = f"the log of {whose} has {most:,} bytes: what follows is left out"
                _say_cut(session, machine, job, boot, said)
                context.health.note(name, f"the log of machine id:{machine.id} ({machine.sn}) was cut")
            return False
    for row in (job, boot):
        if row is not None:
            row.log_bytes += size
    return True


def _say_cut(session: Session, machine: Machine, job: Job | None, boot: Boot | None, text: str) -> None:
    at = read_clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    row = LogLine(
        machine_id=machine.id,
        job_id=job.id if job else None,
        boot_pk=boot.id if boot else None,  # so that it goes with the lines of the boot
        at=at,
        level="warning",
        source="server",
        text=text,
    )
    session.add(row)
