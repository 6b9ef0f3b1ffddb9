"""A job as a v1 agent gets it: whether its model is listed, its script groups, the PXE file for its MAC.

v1 has no sessions, so a call changes a job only where it fits its state (`lifecycle`) and `policy` lets its sender
in, and never while a v2 agent holds the machine's identity.
"""

from typing import Any

from sqlalchemy.orm import Session

from bootos.server.cloudboot.answer import NO_DEVICE, NOT_FOUND
from bootos.server.cloudboot.caller import Sender, find_machine, read_machine
from bootos.server.cloudboot.policy import admit, bind, is_open
from bootos.server.context import Context
from bootos.server.fault import ConflictError, ForbiddenError, NotFoundError
from bootos.server.lifecycle import Event, State
from bootos.server.netboot import pxe_file
from bootos.server.netboot.pxe_file import parse_mac
from bootos.server.operation import next_boot
from bootos.server.operation import order as orders
from bootos.server.operation.identity import has_v2_agent
from bootos.server.operation.mac import check_mac
from bootos.server.operation.transition import add_line, hand_over, keep_evidence, move
from bootos.server.script import build_groups, find_changed, read_declared
from bootos.server.store.engine import WriteSession
from bootos.server.store.job import find_active_job
from bootos.server.store.machine import find_by_call
from bootos.server.store.support import read_lines
from bootos.server.store.table import Job, Machine
from bootos.server.support import Model, Verdict, judge, read_sections
from bootos.wire import cloudboot_v1 as v1

# The message of a job whose agent has asked getPrepareInstallInfo: what the server answered.
LISTED, UNLISTED = "v1: listed", "v1: not listed"


def judge_said(session: Session, machine: Machine | None, job: Job | None, said: v1.ModelQuery) -> Verdict:
    """Whether the support list covers the model as the agent tells it, and allows what the job asks for. `machine` and
    `job` None: not known, there is none.

    v1 tells product and model apart; either may be what the list has, or both together. It tells no versions:
    those are known only when this machine has sent them in another way.
    """
    names = (said.model_name, said.product, f"{said.product} {said.model_name}".strip())
    model = Model(
        vendor=said.company,
        products=tuple(name for name in names if name),
        bios=machine.bios_version if machine is not None else "",
        bmc=machine.bmc_version if machine is not None else "",
    )
    wanted = read_sections(job.template) if job is not None and not job.skip_hardware else []
    return judge(read_lines(session), model, wanted)


def find_open_job(context: Context, session: Session, machine: Machine) -> Job | None:
    """The job that a v1 agent may work on: active, before the installer's part, and no v2 agent is there; or None."""
    job = find_active_job(session, machine.id)
    if job is None or State(job.state) not in (State.QUEUED, State.RUNNING):
        return None
    return None if has_v2_agent(context, session, machine) else job


def why_not(job: Job, sender: Sender | None) -> str:
    """The reason why a v1 agent cannot carry out this job; empty when it can. `sender` None: an agent that goes without
    hardware configuration."""
    if job.mode == "plan":
        return "a v1 agent cannot make a plan"
    if job.mode != "apply":
        return f"a v1 agent does not know jobs of the mode {job.mode!r}"
    if job.approval is not None:
        return "a v1 agent cannot tell whether its plan is the approved one"
    declared = ", ".join(read_declared(job.template))
    if not declared or job.skip_hardware:
        return ""
    asks = f"the template {job.template_name} asks for {declared}"
    if sender is None:
        return f"{asks}, and Cloudboot v1 configures no hardware of virtual machines: make a job with --skip-hardware"
    if not sender.is_ours:
        return (
            f"this machine runs a Cloudboot v1 agent, which only runs script groups, and {asks}: boot the machine with "
            "this server's BootOS, or make a template of script groups"
        )
    if isinstance(job.template.get("raid"), list):
        return (
            f"{asks} in a list of sections under raid, which is given only to agents of protocol v2 that know it: let "
            "the machine reach /api/v2/agent on this server, or make a template with one section"
        )
    if job.secret_names:
        return (
            f"{asks} and refers to secrets ({', '.join(job.secret_names)}), which are given only to agents of protocol "
            "v2: let the machine reach /api/v2/agent on this server"
        )
    return ""


def take_poll(context: Context, sn: str, sender: Sender) -> bool:
    """Whether there is a job for the machine. Its asking is a sign of life."""
    with context.store.write() as session:
        machine = find_machine(session, sn, sender)
        if machine is None or take_in(context, session, machine, sender):
            return False
        return find_open_job(context, session, machine) is not None


def take_in(context: Context, session: WriteSession, machine: Machine, sender: Sender) -> str:
    """Let the sender in as the machine's agent; returns why it is not let in, as a sentence. The job that there is for
    an agent belongs to it from now on."""
    bar = admit(context, session, machine, sender)
    job = find_open_job(context, session, machine) if not bar else None
    if job is not None:
        bind(session, job, sender)
    return bar


