"""What an installer asks by Cloudboot v1: its network, its answer file, how the machine stands."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.fault import NotFoundError
from bootos.server.lifecycle import State
from bootos.server.netboot.pxe_file import parse_mac
from bootos.server.store.job import find_latest_job
from bootos.server.store.table import Job, Mac, Machine


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


def find_answer(session: Session, machine: Machine) -> Job:
    """The job whose answer file the machine's installer may fetch: its newest, until it has ended. Raises
    NotFoundError."""
    job = find_latest_job(session, machine.id)
    if job is None or not job.pxe_answer or not (job.ended_at is None or job.pxe_file):
        raise NotFoundError("there is no answer file for this machine now")
    return job


def read_status(job: Job | None) -> str:
    """A job's state in v1's words: pre_install, installing, success or failure; empty when there is no job."""
    if job is None or State(job.state) is State.QUEUED:
        return "pre_install" if job is not None else ""
    if State(job.state) in (State.RUNNING, State.INSTALLING):
        return "installing"
    return "success" if State(job.state) in (State.DONE, State.PLANNED) else "failure"
