"""Templates, PXE templates and the names of secrets, as they are shown."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from bootos.errors import Problem
from bootos.server.store.table import PxeTemplate, Secret, Template
from bootos.server.view.conversion import build_view
from bootos.template.inheritance import BaseTaken


class TemplateView(msgspec.Struct, kw_only=True):
    """A template; `text` is what the operator wrote, empty in lists."""

    name: str
    description: str
    format: str
    version: int
    updated_at: datetime
    text: str = ""


class PxeTemplateView(msgspec.Struct, kw_only=True):
    """A PXE template; `content` and `answer` are empty in lists."""

    name: str
    version: int
    reports: bool
    updated_at: datetime
    content: str = ""
    answer: str = ""


class SecretView(msgspec.Struct, kw_only=True):
    """That there is a secret of this name, and since when."""

    name: str
    updated_at: datetime


class Checked(msgspec.Struct, kw_only=True):
    """`secrets` are those the template refers to, `missing_secrets` those of them that are not stored.
    `resolved` is the template with everything that it inherits from `bases`. `notes`: what may be wrong, and only the
    machine can tell."""

    ok: bool
    name: str = ""
    problems: list[Problem] = []
    notes: list[Problem] = []
    secrets: list[str] = []
    missing_secrets: list[str] = []
    bases: list[BaseTaken] = []
    resolved: dict[str, Any] = {}


class ResolvedTemplate(msgspec.Struct, kw_only=True):
    """A stored template with everything that it inherits; placeholders are filled in when a job is made."""

    name: str
    version: int
    bases: list[BaseTaken]
    problems: list[Problem]
    resolved: dict[str, Any]


def view_template(row: Template, *, with_text: bool = False) -> TemplateView:
    """A template; its text only where it is asked for."""
    return build_view(TemplateView, row) if with_text else build_view(TemplateView, row, text="")


def list_templates(session: Session) -> list[TemplateView]:
    """All of them by name, without their texts."""
    return [
        view_template(row)
        for row in session.scalars(select(Template).options(defer(Template.text)).order_by(Template.name))
    ]


def list_template_names(session: Session) -> list[str]:
    """The names of all templates, sorted."""
    return list(session.scalars(select(Template.name).order_by(Template.name)))


def list_pxe_template_names(session: Session) -> list[str]:
    """The names of all PXE templates, sorted."""
    return list(session.scalars(select(PxeTemplate.name).order_by(PxeTemplate.name)))


def view_pxe_template(row: PxeTemplate, *, with_text: bool = False) -> PxeTemplateView:
    """A PXE template; its content and answer file only where they are asked for."""
    if with_text:
        return build_view(PxeTemplateView, row)
    return build_view(PxeTemplateView, row, content="", answer="")


def list_pxe_templates(session: Session) -> list[PxeTemplateView]:
    """All of them by name, without their texts."""
    query = select(PxeTemplate).options(defer(PxeTemplate.content), defer(PxeTemplate.answer))
    rows = session.scalars(query.order_by(PxeTemplate.name))
    return [view_pxe_template(row) for row in rows]


def list_secrets(session: Session) -> list[SecretView]:
    """The names by name; a value is never shown."""
    return [build_view(SecretView, row) for row in session.scalars(select(Secret).order_by(Secret.name))]
