"""The web pages: rendered here, live through server-sent events, usable without JavaScript.

A login (the operator token) sets a cookie that no script can read and no other site can send; forms carry a
token derived from it. Every text of a machine or an operator is escaped by the templates.
"""

from typing import Any
from urllib.parse import urlencode

import jinja2
from litestar import Request, Response, Router, get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect
from sqlalchemy import select

from bootos import __version__
from bootos.server import auth
from bootos.server.api import stream
from bootos.server.auth import Caller, read_actor
from bootos.server.context import Context
from bootos.server.fault import ForbiddenError, RequestError
from bootos.server.operation import job as operation
from bootos.server.operation import support
from bootos.server.operation.approval import approve_plan
from bootos.server.operation.claim import acknowledge_claims
from bootos.server.operation.job import NewJob
from bootos.server.operation.pxe_template import find_pxe_template
from bootos.server.operation.template import find_template
from bootos.server.store.job import find_job
from bootos.server.store.machine import find_machine, find_machines
from bootos.server.store.support import read_lines
from bootos.server.store.table import Job, PxeTemplate, Template
from bootos.server.view import template as shown_templates
from bootos.server.view.audit import list_audit
from bootos.server.view.job import list_last_lines, view_job, view_job_detail
from bootos.server.view.machine import view_machine_detail, view_machines
from bootos.server.view.support import view_support
from bootos.server.view.template import view_pxe_template, view_template
from bootos.server.web import shown
from bootos.server.web.image_pages import build_image_pages
from bootos.wire.password import ScriptMasker
from bootos.wire.plantext import describe_plan, format_cost

LOG_LINES = 1000  # of a job, on its page; all of them are one link away
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
    """Templates that escape everything and stumble over a missing name."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bootos.server.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"size": shown.show_size, "moment": shown.show_moment, "age": shown.show_age}
    environment.globals |= {"version": __version__, "machine_path": shown.machine_path}
    environment.globals |= {"format_cost": format_cost, "describe_plan": describe_plan}
    return environment


def safe_next(path: str) -> str:
    """Where to go after the login: only a path of this server."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


class Pages:
    """Renders; knows who is logged in."""

    def __init__(self, context: Context) -> None:
        self.token = context.operator_token
        self._environment = build_environment()

    def is_logged_in(self, request: Caller) -> bool:
        return auth.is_cookie_valid(self.token, request.cookies.get(auth.COOKIE))

    def form_token(self, request: Caller) -> str:
        return auth.sign(self.token, "form", request.cookies.get(auth.COOKIE, ""))

    def check_form(self, request: Caller, form: dict[str, str]) -> None:
        """Raises ForbiddenError when the form was not rendered by this server for this login."""
        if not auth.is_same(form.get("form_token", ""), self.form_token(request)):
            raise ForbiddenError(
                "this form is too old", hint="go back, load the page again, and send it again"
            )

    def render(self, request: Caller, name: str, status: int = 200, **values: Any) -> Page:
        template = self._environment.get_template(name)
        body = template.render(
            logged_in=self.is_logged_in(request),
            form_token=self.form_token(request),
            path=request.url.path,
            **values,
        )
        return Response(body, status_code=status, media_type="text/html", headers=HEADERS)

    def render_fault(self, request: Caller, status: int, fault: Any) -> Page:
        return self.render(request, "fault.html", status=status, fault=fault)

    def guard(self, request: Caller) -> Redirect | None:
        """Before every page: to the login, unless that is where the request goes."""
        if self.is_logged_in(request) or request.url.path.startswith(FREE):
            return None
        if request.method != "GET":
            return Redirect("/login", status_code=303)
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return Redirect(f"/login?{urlencode({'next': wanted})}", status_code=303)