def take_scripts(context: Context, sn: str, sender: Sender) -> v1.HardwareContent:
    """Hand the order to a v1 agent: the script groups of the job, which runs from now on.

    Raises NotFoundError when there is no such job. Raises ConflictError when the sender is not the machine's agent, and
    when a v1 agent cannot carry the job out: the job is refused then. Raises ForbiddenError for a model that is not
    listed, when the agent never asked whether it is.
    """
    with context.store.write() as session:
        # this call has no MAC that could be used in place of the serial number
        machine = find_by_call(session, sn, sender.address)
        if machine is None:
            raise NotFoundError(NOT_FOUND)
        reason = take_in(context, session, machine, sender)
        job = find_open_job(context, session, machine)
        if not reason or is_open(context):
            if job is None or job.skip_hardware:
                raise NotFoundError(NOT_FOUND)
            reason = why_not(job, sender) or find_changed(job.script_sums, job.template)
            if reason:
                move(context, session, job, Event.REFUSED, message=reason)
            else:
                check_listed(session, machine, job)
                start(context, session, job, sender)
    if reason or job is None:  # raised after the transaction: an error inside would roll the refusal back
        raise ConflictError(reason)
    return v1.HardwareContent(
        company=machine.vendor,
        product=machine.product,
        model_name=machine.product,
        hardware=list_wire_groups(job.template),
    )


def list_wire_groups(template: dict[str, Any]) -> list[v1.HardwareGroup] | None:
    """The script groups of a template as they go over the wire; None when it has none."""
    return [
        v1.HardwareGroup(
            name=name,
            scripts=[
                v1.HardwareScript(name=script.name, script=v1.encode_text(script.text)) for script in scripts
            ]
            or None,
        )
        for name, scripts in build_groups(template)
    ] or None


def prepare(context: Context, said: v1.ModelQuery, sender: Sender) -> tuple[bool, bool]:
    """The answer of getPrepareInstallInfo: (is the model listed, is the hardware skipped). The job remembers the first.
    Raises ConflictError when the sender is not the agent of a machine with a job; under `open` anybody may ask."""
    with context.store.write() as session:
        machine = find_machine(session, said.sn, sender)
        job = find_active_job(session, machine.id) if machine is not None else None
        bar = find_asker_bar(context, session, machine, sender)
        listed = judge_said(session, machine, job, said).ok
        if machine is not None and not bar:
            if job is not None and find_open_job(context, session, machine) is not None:
                job.said = LISTED if listed else UNLISTED
            if not machine.product:
                machine.vendor, machine.product = said.company[:200], (said.model_name or said.product)[:200]
    if bar:  # raised after the transaction, which keeps who was refused
        raise ConflictError(bar)
    return listed, job is not None and job.skip_hardware


def find_asker_bar(context: Context, session: WriteSession, machine: Machine | None, sender: Sender) -> str:
    """Why this sender is not told how its job goes on, as a sentence; empty: it is."""
    if is_open(context):
        return ""
    if machine is None:
        return "there is no such machine"
    bar = take_in(context, session, machine, sender)
    return bar or ("" if find_open_job(context, session, machine) else "there is no job for this machine")


def check_listed(session: WriteSession, machine: Machine, job: Job) -> None:
    """Check that the agent may have the scripts. In v1 the agent decides on user mode: an agent that was told that its
    model is not listed, and goes on all the same, is in developer mode, and its run is kept as evidence. For an agent
    that never asked, the support list decides. Raises ForbiddenError."""
    if job.said == UNLISTED:
        machine.developer = True
        keep_evidence(session, job)
    elif job.said != LISTED:
        verdict = orders.judge_job(session, machine, job)
        if not verdict.ok:
            raise ForbiddenError(f"{verdict.reason}; ask device/getPrepareInstallInfo first")


def start(context: Context, session: WriteSession, job: Job, sender: Sender) -> None:
    """Move the job on: a new attempt of it runs now, on a v1 agent."""
    job.progress = None
    hand_over(context, session, job, holder="v1", receiver="a v1 agent", address=sender.address)


def take_mac(context: Context, sn: str, text: str, sender: Sender) -> None:
    """Bind the MAC and write the PXE file, as `accept_mac`. Raises NotFoundError (no such machine), ConflictError (the
    sender is not its agent) and as that."""
    with context.store.write() as session:
        machine = read_machine(session, sn, sender, otherwise=NO_DEVICE)
        bar = take_in(context, session, machine, sender)
        if not bar:
            accept_mac(context, session, machine, text, sender)
    if bar:
        raise ConflictError(bar)


def accept_mac(context: Context, session: WriteSession, machine: Machine, text: str, sender: Sender) -> None:
    """Bind the MAC and write the PXE file, while a job of the machine is in progress on a v1 agent.

    A queued job begins with it: that is how virtual machines and jobs without hardware configuration go in v1. Raises
    ConflictError when the job's state does not take it, MacTakenError and UnusableError of the MAC.
    """
    job = find_active_job(session, machine.id)
    if job is None or has_v2_agent(context, session, machine):
        raise ConflictError("no job of this machine is in progress")
    state = State(job.state)
    if state is State.RUNNING and job.handed_to != "v1":
        raise ConflictError("an agent of another protocol works on this job")
    mac = parse_mac(text) or ""
    if state is State.INSTALLING and job.pxe_file != pxe_file.file_name(mac):
        raise ConflictError("the installer is at work: the PXE file stays as it is")
    if state is State.QUEUED:
        reason = why_not(job, None)
        if reason:
            raise ConflictError(reason)
        check_mac(session, machine, text)
        start(context, session, job, sender)
        if job.template.get("scripts") and not job.skip_hardware:
            add_line(
                session, job, "the v1 agent went without hardware configuration, as for a virtual machine"
            )
    next_boot.accept_mac(context, session, machine, job, text)
