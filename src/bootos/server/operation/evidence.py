"""The evidence of a run in developer mode, and the line of the support list that follows from it.

`jobs.keep_evidence` keeps the machine's inventory as it was before; with the job's template, report and log that is
what shows whether a model works. Called by the operator API and the web.
"""

from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.fault import ConflictError, UnusableError
from bootos.server.lifecycle import ENDED, State
from bootos.server.store.table import Job, LogLine
from bootos.server.support import NewLine, read_sections
from bootos.template.version import write_version
from bootos.wire.password import find_secrets, mask_passwords

GOOD = frozenset({State.DONE, State.INSTALLING})  # the agent's part ended well


class SeenModel(msgspec.Struct, kw_only=True):
    """The hardware as it was before the run."""

    vendor: str
    product: str
    bios: str
    bmc: str


class EvidenceLine(msgspec.Struct, kw_only=True):
    at: str
    level: str
    source: str
    text: str


class Evidence(msgspec.Struct, kw_only=True):
    """`configured` are the sections that the template asked for; `report` is the agent's last whole report."""

    job: int
    sn: str
    state: str
    message: str
    mode: str
    template: str
    template_version: int
    template_text: str
    configured: list[str]
    model: SeenModel
    inventory_before: dict[str, Any]
    inventory_now: dict[str, Any] | None
    report: dict[str, Any] | None
    log: list[EvidenceLine]


class LineFromJob(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the operator wants of the line; what is None is read from the evidence. `force`: though the job failed."""

    job: int
    force: bool = False
    aliases: list[str] = []
    bios: str | None = None
    bmc: str | None = None
    allow: list[str] | None = None


def read_seen(job: Job) -> SeenModel:
    """Raises UnusableError when there is no evidence."""
    inventory = job.inventory_before
    if inventory is None:
        raise UnusableError(
            f"job {job.id} has no evidence",
            hint="it is kept of jobs that configured a machine booted with DEVELOPER=1; "
            "name the model instead: bootos support add --vendor ... --product ...",
        )
    system, bios, bmc = (inventory.get(name) or {} for name in ("system", "bios", "bmc"))
    return SeenModel(
        vendor=system.get("vendor") or "",
        product=system.get("product") or "",
        bios=bios.get("version") or "",
        bmc=bmc.get("firmware") or "",
    )


def read_evidence(session: Session, job: Job) -> Evidence:
    """Everything that is known of the run. Raises UnusableError."""
    seen = read_seen(job)
    rows = session.scalars(select(LogLine).where(LogLine.job_id == job.id).order_by(LogLine.seq))
    return Evidence(
        job=job.id,
        sn=job.machine.sn,
        state=job.state,
        message=job.message,
        mode=job.mode,
        template=job.template_name,
        template_version=job.template_version,
        template_text=mask_passwords(job.template_text, find_secrets(job.template_text)),
        configured=read_sections(job.template),
        model=seen,
        inventory_before=job.inventory_before or {},
        inventory_now=job.machine.inventory,
        report=job.report,
        log=[EvidenceLine(at=row.at, level=row.level, source=row.source, text=row.text) for row in rows],
    )


def build_line(job: Job, wanted: LineFromJob) -> NewLine:
    """The line for this model: from the versions that it had on, for what was configured. Raises ConflictError."""
    seen = read_seen(job)
    state = State(job.state)
    configured = read_sections(job.template)
    if state not in ENDED and state is not State.INSTALLING:
        raise ConflictError(f"job {job.id} has not ended: it is {state}", hint="wait for its end")
    if job.mode == "plan" or not configured:
        raise ConflictError(
            f"job {job.id} configured nothing, so it shows nothing of the model",
            hint="run a template on it that configures what you want to support",
        )
    if state not in GOOD and not wanted.force:
        raise ConflictError(
            f"job {job.id} is {state}: {job.message}",
            hint=f"to add the model all the same: bootos support add --from-job {job.id} --force",
        )
    return NewLine(
        vendor=seen.vendor,
        product=seen.product,
        aliases=wanted.aliases,
        bios=wanted.bios if wanted.bios is not None else read_from(seen.bios),
        bmc=wanted.bmc if wanted.bmc is not None else read_from(seen.bmc),
        allow=configured if wanted.allow is None else wanted.allow,
    )


def read_from(version: str) -> str:
    """The range from a version on; any, when the machine did not tell its version."""
    word = write_version(version)
    return f">={word}" if word else ""


def build_note(job: Job) -> str:
    return f"from job {job.id}" + ("" if State(job.state) in GOOD else f", which is {job.state}")
