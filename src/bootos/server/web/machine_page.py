"""The pages of the machines: all of them, and each with what may be done with it. Used by `pages`."""

import re
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from bootos.server.auth import Caller, read_actor
from bootos.server.context import Context
from bootos.server.fault import ConflictError, RequestError
from bootos.server.operation import capture
from bootos.server.operation import job as operation
from bootos.server.operation.claim import acknowledge_claims
from bootos.server.operation.job import NewJob
from bootos.server.store.machine import count_machines, count_waiting, find_machine, find_machines
from bootos.server.view.job import list_jobs
from bootos.server.view.machine import view_machine_detail, view_machines
from bootos.server.view.template import list_pxe_template_names, list_template_names
from bootos.server.web import shown
from bootos.server.web.render import Form, Page, Pages

SHOWN_JOBS = 50  # shown on a machine's page


def build_machine_pages(context: Context, pages: Pages) -> list[HTTPRouteHandler]:
    """The handlers of `/`, which lists the machines, and of `/machines`."""
    store = context.store

    def machine_rows(text: str, after: str) -> dict[str, Any]:
        most = context.settings.limits.page_rows
        with store.read() as session:
            rows = view_machines(context, session, find_machines(session, text, after=after, limit=most))
            count, waiting = count_machines(session, text), count_waiting(session)
        is_whole = len(rows) < most or (not after and count == len(rows))
        following = "" if is_whole else rows[-1].sn
        shown = {"machines": rows, "text": text, "after": after, "count": count, "following": following}
        return {**shown, "waiting": waiting}

    @get("/", sync_to_thread=True)
    def list_machines(request: Caller, q: FromQuery[str] = "", after: FromQuery[str] = "") -> Page:
        return pages.render(request, "machines.html", **machine_rows(q, after))

    @get("/parts/machines", sync_to_thread=True)
    def machines_part(request: Caller, q: FromQuery[str] = "", after: FromQuery[str] = "") -> Page:
        return pages.render(request, "machines_part.html", **machine_rows(q, after))

    def machine_values(word: str) -> dict[str, Any]:
        with store.read() as session:
            machine = view_machine_detail(context, session, find_machine(session, word))
            return {
                "machine": machine,
                "jobs": list_jobs(session, limit=SHOWN_JOBS, machine_id=machine.id),
                "templates": list_template_names(session),
                "pxe_templates": list_pxe_template_names(session),
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

    @post("/machines/{word:str}/capture", sync_to_thread=True)
    def ask_capture(request: Caller, word: FromPath[str], data: Form) -> Response[Any]:
        pages.check_form(request, data)
        try:
            capture.ask_capture(context, read_actor(request, "web"), word)
        except ConflictError as fault:
            values = machine_values(word)
            return pages.render(request, "machine.html", status=fault.status, **values, fault=fault, given={})
        return Redirect(f"{shown.machine_path(machine_values(word)['machine'].id)}#capture", status_code=303)

    @get("/machines/{word:str}/capture.json.gz", sync_to_thread=True)
    def read_capture(word: FromPath[str]) -> Response[bytes]:
        found = capture.read_capture(context, word)
        name = re.sub(r"[^A-Za-z0-9._-]", "-", found.sn)
        headers = {
            "Content-Disposition": f'attachment; filename="capture-{name}.json.gz"',
            "X-Content-Type-Options": "nosniff",
        }
        return Response(content=found.data, media_type="application/gzip", headers=headers)

    return [list_machines, machines_part, show_machine, create_job, acknowledge, ask_capture, read_capture]
