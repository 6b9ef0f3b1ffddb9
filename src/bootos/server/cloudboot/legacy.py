"""Jobs of machines whose agent speaks Cloudboot v1, and the progress that installers report in it.

v1 has no sessions: anybody on the network can send these calls. So they change a job only where they fit its
state (`lifecycle`), never backwards, and never while a v2 agent holds the machine's identity; then only the
installer's reports count. Called by `api.cloudboot_v1`, which knows the wire.
"""

import math
import re
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.cloudboot.declared import build_group, read_declared
from bootos.server.context import Context
from bootos.server.fault import ConflictError, ForbiddenError, NotFoundError
from bootos.server.lifecycle import Event, State
from bootos.server.netboot import pxe_file
from bootos.server.netboot.pxe_file import parse_mac
from bootos.server.nic import is_address
from bootos.server.operation import job as jobs
from bootos.server.operation import next_boot
from bootos.server.operation import order as orders
from bootos.server.operation.claim import record_claim
from bootos.server.operation.enrolment import find_or_enrol
from bootos.server.operation.inventory import store_inventory
from bootos.server.store.engine import WriteSession
from bootos.server.store.machine import find_by_sn, find_mac_owner
from bootos.server.store.support import read_lines
from bootos.server.store.table import Boot, Job, Mac, Machine, read_clock
from bootos.server.support import Model, Verdict, judge, read_sections
from bootos.wire import cloudboot_v1 as v1
from bootos.wire.inventory import Cpu, Inventory, Nic, System
from bootos.wire.password import ScriptMasker, find_secrets

# Progress as existing agents report it: 0.1 entered BootOS ... 0.4 hardware done, 0.45 PXE file made,
# 0.5 reboots; from 0.6 on the installer speaks.
AGENT_ENDS = 0.5
INSTALLER_STARTS = 0.6

# Of what anybody may send: characters of a title and of a log (its end), NICs, DIMMs and disks.
MOST_TITLE, MOST_LOG, MOST_PARTS = 255, 64 * 1024, 512

# What the server answered to getPrepareInstallInfo, kept as the job's last word.
LISTED, UNLISTED = "v1: listed", "v1: not listed"


class Sender(msgspec.Struct, frozen=True):
    """Who sent a request: its address, and what it calls itself."""

    address: str
    agent: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether this is an image of ours, which has `bootos-agent apply`."""
        return self.agent.startswith(v1.OUR_AGENT)


def find_machine(session: Session, word: str) -> Machine | None:
    """By serial number, or by a MAC in its place; None when there is none. A MAC that a machine has comes before a
    serial number that looks like it: a machine whose serial number is another one's MAC does not answer for it."""
    mac = parse_mac(word) if ":" in word else None
    owner = find_mac_owner(session, mac) if mac is not None else None
    return owner or find_by_sn(session, word)


def has_v2_agent(context: Context, session: Session, machine: Machine) -> bool:
    """Whether a v2 agent holds the machine's identity at present."""
    boot = session.get(Boot, machine.boot_pk) if machine.boot_pk is not None else None
    return boot is not None and not boot.closing and context.presence.is_heard(machine.id, boot.last_heard_at)


def refuse_claim(context: Context, session: WriteSession, machine: Machine, sender: Sender) -> bool:
    """Whether this v1 client claims a machine whose identity a v2 agent holds; it is then shown to the operator."""
    if not has_v2_agent(context, session, machine):
        return False
    record_claim(session, machine, "cloudboot v1", sender.address)
    return True


def hear(context: Context, session: WriteSession, machine: Machine) -> None:
    """A v1 agent gave a sign of life."""
    if not has_v2_agent(context, session, machine):
        machine.protocol = 1
        machine.last_heard_at = read_clock()
        context.legacy_presence.hear(machine.id)
        session.touch(f"machine:{machine.id}", "machines")


