"""The progress that v1 agents and installers report (`report/deviceInstallInfo`), and what it does to a job.

v1 has no sessions, so a report changes a job only where it fits its state (`lifecycle`) and never backwards; while a v2
agent holds the machine's identity, only the installer's reports count.
"""

import math
import re

from sqlalchemy.orm import Session

from bootos.server.cloudboot.answer import NO_DEVICE
from bootos.server.cloudboot.caller import Sender, read_machine
from bootos.server.cloudboot.policy import admit, bind, find_installer_job
from bootos.server.context import Context
from bootos.server.fault import ConflictError
from bootos.server.lifecycle import Event, State
from bootos.server.limit import FIXED
from bootos.server.operation import order as orders
from bootos.server.operation.identity import has_v2_agent
from bootos.server.operation.logroom import cut_line, has_room
from bootos.server.operation.transition import add_line, move, touch
from bootos.server.store.engine import WriteSession
from bootos.server.store.job import find_active_job
from bootos.server.store.table import Job, Machine
from bootos.wire import cloudboot_v1 as v1
from bootos.wire.password import ScriptMasker, find_secrets

# Progress as existing agents report it: 0.1 entered BootOS ... 0.4 hardware done, 0.45 PXE file made, 0.5 reboots.
# From 0.6 on it is the installer that reports.
AGENT_ENDS = 0.5
INSTALLER_STARTS = 0.6


def take_progress(context: Context, said: v1.InstallInfo, sender: Sender) -> None:
    """Take in a progress report. Raises NotFoundError (no such machine), ConflictError as `apply_progress`, and when
    the sender is neither the job's agent nor its installer."""
    with context.store.write() as session:
        machine = read_machine(session, said.sn, sender, otherwise=NO_DEVICE)
        bar = find_bar(context, session, machine, said.install_progress, sender)
        if not bar:
            apply_progress(context, session, machine, said)
    if bar:  # raised after the transaction, which keeps who was refused
        raise ConflictError(bar)


def find_bar(
    context: Context, session: WriteSession, machine: Machine, progress: float, sender: Sender
) -> str:
    """Why this sender's report does not count, as a sentence; empty: it does. From INSTALLER_STARTS on, and once the
    installer is at work, it must be the installer's, else the agent's."""
    job = find_active_job(session, machine.id)
    if job is not None and (progress >= INSTALLER_STARTS or State(job.state) is State.INSTALLING):
        installed = find_installer_job(context, session, machine, sender)
        return "" if installed is job else "an installer with another address and without the token"
    bar = admit(context, session, machine, sender)
    if job is not None and not bar:
        bind(session, job, sender)
    return bar


def apply_progress(context: Context, session: WriteSession, machine: Machine, said: v1.InstallInfo) -> None:
    """Take in a progress report: its text goes into the job's log without passwords, its number moves the job on.
    Raises ConflictError when it does not fit the job's state; nothing is changed then."""
    job = find_active_job(session, machine.id)
    if job is None:
        raise ConflictError("no job of this machine is in progress")
    state, progress = State(job.state), said.install_progress
    if state is not State.INSTALLING and has_v2_agent(context, session, machine):
        raise ConflictError("a v2 agent is at work on this machine")
    events = find_events(
        state,
        progress,
        ran_v1=job.handed_to == "v1",
        installer_expected=bool(job.pxe_file) and job.pxe_reports,
    )
    if events is None:
        raise ConflictError(f"progress {progress:g} does not fit a job that is {state}")
    secrets = read_passwords(context, session, job)
    title = ScriptMasker(secrets).text(said.title[: FIXED.v1_title_letters])
    _store_log(context, session, job, said, title, secrets)
    if progress >= 0:
        # Rounded down, so that 0.99999 is not the end. A late report never lowers it, and only adds its log.
        known = job.progress or 0.0
        job.progress = max(known, math.floor(progress * 10000) / 10000) if state is not State.QUEUED else None
    for event in events:
        message = title if event in (Event.FAILED, Event.INSTALL_FAILED, Event.INSTALLED) else ""
        if event is Event.REFUSED:
            message = title
            verdict = orders.judge_job(session, machine, job)
            if not verdict.ok:
                message += f": {orders.refusal_text(verdict)}"
        move(context, session, job, event, message=message)
    touch(session, job)


def find_events(
    state: State, progress: float, *, ran_v1: bool, installer_expected: bool
) -> list[Event] | None:
    """What a progress number does to a job in this state; None: it does not fit, and changes nothing. Pure.

    `ran_v1`: the order was handed to a v1 agent. `installer_expected`: a PXE file was made, and its installer reports.
    Existing agents do not repeat a report that was lost, so a report of the installer also says that the agent has
    succeeded; but only after a PXE file was made, because without one there is no installer.
    """
    if state is State.INSTALLING:
        if progress == -1:
            return [Event.INSTALL_FAILED]
        return [Event.INSTALLED if progress == 1 else Event.INSTALL_WORKED]
    if state is State.QUEUED:
        if progress == -1:
            return [Event.REFUSED]
        return [] if progress < 0.2 else None
    if not ran_v1:
        return None
    if progress == -1:
        return [Event.FAILED]
    if progress < AGENT_ENDS:
        return [Event.WORKED]
    succeeded = Event.HANDED_OVER if installer_expected else Event.SUCCEEDED
    if progress < INSTALLER_STARTS:
        return [succeeded]
    if not installer_expected:
        return None
    return [succeeded, Event.INSTALLED if progress == 1 else Event.INSTALL_WORKED]


def read_passwords(context: Context, session: Session, job: Job) -> tuple[str, ...]:
    """The passwords of this job that no log may show, from its secrets and its scripts: existing agents upload the
    whole text of a script that failed."""
    values = context.vault.resolve(session, job.secret_names, skip_lost=True).values()
    scripts = (script["script"] for group in job.template.get("scripts") or [] for script in group["scripts"])
    return (*values, *(secret for text in scripts for secret in find_secrets(text)))


def _store_log(
    context: Context, session: Session, job: Job, said: v1.InstallInfo, title: str, secrets: tuple[str, ...]
) -> None:
    """Add the report to the job's log: its title, and the end of its log line by line, control characters replaced."""
    level = "error" if said.install_progress == -1 else "info"
    share = f" ({said.install_progress:.1%})" if said.install_progress >= 0 else ""
    lines = [f"{title or 'progress'}{share}"]
    text = ScriptMasker(secrets).text((v1.decode_text(said.install_log) or "")[-FIXED.v1_log_letters :])
    lines += [
        re.sub(r"[\x00-\x08\x0b-\x1f]", "?", line)
        for line in text.splitlines()[: FIXED.v1_log_lines]
        if line.strip()
    ]
    for text in lines:
        line = cut_line(context, job.machine, text)
        if has_room(context, session, job.machine, job, line, boot=None):
            add_line(session, job, line, level=level, source="v1")
