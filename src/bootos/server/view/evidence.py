"""The evidence of a run in developer mode: the machine's inventory as it was before, with the job's template, report
and log. It shows whether a model works; `operation.support` makes a line of the support list from it.
"""

from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.fault import UnusableError
from bootos.server.store.table import Job, LogLine
from bootos.server.support import read_sections
from bootos.wire.password import ScriptMasker


class SeenModel(msgspec.Struct, kw_only=True):
    """The hardware as it was before the run."""

    vendor: str
    product: str
    bios: str
    bmc: str


class EvidenceLine(msgspec.Struct, kw_only=True):
    """A line of the run's log; `at` as the agent wrote it."""

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


def read_seen(job: Job) -> SeenModel:
    """The hardware as it was before the run. Raises UnusableError when there is no evidence."""
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
    """Everything that is known of the run, with its whole log. Raises UnusableError when there is no evidence."""
    seen = read_seen(job)
    lines = select(LogLine.at, LogLine.level, LogLine.source, LogLine.text).where(LogLine.job_id == job.id)
    return Evidence(
        job=job.id,
        sn=job.machine.sn,
        state=job.state,
        message=job.message,
        mode=job.mode,
        template=job.template_name,
        template_version=job.template_version,
        template_text=ScriptMasker.of(job.template_text).text(job.template_text),
        configured=read_sections(job.template),
        model=seen,
        inventory_before=job.inventory_before or {},
        inventory_now=job.machine.inventory,
        report=job.report,
        log=[
            EvidenceLine(at=row.at, level=row.level, source=row.source, text=row.text)
            for row in session.execute(lines.order_by(LogLine.seq))
        ],
    )
