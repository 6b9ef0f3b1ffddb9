"""What the operator API answers: the server's rows as msgspec models, without anything secret. The CLI and the
web pages read these too. Times are ISO 8601 in UTC."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session, lazyload

from bootos.errors import Problem
from bootos.server.context import Context
from bootos.server.image.choice import Pin, choose_image
from bootos.server.image.versions import read_default, read_pins
from bootos.server.lifecycle import State, read_machine_state
from bootos.server.operation.approval import why_not_approvable
from bootos.server.operation.claim import open_claims
from bootos.server.operation.job import is_rebooting
from bootos.server.store.table import Audit, Job, LogLine, Mac, Machine, PxeTemplate, Support, Template
from bootos.server.support import Model, Verdict, judge, read_lines, read_model
from bootos.wire.password import find_secrets, mask_passwords


class Fault(msgspec.Struct, kw_only=True):
    """Every answer with a 4xx or 5xx status."""

    error: str
    hint: str = ""
    problems: list[Problem] = []
    retry_after_s: int | None = None


class MachineView(msgspec.Struct, kw_only=True):
    """`image_version`: what it booted last; `next_image`: what it gets next, by its own pin (`machine`), the pin of its
    `model`, or as the `default`."""

    id: int
    sn: str
    state: str
    vendor: str
    product: str
    address: str
    supported: bool
    bios_version: str
    bmc_version: str
    developer: bool
    protocol: int
    agent_version: str
    image_version: str
    next_image: str
    next_image_by: str
    active_job: int | None
    hostname: str
    registered_at: datetime | None
    last_heard_at: datetime | None
    claims: int


class MacView(msgspec.Struct, kw_only=True):
    mac: str
    bound: bool


class ClaimView(msgspec.Struct, kw_only=True):
    address: str
    boot_id: str
    first_at: datetime
    last_at: datetime
    count: int


class MachineDetail(MachineView, kw_only=True):
    """`why_unsupported`: what in the support list does not fit, and how to proceed."""

    why_unsupported: str
    macs: list[MacView]
    refused_claims: list[ClaimView]
    settings: dict[str, Any]
    variables: dict[str, Any]
    saved_at: datetime | None
    drivers: list[str]
    inventory: dict[str, Any] | None
    inventory_at: datetime | None
    jobs: list[int]


class TemplateView(msgspec.Struct, kw_only=True):
    name: str
    description: str
    format: str
    version: int
    updated_at: datetime
    text: str = ""


class PxeTemplateView(msgspec.Struct, kw_only=True):
    name: str
    version: int
    reports: bool
    updated_at: datetime
    content: str = ""
    answer: str = ""


class SecretView(msgspec.Struct, kw_only=True):
    name: str
    updated_at: datetime


class SupportView(msgspec.Struct, kw_only=True):
    """An empty `allow` allows everything."""

    id: int
    vendor: str
    product: str
    aliases: list[str]
    bios: str
    bmc: str
    allow: list[str]
    note: str


class JobView(msgspec.Struct, kw_only=True):
    id: int
    machine: int
    sn: str
    state: str
    mode: str
    template: str
    template_version: int
    pxe: str
    message: str
    attempt: int
    progress: float | None
    cancel_requested: bool
    developer: bool
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class JobDetail(JobView, kw_only=True):
    """`evidence`: whether the machine as it was before is kept, for the support list. `template_text` is what the
    operator wrote, `template_resolved` what the machine gets: with its `bases` and the machine's values. `plan_job`:
    the job whose approved plan this one carries out; `can_approve`: this one's plan can be approved."""

    evidence: bool
    plan_job: int | None
    can_approve: bool
    bases: list[dict[str, Any]]
    skip_hardware: bool
    reboot: bool
    pxe_file: str
    template_format: str
    template_text: str
    template_resolved: dict[str, Any]
    report: dict[str, Any] | None


class LogView(msgspec.Struct, kw_only=True):
    seq: int
    at: str
    level: str
    source: str
    text: str


class AuditView(msgspec.Struct, kw_only=True):
    at: datetime
    actor: str
    address: str
    action: str
    subject: str
    detail: str


def view_machines(context: Context, session: Session, rows: Sequence[Machine]) -> list[MachineView]:
    """Many machines, with a fixed number of queries."""
    lookup = _read_lookup(session, None)
    return [MachineView(**_machine_fields(context, row, lookup)) for row in rows]


class _Lookup(msgspec.Struct):
    """What a machine's view needs besides its row."""

    active: dict[int, Job]
    claims: dict[int, int]
    support: list[Support]
    pins: list[Pin]
    default: str
    verdicts: dict[Model, Verdict] = {}  # a thousand machines are of a few models

    def judge(self, machine: Machine) -> Verdict:
        model = read_model(machine)
        if model not in self.verdicts:
            self.verdicts[model] = judge(self.support, model)
        return self.verdicts[model]


def _read_lookup(session: Session, machine_id: int | None) -> _Lookup:
    active = select(Job).where(Job.ended_at.is_(None)).options(lazyload(Job.machine))
    if machine_id is not None:
        active = active.where(Job.machine_id == machine_id)
    claims: Counter[int] = Counter()
    for claim in session.scalars(open_claims(machine_id)):
        claims[claim.machine_id] += claim.count
    return _Lookup(
        active={job.machine_id: job for job in session.scalars(active)},
        claims=claims,
        support=read_lines(session),
        pins=read_pins(session),
        default=read_default(session),
    )


REBOOT_DEADLINE_S = (
    1800.0  # a BIOS that updates itself takes its time; a machine that is away for longer is lost
)


