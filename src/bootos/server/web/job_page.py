"""The pages of the jobs: all of them, and each with its log and what may be done with it. Used by `pages`."""

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from bootos.server.auth import Caller, read_actor
from bootos.server.context import Context
from bootos.server.fault import NotFoundError
from bootos.server.operation import job as operation
from bootos.server.operation import support
from bootos.server.operation.approval import approve_plan
from bootos.server.parameter import Before, RowId
from bootos.server.store.job import find_job
from bootos.server.view import job as view
from bootos.server.view.job import BATCH, list_certificates, list_last_lines, view_job_detail
from bootos.server.web.render import Form, Page, Pages

LOG_LINES = 1000  # shown on a job's page, which has a link to all lines


def build_job_pages(context: Context, pages: Pages) -> list[HTTPRouteHandler]:
    """The handlers of `/jobs`, and of adding what a job showed to the support list."""
    store, most = context.store, context.settings.limits.page_rows

    @post("/jobs/{job_id:int}/support", sync_to_thread=True)
    def add_support(request: Caller, job_id: RowId, data: Form) -> Redirect:
        pages.check_form(request, data)
        support.add_support_from_job(context, read_actor(request, "web"), support.LineFromJob(job=job_id))
        return Redirect("/support", status_code=303)

    @get("/jobs", sync_to_thread=True)
    def list_jobs(request: Caller, after: Before = 0) -> Page:
        with store.read() as session:
            rows = view.list_jobs(session, limit=most, after=after)
        following = rows[-1].id if len(rows) == most else None
        return pages.render(request, "jobs.html", jobs=rows, after=after, following=following)

    @get("/jobs/{job_id:int}", sync_to_thread=True)
    def show_job(request: Caller, job_id: RowId) -> Page:
        with store.read() as session:
            job = view_job_detail(session, find_job(session, job_id))
            lines = list_last_lines(session, job_id, LOG_LINES)
        last = lines[-1].seq if lines else 0
        return pages.render(
            request,
            "job.html",
            job=job,
            certificates=list_certificates(job.report),
            lines=lines,
            last=last,
            is_cut=len(lines) == LOG_LINES,
            batch=BATCH,
        )

    @get("/parts/jobs/{job_id:int}", sync_to_thread=True)
    def job_part(request: Caller, job_id: RowId) -> Page:
        with store.read() as session:
            job = view_job_detail(session, find_job(session, job_id))
        certificates = list_certificates(job.report)
        return pages.render(request, "job_part.html", job=job, certificates=certificates)

    @get("/jobs/{job_id:int}/certificates.json", sync_to_thread=True)
    def read_certificates(job_id: RowId) -> Response[bytes]:
        with store.read() as session:
            found = (find_job(session, job_id).report or {}).get("certificates") or []
        if not found:
            raise NotFoundError(f"job {job_id} has no erase certificate")
        headers = {
            "Content-Disposition": f'attachment; filename="certificates-{job_id}.json"',
            "X-Content-Type-Options": "nosniff",
        }
        content = msgspec.json.format(msgspec.json.encode(found), indent=2)
        return Response(content=content, media_type="application/json", headers=headers)

    @post("/jobs/{job_id:int}/approve", sync_to_thread=True)
    def approve_job(request: Caller, job_id: RowId, data: Form) -> Redirect:
        pages.check_form(request, data)
        job = approve_plan(context, read_actor(request, "web"), job_id)
        return Redirect(f"/jobs/{job.id}", status_code=303)

    @post("/jobs/{job_id:int}/cancel", sync_to_thread=True)
    def cancel_job(request: Caller, job_id: RowId, data: Form) -> Redirect:
        pages.check_form(request, data)
        operation.cancel_job(context, read_actor(request, "web"), job_id)
        return Redirect(f"/jobs/{job_id}", status_code=303)

    return [add_support, list_jobs, show_job, job_part, read_certificates, approve_job, cancel_job]
