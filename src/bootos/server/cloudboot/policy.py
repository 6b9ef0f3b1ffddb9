"""Who may do what by Cloudboot v1: the policy of `bootos serve --legacy`, for one machine, one job and one caller.

v1 has no sessions, so a caller is known by its address alone, or by the token of a job. Under `enrolled` an agent works
on the job of a confirmed machine, and the first address that asks for the job keeps it, until an operator takes it from
there (`confirmation.release_machine`). While a machine's agent is heard of, no other address speaks for the machine; a
machine whose agent speaks v2 is spoken for by nobody here. An installer is whoever has the job's token, or calls from
where the job's agent, its token or the machine's set address is. Under `open` the machine's name is enough, for a lab.
"""

import hmac

from sqlalchemy.orm import Session

from bootos.server.cloudboot.caller import Sender
from bootos.server.context import Context
from bootos.server.lifecycle import State
from bootos.server.operation.claim import record_claim
from bootos.server.operation.identity import Client, Rival, find_bar
from bootos.server.operation.standing import find_order_bar
from bootos.server.operation.transition import add_line, touch
from bootos.server.store.engine import WriteSession
from bootos.server.store.job import find_latest_job
from bootos.server.store.table import Job, Machine, read_clock


def is_open(context: Context) -> bool:
    """Whether v1 is for everybody who names a machine."""
    return context.settings.legacy == "open"


def find_speaker_bar(context: Context, session: Session, machine: Machine, sender: Sender) -> str:
    """Why this sender does not speak for the machine, as a sentence; empty: nobody else does."""
    bar = find_bar(context, session, machine, Client(address=sender.address))
    if bar is None:
        return ""
    match bar.rival:
        case Rival.BOOT:
            return "an agent of protocol v2 holds the identity of this machine"
        case Rival.V2_AGENT:
            return (
                "the agent of this machine speaks protocol v2, and none by Cloudboot v1 is taken for it until an "
                "operator lets go of it, or deletes its record"
            )
        case Rival.ANYBODY:
            return f"an operator took this machine from the client at {sender.address}: another one may have it first"
        case Rival.JOB_HOLDER if bar.job is not None:
            return (
                f"job {bar.job.id} belongs to the agent at {bar.job.agent_address}, which asked for it first: if the "
                f"machine has another address now, take it from there: bootos machine release id:{machine.id}"
            )
        case _:
            return f"the agent of this machine calls from {machine.address}, and was heard of lately"


def hear(context: Context, session: WriteSession, machine: Machine, sender: Sender) -> str:
    """Note that a v1 agent of this machine gave a sign of life; returns why it does not count, as `find_speaker_bar`.
    What does not count is shown to the operator. Nothing of either stays when the transaction is not committed."""
    bar = find_speaker_bar(context, session, machine, sender)
    if bar:
        record_claim(session, machine, "cloudboot v1", sender.address)
        sentence = f"a client at {sender.address} was not taken for {machine.sn}: {bar}"
        session.after_commit(lambda: context.health.note("cloudboot v1", sentence))
        return bar
    machine.protocol = 1
    machine.last_heard_at = read_clock()
    if not is_open(context):
        machine.address = sender.address
    session.after_rollback(context.legacy_presence.hear(machine.id))
    session.touch(f"machine:{machine.id}", "machines")
    return ""


def find_agent_bar(context: Context, session: Session, machine: Machine) -> str:
    """Why no v1 agent works for this machine, as a sentence; empty: who speaks for it (`hear`) does."""
    return "" if is_open(context) else find_order_bar(context, session, machine, None)


def admit(context: Context, session: WriteSession, machine: Machine, sender: Sender) -> str:
    """Let the sender in as the machine's agent; returns why it is not let in, as a sentence."""
    return hear(context, session, machine, sender) or find_agent_bar(context, session, machine)


def bind(session: WriteSession, job: Job, sender: Sender) -> None:
    """The job belongs to this sender from now on, if it was nobody's."""
    if not job.agent_address:
        job.agent_address = sender.address
        add_line(session, job, f"the v1 agent at {sender.address} asked for this job first: it has it now")
        touch(session, job)


def has_installer(job: Job) -> bool:
    """Whether an installer may be at work on the job: the agent has done its part, or its report that it has was lost
    (existing v1 agents do not repeat one); or the job is done, with a PXE file whose system does not report."""
    if State(job.state) is State.INSTALLING:
        return True
    return bool(job.pxe_file) and (
        State(job.state) is State.DONE or (State(job.state) is State.RUNNING and job.handed_to == "v1")
    )


def is_of_job(job: Job, machine: Machine, sender: Sender) -> bool:
    """Whether the sender has the job's token, or calls from an address that the job belongs to."""
    if job.token and hmac.compare_digest(job.token.encode(), sender.token.encode()):
        return True
    known = {job.agent_address, job.installer_address, str(machine.settings.get("address") or "")}
    return bool(sender.address) and sender.address in known


def find_installer_job(context: Context, session: Session, machine: Machine, sender: Sender) -> Job | None:
    """The job that this sender installs; None: there is none, or it is another's."""
    job = find_latest_job(session, machine.id)
    if job is None or is_open(context):
        return job
    return job if has_installer(job) and is_of_job(job, machine, sender) else None


def note_installer(context: Context, session: WriteSession, machine: Machine, sender: Sender) -> None:
    """The token came from this address: what the installer calls from there later belongs to the job without it."""
    job = find_installer_job(context, session, machine, sender)
    if job is not None and job.installer_address != sender.address:
        job.installer_address = sender.address
        add_line(session, job, f"the installer with this job's token calls from {sender.address}")
        touch(session, job)
