"""Jobs of machines whose agent speaks Cloudboot v1, and the progress that installers report in it.

v1 has no sessions: anybody on the network can send these calls. So they change a job only where they fit its
state (`lifecycle`), never backwards, and never while a v2 agent holds the machine's identity; then only the
installer's reports count. Called by `api.cloudboot_v1`, which knows the wire.
"""

import math
import re
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server import jobs, machines, next_boot, orders
from bootos.server.context import Context
from bootos.server.fault import ConflictError, NotFoundError
from bootos.server.lifecycle import Event, State
from bootos.server.netboot.pxe_file import parse_mac
from bootos.server.store.engine import WriteSession
from bootos.server.store.table import Boot, Job, Mac, Machine, read_clock
from bootos.server.support import Model, Verdict, judge, read_lines, read_sections
from bootos.wire import cloudboot_v1 as v1
from bootos.wire.inventory import Cpu, Inventory, Nic, System

# Progress as existing agents report it: 0.1 entered BootOS ... 0.4 hardware done, 0.45 PXE file made,
# 0.5 reboots; from 0.6 on the installer speaks.
AGENT_ENDS = 0.5
INSTALLER_STARTS = 0.6


def find_machine(session: Session, word: str) -> Machine | None:
    """By serial number, or by a MAC in its place."""
    row = session.scalar(select(Machine).where(Machine.sn_key == word.strip().casefold()))
    mac = parse_mac(word) if row is None and ":" in word else None
    if mac is None:
        return row
    owners = list(session.scalars(select(Mac).where(Mac.mac == mac).order_by(Mac.bound.desc())))
    return session.get(Machine, owners[0].machine_id) if owners else None


def has_v2_agent(context: Context, session: Session, machine: Machine) -> bool:
    """Whether a v2 agent holds the machine's identity at present."""
    boot = session.get(Boot, machine.boot_pk) if machine.boot_pk is not None else None
    return boot is not None and not boot.closing and context.presence.is_heard(machine.id, boot.last_heard_at)


def hear(context: Context, session: WriteSession, machine: Machine) -> None:
    """A v1 agent gave a sign of life."""
    if not has_v2_agent(context, session, machine):
        machine.protocol = 1
        if context.legacy_presence.hear(machine.id):
            machine.last_heard_at = read_clock()
            session.touch(f"machine:{machine.id}", "machines")


def store_product(context: Context, session: WriteSession, said: v1.ProductInfo, address: str) -> None:
    """Enrol the machine, or renew what is known of it."""
    machine = machines.find_or_enrol(session, said.sn)
    if has_v2_agent(context, session, machine):
        return
    machine.registered_at = read_clock()
    machine.address = next((nic.ip for nic in said.nic if nic.ip), "") or said.ip or address
    machine.agent_version = "cloudboot v1"
    machine.developer = False
    machines.store_inventory(session, machine, read_inventory(said), extra_macs=[said.mac])
    hear(context, session, machine)
    session.touch(f"machine:{machine.id}", "machines")


def read_inventory(said: v1.ProductInfo) -> Inventory:
    """What a v1 report tells for certain; sizes are free text there, so they become notes."""
    notes = [f"reported by a Cloudboot v1 agent; IsVm: {said.is_vm or '-'}"]
    notes += [f"memory {item.name}: {item.size}" for item in said.memory]
    notes += [f"disk {item.name}: {item.size}" for item in said.disk]
    for label, number in (("memory", said.memory_sum), ("disks", said.disk_sum)):
        notes += [f"sum of {label}: {number}"] if number else []
    for label, text in (("RAID", said.raid), ("OOB", said.oob), ("NIC device", said.nic_device)):
        notes += [f"{label}: {text}"] if text else []
    nics = [
        Nic(name=nic.name, mac=mac, addresses=[nic.ip] if nic.ip else [])
        for nic in said.nic
        if (mac := parse_mac(nic.mac))
    ]
    inventory = Inventory(
        collected_at=read_clock().isoformat(timespec="seconds").replace("+00:00", "Z"),
        system=System(
            vendor=said.company,
            product=said.model_name or said.product or None,
            serial=said.sn,
            family=said.product,
        ),
        cpu=Cpu(model=said.cpu.model or None, cores=int(said.cpu.core) if said.cpu.core.isdigit() else None),
        nics=nics,
        virtual="unknown" if said.is_vm == "Yes" else None,
        notes=notes,
    )
    inventory.board.vendor = said.motherboard.name or None
    inventory.board.product = said.motherboard.model or None
    return inventory


def judge_said(session: Session, machine: Machine | None, job: Job | None, said: v1.ModelQuery) -> Verdict:
    """Whether the support list covers the model as the agent tells it, and allows what the job asks for.

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
    """The job that a v1 agent may work on: active, before the installer's part, and no v2 agent is there."""
    job = jobs.find_active_job(session, machine.id)
    if job is None or State(job.state) not in (State.QUEUED, State.RUNNING):
        return None
    return None if has_v2_agent(context, session, machine) else job


def why_not(job: Job) -> str:
    """Why a v1 agent cannot carry out this job; empty when it can. v1 knows script groups and nothing else."""
    if job.mode == "plan":
        return "a v1 agent cannot make a plan"
    declared = sorted(
        {"firmware", "bios", "oob", "raid", "disks"} & {key for key, value in job.template.items() if value}
    )
    if declared and not job.skip_hardware:
        return (
            f"this machine runs a Cloudboot v1 agent, which only runs script groups, and the template "
            f"{job.template_name} asks for {', '.join(declared)}: boot the machine with this server's BootOS"
        )
    return ""


