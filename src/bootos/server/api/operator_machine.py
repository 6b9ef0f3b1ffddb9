"""The operator's calls about machines and the support list."""

from typing import Any

from litestar import Response, delete, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody

from bootos.server.api.paging import After, Limit, answer_list
from bootos.server.auth import Caller, read_actor
from bootos.server.context import Context
from bootos.server.operation import capture, removal, setting, support
from bootos.server.operation.claim import acknowledge_claims
from bootos.server.operation.renaming import NewName, rename_machine
from bootos.server.parameter import RowId
from bootos.server.store.machine import find_machine, find_machines, read_saved
from bootos.server.view import support as view
from bootos.server.view.capture import CaptureFile, CaptureView
from bootos.server.view.machine import (
    ExportedTemplate,
    MachineDetail,
    MachineView,
    view_machine_detail,
    view_machines,
)
from bootos.server.view.support import SupportView


def build_machine_calls(context: Context) -> list[HTTPRouteHandler]:
    """The handlers of `/machines` and `/support`."""
    store = context.store

    @get("/machines", sync_to_thread=True)
    def list_machines(
        q: FromQuery[str] = "", after: After = "", limit: Limit = 0
    ) -> Response[list[MachineView]]:
        def read_page(after: str, limit: int) -> list[MachineView]:
            with store.read() as session:
                return view_machines(context, session, find_machines(session, q, after=after, limit=limit))

        return answer_list(read_page, "sn", after=after, limit=limit)

    @get("/machines/{word:str}", sync_to_thread=True)
    def show_machine(word: FromPath[str]) -> MachineDetail:
        with store.read() as session:
            return view_machine_detail(context, session, find_machine(session, word))

    @get("/machines/{word:str}/state", sync_to_thread=True)
    def read_state(word: FromPath[str]) -> dict[str, Any]:
        with store.read() as session:
            return read_saved(find_machine(session, word))

    @get("/machines/{word:str}/template", sync_to_thread=True)
    def export_template(word: FromPath[str]) -> ExportedTemplate:
        with store.read() as session:
            machine = find_machine(session, word)
            saved = read_saved(machine)
        template = saved.get("template") or {}
        return ExportedTemplate(
            sn=machine.sn, saved_at=machine.saved_at, template=template, notes=saved.get("notes") or []
        )

    @post("/machines/{word:str}/capture", sync_to_thread=True, status_code=200)
    def ask_capture(word: FromPath[str], request: Caller) -> CaptureView:
        return capture.ask_capture(context, read_actor(request), word)

    @get("/machines/{word:str}/capture", sync_to_thread=True)
    def show_capture(word: FromPath[str]) -> CaptureView:
        return capture.show_capture(context, word)

    @get("/machines/{word:str}/capture/file", sync_to_thread=True)
    def read_capture(word: FromPath[str]) -> CaptureFile:
        return capture.read_capture(context, word)

    @delete("/machines/{word:str}", sync_to_thread=True, status_code=204)
    def delete_machine(word: FromPath[str], request: Caller) -> None:
        removal.delete_machine(context, read_actor(request), word)

    @patch("/machines/{word:str}/settings", sync_to_thread=True)
    def set_machine(word: FromPath[str], data: JSONBody[dict[str, str]], request: Caller) -> MachineDetail:
        return setting.set_machine(context, read_actor(request), word, data)

    @post("/machines/{word:str}/acknowledge", sync_to_thread=True, status_code=200)
    def acknowledge(word: FromPath[str], request: Caller) -> MachineDetail:
        return acknowledge_claims(context, read_actor(request), word)

    @post("/machines/{word:str}/rename", sync_to_thread=True, status_code=200)
    def rename(word: FromPath[str], data: JSONBody[NewName], request: Caller) -> MachineDetail:
        return rename_machine(context, read_actor(request), word, data)

    @get("/support", sync_to_thread=True)
    def list_support() -> list[SupportView]:
        with store.read() as session:
            return view.list_support(session, by_model=True)

    @post("/support", sync_to_thread=True)
    def add_support(data: JSONBody[support.NewLine], request: Caller) -> SupportView:
        return support.add_support(context, read_actor(request), data)

    @post("/support/from-job", sync_to_thread=True)
    def add_support_from_job(data: JSONBody[support.LineFromJob], request: Caller) -> SupportView:
        return support.add_support_from_job(context, read_actor(request), data)

    @delete("/support/{line:int}", sync_to_thread=True, status_code=204)
    def delete_support(line: RowId, request: Caller) -> None:
        support.remove_support(context, read_actor(request), line)

    return [
        list_machines,
        show_machine,
        read_state,
        export_template,
        ask_capture,
        show_capture,
        read_capture,
        delete_machine,
        set_machine,
        acknowledge,
        rename,
        list_support,
        add_support,
        add_support_from_job,
        delete_support,
    ]
