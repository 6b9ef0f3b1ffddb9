"""The web pages, put together: live through server-sent events, usable without JavaScript. Each noun has its module;
`render` knows how a page is made and who is logged in.
"""

from litestar import Response, Router, get
from litestar.params import FromPath

from bootos.server.auth import Caller
from bootos.server.context import Context
from bootos.server.parameter import Before
from bootos.server.view import support as view
from bootos.server.view.audit import list_audit
from bootos.server.view.health import list_limits, view_health
from bootos.server.web import shown
from bootos.server.web.enrol_page import build_enrol_pages
from bootos.server.web.image_page import build_image_pages
from bootos.server.web.job_page import build_job_pages
from bootos.server.web.login import build_login_pages
from bootos.server.web.machine_page import build_machine_pages
from bootos.server.web.render import Page, Pages
from bootos.server.web.template_page import build_template_pages


def build_web_router(context: Context, pages: Pages) -> Router:
    """The handlers of all pages; who is not logged in gets to the login."""
    store, most = context.store, context.settings.limits.page_rows

    @get("/support", sync_to_thread=True)
    def list_support(request: Caller) -> Page:
        with store.read() as session:
            rows = view.list_support(session)
        return pages.render(request, "support.html", rows=rows)

    @get("/audit", sync_to_thread=True)
    def show_audit(request: Caller, after: Before = 0) -> Page:
        with store.read() as session:
            rows = list_audit(session, most, after)
        following = rows[-1].id if len(rows) == most else None
        return pages.render(request, "audit.html", rows=rows, after=after, following=following)

    @get("/health", sync_to_thread=False)
    def show_health(request: Caller) -> Page:
        health = view_health(context)
        passed = [limit for limit in list_limits(context) if limit.passed]
        return pages.render(request, "health.html", sentences=health.sentences, limits=passed)

    @get("/static/{name:str}", sync_to_thread=False)
    def static(name: FromPath[str]) -> Response[bytes]:
        return shown.read_static(name)

    return Router(
        "/",
        before_request=pages.guard,
        include_in_schema=False,
        route_handlers=[
            *build_login_pages(pages),
            *build_machine_pages(context, pages),
            *build_enrol_pages(context, pages),
            *build_job_pages(context, pages),
            *build_template_pages(context, pages),
            *build_image_pages(context, pages),
            list_support,
            show_audit,
            show_health,
            static,
        ],
    )
