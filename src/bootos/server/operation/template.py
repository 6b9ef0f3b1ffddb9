"""The stored templates: checked whole when they come in, kept as the operator wrote them. A job keeps a copy."""

import re
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.document import parse_document
from bootos.engine.drivername import find_driver_notes, find_driver_problems
from bootos.errors import BootosError, Problem, Problems, ProblemsError
from bootos.server.context import Context
from bootos.server.fault import ConflictError, NotFoundError, UnusableError
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.setting import MachineSettings
from bootos.server.store.table import Template, read_clock
from bootos.server.store.vault import find_unknown
from bootos.server.view.template import Checked, ResolvedTemplate, TemplateView, view_template
from bootos.template.check import find_plain_passwords, find_secrets
from bootos.template.draft import Draft, check_draft
from bootos.template.inheritance import Find

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
FORMATS = ("yaml", "yml", "toml", "json")


class NewTemplate(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A template's text, and what it is written in: yaml, toml or json."""

    text: str
    format: str = "yaml"


def check_name(name: str, what: str) -> None:
    """Check that this can be a name: names appear in URLs and file names. `what` is what it would be the name of.
    Raises UnusableError."""
    if not NAME.fullmatch(name):
        raise UnusableError(
            f"{name!r} cannot be the name of a {what}",
            hint="use letters, digits, '_', '-' and '.', at most 100, starting with a letter or digit",
        )


def read_text(session: Session, text: str, format: str, *, stored: bool = False) -> Draft:
    """A template's text, parsed and checked, with everything that it inherits and every problem. Raises UnusableError
    when the format is none. `stored`: a key may stand twice, as it could when an earlier release took the text."""
    if format not in FORMATS:
        raise UnusableError(f"{format!r} is not a template format", hint="use yaml, toml or json")
    try:
        value = parse_document(text, format=format, name="the template", take_last=stored)
    except ProblemsError as cause:
        return Draft(document={}, problems=Problems(cause.problems))
    except BootosError as cause:
        return Draft(
            document={}, problems=Problems([Problem(path="", message=cause.message, hint=cause.hint)])
        )
    if not isinstance(value, dict):
        return Draft(
            document={},
            problems=Problems([Problem(path="", message="a template is a table of keys and values")]),
        )
    draft = check_draft(value, build_base_finder(session), known=MachineSettings.__struct_fields__)
    if draft.template is not None:
        draft.problems += find_plain_passwords(draft.template)
        draft.problems += find_driver_problems(draft.resolved)
    return draft


def check_template(context: Context, wanted: NewTemplate) -> Checked:
    """What a template would be if it were stored, with everything that is wrong with it; changes nothing. Raises
    UnusableError when its format is none."""
    with context.store.read() as session:
        draft = read_text(session, wanted.text, wanted.format)
        template = draft.template
        names = sorted(find_secrets(template)) if template is not None else []
        missing = find_unknown(session, names)
    return Checked(
        ok=not draft.problems,
        name=template.name if template is not None else str(draft.document.get("name") or ""),
        problems=draft.problems,
        notes=find_driver_notes(draft.resolved) if template is not None else [],
        secrets=names,
        missing_secrets=missing,
        bases=draft.bases,
        resolved=draft.resolved,
    )


def resolve_template(context: Context, name: str) -> ResolvedTemplate:
    """A stored template with everything that it inherits; changes nothing. Raises NotFoundError."""
    with context.store.read() as session:
        row = find_template(session, name)
        draft = read_text(session, row.text, row.format, stored=True)
    return ResolvedTemplate(
        name=row.name,
        version=row.version,
        bases=draft.bases,
        problems=draft.problems,
        resolved=draft.resolved,
    )


def build_base_finder(session: Session) -> Find:
    """A function that finds the document and version of a stored template by its name."""

    def find(name: str) -> tuple[dict[str, Any], int] | None:
        row = session.scalar(select(Template).where(Template.name == name))
        value = (
            parse_document(row.text, format=row.format, name=name, take_last=True)
            if row is not None
            else None
        )
        return (value, row.version) if row is not None and isinstance(value, dict) else None

    return find


def find_heirs(session: Session, name: str) -> list[str]:
    """The stored templates that name this one as a base."""
    heirs = []
    for row in session.scalars(select(Template).where(Template.name != name).order_by(Template.name)):
        document = parse_document(row.text, format=row.format, name=row.name, take_last=True)
        bases = document.get("base") or []
        if name in ([bases] if isinstance(bases, str) else bases):
            heirs.append(row.name)
    return heirs


def remove_template(context: Context, actor: Actor, name: str) -> None:
    """Remove a template. Raises NotFoundError, ConflictError when another template takes over from it."""
    with context.store.write() as session:
        row = find_template(session, name)
        heirs = find_heirs(session, name)
        if heirs:
            raise ConflictError(
                f"the template {name!r} is a base of {', '.join(heirs)}", hint="change or remove those first"
            )
        session.delete(row)
        record(session, actor, "template.delete", name)


def find_template(session: Session, name: str) -> Template:
    """The stored template. Raises NotFoundError."""
    row = session.scalar(select(Template).where(Template.name == name))
    if row is None:
        raise NotFoundError(f"there is no template {name!r}", hint="see bootos template list")
    return row


def put_template(context: Context, actor: Actor, name: str, wanted: NewTemplate) -> TemplateView:
    """Store a template under its own name; returns it, with a new version when its text is another one. Raises
    UnusableError with every problem."""
    with context.store.write() as session:
        row = _put(session, name, wanted.text, wanted.format)
        record(session, actor, "template.put", name, f"version {row.version}")
        return view_template(row)


def _put(session: Session, name: str, text: str, format: str) -> Template:
    check_name(name, "template")
    draft = read_text(session, text, format)
    template, problems = draft.template, draft.problems
    if template is not None and template.name != name:
        problems.complain("name", f"is {template.name!r}, but it is stored as {name!r}")
    if problems or template is None:
        raise UnusableError(f"the template {name!r} has {len(problems)} problem(s)", problems=problems)
    row = session.scalar(select(Template).where(Template.name == name))
    if row is None:
        row = Template(name=name, description=template.description, format=format, text=text)
        session.add(row)
    elif (row.text, row.format) != (text, format):
        row.text, row.format, row.description = text, format, template.description
        row.version += 1
        row.updated_at = read_clock()
    session.flush()
    return row
