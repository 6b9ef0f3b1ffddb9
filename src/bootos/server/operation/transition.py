"""Moves a job from state to state, with what belongs to that: log lines, times, the PXE file, who is woken.

Every change of a job's state goes through `lifecycle.find_next`. All functions take an open transaction; the agents'
operations of both protocols and the operator's call them.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.lifecycle import ENDED, Event, State, find_next, keeps_pxe_file
from bootos.server.store.engine import WriteSession
from bootos.server.store.table import Job, LogLine, read_clock


def move(context: Context, session: WriteSession, job: Job, event: Event, *, message: str = "") -> bool:
    """Let `event` happen to the job; False when the table does not allow it, and then nothing changed."""
    before = State(job.state)
    after = find_next(before, event)
    if after is None:
        return False
    message = message[: context.settings.limits.log_line_letters]
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
    if after in ENDED and not job.pxe_file:
        job.token = ""
    touch(session, job)
    return True


def hand_over(
    context: Context, session: WriteSession, job: Job, *, holder: str, receiver: str, address: str
) -> None:
    """A new attempt of the job runs now. `holder` is the session that holds the order from now on, `receiver` names it
    in the job's log, `address` is where it calls from."""
    job.handed_to, job.agent_address = holder, address
    job.attempt += 1
    job.message = ""  # why it waited, or what its last attempt said
    move(context, session, job, Event.ORDERED)
    add_line(session, job, f"the order was handed to {receiver} (attempt {job.attempt})")


def add_line(session: Session, job: Job, text: str, *, level: str = "info", source: str = "server") -> None:
    """A line of the server's own in the job's log."""
    at = read_clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    row = LogLine(machine_id=job.machine_id, job_id=job.id, at=at, level=level, source=source, text=text)
    session.add(row)


def touch(session: WriteSession, job: Job) -> None:
    """Wake whoever waits for something new of the job or its machine, once this is committed."""
    session.touch(f"job:{job.id}", f"machine:{job.machine_id}", "machines", "jobs")


def keep_evidence(session: Session, job: Job) -> None:
    """The job runs in developer mode: keep the machine as it was before, for `bootos support add --from-job`."""
    if job.developer or job.skip_hardware:
        return
    job.developer = True
    job.inventory_before = job.machine.inventory
    add_line(session, job, "developer mode: the machine's inventory is kept as evidence of this run")


def drop_pxe_files(context: Context, session: WriteSession, machine_id: int) -> None:
    """Forget the machine's PXE files: its next boot comes to BootOS."""
    held = list(session.scalars(select(Job).where(Job.machine_id == machine_id, Job.pxe_file != "")))
    names = {job.pxe_file for job in held}
    for job in held:
        job.pxe_file = job.token = ""
    session.after_commit(lambda: context.pxe.remove(names))
