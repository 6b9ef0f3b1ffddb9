"""The stored PXE templates: what a machine's per-MAC PXE file will hold, and its installer's answer file."""

import re

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.errors import Problem, Problems
from bootos.server.context import Context
from bootos.server.fault import NotFoundError, UnusableError
from bootos.server.netboot.pxe_file import PLACEHOLDERS
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.template import check_name
from bootos.server.store.table import PxeTemplate, read_clock
from bootos.server.view.template import PxeTemplateView, view_pxe_template


class NewPxeTemplate(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`reports`: the system it boots reports its progress; `answer`: the installer's answer file."""

    content: str
    answer: str = ""
    reports: bool = True


def find_problems(content: str) -> list[Problem]:
    """What would not work: an empty content, an unknown placeholder."""
    problems = Problems()
    if not content.strip():
        problems.complain("content", "is empty")
    for name in sorted(set(re.findall(r"(?<![$\w])\{([a-z_]+)\}", content)) - set(PLACEHOLDERS)):
        known = ", ".join("{" + word + "}" for word in PLACEHOLDERS)
        problems.complain("content", f"{{{name}}} is no placeholder", f"known: {known}")
    return problems


def find_pxe_template(session: Session, name: str) -> PxeTemplate:
    """The stored PXE template. Raises NotFoundError."""
    row = session.scalar(select(PxeTemplate).where(PxeTemplate.name == name))
    if row is None:
        raise NotFoundError(f"there is no PXE template {name!r}", hint="see bootos pxe list")
    return row


def put_pxe_template(context: Context, actor: Actor, name: str, wanted: NewPxeTemplate) -> PxeTemplateView:
    """Store a PXE template; returns it, with a new version when it is another one. Raises UnusableError with every
    problem."""
    with context.store.write() as session:
        row = _put(session, name, wanted.content, wanted.answer, wanted.reports)
        record(session, actor, "pxe.put", name, f"version {row.version}")
        return view_pxe_template(row)


def remove_pxe_template(context: Context, actor: Actor, name: str) -> None:
    """Remove a PXE template. Jobs keep their copies. Raises NotFoundError."""
    with context.store.write() as session:
        session.delete(find_pxe_template(session, name))
        record(session, actor, "pxe.delete", name)


def _put(session: Session, name: str, content: str, answer: str, reports: bool) -> PxeTemplate:
    """With line ends as LF."""
    check_name(name, "PXE template")
    problems = find_problems(content)
    if problems:
        raise UnusableError(f"the PXE template {name!r} has {len(problems)} problem(s)", problems=problems)
    content = content.replace("\r\n", "\n").strip()
    answer = answer.replace("\r\n", "\n")
    row = session.scalar(select(PxeTemplate).where(PxeTemplate.name == name))
    if row is None:
        row = PxeTemplate(name=name, content=content, answer=answer, reports=reports)
        session.add(row)
    elif (row.content, row.answer, row.reports) != (content, answer, reports):
        row.content, row.answer, row.reports = content, answer, reports
        row.version += 1
        row.updated_at = read_clock()
    session.flush()
    return row
