"""What an installer asks by Cloudboot v1: its network, its answer file, how the machine stands."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.cloudboot.answer import NOT_FOUND
from bootos.server.cloudboot.caller import Sender, find_machine, read_machine
from bootos.server.cloudboot.policy import find_installer_job, is_of_job, is_open, note_installer
from bootos.server.context import Context
from bootos.server.fault import NotFoundError
from bootos.server.lifecycle import State
from bootos.server.netboot.pxe_file import parse_mac
from bootos.server.store.job import find_latest_job
from bootos.server.store.table import Job, Mac, Machine, PxeTemplate, Template


def read_network(session: Session, machine: Machine) -> dict[str, str]:
    """The answer of getNetworkBySn, by its JSON keys; what is not known is empty. HWADDR is the MAC of the first
    NIC that had an address, else the one that was bound for PXE, else the first."""
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


def find_answer(context: Context, session: Session, machine: Machine, sender: Sender) -> Job:
    """The job whose answer file the sender may fetch: its machine's newest, until it has ended. Raises
    NotFoundError."""
    job = find_installer_job(context, session, machine, sender)
    if job is None or not job.pxe_answer or not (job.ended_at is None or job.pxe_file):
        raise NotFoundError(NOT_FOUND)
    return job


def find_enrolled(context: Context, session: Session, sn: str, sender: Sender, *, otherwise: str) -> Machine:
    """The machine whose network the sender may read: that of the job that it installs; under `open` any that was ever
    enrolled (confirmed, set up by the operator, or with a job). Raises NotFoundError, whose message is `otherwise`."""
    machine = read_machine(session, sn, sender, otherwise=otherwise)
    job = find_installer_job(context, session, machine, sender)
    if job is None and not (is_open(context) and (machine.confirmed_at is not None or machine.settings)):
        raise NotFoundError(otherwise)
    return machine


def find_device(context: Context, session: Session, sn: str, sender: Sender) -> dict[str, Any] | None:
    """The answer of getDeviceBySn; None: there is no such machine, it was never enrolled, or its newest job is
    another's."""
    machine = find_machine(session, sn, sender)
    job = find_latest_job(session, machine.id) if machine is not None else None
    if machine is None or (job is None and not is_open(context)):
        return None
    if not is_open(context) and job is not None and not is_of_job(job, machine, sender):
        return None
    if job is None and machine.confirmed_at is None and not machine.settings:
        return None
    return read_device(session, machine, job)


def read_device(session: Session, machine: Machine, job: Job | None) -> dict[str, Any]:
    """The answer of getDeviceBySn: the row of an existing server's table, field by field. What there is no such thing
    of here (batches, networks and places of their own, users, virtual machines on the host) is empty, 0 or No; the ids
    of templates are those of this server's."""
    boots = configures = None
    if job is not None:
        boots = session.scalar(select(PxeTemplate.id).where(PxeTemplate.name == job.pxe_name))
        configures = session.scalar(select(Template.id).where(Template.name == job.template_name))
    settings, variables = machine.settings, machine.variables
    changed_at = (job.ended_at or job.started_at or job.created_at) if job is not None else machine.created_at
    return {
        "ID": machine.id,
        "CreatedAt": machine.created_at.isoformat(),
        "UpdatedAt": changed_at.isoformat(),
        "DeletedAt": None,
        "BatchNumber": "",
        "Sn": machine.sn,
        "Hostname": settings.get("hostname", ""),
        "Ip": settings.get("address", ""),
        "ManageIp": settings.get("manage_ip", ""),
        "NetworkID": 0,
        "ManageNetworkID": 0,
        "OsID": boots or 0,
        "HardwareID": 0 if job is None or job.skip_hardware else configures or 0,
        "SystemID": boots or 0 if job is not None and job.pxe_answer else 0,
        "Location": variables.get("location", ""),
        "LocationID": 0,
        "AssetNumber": variables.get("asset_number", ""),
        "Status": read_status(job),
        "InstallProgress": (job.progress or 0) if job is not None else 0,
        "InstallLog": "",
        "IsSupportVm": "No",
        "UserID": 0,
    }


def note_token(context: Context, sn: str, sender: Sender) -> None:
    """Remember from where the job's token came: what its answer file calls later comes from there without it."""
    if not sender.token or is_open(context):
        return
    with context.store.write() as session:
        machine = find_machine(session, sn, sender)
        if machine is not None:
            note_installer(context, session, machine, sender)


def read_status(job: Job | None) -> str:
    """A job's state in v1's words: pre_install, installing, success or failure; empty when there is no job."""
    if job is None or State(job.state) is State.QUEUED:
        return "pre_install" if job is not None else ""
    if State(job.state) in (State.RUNNING, State.INSTALLING):
        return "installing"
    return "success" if State(job.state) in (State.DONE, State.PLANNED) else "failure"
