"""The pages of the templates and PXE templates. Used by `pages`."""

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from bootos.server.auth import Caller
from bootos.server.context import Context
from bootos.server.operation.pxe_template import find_pxe_template
from bootos.server.operation.template import find_template
from bootos.server.view import template as shown_templates
from bootos.server.view.template import list_pxe_templates, view_pxe_template, view_template
from bootos.server.web.render import Page, Pages
from bootos.wire.password import ScriptMasker


def build_template_pages(context: Context, pages: Pages) -> list[HTTPRouteHandler]:
    """The handlers of `/templates` and `/pxe-templates`."""
    store = context.store

    @get("/templates", sync_to_thread=True)
    def list_templates(request: Caller) -> Page:
        with store.read() as session:
            rows = shown_templates.list_templates(session)
            pxe_rows = list_pxe_templates(session)
        return pages.render(request, "templates.html", templates=rows, pxe_templates=pxe_rows)

    @get("/templates/{name:str}", sync_to_thread=True)
    def show_template(request: Caller, name: FromPath[str]) -> Page:
        with store.read() as session:
            row = view_template(find_template(session, name), with_text=True)
        return pages.render(
            request,
            "template.html",
            title=f"Template {row.name}",
            row=row,
            texts={"": ScriptMasker.of(row.text).text(row.text)},
        )

    @get("/pxe-templates/{name:str}", sync_to_thread=True)
    def show_pxe_template(request: Caller, name: FromPath[str]) -> Page:
        with store.read() as session:
            row = view_pxe_template(find_pxe_template(session, name), with_text=True)
        texts = {"PXE configuration": row.content, "Answer file": row.answer}
        return pages.render(request, "template.html", title=f"PXE template {row.name}", row=row, texts=texts)

    return [list_templates, show_template, show_pxe_template]
