"""The agent's API, protocol v2 (`wire.v2`). Needs no operator token: a session proves the machine."""

import asyncio
import time
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import FromQuery, JSONBody, QueryParameter

from bootos import __version__
from bootos.server.body import build_json_request
from bootos.server.context import Context
from bootos.server.image import layer as layers
from bootos.server.image.manifest import LOCAL
from bootos.server.operation import registration
from bootos.server.operation.admission import check_rate
from bootos.server.operation.capture import take_upload
from bootos.server.operation.next_boot import upload_mac
from bootos.server.operation.order import take_order
from bootos.server.operation.report import take_report
from bootos.server.operation.words import answer_commitment
from bootos.server.store.machine import find_session
from bootos.wire import v2
from bootos.wire.ability import OURS

# The table of waiters is emptied at this size, as ended sessions leave entries. A poll without an entry reads the
# store.
WAITERS_MAX = 20_000


class Waiter(msgspec.Struct):
    """Whose poll it is, and up to which mark of its machine there was nothing for it."""

    machine_id: int
    mark: int | None = None


def is_secure(request: Request[Any, Any, Any]) -> bool:
    """Whether the call came over TLS, and its answer goes so; behind a trusted proxy, to the proxy."""
    return str(request.scope["scheme"]) == "https"


def build_agent_router(context: Context) -> Router:
    """The handlers of all calls of `wire.v2`, below its prefix."""
    store, hub, presence, settings = context.store, context.hub, context.presence, context.settings
    limits = settings.limits

    @get("/", sync_to_thread=False)
    def greet() -> v2.Greeting:
        tls = context.tls
        return v2.Greeting(
            protocol=v2.VERSION,
            server=f"bootos {__version__}",
            abilities=list(OURS),
            tls=v2.TlsOffer(url=tls.url, ca_sha256=tls.fingerprints[0]) if tls.url else None,
        )

    @get("/layers", sync_to_thread=True)
    def offer_layers(image: FromQuery[str] = "") -> list[v2.LayerOffer]:
        # The layers of the image that the machine booted. For an image that is not published, those of the default
        # image.
        version = image if image in context.shelf.stock.items else context.shelf.stock.default
        directory = context.shelf.find_directory(version)
        place = "" if version == LOCAL else f"images/{version}/"
        return layers.list_offers(directory, place) if directory is not None else []

    def count_registration(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """A guard, before the body is read. Raises TooManyError."""
        check_rate(context, connection.client.host if connection.client else "")

    @post(
        "/register",
        sync_to_thread=True,
        status_code=200,
        request_max_body_size=limits.registration_bytes,
        opt={"limit": "registration_bytes"},
        guards=[count_registration],
    )
    def register(data: JSONBody[v2.Registration], request: Request) -> v2.Registered:  # type: ignore[type-arg]
        address = request.client.host if request.client else ""
        return registration.register(context, data, address, secure=is_secure(request))

    @post("/key", sync_to_thread=False, status_code=200)
    def key(data: JSONBody[v2.KeyCommitment]) -> v2.KeyNonce:
        return answer_commitment(context, data)

    def identify(authorization: str | None) -> int:
        with store.read() as session:
            return find_session(session, authorization)[0].id

    async def check_large(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """A guard: a large body is read only for who has a session. Raises UnauthorizedError."""
        length = connection.headers.get("content-length", "")
        if not length.isascii() or not length.isdigit() or len(length) > 9 or int(length) > limits.body_bytes:
            await asyncio.to_thread(identify, connection.headers.get("authorization"))

    # Each session and whether it comes over TLS, with the mark of its machine at which there was no order. While the
    # mark is the same, the next poll is answered without reading the store.
    waiters: dict[tuple[str | None, bool], Waiter] = {}

    @get("/order")
    async def order(
        request: Request,  # type: ignore[type-arg]
        wait_s: Annotated[float, QueryParameter(ge=0)] = 0,
    ) -> Response[v2.Order | None]:
        authorization = request.headers.get("authorization")
        deadline = time.monotonic() + min(wait_s, settings.poll_s)
        secure = is_secure(request)
        waiter = waiters.pop((authorization, secure), None)
        if waiter is None:
            waiter = Waiter(machine_id=await asyncio.to_thread(identify, authorization))
        topic = f"machine:{waiter.machine_id}"
        while True:
            mark = hub.mark(topic)
            if mark != waiter.mark:
                found = await asyncio.to_thread(take_order, context, authorization, secure=secure)
                presence.hear(waiter.machine_id)
                if found is not None:
                    return Response(content=found, status_code=200)
                waiter.mark = mark
            presence.hear(waiter.machine_id)
            if len(waiters) >= WAITERS_MAX:
                waiters.clear()
            waiters[authorization, secure] = waiter
            with presence.polling(waiter.machine_id):
                if not await hub.wait(topic, mark, deadline - time.monotonic()):
                    return Response(content=None, status_code=204)

    @post(
        "/report",
        sync_to_thread=True,
        status_code=200,
        request_max_body_size=limits.report_bytes,
        opt={"limit": "report_bytes"},
        guards=[check_large],
    )
    def report(data: JSONBody[v2.Report], request: Request) -> v2.Receipt:  # type: ignore[type-arg]
        return take_report(context, request.headers.get("authorization"), data, secure=is_secure(request))

    @post("/mac", sync_to_thread=True, status_code=200)
    def mac(data: JSONBody[v2.MacUpload], request: Request) -> v2.MacAccepted:  # type: ignore[type-arg]
        return upload_mac(context, request.headers.get("authorization"), data, secure=is_secure(request))

    @post(
        "/capture",
        sync_to_thread=True,
        status_code=200,
        request_max_body_size=limits.report_bytes,
        opt={"limit": "report_bytes"},
        guards=[check_large],
    )
    def capture(data: JSONBody[v2.CaptureUpload], request: Request) -> v2.CaptureAccepted:  # type: ignore[type-arg]
        return take_upload(context, request.headers.get("authorization"), data, secure=is_secure(request))

    return Router(
        v2.PREFIX,
        request_class=build_json_request(limits),
        request_max_body_size=limits.body_bytes,
        opt={"limit": "body_bytes"},
        route_handlers=[greet, offer_layers, key, register, order, report, mac, capture],
    )
