"""The jobs: made by operators, handed out to agents, driven by their reports. Called by the APIs and the web.

Every change of a job's state goes through `lifecycle.find_next`. All functions take an open transaction.
"""

import re
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bootos.errors import Problem
from bootos.server.fault import ConflictError, NotFoundError, UnusableError
from bootos.server.lifecycle import ENDED, Event, State, find_next, keeps_pxe_file, read_event
from bootos.server.machines import bind_mac, is_verified, store_inventory
from bootos.server.netboot import pxe_file
from bootos.server.pxe_templates import find_pxe_template
from bootos.server.store.engine import WriteSession
from bootos.server.store.table import Boot, Job, LogLine, Machine, read_clock
from bootos.server.templates import find_template, read_text
from bootos.server.vault import Vault, find_unknown, mask
from bootos.template.check import find_secrets
from bootos.wire import v2

TEXT_MAX = 8192  # characters of one log line


def create_job(
    session: WriteSession,
    machine: Machine,
    *,
    template_name: str,
    pxe_directory: Path,
    pxe_name: str = "",
    mode: str = "apply",
    skip_hardware: bool = False,
    reboot: bool = True,
    created_by: str = "",
) -> Job:
    """Queue a job. Raises NotFoundError, ConflictError (the machine has one), UnusableError with problems."""
    stored = find_template(session, template_name)
    pxe = find_pxe_template(session, pxe_name) if pxe_name else None
    value, template, problems = read_text(stored.text, stored.format)
    secret_names = sorted(find_secrets(template)) if template is not None else []
    for name in find_unknown(session, secret_names):
        hint = f"set it: bootos secret set {name}"
        problems.append(Problem(path="", message=f"the secret {name!r} is not stored", hint=hint))
    problems += find_missing_settings(value, machine.settings)
    if problems or template is None:
        raise UnusableError(f"the template {template_name!r} cannot be used", problems=problems)
    active = find_active_job(session, machine.id)
    if active is not None:
        raise ConflictError(
            f"machine {machine.sn} has an active job: job {active.id} is {active.state}",
            hint=f"wait for its end, or cancel it: bootos job cancel {active.id}",
        )
    job = Job(
        machine=machine,
        mode=mode,
        template_name=stored.name,
        template_version=stored.version,
        template_format=stored.format,
        template_text=stored.text,
        template=value,
        secret_names=secret_names,
        pxe_name=pxe.name if pxe else "",
        pxe_content=pxe.content if pxe else "",
        pxe_answer=pxe.answer if pxe else "",
        pxe_reports=pxe.reports if pxe else True,
        skip_hardware=skip_hardware,
        skip_reason="the operator asked for it" if skip_hardware else "",
        reboot=reboot,
        created_by=created_by,
    )
    session.add(job)
    session.flush()
    _drop_pxe_files(session, machine.id, pxe_directory)
    add_line(session, job, f"job {job.id} was created by {created_by or 'an operator'}")
    touch(session, job)
    return job


MANAGE = re.compile(r"<\{(manage_ip|manage_netmask|manage_gateway)\}>")