def take_scripts(
    context: Context, session: WriteSession, machine: Machine, job: Job
) -> list[v1.HardwareGroup] | None:
    """Hand the order to a v1 agent: its script groups. Raises ConflictError, and then the job is refused."""
    reason = why_not(job)
    if reason:
        jobs.move(session, job, Event.REFUSED, pxe_directory=context.settings.pxe_directory, message=reason)
        raise ConflictError(reason)
    start(context, session, machine, job)
    groups = jobs.fill_scripts(job.template, machine.settings).get("scripts") or []
    return [
        v1.HardwareGroup(
            name=group["name"],
            scripts=[
                v1.HardwareScript(
                    name=script["name"], script=v1.encode_text(script["script"].replace("\r\n", "\n"))
                )
                for script in group["scripts"]
            ]
            or None,
        )
        for group in groups
    ] or None


def start(context: Context, session: WriteSession, machine: Machine, job: Job) -> None:
    """The job runs now, on a v1 agent."""
    job.handed_to = "v1"
    job.attempt += 1
    job.progress = None
    jobs.move(session, job, Event.ORDERED, pxe_directory=context.settings.pxe_directory)
    jobs.add_line(session, job, f"the order was handed to a v1 agent (attempt {job.attempt})")


def accept_mac(context: Context, session: WriteSession, machine: Machine, text: str) -> None:
    """Bind the MAC and write the PXE file while the job is in progress. Raises ConflictError and others."""
    job = jobs.find_active_job(session, machine.id)
    if job is None or has_v2_agent(context, session, machine):
        raise ConflictError("no job of this machine is in progress")
    if State(job.state) is State.QUEUED:
        # The short way of v1: virtual machines and skipped hardware configuration come here at once.
        reason = why_not(job)
        if reason:
            raise ConflictError(reason)
        start(context, session, machine, job)
    next_boot.accept_mac(
        session,
        machine,
        job,
        text,
        pxe_directory=context.settings.pxe_directory,
        server_url=context.public_url,
    )


def apply_progress(context: Context, session: WriteSession, machine: Machine, said: v1.InstallInfo) -> None:
    """Take in a progress report. Raises ConflictError when it does not fit the job's state."""
    job = jobs.find_active_job(session, machine.id)
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
    _store_log(session, job, said)
    if progress >= 0:
        # Rounded down: 0.99999 is not the end. Never backwards: a late report only adds its log.
        known = job.progress or 0.0
        job.progress = max(known, math.floor(progress * 10000) / 10000) if state is not State.QUEUED else None
    pxe_directory = context.settings.pxe_directory
    for event in events:
        message = said.title if event in (Event.FAILED, Event.INSTALL_FAILED, Event.INSTALLED) else ""
        if event is Event.REFUSED:
            message = said.title
            verdict = orders.judge_job(session, machine, job)
            if not verdict.ok:
                message += f": {orders.refusal_text(verdict)}"
        jobs.move(session, job, event, pxe_directory=pxe_directory, message=message)
    jobs.touch(session, job)


def find_events(
    state: State, progress: float, *, ran_v1: bool, installer_expected: bool
) -> list[Event] | None:
    """What a progress number does to a job in this state; None: it does not fit, and must change nothing.

    An existing agent does not repeat a report that was lost, so an installer's word also says that the agent
    had succeeded; but only after a PXE file was made, without which there is no installer.
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


def _store_log(session: Session, job: Job, said: v1.InstallInfo) -> None:
    level = "error" if said.install_progress == -1 else "info"
    share = f" ({said.install_progress:.1%})" if said.install_progress >= 0 else ""
    jobs.add_line(session, job, f"{said.title or 'progress'}{share}", level=level, source="v1")
    for line in (v1.decode_text(said.install_log) or "").splitlines()[:2000]:
        if line.strip():
            jobs.add_line(session, job, re.sub(r"[\x00-\x08\x0b-\x1f]", "?", line), level=level, source="v1")


def read_network(session: Session, machine: Machine) -> dict[str, str]:
    """The answer of getNetworkBySn, by its JSON keys."""
    settings: dict[str, Any] = machine.settings
    nics = (machine.inventory or {}).get("nics", [])
    with_address = [nic["mac"] for nic in nics if nic.get("addresses")]
    bound = select(Mac.mac).where(Mac.machine_id == machine.id).order_by(Mac.bound.desc(), Mac.mac)
    hwaddr = with_address[0] if with_address else session.scalar(bound) or ""
    names = {
        "Hostname": "hostname",
        "Ip": "address",
        "Netmask": "netmask",
        "Gateway": "gateway",
        "Vlan": "vlan",
        "Trunk": "trunk",
        "Bonding": "bonding",
    }
    return {key: str(settings.get(name) or "") for key, name in names.items()} | {"HWADDR": hwaddr}


def find_answer(session: Session, machine: Machine) -> Job:
    """The job whose answer file the machine's installer may fetch. Raises NotFoundError."""
    query = select(Job).where(Job.machine_id == machine.id).order_by(Job.id.desc()).limit(1)
    job = session.scalar(query)
    if job is None or not job.pxe_answer or not (job.ended_at is None or job.pxe_file):
        raise NotFoundError("there is no answer file for this machine now")
    return job


def read_status(job: Job | None) -> str:
    """A job's state in v1's words."""
    if job is None or State(job.state) is State.QUEUED:
        return "pre_install" if job is not None else ""
    if State(job.state) in (State.RUNNING, State.INSTALLING):
        return "installing"
    return "success" if State(job.state) in (State.DONE, State.PLANNED) else "failure"
