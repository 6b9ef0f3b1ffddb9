"""The operator's calls about who is a machine: those that wait to be confirmed, and rules."""

from litestar import delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from bootos.server.api.paging import Rows, check_page
from bootos.server.auth import Caller, read_actor
from bootos.server.context import Context
from bootos.server.limit import FIXED
from bootos.server.operation import enrol_rule
from bootos.server.operation.confirmation import (
    Confirmation,
    Confirmed,
    Release,
    confirm_machines,
    release_machine,
)
from bootos.server.operation.enrol_rule import NewRule
from bootos.server.parameter import Before
from bootos.server.view import enrol_rule as shown
from bootos.server.view.enrol_rule import RuleView
from bootos.server.view.machine import MachineDetail, MachineView, list_waiting


def build_enrol_calls(context: Context) -> list[HTTPRouteHandler]:
    """The handlers of `/confirm`, `/machines/M/release` and `/enrol-rules`."""
    store = context.store

    @get("/confirm", sync_to_thread=True)
    def list_new(
        limit: Rows = FIXED.page_rows_most,
        after: Before = 0,
    ) -> list[MachineView]:
        check_page(limit)
        with store.read() as session:
            return list_waiting(context, session, limit=limit, after=after)

    @post("/confirm", sync_to_thread=True, status_code=200)
    def confirm(data: JSONBody[list[Confirmation]], request: Caller) -> Confirmed:
        return confirm_machines(context, read_actor(request), data)

    @post("/machines/{word:str}/release", sync_to_thread=True, status_code=200)
    def release(word: FromPath[str], data: JSONBody[Release], request: Caller) -> MachineDetail:
        return release_machine(context, read_actor(request), word, data)

    @get("/enrol-rules", sync_to_thread=True)
    def list_rules() -> list[RuleView]:
        with store.read() as session:
            return shown.list_rules(context, session)

    @post("/enrol-rules", sync_to_thread=True)
    def add_rule(data: JSONBody[NewRule], request: Caller) -> RuleView:
        return enrol_rule.add_rule(context, read_actor(request), data)

    @delete("/enrol-rules/{number:int}", sync_to_thread=True, status_code=204)
    def remove_rule(number: FromPath[int], request: Caller) -> None:
        enrol_rule.remove_rule(context, read_actor(request), number)

    return [list_new, confirm, release, list_rules, add_rule, remove_rule]
