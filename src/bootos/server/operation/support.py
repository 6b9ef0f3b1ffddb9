"""Adds lines to the support list and removes them: by hand, or from the evidence of a job."""

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.errors import Problems
from bootos.server.context import Context
from bootos.server.fault import ConflictError, NotFoundError, UnusableError
from bootos.server.lifecycle import ENDED, State
from bootos.server.operation.audit import Actor, record
from bootos.server.store.job import find_job
from bootos.server.store.table import Job, Support
from bootos.server.support import SECTIONS, read_sections
from bootos.server.view.evidence import read_seen
from bootos.server.view.support import SupportView, view_support
from bootos.template.version import parse_range, write_version

GOOD = frozenset({State.DONE, State.INSTALLING})  # states of a job whose agent has succeeded


class NewLine(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A line as it is asked for. An empty `allow` allows everything."""

    vendor: str
    product: str
    aliases: list[str] = []
    bios: str = ""
    bmc: str = ""
    allow: list[str] = []


class LineFromJob(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the operator wants of the line; what is None is read from the evidence. `force`: though the job failed."""

    job: int
    force: bool = False
    aliases: list[str] = []
    bios: str | None = None
    bmc: str | None = None
    allow: list[str] | None = None


def add_support(context: Context, actor: Actor, wanted: NewLine) -> SupportView:
    """Add a line; returns it. Raises UnusableError with every problem, ConflictError (it is there)."""
    with context.store.write() as session:
        row = _add(session, wanted)
        record(session, actor, "support.add", f"{row.vendor} / {row.product}")
        return view_support(row)


def add_support_from_job(context: Context, actor: Actor, wanted: LineFromJob) -> SupportView:
    """Add the line that the evidence of a job gives; returns it. Raises NotFoundError, UnusableError (there is no
    evidence), ConflictError (it has not ended or shows nothing, or the line is there)."""
    with context.store.write() as session:
        job = find_job(session, wanted.job)
        row = _add(session, build_line(job, wanted), note=build_note(job))
        record(session, actor, "support.add", f"{row.vendor} / {row.product}", row.note)
        return view_support(row)


def remove_support(context: Context, actor: Actor, line_id: int) -> None:
    """Remove a line. Raises NotFoundError."""
    with context.store.write() as session:
        line = session.get(Support, line_id)
        if line is None:
            raise NotFoundError(f"the support list has no line {line_id}", hint="see bootos support list")
        session.delete(line)
        record(session, actor, "support.remove", f"{line.vendor} / {line.product}")


def _add(session: Session, wanted: NewLine, *, note: str = "") -> Support:
    vendor, product, bios, bmc = (
        " ".join(text.split()) for text in (wanted.vendor, wanted.product, wanted.bios, wanted.bmc)
    )
    aliases = [" ".join(alias.split()) for alias in wanted.aliases]
    problems = Problems()
    for path, text in (("vendor", vendor), ("product", product)):
        if not text:
            problems.complain(path, "is empty", "use * for any")
    for place, alias in enumerate(aliases):
        if not alias:
            problems.complain(f"aliases[{place}]", "is empty")
    for path, text in (("bios", bios), ("bmc", bmc)):
        problems.parse(path, parse_range, text, "as >=2.10 <3")
    for name in wanted.allow:
        if name not in SECTIONS:
            problems.complain("allow", f"{name!r} is nothing to configure", f"one of {', '.join(SECTIONS)}")
    if problems:
        raise UnusableError(f"the line has {len(problems)} problem(s)", problems=problems)
    same = select(Support).where(
        Support.vendor == vendor, Support.product == product, Support.bios == bios, Support.bmc == bmc
    )
    known = session.scalar(same)
    if known is not None:
        raise ConflictError(
            f"{vendor} / {product} is in the support list already, with the same versions: line {known.id}",
            hint=f"to change it, remove it first: bootos support remove {known.id}",
        )
    line = Support(
        vendor=vendor,
        product=product,
        aliases=list(dict.fromkeys(aliases)),
        bios=bios,
        bmc=bmc,
        allow=[name for name in SECTIONS if name in wanted.allow],
        note=note,
    )
    session.add(line)
    session.flush()
    return line


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
    """Where a line is from, for its note."""
    return f"from job {job.id}" + ("" if State(job.state) in GOOD else f", which is {job.state}")
