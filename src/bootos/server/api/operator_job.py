"""The operator's calls about jobs: make, watch, cancel."""

from typing import Annotated, Any

from litestar import MediaType, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, JSONBody, QueryParameter
from litestar.response import ServerSentEvent, Stream

from bootos.server.api import stream
from bootos.server.api.paging import Lines, Rows, check_lines, check_page
from bootos.server.auth import Caller, read_actor
from bootos.server.context import Context
from bootos.server.operation import job
from bootos.server.operation.approval import approve_plan
from bootos.server.operation.job import JobScripts, NewJob
from bootos.server.parameter import Before, Place, RowId
from bootos.server.store.job import find_job
from bootos.server.store.machine import find_machine
from bootos.server.view import evidence
from bootos.server.view import job as view
from bootos.server.view.job import JobDetail, JobView, LogView, view_job_detail


def build_job_calls(context: Context) -> list[HTTPRouteHandler]:
    """The handlers of `/jobs`."""
    store = context.store

    @get("/jobs", sync_to_thread=True)
    def list_jobs(
        machine: FromQuery[str] = "",
        in_state: Annotated[str, QueryParameter(name="state")] = "",
        limit: Rows = 100,
        after: Before = 0,
    ) -> list[JobView]:
        check_page(limit)
        with store.read() as session:
            machine_id = find_machine(session, machine).id if machine else None
            return view.list_jobs(session, limit=limit, machine_id=machine_id, state=in_state, after=after)

    @post("/jobs", sync_to_thread=True)
    def create_job(data: JSONBody[NewJob], request: Caller) -> JobDetail:
        return job.create_job(context, read_actor(request), data, enrol=True)

    @post("/jobs/scripts", sync_to_thread=True, status_code=200)
    def read_scripts(data: JSONBody[NewJob]) -> JobScripts:
        return job.read_scripts(context, data)

    @get("/jobs/{job_id:int}", sync_to_thread=True)
    def show_job(job_id: RowId) -> JobDetail:
        with store.read() as session:
            return view_job_detail(session, find_job(session, job_id))

    @get("/jobs/{job_id:int}/evidence", sync_to_thread=True)
    def read_evidence(job_id: RowId) -> evidence.Evidence:
        with store.read() as session:
            return evidence.read_evidence(session, find_job(session, job_id))

    @post("/jobs/{job_id:int}/approve", sync_to_thread=True)
    def approve_job(job_id: RowId, request: Caller) -> JobDetail:
        return approve_plan(context, read_actor(request), job_id)

    @post("/jobs/{job_id:int}/cancel", sync_to_thread=True, status_code=200)
    def cancel_job(job_id: RowId, request: Caller) -> JobDetail:
        return job.cancel_job(context, read_actor(request), job_id)

    @get("/jobs/{job_id:int}/log", sync_to_thread=True)
    def read_log(
        job_id: RowId,
        after: Place = 0,
        limit: Lines = 1000,
    ) -> list[LogView]:
        check_lines(limit)
        with store.read() as session:
            find_job(session, job_id)
        return stream.read_lines(context, job_id, after, limit)

    @get("/jobs/{job_id:int}/log.txt", sync_to_thread=True)
    def read_log_text(job_id: RowId) -> Stream:
        with store.read() as session:
            find_job(session, job_id)
        return Stream(stream.write_log(context, job_id), media_type=MediaType.TEXT)

    @get("/jobs/{job_id:int}/events", sync_to_thread=True, media_type="text/event-stream")
    def follow_job(job_id: RowId, request: Caller, after: Place = 0) -> Response[Any]:
        with store.read() as session:
            find_job(session, job_id)
        last = request.headers.get("last-event-id", "")
        start = max(after, int(last)) if last.isascii() and last.isdigit() else after
        return ServerSentEvent(
            stream.stream_job(context, job_id, start), headers={"Cache-Control": "no-store"}
        )

    return [
        list_jobs,
        create_job,
        read_scripts,
        show_job,
        read_evidence,
        approve_job,
        cancel_job,
        read_log,
        read_log_text,
        follow_job,
    ]
