"""The operator's API, `/api/operator`: JSON, described by OpenAPI under `/schema`. Needs the operator token.

Each call is one transaction and, when it changes something, one line of the audit log.
"""

from typing import Annotated, Any, Literal

import msgspec
from litestar import MediaType, Request, Response, Router, delete, get, post, put
from litestar.params import Parameter
from litestar.response import ServerSentEvent
from sqlalchemy import select

from bootos.errors import Problem
from bootos.server import audit, jobs, machines, support, templates, vault
from bootos.server.api import stream
from bootos.server.api.view import (
    AuditView,
    JobDetail,
    JobView,
    LogView,
    MachineDetail,
    MachineView,
    PxeTemplateView,
    SecretView,
    SupportView,
    TemplateView,
    view_audit,
    view_job,
    view_job_detail,
    view_machine,
    view_machine_detail,
    view_pxe_template,
    view_support,
    view_template,
)
from bootos.server.auth import OperatorGuard
from bootos.server.context import Context
from bootos.server.netboot import pxe_file
from bootos.server.pxe_templates import find_pxe_template, put_pxe_template
from bootos.server.store.table import Job, Machine, PxeTemplate, Secret, Support, Template

PREFIX = "/api/operator"
Caller = Request[Any, Any, Any]


class NewJob(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`machine` is an id or a serial number; a serial number not seen yet is enrolled, and the job waits."""

    machine: str
    template: str
    pxe: str = ""
    mode: Literal["apply", "plan"] = "apply"
    skip_hardware: bool = False
    reboot: bool = True


class NewTemplate(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    text: str
    format: str = "yaml"


class NewPxeTemplate(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    content: str
    answer: str = ""
    reports: bool = True


class NewSecret(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    value: str


class NewSupport(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    vendor: str
    product: str


class Checked(msgspec.Struct, kw_only=True):
    """`secrets` are those the template refers to, `missing_secrets` those of them that are not stored."""

    ok: bool
    name: str = ""
    problems: list[Problem] = []
    secrets: list[str] = []
    missing_secrets: list[str] = []


def read_actor(request: Caller) -> str:
    """Who says it: the CLI sends the user's login name. It is a note for the log, not a proof."""
    return request.headers.get("x-bootos-actor", "")[:100] or "operator"


def build_operator_router(context: Context) -> Router:
    """All operator calls, behind the token."""
    store, pxe_directory = context.store, context.settings.pxe_directory

    def note(session: Any, request: Caller, action: str, subject: object, detail: str = "") -> None:
        address = request.client.host if request.client else ""
        audit.record(session, action, str(subject), detail, actor=read_actor(request), address=address)

    @get("/machines", sync_to_thread=True)
    def list_machines() -> list[MachineView]:
        with store.read() as session:
            rows = session.scalars(select(Machine).order_by(Machine.sn_key))
            return [view_machine(context, session, row) for row in rows]

    @get("/machines/{word:str}", sync_to_thread=True)
    def show_machine(word: str) -> MachineDetail:
        with store.read() as session:
            return view_machine_detail(context, session, machines.find_machine(session, word))

    @delete("/machines/{word:str}", sync_to_thread=True, status_code=204)
    def delete_machine(word: str, request: Caller) -> None:
        with store.write() as session:
            machine = machines.find_machine(session, word)
            jobs.delete_machine(session, machine, pxe_directory=pxe_directory)
            session.after_commit(lambda: context.presence.forget(machine.id))
            note(session, request, "machine.delete", machine.sn)

    @put("/machines/{word:str}/settings", sync_to_thread=True)
    def set_machine(word: str, data: machines.MachineSettings, request: Caller) -> MachineDetail:
        with store.write() as session:
            machine = machines.find_or_enrol_word(session, word)
            machines.put_settings(session, machine, data)
            note(session, request, "machine.set", machine.sn)
            session.flush()
            return view_machine_detail(context, session, machine)

    @get("/templates", sync_to_thread=True)
    def list_templates() -> list[TemplateView]:
        with store.read() as session:
            return [view_template(row) for row in session.scalars(select(Template).order_by(Template.name))]

    @post("/templates/check", sync_to_thread=True, status_code=200)
    def check_template(data: NewTemplate) -> Checked:
        value, template, problems = templates.read_text(data.text, data.format)
        names = sorted(templates.find_secrets(value))
        with store.read() as session:
            missing = vault.find_unknown(session, names)
        name = template.name if template is not None else str(value.get("name") or "")
        return Checked(ok=not problems, name=name, problems=problems, secrets=names, missing_secrets=missing)

    @get("/templates/{name:str}", sync_to_thread=True)
    def show_template(name: str) -> TemplateView:
        with store.read() as session:
            return view_template(templates.find_template(session, name), with_text=True)

    @put("/templates/{name:str}", sync_to_thread=True)
    def put_template(name: str, data: NewTemplate, request: Caller) -> TemplateView:
        with store.write() as session:
            row = templates.put_template(session, name, data.text, data.format)
            note(session, request, "template.put", name, f"version {row.version}")
            return view_template(row)

    @delete("/templates/{name:str}", sync_to_thread=True, status_code=204)
    def delete_template(name: str, request: Caller) -> None:
        with store.write() as session:
            session.delete(templates.find_template(session, name))
            note(session, request, "template.delete", name)

    @get("/pxe-templates", sync_to_thread=True)
    def list_pxe_templates() -> list[PxeTemplateView]:
        with store.read() as session:
            rows = session.scalars(select(PxeTemplate).order_by(PxeTemplate.name))
            return [view_pxe_template(row) for row in rows]

    @get("/pxe-templates/{name:str}", sync_to_thread=True)
    def show_pxe_template(name: str) -> PxeTemplateView:
        with store.read() as session:
            return view_pxe_template(find_pxe_template(session, name), with_text=True)

    @put("/pxe-templates/{name:str}", sync_to_thread=True)
    def put_pxe(name: str, data: NewPxeTemplate, request: Caller) -> PxeTemplateView:
        with store.write() as session:
            row = put_pxe_template(session, name, data.content, data.answer, data.reports)
            note(session, request, "pxe.put", name, f"version {row.version}")
            return view_pxe_template(row)

    @delete("/pxe-templates/{name:str}", sync_to_thread=True, status_code=204)
    def delete_pxe(name: str, request: Caller) -> None:
        with store.write() as session:
            session.delete(find_pxe_template(session, name))
            note(session, request, "pxe.delete", name)

    @get("/secrets", sync_to_thread=True)
    def list_secrets() -> list[SecretView]:
        with store.read() as session:
            rows = session.scalars(select(Secret).order_by(Secret.name))
            return [SecretView(name=row.name, updated_at=row.updated_at) for row in rows]

    @put("/secrets/{name:str}", sync_to_thread=True, status_code=204)
    def put_secret(name: str, data: NewSecret, request: Caller) -> None:
        templates.check_name(name, "secret")
        with store.write() as session:
            is_new = context.vault.put(session, name, data.value)
            note(session, request, "secret.set", name, "new" if is_new else "changed")

    @delete("/secrets/{name:str}", sync_to_thread=True, status_code=204)
    def delete_secret(name: str, request: Caller) -> None:
        with store.write() as session:
            vault.remove_secret(session, name)
            note(session, request, "secret.remove", name)

    @get("/support", sync_to_thread=True)
    def list_support() -> list[SupportView]:
        with store.read() as session:
            rows = session.scalars(select(Support).order_by(Support.vendor, Support.product))
            return [view_support(row) for row in rows]

    @post("/support", sync_to_thread=True)
    def add_support(data: NewSupport, request: Caller) -> SupportView:
        with store.write() as session:
            row = support.add_support(session, data.vendor, data.product)
            note(session, request, "support.add", f"{row.vendor} / {row.product}")
            return view_support(row)

    @delete("/support/{line:int}", sync_to_thread=True, status_code=204)
    def delete_support(line: int, request: Caller) -> None:
        with store.write() as session:
            row = support.remove_support(session, line)
            note(session, request, "support.remove", f"{row.vendor} / {row.product}")

    @get("/jobs", sync_to_thread=True)
    def list_jobs(
        machine: str = "",
        in_state: Annotated[str, Parameter(query="state")] = "",
        limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
    ) -> list[JobView]:
        query = select(Job).order_by(Job.id.desc()).limit(limit)
        with store.read() as session:
            if machine:
                query = query.where(Job.machine_id == machines.find_machine(session, machine).id)
            if in_state:
                query = query.where(Job.state == in_state)
            return [view_job(row) for row in session.scalars(query)]

    @post("/jobs", sync_to_thread=True)
    def create_job(data: NewJob, request: Caller) -> JobDetail:
        with store.write() as session:
            job = jobs.create_job(
                session,
                machines.find_or_enrol_word(session, data.machine),
                template_name=data.template,
                pxe_name=data.pxe,
                mode=data.mode,
                skip_hardware=data.skip_hardware,
                reboot=data.reboot,
                created_by=read_actor(request),
            )
            note(session, request, "job.create", job.id, f"{job.machine.sn}: {job.mode} {job.template_name}")
            return view_job_detail(job)

    @get("/jobs/{job_id:int}", sync_to_thread=True)
    def show_job(job_id: int) -> JobDetail:
        with store.read() as session:
            return view_job_detail(jobs.find_job(session, job_id))

    @post("/jobs/{job_id:int}/cancel", sync_to_thread=True, status_code=200)
    def cancel_job(job_id: int, request: Caller) -> JobDetail:
        with store.write() as session:
            job = jobs.find_job(session, job_id)
            heard = context.presence.is_heard(job.machine_id, job.machine.last_heard_at)
            jobs.cancel_job(session, job, agent_heard=heard, pxe_directory=pxe_directory)
            note(session, request, "job.cancel", job.id, job.machine.sn)
            return view_job_detail(job)

    @get("/jobs/{job_id:int}/log", sync_to_thread=True)
    def read_log(
        job_id: int, after: int = 0, limit: Annotated[int, Parameter(ge=1, le=5000)] = 1000
    ) -> list[LogView]:
        with store.read() as session:
            jobs.find_job(session, job_id)
        return stream.read_lines(context, job_id, after, limit)

    @get("/jobs/{job_id:int}/log.txt", sync_to_thread=True, media_type=MediaType.TEXT)
    def read_log_text(job_id: int) -> str:
        with store.read() as session:
            jobs.find_job(session, job_id)
        lines: list[LogView] = []
        while more := stream.read_lines(context, job_id, lines[-1].seq if lines else 0):
            lines += more
        return "".join(f"{line.at} {line.level:7} {line.text}\n" for line in lines)

    @get("/jobs/{job_id:int}/events", sync_to_thread=True, media_type="text/event-stream")
    def follow_job(job_id: int, request: Caller, after: int = 0) -> Response[Any]:
        with store.read() as session:
            jobs.find_job(session, job_id)
        last = request.headers.get("last-event-id", "")
        start = max(after, int(last)) if last.isascii() and last.isdigit() else after
        return ServerSentEvent(
            stream.stream_job(context, job_id, start), headers={"Cache-Control": "no-store"}
        )

    @get("/audit", sync_to_thread=True)
    def read_audit(limit: Annotated[int, Parameter(ge=1, le=5000)] = 200) -> list[AuditView]:
        with store.read() as session:
            return [view_audit(row) for row in audit.read_audit(session, limit)]

    @get("/status", sync_to_thread=True)
    def status() -> dict[str, Any]:
        settings = context.settings
        names = sorted(path.name for path in pxe_directory.glob("01-*") if pxe_file.FILE.fullmatch(path.name))
        return {
            "public_url": context.public_url,
            "boot_files": {
                name: (settings.boot_files / name).is_file() for name in ("vmlinuz", "initrd.img")
            },
            "pxe_files": names,
        }

    return Router(
        PREFIX,
        guards=[OperatorGuard(context.operator_token)],
        tags=["operator"],
        route_handlers=[
            list_machines,
            show_machine,
            delete_machine,
            set_machine,
            list_templates,
            check_template,
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
            list_support,
            add_support,
            delete_support,
            list_jobs,
            create_job,
            show_job,
            cancel_job,
            read_log,
            read_log_text,
            follow_job,
            read_audit,
            status,
        ],
    )
