"""The operator's API, `/api/operator`: JSON, described by OpenAPI under `/schema`. Needs the operator token.

Each call is one transaction and, when it changes something, one line of the audit log.
"""

from typing import Any

from litestar import Router, get, post
from litestar.params import JSONBody

from bootos.server.api.operator_ca import build_ca_calls
from bootos.server.api.operator_enrol import build_enrol_calls
from bootos.server.api.operator_image import build_image_calls
from bootos.server.api.operator_job import build_job_calls
from bootos.server.api.operator_machine import build_machine_calls
from bootos.server.api.operator_pool import build_pool_calls
from bootos.server.api.operator_template import build_template_calls
from bootos.server.api.paging import Lines, check_lines
from bootos.server.auth import Caller, OperatorGuard, read_actor
from bootos.server.body import build_json_request
from bootos.server.context import Context
from bootos.server.operation.retention import Removed, Wish, apply_retention
from bootos.server.parameter import Before
from bootos.server.view.audit import AuditView, list_audit
from bootos.server.view.health import HealthView, view_health

PREFIX = "/api/operator"


def build_operator_router(context: Context) -> Router:
    """The handlers of all operator calls, behind the token."""
    store, limits = context.store, context.settings.limits

    @get("/audit", sync_to_thread=True)
    def read_audit(limit: Lines = 200, after: Before = 0) -> list[AuditView]:
        check_lines(limit)
        with store.read() as session:
            return list_audit(session, limit, after)

    @get("/health", sync_to_thread=False)
    def read_health() -> HealthView:
        return view_health(context)

    @post("/retention", sync_to_thread=True, status_code=200)
    def remove_old(data: JSONBody[Wish], request: Caller) -> Removed:
        return apply_retention(context, read_actor(request), dry_run=data.dry_run)

    @get("/status", sync_to_thread=True)
    def status() -> dict[str, Any]:
        stock = context.shelf.stock
        default = context.shelf.find_directory(stock.default)
        return {
            "public_url": context.public_url,
            "image": stock.default,
            "boot_files": {
                name: default is not None and (default / name).is_file() for name in ("vmlinuz", "initrd.img")
            },
            "pxe_files": context.pxe.list_files(),
        }

    return Router(
        PREFIX,
        guards=[OperatorGuard(context.operator_token)],
        tags=["operator"],
        request_class=build_json_request(limits),
        request_max_body_size=limits.operator_body_bytes,
        opt={"limit": "operator_body_bytes"},
        route_handlers=[
            *build_machine_calls(context),
            *build_ca_calls(context),
            *build_enrol_calls(context),
            *build_template_calls(context),
            *build_pool_calls(context),
            *build_image_calls(context),
            *build_job_calls(context),
            read_audit,
            read_health,
            remove_old,
            status,
        ],
    )
