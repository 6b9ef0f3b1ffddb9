"""The pages on which a person says who is a machine: all that wait for it, and one. Used by `pages`."""

from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from bootos.server.auth import Caller, read_actor
from bootos.server.context import Context
from bootos.server.fault import RequestError, UnusableError
from bootos.server.operation.confirmation import Confirmation, Release, confirm_machines, release_machine
from bootos.server.parameter import Before
from bootos.server.store.machine import count_waiting
from bootos.server.view.machine import list_waiting
from bootos.server.web import shown
from bootos.server.web.render import Form, Page, Pages


def build_enrol_pages(context: Context, pages: Pages) -> list[HTTPRouteHandler]:
    """The handlers of `/new`, and of the buttons about a machine's identity."""
    store, most = context.store, context.settings.limits.page_rows

    def list_values(after: int = 0) -> dict[str, Any]:
        with store.read() as session:
            rows = list_waiting(context, session, limit=most, after=after)
            count = count_waiting(session)
        is_whole = len(rows) < most or (not after and count == len(rows))
        following = None if is_whole else rows[-1].id
        return {"machines": rows, "count": count, "after": after, "following": following}

    @get("/new", sync_to_thread=True)
    def list_new(request: Caller, after: Before = 0) -> Page:
        return pages.render(request, "new.html", **list_values(after), fault=None, done=0)

    @post("/new", sync_to_thread=True)
    def confirm_many(request: Caller, data: Form) -> Page:
        pages.check_form(request, data)
        try:
            wanted = read_marked(data)
            if not wanted:
                raise UnusableError("no machine is marked", hint="mark those whose consoles show the words")
            done = confirm_machines(context, read_actor(request, "web"), wanted)
        except RequestError as fault:
            return pages.render(
                request, "new.html", status=fault.status, **list_values(), fault=fault, done=0
            )
        return pages.render(request, "new.html", **list_values(), fault=None, done=len(done.machines))

    @post("/machines/{word:str}/confirm", sync_to_thread=True)
    def confirm(request: Caller, word: FromPath[str], data: Form) -> Response[Any]:
        pages.check_form(request, data)
        wanted = read_one(word, data.get("boot", ""), data.get("words", ""))
        try:
            done = confirm_machines(context, read_actor(request, "web"), [wanted])
        except RequestError as fault:
            return pages.render(
                request, "new.html", status=fault.status, **list_values(), fault=fault, done=0
            )
        return Redirect(shown.machine_path(next(iter(done.machines))), status_code=303)

    @post("/machines/{word:str}/release", sync_to_thread=True)
    def release(request: Caller, word: FromPath[str], data: Form) -> Redirect:
        pages.check_form(request, data)
        machine = release_machine(context, read_actor(request, "web"), word, Release())
        return Redirect(shown.machine_path(machine.id), status_code=303)

    return [list_new, confirm_many, confirm, release]


def read_marked(form: dict[str, str]) -> list[Confirmation]:
    """The machines whose boxes were marked, `pick-5` with the boot that was shown, each with the words beside it."""
    return [
        read_one(
            f"id:{name.removeprefix('pick-')}", boot, form.get(f"words-{name.removeprefix('pick-')}", "")
        )
        for name, boot in form.items()
        if name.startswith("pick-")
    ]


def read_one(word: str, boot: str, words: str) -> Confirmation:
    """What a form says of one machine."""
    number = int(boot) if boot.isascii() and boot.isdigit() and len(boot) < 19 else None
    return Confirmation(machine=word, boot=number, words=words)