def store_product(context: Context, session: WriteSession, said: v1.ProductInfo, sender: Sender) -> bool:
    """Enrol the machine, or renew what is known of it; False when it is another's (the claim must be committed)."""
    machine = find_or_enrol(session, said.sn)
    if refuse_claim(context, session, machine, sender):
        return False
    machine.registered_at = read_clock()
    told = (*(nic.ip for nic in said.nic), said.ip)
    machine.address = next((ip for ip in told if is_address(ip)), sender.address)
    machine.agent_version = f"{sender.agent[:60]}, cloudboot v1" if sender.is_ours else "cloudboot v1"
    machine.developer = False
    store_inventory(session, machine, read_inventory(said), extra_macs=[said.mac])
    hear(context, session, machine)
    session.touch(f"machine:{machine.id}", "machines")
    return True


def read_inventory(said: v1.ProductInfo) -> Inventory:
    """What a v1 report tells for certain; sizes are free text there, so they become notes."""
    notes = [f"reported by a Cloudboot v1 agent; IsVm: {said.is_vm or '-'}"]
    notes += [f"memory {item.name}: {item.size}" for item in said.memory[:MOST_PARTS]]
    notes += [f"disk {item.name}: {item.size}" for item in said.disk[:MOST_PARTS]]
    for label, number in (("memory", said.memory_sum), ("disks", said.disk_sum)):
        notes += [f"sum of {label}: {number}"] if number else []
    for label, text in (("RAID", said.raid), ("OOB", said.oob), ("NIC device", said.nic_device)):
        notes += [f"{label}: {text}"] if text else []
    nics = [
        Nic(name=nic.name, mac=nic.mac, addresses=[nic.ip] if nic.ip else []) for nic in said.nic[:MOST_PARTS]
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


def why_not(job: Job, sender: Sender | None) -> str:
    """Why a v1 agent cannot carry out this job; empty when it can. `sender` None: one that goes without hardware."""
    if job.mode == "plan":
        return "a v1 agent cannot make a plan"
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
    if job.secret_names:
        return (
            f"{asks} and refers to secrets ({', '.join(job.secret_names)}), which are given only to agents of protocol "
            "v2: let the machine reach /api/v2/agent on this server"
        )
    return ""


def take_scripts(
    context: Context, session: WriteSession, machine: Machine, job: Job, sender: Sender
) -> list[v1.HardwareGroup] | None:
    """Hand the order to a v1 agent: its script groups. Raises ConflictError, and then the job is refused."""
    reason = why_not(job, sender)
    if reason:
        jobs.move(context, session, job, Event.REFUSED, message=reason)
        raise ConflictError(reason)
    check_listed(session, machine, job)
    start(context, session, machine, job)
    template = job.template
    groups = [build_group(template)] if read_declared(template) else []
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
        for group in [*groups, *(template.get("scripts") or [])]
    ] or None


def prepare(
    context: Context, session: WriteSession, machine: Machine, said: v1.ModelQuery
) -> tuple[bool, bool]:
    """The answer of getPrepareInstallInfo: (is the model listed, is hardware skipped). The job remembers it."""
    job = jobs.find_active_job(session, machine.id)
    listed = judge_said(session, machine, job, said).ok
    if job is not None and find_open_job(context, session, machine) is not None:
        job.said = LISTED if listed else UNLISTED
    if not machine.product:
        machine.vendor, machine.product = said.company[:200], (said.model_name or said.product)[:200]
    return listed, job is not None and job.skip_hardware


def check_listed(session: WriteSession, machine: Machine, job: Job) -> None:
    """In v1 the agent decides on user mode. One that was told that its model is not listed, and goes on all the same,
    is in developer mode; one that never asked gets nothing it may not have. Raises ForbiddenError."""
    if job.said == UNLISTED:
        machine.developer = True
        jobs.keep_evidence(session, job)
    elif job.said != LISTED:
        verdict = orders.judge_job(session, machine, job)
        if not verdict.ok:
            raise ForbiddenError(f"{verdict.reason}; ask device/getPrepareInstallInfo first")


