"""The operator's calls about templates, PXE templates and secrets."""

import msgspec
from litestar import delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from bootos.server.auth import Caller, read_actor
from bootos.server.context import Context
from bootos.server.operation import pxe_template, secret, template
from bootos.server.operation.pxe_template import NewPxeTemplate, find_pxe_template
from bootos.server.operation.template import NewTemplate, find_template
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


class NewSecret(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The value as it is to be used, line ends and all."""

    value: str


def build_template_calls(context: Context) -> list[HTTPRouteHandler]:
    """The handlers of `/templates`, `/pxe-templates` and `/secrets`."""
    store = context.store

    @get("/templates", sync_to_thread=True)
    def list_templates() -> list[TemplateView]:
        with store.read() as session:
            return shown.list_templates(session)

    @post("/templates/check", sync_to_thread=True, status_code=200)
    def check_template(data: JSONBody[NewTemplate]) -> Checked:
        return template.check_template(context, data)

    @get("/templates/{name:str}/resolved", sync_to_thread=True)
    def show_resolved(name: FromPath[str]) -> ResolvedTemplate:
        return template.resolve_template(context, name)

    @get("/templates/{name:str}", sync_to_thread=True)
    def show_template(name: FromPath[str]) -> TemplateView:
        with store.read() as session:
            return view_template(find_template(session, name), with_text=True)

    @put("/templates/{name:str}", sync_to_thread=True)
    def put_template(name: FromPath[str], data: JSONBody[NewTemplate], request: Caller) -> TemplateView:
        return template.put_template(context, read_actor(request), name, data)

    @delete("/templates/{name:str}", sync_to_thread=True, status_code=204)
    def delete_template(name: FromPath[str], request: Caller) -> None:
        template.remove_template(context, read_actor(request), name)

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
        return pxe_template.put_pxe_template(context, read_actor(request), name, data)

    @delete("/pxe-templates/{name:str}", sync_to_thread=True, status_code=204)
    def delete_pxe(name: FromPath[str], request: Caller) -> None:
        pxe_template.remove_pxe_template(context, read_actor(request), name)

    @get("/secrets", sync_to_thread=True)
    def list_secrets() -> list[SecretView]:
        with store.read() as session:
            return shown.list_secrets(session)

    @put("/secrets/{name:str}", sync_to_thread=True, status_code=204)
    def put_secret(name: FromPath[str], data: JSONBody[NewSecret], request: Caller) -> None:
        secret.put_secret(context, read_actor(request), name, data.value)

    @delete("/secrets/{name:str}", sync_to_thread=True, status_code=204)
    def delete_secret(name: FromPath[str], request: Caller) -> None:
        secret.remove_secret(context, read_actor(request), name)

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
