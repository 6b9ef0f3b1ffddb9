"""What a machine's next PXE boot finds: the job's per-MAC PXE file, else that of the image it is pinned to, else the
default file. Called by the agent APIs, when a pin changes, and at start."""

import secrets
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.fault import ConflictError, NotFoundError
from bootos.server.image.choice import choose_image
from bootos.server.image.version import read_default, read_pins
from bootos.server.lifecycle import State
from bootos.server.netboot import pxe_file
from bootos.server.operation.mac import bind_mac
from bootos.server.operation.secrecy import note_way
from bootos.server.operation.standing import find_order_bar
from bootos.server.operation.transition import add_line, touch
from bootos.server.store.engine import WriteSession
from bootos.server.store.job import find_job
from bootos.server.store.machine import find_session
from bootos.server.store.table import Job, Mac, Machine
from bootos.wire import v2


def upload_mac(
    context: Context, authorization: str | None, upload: v2.MacUpload, *, secure: bool
) -> v2.MacAccepted:
    """Bind the MAC of the boot that this `Authorization` header proves to its machine, for the job whose order it
    holds; returns the PXE file. `secure`: it came over TLS. Raises UnauthorizedError, NotFoundError, ConflictError,
    UnusableError."""
    note_way(context, authorization, secure=secure)
    with context.store.write() as session:
        machine, boot = find_session(session, authorization)
        context.presence.hear(machine.id)
        if bar := find_order_bar(context, session, machine, boot):
            raise ConflictError(bar)
        job = find_job(session, upload.job_id)
        if job.machine_id == machine.id and job.handed_to.partition(":")[0] != str(boot.id):
            raise ConflictError(f"this boot does not hold the order of job {job.id}")
        return accept_mac(context, session, machine, job, upload.mac)


def accept_mac(
    context: Context, session: WriteSession, machine: Machine, job: Job, text: str
) -> v2.MacAccepted:
    """Bind the MAC and write the PXE file. Again is fine; not when the job is over."""
    if job.machine_id != machine.id:
        raise NotFoundError(f"this machine has no job {job.id}")
    if State(job.state) not in (State.RUNNING, State.INSTALLING):
        raise ConflictError(f"job {job.id} is {job.state}: no PXE file is written for it")
    mac = bind_mac(session, machine, text)
    session.touch(f"machine:{machine.id}")
    if not job.pxe_content:
        return v2.MacAccepted()
    name = pxe_file.file_name(mac)
    if job.pxe_file and job.pxe_file != name:
        old = job.pxe_file
        session.after_commit(lambda: context.pxe.remove([old]))
    job.token = job.token or secrets.token_hex(16)
    # The file is written before the commit. A file without its job is removed at the next start. A job without its
    # file would reboot the machine into BootOS again.
    context.pxe.write(name, render_file(context, job, mac))
    if job.pxe_file != name:
        job.pxe_file = name
        add_line(session, job, f"the PXE file {name} was written from the PXE template {job.pxe_name}")
    touch(session, job)
    return v2.MacAccepted(pxe_file=name)


def render_file(context: Context, job: Job, mac: str) -> str:
    """The PXE file of the job for this MAC. Where it calls Cloudboot v1, the job's token is in the URL."""
    values = read_placeholders(job.machine, mac=mac, server_url=context.public_url)
    text = pxe_file.render(job.pxe_content, values)
    return text if context.settings.legacy == "off" else pxe_file.add_token(text, job.token)


def read_placeholders(machine: Machine, *, mac: str, server_url: str) -> dict[str, str]:
    """What a PXE template's placeholders stand for."""
    settings: dict[str, Any] = machine.settings
    return {
        "sn": machine.sn,
        "machine": str(machine.id),
        "mac": mac,
        "server": server_url,
        **{name: str(settings.get(name) or "") for name in ("hostname", "address", "netmask", "gateway")},
    }


def reconcile_pxe_files(context: Context, session: Session) -> list[str]:
    """Make the PXE files agree with the jobs, after a server that was ended in between; says what was done.

    Only files for MACs that are bound here are looked at: others may be the operator's own.
    """
    done: list[str] = []
    pinned = context.pxe.list_pinned()
    wanted = {job.pxe_file: job for job in session.scalars(select(Job).where(Job.pxe_file != ""))}
    for mac in session.scalars(select(Mac.mac).where(Mac.bound)):
        name = pxe_file.file_name(mac)
        job, is_there = wanted.get(name), context.pxe.has(name)
        if job is None and is_there and name not in pinned:
            context.pxe.remove([name])
            done.append(f"removed the PXE file {name}: no job needs it")
        elif job is not None and not is_there:
            context.pxe.write(name, render_file(context, job, mac))
            done.append(f"wrote the PXE file {name} again for job {job.id}")
    return done


def write_pinned_files(context: Context, session: Session, machine: Machine | None = None) -> list[str]:
    """Make the files of pinned machines agree with the pins: of all of them, or of one machine. Says which files of
    the operator were left alone. A MAC that several machines show counts for the one that has it for its PXE file, else
    for the first confirmed one that showed it, else for the first."""
    pins, default = read_pins(session), read_default(session)
    present = context.pxe.list_pinned()
    if not pins and not present:
        return []
    query = (
        select(Mac.mac, Machine.id, Machine.vendor, Machine.product)
        .join(Machine, Machine.id == Mac.machine_id)
        .order_by(Mac.bound.desc(), Machine.confirmed_at.is_(None), Mac.id)
    )
    if machine is not None:
        query = query.where(Mac.mac.in_(select(Mac.mac).where(Mac.machine_id == machine.id)))
    source = context.pxe.read_default()
    done, seen, owned = list[str](), set[str](), set[str]()
    for mac, machine_id, vendor, product in session.execute(query):
        if mac in owned:
            continue
        owned.add(mac)
        choice = choose_image(pins, default, machine_id=machine_id, vendor=vendor, product=product)
        name = pxe_file.file_name(mac)
        if choice.by == "default":
            continue
        seen.add(name)
        content = point_to_image(source, choice.version)
        if not context.pxe.write_pinned(name, content) and not is_of_a_job(session, name):
            done.append(
                f"{name} was written by hand and is left as it is: its machine does not get {choice.version}"
            )
    if machine is not None:
        of_machine = session.scalars(select(Mac.mac).where(Mac.machine_id == machine.id))
        present &= {pxe_file.file_name(mac) for mac in of_machine}
    for name in present - seen:
        context.pxe.remove_pinned(name)
    return done


def is_of_a_job(session: Session, name: str) -> bool:
    """Whether a job has written the per-MAC PXE file of this name."""
    return session.scalar(select(Job.id).where(Job.pxe_file == name).limit(1)) is not None


def point_to_image(source: str, version: str) -> str:
    """The default PXE file with the URLs of one version in place of the default's."""
    source = pxe_file.name_version(source, version)
    return f"# Written by the BootOS server: this machine is pinned to the image {version}\n{source}"