def fill_scripts(template: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The template with the placeholders of its script groups filled in, `<{manage_ip}>` and the like."""
    if not isinstance(template.get("scripts"), list):
        return template

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return MANAGE.sub(lambda found: str(settings.get(found[1]) or ""), value)
        if isinstance(value, list):
            return [fill(item) for item in value]
        return {key: fill(item) for key, item in value.items()} if isinstance(value, dict) else value

    return {**template, "scripts": fill(template["scripts"])}


def find_missing_settings(template: dict[str, Any], settings: dict[str, Any]) -> list[Problem]:
    """Placeholders of the script groups for which the machine has no setting."""
    names = set(MANAGE.findall(str(template.get("scripts", ""))))
    return [
        Problem(
            path="scripts",
            message=f"<{{{name}}}> is not known for this machine",
            hint=f"bootos machine set MACHINE {name}=...",
        )
        for name in sorted(names)
        if not settings.get(name)
    ]


def find_job(session: Session, job_id: int | str) -> Job:
    """Raises NotFoundError."""
    word = str(job_id)
    usable = word.isascii() and word.isdigit() and len(word) < 16
    job = session.get(Job, int(word), with_for_update={"of": Job}) if usable else None
    if job is None:
        raise NotFoundError(f"there is no job {word!r}", hint="see bootos job list")
    return job


def find_active_job(session: Session, machine_id: int) -> Job | None:
    query = select(Job).where(Job.machine_id == machine_id, Job.ended_at.is_(None))
    return session.scalar(query.with_for_update(of=Job))


def find_latest_job(session: Session, machine_id: int) -> Job | None:
    return session.scalar(select(Job).where(Job.machine_id == machine_id).order_by(Job.id.desc()).limit(1))


def touch(session: WriteSession, job: Job) -> None:
    session.touch(f"job:{job.id}", f"machine:{job.machine_id}", "machines", "jobs")


def add_line(session: Session, job: Job, text: str, *, level: str = "info", source: str = "server") -> None:
    """A line of the server's own in the job's log."""
    at = read_clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    row = LogLine(
        machine_id=job.machine_id, job_id=job.id, at=at, level=level, source=source, text=text[:TEXT_MAX]
    )
    session.add(row)


def move(session: WriteSession, job: Job, event: Event, *, pxe_directory: Path, message: str = "") -> bool:
    """Let `event` happen to the job; False when the table does not allow it, and then nothing changed."""
    before = State(job.state)
    after = find_next(before, event)
    if after is None:
        return False
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
        session.after_commit(lambda: pxe_file.remove_pxe_files(pxe_directory, [name]))
    touch(session, job)
    return True


def take_order(
    session: WriteSession, machine: Machine, boot: Boot, vault: Vault, *, pxe_directory: Path, poll_s: int
) -> v2.Order | None:
    """The order for this boot, if there is one; the job is then running. The same session that asks twice gets
    the same attempt; a new one (another boot, or the agent started again) the next."""
    job = find_active_job(session, machine.id)
    if job is None or State(job.state) not in (State.QUEUED, State.RUNNING):
        return None
    if job.cancel_requested:
        move(session, job, Event.CANCELLED, pxe_directory=pxe_directory, message="cancelled by the operator")
        return None
    if State(job.state) is State.QUEUED and not boot.developer and not is_verified(session, machine):
        move(session, job, Event.REFUSED, pxe_directory=pxe_directory, message=refusal_text(machine))
        return None
    values = vault.resolve(session, job.secret_names)
    holder = f"{boot.id}:{boot.serial}"
    if job.handed_to != holder:
        job.handed_to = holder
        job.attempt += 1
        move(session, job, Event.ORDERED, pxe_directory=pxe_directory)
        add_line(session, job, f"the order was handed to {machine.address} (attempt {job.attempt})")
    return v2.Order(
        job_id=str(job.id),
        attempt=job.attempt,
        mode="plan" if job.mode == "plan" else "apply",
        template_name=job.template_name,
        template=fill_scripts(job.template, machine.settings),
        secrets=values,
        skip_hardware=job.skip_hardware,
        skip_reason=job.skip_reason,
        reboot=job.reboot,
        poll_timeout_s=poll_s,
    )


def refusal_text(machine: Machine) -> str:
    """Why the server lets no job run on this model, and how to proceed."""
    vendor, product = machine.vendor or "unknown", machine.product or "unknown"
    return (
        f"the model {vendor} / {product} is not in the support list, and the machine was booted in user mode: "
        f"nothing was configured. Add the model: bootos support add --vendor '{vendor}' --product '{product}', "
        "or boot the machine with DEVELOPER=1 on the kernel command line; then create the job again"
    )


def apply_report(
    session: WriteSession,
    machine: Machine,
    boot: Boot,
    report: v2.Report,
    vault: Vault,
    *,
    pxe_directory: Path,
) -> v2.Receipt:
    """Take in a report. One that is older than what is known of this boot only adds its log lines."""
    job = _find_reported_job(session, machine, report)
    secrets = [] if job is None else list(vault.resolve(session, job.secret_names).values())
    _store_lines(session, machine, boot, job, report.log, secrets)
    is_newer = report.number > boot.report_number
    if is_newer:
        boot.report_number = report.number
        if report.inventory is not None:
            store_inventory(session, machine, report.inventory)
    if job is not None and is_newer and job.handed_to.partition(":")[0] == str(boot.id):
        _apply_state(session, job, boot, report, secrets, pxe_directory)
    session.touch(f"machine:{machine.id}")
    if job is not None:
        session.touch(f"job:{job.id}")
    return v2.Receipt(
        number=report.number,
        log_next=boot.log_next,
        cancel=job is not None and (job.cancel_requested or job.state == State.CANCELLED),
    )


def _find_reported_job(session: Session, machine: Machine, report: v2.Report) -> Job | None:
    if report.job_id is None or not report.job_id.isdigit():
        return None
    query = select(Job).where(Job.id == int(report.job_id), Job.machine_id == machine.id)
    return session.scalar(query.with_for_update(of=Job))


def _apply_state(
    session: WriteSession, job: Job, boot: Boot, report: v2.Report, secrets: list[str], pxe_directory: Path
) -> None:
    event = read_event(
        report.state,
        mode=job.mode,
        installer_expected=bool(job.pxe_file) and job.pxe_reports,
        cancel_requested=job.cancel_requested,
    )
    allowed = event is not None and find_next(State(job.state), event) is not None
    if not allowed and report.state != job.said:
        return
    snapshot = msgspec.to_builtins(report)
    del snapshot["log"], snapshot["inventory"]
    job.report = mask(snapshot, secrets)
    job.said = report.state.value
    if report.state is v2.JobState.SUCCEEDED and job.reboot:
        boot.closing = True
    if allowed and event is not None:
        message = str(mask(report.message, secrets)) if report.state in v2.TERMINAL else ""
        move(session, job, event, pxe_directory=pxe_directory, message=message)


def _store_lines(
    session: Session,
    machine: Machine,
    boot: Boot,
    job: Job | None,
    lines: list[v2.LogLine],
    secrets: list[str],
) -> None:
    """Store what is not stored yet; a line is known by its boot and number."""
    if not lines:
        return
    numbers = {line.n for line in lines}
    query = select(LogLine.n).where(LogLine.boot_pk == boot.id, LogLine.n.in_(numbers))
    stored = {n for n in session.scalars(query) if n is not None} if min(numbers) < boot.log_next else set()
    for line in sorted(lines, key=lambda line: line.n):
        if line.n in stored:
            continue
        stored.add(line.n)
        row = LogLine(
            machine_id=machine.id,
            job_id=job.id if job is not None else None,
            boot_pk=boot.id,
            n=line.n,
            at=line.at[:40],
            level=line.level[:20],
            text=str(mask(line.text, secrets))[:TEXT_MAX],
        )
        session.add(row)
    boot.log_next = max(boot.log_next, *(n + 1 for n in numbers))


def accept_mac(
    session: WriteSession, machine: Machine, job: Job, text: str, *, pxe_directory: Path, server_url: str
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
        session.after_commit(lambda: pxe_file.remove_pxe_files(pxe_directory, [old]))
    values = read_placeholders(machine, mac=mac, server_url=server_url)
    # Written before the commit: a file without its job is removed at the next start, a job that believes in
    # a file that is not there would reboot its machine into BootOS again.
    pxe_file.write_pxe_file(pxe_directory, name, pxe_file.render(job.pxe_content, values))
    if job.pxe_file != name:
        job.pxe_file = name
        add_line(session, job, f"the PXE file {name} was written from the PXE template {job.pxe_name}")
    touch(session, job)
    return v2.MacAccepted(pxe_file=name)


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


def cancel_job(session: WriteSession, job: Job, *, agent_heard: bool, pxe_directory: Path) -> None:
    """Cancel. A running job whose agent is heard of is asked to stop first; a second cancel does not wait."""
    state = State(job.state)
    if state in ENDED:
        raise ConflictError(f"job {job.id} has ended already: it is {state}")
    if state is State.RUNNING and agent_heard and not job.cancel_requested:
        job.cancel_requested = True
        add_line(session, job, "the operator cancelled; the agent stops after its present action")
        touch(session, job)
        return
    job.cancel_requested = True
    move(session, job, Event.CANCELLED, pxe_directory=pxe_directory, message="cancelled by the operator")


def count_lines(session: Session, job_id: int) -> int:
    return session.scalar(select(func.count()).select_from(LogLine).where(LogLine.job_id == job_id)) or 0


def _drop_pxe_files(session: WriteSession, machine_id: int, pxe_directory: Path) -> None:
    """Forget the machine's PXE files: its next boot comes to BootOS."""
    held = list(session.scalars(select(Job).where(Job.machine_id == machine_id, Job.pxe_file != "")))
    names = {job.pxe_file for job in held}
    for job in held:
        job.pxe_file = ""
    session.after_commit(lambda: pxe_file.remove_pxe_files(pxe_directory, names))


def delete_machine(session: WriteSession, machine: Machine, *, pxe_directory: Path) -> None:
    """Delete the machine, its jobs and logs; its PXE files go too."""
    _drop_pxe_files(session, machine.id, pxe_directory)
    topics = [
        f"job:{number}" for number in session.scalars(select(Job.id).where(Job.machine_id == machine.id))
    ]
    session.delete(machine)
    session.touch(f"machine:{machine.id}", "machines", "jobs", *topics)
