"""The stored templates: checked whole when they come in, kept as the operator wrote them. A job keeps a copy."""

import re
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.document import parse_document
from bootos.errors import BootosError, Problem
from bootos.server.fault import NotFoundError, UnusableError
from bootos.server.store.table import Template, read_clock
from bootos.template import model
from bootos.template.check import find_plain_passwords, read_template

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
FORMATS = ("yaml", "yml", "toml", "json")


def check_name(name: str, what: str) -> None:
    """Names appear in URLs and file names. Raises UnusableError."""
    if not NAME.fullmatch(name):
        raise UnusableError(
            f"{name!r} cannot be the name of a {what}",
            hint="use letters, digits, '_', '-' and '.', at most 100, starting with a letter or digit",
        )


def read_text(text: str, format: str) -> tuple[dict[str, Any], model.Template | None, list[Problem]]:
    """Parse and check a template's text: (plain values, the model, all problems)."""
    if format not in FORMATS:
        raise UnusableError(f"{format!r} is not a template format", hint="use yaml, toml or json")
    try:
        value = parse_document(text, format=format, name="the template")
    except BootosError as cause:
        return {}, None, [Problem(path="", message=cause.message, hint=cause.hint)]
    if not isinstance(value, dict):
        return {}, None, [Problem(path="", message="a template is a table of keys and values")]
    template, problems = read_template(value)
    if template is not None:
        problems = [*problems, *find_plain_passwords(template)]
    return value, template, problems


def find_template(session: Session, name: str) -> Template:
    """The stored template. Raises NotFoundError."""
    row = session.scalar(select(Template).where(Template.name == name))
    if row is None:
        raise NotFoundError(f"there is no template {name!r}", hint="see bootos template list")
    return row


def put_template(session: Session, name: str, text: str, format: str) -> Template:
    """Store a template under its own name. Raises UnusableError with every problem."""
    check_name(name, "template")
    _, template, problems = read_text(text, format)
    if template is not None and template.name != name:
        problems.append(Problem(path="name", message=f"is {template.name!r}, but it is stored as {name!r}"))
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
