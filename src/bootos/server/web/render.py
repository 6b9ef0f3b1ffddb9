"""Renders pages: the templates, the headers of every page, who is logged in, and whether a form is one of ours.

A login (the operator token) sets a cookie that no script can read and no other site can send; forms carry a
token derived from it. Every text of a machine or an operator is escaped by the templates.
"""

import shlex
from typing import Any
from urllib.parse import urlencode

import jinja2
from litestar import Response
from litestar.params import URLEncodedBody
from litestar.response import Redirect

from bootos import __version__
from bootos.server import auth
from bootos.server.auth import Caller
from bootos.server.context import Context
from bootos.server.fault import ForbiddenError
from bootos.server.web import shown
from bootos.wire.plantext import describe_plan, format_cost

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
FREE = ("/login", "/static/")

Page = Response[str]
Form = URLEncodedBody[dict[str, str]]


def build_environment() -> jinja2.Environment:
    """An environment whose templates escape everything and stumble over a missing name."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bootos.server.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"size": shown.show_size, "moment": shown.show_moment, "age": shown.show_age}
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    environment.filters["shell"] = shlex.quote  # what stands in a command that is to be copied
    environment.globals |= {"version": __version__, "machine_path": shown.machine_path}
    environment.globals |= {"format_cost": format_cost, "describe_plan": describe_plan}
    return environment


def safe_next(path: str) -> str:
    """Where to go after the login: the path, if it is one of this server, else `/`."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


class Pages:
    """Renders; knows who is logged in."""

    def __init__(self, context: Context) -> None:
        self.token = context.operator_token
        self._environment = build_environment()

    def is_logged_in(self, request: Caller) -> bool:
        """Whether the request carries the cookie of a login."""
        return auth.is_cookie_valid(self.token, request.cookies.get(auth.COOKIE))

    def form_token(self, request: Caller) -> str:
        """What a form of this login carries: no other site can know it."""
        return auth.sign(self.token, "form", request.cookies.get(auth.COOKIE, ""))

    def check_form(self, request: Caller, form: dict[str, str]) -> None:
        """Check that the form was rendered by this server for this login. Raises ForbiddenError."""
        if not auth.is_same(form.get("form_token", ""), self.form_token(request)):
            raise ForbiddenError(
                "this form is too old", hint="go back, load the page again, and send it again"
            )

    def render(self, request: Caller, name: str, status: int = 200, **values: Any) -> Page:
        """A page made from the template of this name, with the headers of every page."""
        template = self._environment.get_template(name)
        body = template.render(
            logged_in=self.is_logged_in(request),
            form_token=self.form_token(request),
            path=request.url.path,
            **values,
        )
        return Response(body, status_code=status, media_type="text/html", headers=HEADERS)

    def render_fault(self, request: Caller, status: int, fault: Any) -> Page:
        """The page that says what is wrong."""
        return self.render(request, "fault.html", status=status, fault=fault)

    def guard(self, request: Caller) -> Redirect | None:
        """The redirect of a request that needs a login and has none; None: go on. Called before every page."""
        if self.is_logged_in(request) or request.url.path.startswith(FREE):
            return None
        if request.method != "GET":
            return Redirect("/login", status_code=303)
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return Redirect(f"/login?{urlencode({'next': wanted})}", status_code=303)


def is_page(request: Caller) -> bool:
    """Whether a person's browser waits for a page, and not a program for JSON."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(
        ("/api/", "/bootos/", "/schema")
    )