def start(context: Context, session: WriteSession, machine: Machine, job: Job) -> None:
    """The job runs now, on a v1 agent."""
    job.handed_to = "v1"
    job.attempt += 1
    job.progress = None
    jobs.move(context, session, job, Event.ORDERED)
    jobs.add_line(session, job, f"the order was handed to a v1 agent (attempt {job.attempt})")


def accept_mac(context: Context, session: WriteSession, machine: Machine, text: str) -> None:
    """Bind the MAC and write the PXE file while the job is in progress. Raises ConflictError and others."""
    job = jobs.find_active_job(session, machine.id)
    if job is None or has_v2_agent(context, session, machine):
        raise ConflictError("no job of this machine is in progress")
    state = State(job.state)
    if state is State.RUNNING and job.handed_to != "v1":
        raise ConflictError("an agent of another protocol works on this job")
    mac = parse_mac(text) or ""
    if state is State.INSTALLING and job.pxe_file != pxe_file.file_name(mac):
        raise ConflictError("the installer is at work: the PXE file stays as it is")
    if state is State.QUEUED:
        # The short way of v1: virtual machines and skipped hardware configuration come here at once.
        reason = why_not(job, None)
        if reason:
            raise ConflictError(reason)
        start(context, session, machine, job)
        if job.template.get("scripts") and not job.skip_hardware:
            jobs.add_line(
                session, job, "the v1 agent went without hardware configuration, as for a virtual machine"
            )
    next_boot.accept_mac(context, session, machine, job, text)


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
    secrets = read_passwords(context, session, job)
    title = ScriptMasker(secrets).text(said.title[:MOST_TITLE])
    _store_log(session, job, said, title, secrets)
    if progress >= 0:
        # Rounded down: 0.99999 is not the end. Never backwards: a late report only adds its log.
        known = job.progress or 0.0
        job.progress = max(known, math.floor(progress * 10000) / 10000) if state is not State.QUEUED else None
    for event in events:
        message = title if event in (Event.FAILED, Event.INSTALL_FAILED, Event.INSTALLED) else ""
        if event is Event.REFUSED:
            message = title
            verdict = orders.judge_job(session, machine, job)
            if not verdict.ok:
                message += f": {orders.refusal_text(verdict)}"
        jobs.move(context, session, job, event, message=message)
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


def read_passwords(context: Context, session: Session, job: Job) -> tuple[str, ...]:
    """Everything in this job that no log may show: existing agents upload the whole text of a script that failed."""
    values = context.vault.resolve(session, job.secret_names).values()
    scripts = (script["script"] for group in job.template.get("scripts") or [] for script in group["scripts"])
    return (*values, *(secret for text in scripts for secret in find_secrets(text)))


def _store_log(
    session: Session, job: Job, said: v1.InstallInfo, title: str, secrets: tuple[str, ...]
) -> None:
    level = "error" if said.install_progress == -1 else "info"
    share = f" ({said.install_progress:.1%})" if said.install_progress >= 0 else ""
    jobs.add_line(session, job, f"{title or 'progress'}{share}", level=level, source="v1")
    text = ScriptMasker(secrets).text((v1.decode_text(said.install_log) or "")[-MOST_LOG:])
    for line in text.splitlines()[:2000]:
        if line.strip():
            jobs.add_line(session, job, re.sub(r"[\x00-\x08\x0b-\x1f]", "?", line), level=level, source="v1")


def read_network(session: Session, machine: Machine) -> dict[str, str]:
    """The answer of getNetworkBySn, by its JSON keys."""
    settings: dict[str, Any] = machine.settings
    nics = (machine.inventory or {}).get("nics", [])
    with_address = [mac for nic in nics if nic.get("addresses") and (mac := parse_mac(nic["mac"]))]
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