def build_web_router(context: Context, pages: Pages) -> Router:
    """All pages."""
    store = context.store

    @get("/login", sync_to_thread=False)
    def show_login(request: Caller, next: FromQuery[str] = "/") -> Page:
        return pages.render(request, "login.html", next=safe_next(next), wrong=False)

    @post("/login", sync_to_thread=False, status_code=200)
    def log_in(request: Caller, data: Form) -> Response[Any]:
        target = safe_next(data.get("next", "/"))
        if not auth.is_same(data.get("token", "").strip(), pages.token):
            return pages.render(request, "login.html", status=403, next=target, wrong=True)
        cookie = Cookie(
            auth.COOKIE,
            value=auth.build_cookie(pages.token),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
            max_age=auth.COOKIE_AGE_S,
        )
        return Redirect(target, status_code=303, cookies=[cookie])

    @post("/logout", sync_to_thread=False)
    def log_out(request: Caller, data: Form) -> Redirect:
        pages.check_form(request, data)
        gone = Cookie(auth.COOKIE, value="", max_age=0, httponly=True, samesite="strict")
        return Redirect("/login", status_code=303, cookies=[gone])

    def machine_rows(text: str) -> dict[str, Any]:
        with store.read() as session:
            rows = view_machines(context, session, find_machines(session, text))
        return {"machines": rows, "text": text}

    @get("/", sync_to_thread=True)
    def list_machines(request: Caller, q: FromQuery[str] = "") -> Page:
        return pages.render(request, "machines.html", **machine_rows(q))

    @get("/parts/machines", sync_to_thread=True)
    def machines_part(request: Caller, q: FromQuery[str] = "") -> Page:
        return pages.render(request, "machines_part.html", **machine_rows(q))

    def machine_values(word: str) -> dict[str, Any]:
        with store.read() as session:
            machine = view_machine_detail(context, session, find_machine(session, word))
            query = select(Job).where(Job.machine_id == machine.id).order_by(Job.id.desc()).limit(50)
            return {
                "machine": machine,
                "jobs": [view_job(job) for job in session.scalars(query)],
                "templates": list(session.scalars(select(Template.name).order_by(Template.name))),
                "pxe_templates": list(session.scalars(select(PxeTemplate.name).order_by(PxeTemplate.name))),
                "inventory": shown.read_inventory(machine.inventory),
                "require_approval": context.settings.require_approval,
            }

    @get("/machines/{word:str}", sync_to_thread=True)
    def show_machine(request: Caller, word: FromPath[str]) -> Page:
        return pages.render(request, "machine.html", **machine_values(word), fault=None, given={})

    @post("/machines/{word:str}/jobs", sync_to_thread=True)
    def create_job(request: Caller, word: FromPath[str], data: Form) -> Response[Any]:
        pages.check_form(request, data)
        try:
            wanted = NewJob(
                machine=word,
                template=data.get("template", ""),
                pxe=data.get("pxe", ""),
                mode="plan" if data.get("mode") == "plan" else "apply",
                skip_hardware=data.get("skip_hardware") == "yes",
                reboot=data.get("reboot") == "yes",
            )
            job = operation.create_job(context, read_actor(request, "web"), wanted, enrol=False)
        except RequestError as fault:
            values = machine_values(word)
            return pages.render(
                request, "machine.html", status=fault.status, **values, fault=fault, given=data
            )
        return Redirect(f"/jobs/{job.id}", status_code=303)

    @post("/machines/{word:str}/acknowledge", sync_to_thread=True)
    def acknowledge(request: Caller, word: FromPath[str], data: Form) -> Redirect:
        pages.check_form(request, data)
        machine = acknowledge_claims(context, read_actor(request, "web"), word)
        return Redirect(shown.machine_path(machine.id), status_code=303)

    @get("/support", sync_to_thread=True)
    def list_support(request: Caller) -> Page:
        with store.read() as session:
            rows = [view_support(row) for row in read_lines(session)]
        return pages.render(request, "support.html", rows=rows)

    @post("/jobs/{job_id:int}/support", sync_to_thread=True)
    def add_support(request: Caller, job_id: FromPath[int], data: Form) -> Redirect:
        pages.check_form(request, data)
        support.add_support_from_job(context, read_actor(request, "web"), support.LineFromJob(job=job_id))
        return Redirect("/support", status_code=303)

    @get("/jobs", sync_to_thread=True)
    def list_jobs(request: Caller) -> Page:
        with store.read() as session:
            rows = [view_job(job) for job in session.scalars(select(Job).order_by(Job.id.desc()).limit(200))]
        return pages.render(request, "jobs.html", jobs=rows)

    @get("/jobs/{job_id:int}", sync_to_thread=True)
    def show_job(request: Caller, job_id: FromPath[int]) -> Page:
        with store.read() as session:
            job = view_job_detail(find_job(session, job_id))
            lines = list_last_lines(session, job_id, LOG_LINES)
        last = lines[-1].seq if lines else 0
        return pages.render(
            request,
            "job.html",
            job=job,
            lines=lines,
            last=last,
            is_cut=len(lines) == LOG_LINES,
            batch=stream.BATCH,
        )

    @get("/parts/jobs/{job_id:int}", sync_to_thread=True)
    def job_part(request: Caller, job_id: FromPath[int]) -> Page:
        with store.read() as session:
            job = view_job_detail(find_job(session, job_id))
        return pages.render(request, "job_part.html", job=job)

    @post("/jobs/{job_id:int}/approve", sync_to_thread=True)
    def approve_job(request: Caller, job_id: FromPath[int], data: Form) -> Redirect:
        pages.check_form(request, data)
        job = approve_plan(context, read_actor(request, "web"), job_id)
        return Redirect(f"/jobs/{job.id}", status_code=303)

    @post("/jobs/{job_id:int}/cancel", sync_to_thread=True)
    def cancel_job(request: Caller, job_id: FromPath[int], data: Form) -> Redirect:
        pages.check_form(request, data)
        operation.cancel_job(context, read_actor(request, "web"), job_id)
        return Redirect(f"/jobs/{job_id}", status_code=303)

    @get("/templates", sync_to_thread=True)
    def list_templates(request: Caller) -> Page:
        with store.read() as session:
            rows = shown_templates.list_templates(session)
            pxe_rows = shown_templates.list_pxe_templates(session)
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

    @get("/audit", sync_to_thread=True)
    def show_audit(request: Caller) -> Page:
        with store.read() as session:
            rows = list_audit(session, 500)
        return pages.render(request, "audit.html", rows=rows)

    @get("/static/{name:str}", sync_to_thread=False)
    def static(name: FromPath[str]) -> Response[bytes]:
        return shown.read_static(name)

    return Router(
        "/",
        before_request=pages.guard,
        include_in_schema=False,
        route_handlers=[
            show_login,
            log_in,
            log_out,
            list_machines,
            machines_part,
            show_machine,
            create_job,
            acknowledge,
            list_support,
            add_support,
            list_jobs,
            show_job,
            job_part,
            approve_job,
            cancel_job,
            list_templates,
            show_template,
            show_pxe_template,
            show_audit,
            *build_image_pages(context, pages),
            static,
        ],
    )


def is_page(request: Request[Any, Any, Any]) -> bool:
    """Whether a person's browser waits for a page, and not a program for JSON."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(
        ("/api/", "/bootos/", "/schema")
    )