def _machine_fields(context: Context, row: Machine, lookup: _Lookup) -> dict[str, Any]:
    job = lookup.active.get(row.id)
    presence = context.legacy_presence if row.protocol == 1 else context.presence
    heard = presence.is_heard(row.id, row.last_heard_at)
    last_heard = presence.last_heard(row.id, row.last_heard_at)
    choice = choose_image(
        lookup.pins, lookup.default, machine_id=row.id, vendor=row.vendor, product=row.product
    )
    state = read_machine_state(
        registered=row.registered_at is not None,
        heard=heard,
        job=State(job.state) if job else None,
        rebooting=job is not None and is_rebooting(job) and presence.is_recent(last_heard, REBOOT_DEADLINE_S),
    )
    return {
        "id": row.id,
        "sn": row.sn,
        "state": state.value,
        "vendor": row.vendor,
        "product": row.product,
        "address": row.address,
        "supported": lookup.judge(row).ok,
        "bios_version": row.bios_version,
        "bmc_version": row.bmc_version,
        "developer": row.developer,
        "protocol": row.protocol,
        "agent_version": row.agent_version,
        "image_version": row.image_version,
        "next_image": choice.version,
        "next_image_by": choice.by,
        "active_job": job.id if job else None,
        "hostname": str(row.settings.get("hostname") or ""),
        "registered_at": row.registered_at,
        "last_heard_at": last_heard,
        "claims": lookup.claims.get(row.id, 0),
    }


def view_machine_detail(context: Context, session: Session, row: Machine) -> MachineDetail:
    macs = session.scalars(select(Mac).where(Mac.machine_id == row.id).order_by(Mac.mac))
    claims = session.scalars(open_claims(row.id))
    lookup = _read_lookup(session, row.id)
    verdict = lookup.judge(row)
    return MachineDetail(
        **_machine_fields(context, row, lookup),
        why_unsupported="" if verdict.ok or row.inventory is None else f"{verdict.reason}; {verdict.remedy}",
        macs=[MacView(mac=mac.mac, bound=mac.bound) for mac in macs],
        refused_claims=[
            ClaimView(
                address=claim.address,
                boot_id=claim.boot_id,
                first_at=claim.first_at,
                last_at=claim.last_at,
                count=claim.count,
            )
            for claim in claims
        ],
        settings=row.settings,
        variables=row.variables,
        saved_at=row.saved_at,
        drivers=row.drivers,
        inventory=row.inventory,
        inventory_at=row.inventory_at,
        jobs=list(session.scalars(select(Job.id).where(Job.machine_id == row.id).order_by(Job.id.desc()))),
    )


def view_template(row: Template, *, with_text: bool = False) -> TemplateView:
    return TemplateView(
        name=row.name,
        description=row.description,
        format=row.format,
        version=row.version,
        updated_at=row.updated_at,
        text=row.text if with_text else "",
    )


def view_pxe_template(row: PxeTemplate, *, with_text: bool = False) -> PxeTemplateView:
    return PxeTemplateView(
        name=row.name,
        version=row.version,
        reports=row.reports,
        updated_at=row.updated_at,
        content=row.content if with_text else "",
        answer=row.answer if with_text else "",
    )


def view_support(row: Support) -> SupportView:
    return SupportView(
        id=row.id,
        vendor=row.vendor,
        product=row.product,
        aliases=row.aliases,
        bios=row.bios,
        bmc=row.bmc,
        allow=row.allow,
        note=row.note,
    )


def _job_fields(row: Job) -> dict[str, Any]:
    return {
        "id": row.id,
        "machine": row.machine_id,
        "sn": row.machine.sn,
        "state": row.state,
        "mode": row.mode,
        "template": row.template_name,
        "template_version": row.template_version,
        "pxe": row.pxe_name,
        "message": row.message,
        "attempt": row.attempt,
        "progress": row.progress,
        "cancel_requested": row.cancel_requested,
        "developer": row.developer,
        "created_by": row.created_by,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
    }


def view_job(row: Job) -> JobView:
    return JobView(**_job_fields(row))


def view_job_detail(row: Job) -> JobDetail:
    return JobDetail(
        **_job_fields(row),
        evidence=row.inventory_before is not None,
        plan_job=row.plan_job,
        can_approve=not why_not_approvable(row),
        bases=row.bases,
        skip_hardware=row.skip_hardware,
        reboot=row.reboot,
        pxe_file=row.pxe_file,
        template_format=row.template_format,
        template_text=mask_passwords(row.template_text, find_secrets(row.template_text)),
        template_resolved=mask_plain(row.template),
        report=row.report,
    )


def mask_plain(value: Any, secrets: tuple[str, ...] | None = None) -> Any:
    """Plain values of a template without the passwords that stand in its scripts."""
    if secrets is None:
        secrets = find_secrets("\n".join(_walk_texts(value)))
    if isinstance(value, str):
        return mask_passwords(value, secrets)
    if isinstance(value, list):
        return [mask_plain(item, secrets) for item in value]
    return (
        {key: mask_plain(item, secrets) for key, item in value.items()} if isinstance(value, dict) else value
    )


def _walk_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _walk_texts(item)


def view_line(row: LogLine) -> LogView:
    return LogView(seq=row.seq, at=row.at, level=row.level, source=row.source, text=row.text)


def view_audit(row: Audit) -> AuditView:
    return AuditView(
        at=row.at,
        actor=row.actor,
        address=row.address,
        action=row.action,
        subject=row.subject,
        detail=row.detail,
    )
