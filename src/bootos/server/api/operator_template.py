"""The operator's calls about templates, PXE templates and secrets."""

import msgspec
from litestar import delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from bootos.server.api.note import Caller, note
from bootos.server.context import Context
from bootos.server.operation import template as templates
from bootos.server.operation.pxe_template import find_pxe_template, put_pxe_template
from bootos.server.store import vault
from bootos.server.view import template as shown
from bootos.server.view.template import (
    Checked,
    PxeTemplateView,
    ResolvedTemplate,
    SecretView,
    TemplateView,
    view_pxe_template,
    view_template,
)
from bootos.template.check import find_secrets


class NewTemplate(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    text: str
    format: str = "yaml"


class NewPxeTemplate(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    content: str
    answer: str = ""
    reports: bool = True


class NewSecret(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    value: str


def build_template_calls(context: Context) -> list[HTTPRouteHandler]:
    """`/templates`, `/pxe-templates` and `/secrets`."""
    store = context.store

    @get("/templates", sync_to_thread=True)
    def list_templates() -> list[TemplateView]:
        with store.read() as session:
            return shown.list_templates(session)

    @post("/templates/check", sync_to_thread=True, status_code=200)
    def check_template(data: JSONBody[NewTemplate]) -> Checked:
        with store.read() as session:
            draft = templates.read_text(session, data.text, data.format)
            template = draft.template
            names = sorted(find_secrets(template)) if template is not None else []
            missing = vault.find_unknown(session, names)
        return Checked(
            ok=not draft.problems,
            name=template.name if template is not None else str(draft.document.get("name") or ""),
            problems=draft.problems,
            secrets=names,
            missing_secrets=missing,
            bases=draft.bases,
            resolved=draft.resolved,
        )

    @get("/templates/{name:str}/resolved", sync_to_thread=True)
    def show_resolved(name: FromPath[str]) -> ResolvedTemplate:
        with store.read() as session:
            row = templates.find_template(session, name)
            draft = templates.read_text(session, row.text, row.format)
        return ResolvedTemplate(
            name=row.name,
            version=row.version,
            bases=draft.bases,
            problems=draft.problems,
            resolved=draft.resolved,
        )

    @get("/templates/{name:str}", sync_to_thread=True)
    def show_template(name: FromPath[str]) -> TemplateView:
        with store.read() as session:
            return view_template(templates.find_template(session, name), with_text=True)

    @put("/templates/{name:str}", sync_to_thread=True)
    def put_template(name: FromPath[str], data: JSONBody[NewTemplate], request: Caller) -> TemplateView:
        with store.write() as session:
            row = templates.put_template(session, name, data.text, data.format)
            note(session, request, "template.put", name, f"version {row.version}")
            return view_template(row)

    @delete("/templates/{name:str}", sync_to_thread=True, status_code=204)
    def delete_template(name: FromPath[str], request: Caller) -> None:
        with store.write() as session:
            templates.remove_template(session, name)
            note(session, request, "template.delete", name)

    @get("/pxe-templates", sync_to_thread=True)
    def list_pxe_templates() -> list[PxeTemplateView]:
        with store.read() as session:
            return shown.list_pxe_templates(session)

    @get("/pxe-templates/{name:str}", sync_to_thread=True)
    def show_pxe_template(name: FromPath[str]) -> PxeTemplateView:
        with store.read() as session:
            return view_pxe_template(find_pxe_template(session, name), with_text=True)

    @put("/pxe-templates/{name:str}", sync_to_thread=True)
    def put_pxe(name: FromPath[str], data: JSONBody[NewPxeTemplate], request: Caller) -> PxeTemplateView:
        with store.write() as session:
            row = put_pxe_template(session, name, data.content, data.answer, data.reports)
            note(session, request, "pxe.put", name, f"version {row.version}")
            return view_pxe_template(row)

    @delete("/pxe-templates/{name:str}", sync_to_thread=True, status_code=204)
    def delete_pxe(name: FromPath[str], request: Caller) -> None:
        with store.write() as session:
            session.delete(find_pxe_template(session, name))
            note(session, request, "pxe.delete", name)

    @get("/secrets", sync_to_thread=True)
    def list_secrets() -> list[SecretView]:
        with store.read() as session:
            return shown.list_secrets(session)

    @put("/secrets/{name:str}", sync_to_thread=True, status_code=204)
    def put_secret(name: FromPath[str], data: JSONBody[NewSecret], request: Caller) -> None:
        templates.check_name(name, "secret")
        with store.write() as session:
            is_new = context.vault.put(session, name, data.value)
            note(session, request, "secret.set", name, "new" if is_new else "changed")

    @delete("/secrets/{name:str}", sync_to_thread=True, status_code=204)
    def delete_secret(name: FromPath[str], request: Caller) -> None:
        with store.write() as session:
            vault.remove_secret(session, name)
            note(session, request, "secret.remove", name)

    return [
        list_templates,
        check_template,
        show_resolved,
        show_template,
        put_template,
        delete_template,
        list_pxe_templates,
        show_pxe_template,
        put_pxe,
        delete_pxe,
        list_secrets,
        put_secret,
        delete_secret,
    ]
