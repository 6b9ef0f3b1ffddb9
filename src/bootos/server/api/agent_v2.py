"""The agent's API, protocol v2 (`wire.v2`). Needs no operator token: a session proves the machine."""

import asyncio
import logging
import time
from typing import Annotated

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.params import FromQuery, JSONBody, QueryParameter

from bootos import __version__
from bootos.server.context import Context
from bootos.server.fault import ConflictError
from bootos.server.image import layer as layers
from bootos.server.image.manifest import LOCAL
from bootos.server.operation import job as jobs
from bootos.server.operation import machine as machines
from bootos.server.operation import next_boot
from bootos.server.operation import order as orders
from bootos.server.store.table import Claim, Machine
from bootos.wire import v2

log = logging.getLogger(__name__)

WAITERS_MAX = 20_000  # sessions that ended leave theirs behind; without one, a poll looks into the store


class Waiter(msgspec.Struct):
    machine_id: int
    mark: int | None = None


def build_agent_router(context: Context) -> Router:
    """The calls of `wire.v2`."""
    store, hub, presence, settings = context.store, context.hub, context.presence, context.settings

    @get("/", sync_to_thread=False)
    def greet() -> v2.Greeting:
        return v2.Greeting(protocol=v2.VERSION, server=f"bootos {__version__}")

    @get("/layers", sync_to_thread=True)
    def offer_layers(image: FromQuery[str] = "") -> list[v2.LayerOffer]:
        # of the image that the machine booted; of one that is not published, those of the default
        version = image if image in context.shelf.stock.items else context.shelf.stock.default
        directory = context.shelf.find_directory(version)
        place = "" if version == LOCAL else f"images/{version}/"
        return layers.list_offers(directory, place) if directory is not None else []

    @post("/register", sync_to_thread=True, status_code=200)
    def register(data: JSONBody[v2.Registration], request: Request) -> v2.Registered:  # type: ignore[type-arg]
        address = request.client.host if request.client else ""
        with store.write() as session:
            outcome = machines.register(session, presence, data, address)
            if isinstance(outcome, Claim):
                machine = session.get_one(Machine, outcome.machine_id)
                left_s = presence.grace_left_s(machine.id, machine.last_heard_at)
            else:
                machine, token = outcome
                verdict = machines.judge_model(session, machine)
                for sentence in next_boot.write_pinned_files(context, session, machine):
                    log.warning("%s", sentence)
        if isinstance(outcome, Claim):
            raise ConflictError(
                f"another client holds the identity of machine {data.sn}",
                hint="two machines with one serial number, or the last boot is still alive; this call may work "
                "when that client has been silent for a while; the operator sees this on the machine's page",
                retry_after_s=max(1, round(left_s)),
            )
        message = "" if verdict.ok or data.developer else f"{verdict.reason}; to proceed, {verdict.remedy}"
        return v2.Registered(
            machine_id=str(machine.id),
            session=token,
            poll_s=settings.poll_s,
            verified=verdict.ok,
            message=message,
        )

    def identify(authorization: str | None) -> int:
        with store.read() as session:
            return machines.find_session(session, authorization)[0].id

    def take(authorization: str | None) -> v2.Order | None:
        with store.read() as session:
            machine, _ = machines.find_session(session, authorization)
            if jobs.find_active_job(session, machine.id) is None:
                return None
        with store.write() as session:
            machine, boot = machines.find_session(session, authorization)
            return orders.take_order(context, session, machine, boot)

    # Who waits, and since which mark of its machine there is nothing for it: whoever asks again after that, as
    # all do every `poll_s`, is answered without a look into the store.
    waiters: dict[str | None, Waiter] = {}

    @get("/order")
    async def order(
        request: Request,  # type: ignore[type-arg]
        wait_s: Annotated[float, QueryParameter(ge=0)] = 0,
    ) -> Response[v2.Order | None]:
        authorization = request.headers.get("authorization")
        deadline = time.monotonic() + min(wait_s, settings.poll_s)
        waiter = waiters.pop(authorization, None)
        if waiter is None:
            waiter = Waiter(machine_id=await asyncio.to_thread(identify, authorization))
        topic = f"machine:{waiter.machine_id}"
        while True:
            mark = hub.mark(topic)
            if mark != waiter.mark:
                found = await asyncio.to_thread(take, authorization)
                presence.hear(waiter.machine_id)
                if found is not None:
                    return Response(content=found, status_code=200)
                waiter.mark = mark
            presence.hear(waiter.machine_id)
            if len(waiters) >= WAITERS_MAX:
                waiters.clear()
            waiters[authorization] = waiter
            with presence.polling(waiter.machine_id):
                if not await hub.wait(topic, mark, deadline - time.monotonic()):
                    return Response(content=None, status_code=204)

    @post("/report", sync_to_thread=True, status_code=200)
    def report(data: JSONBody[v2.Report], request: Request) -> v2.Receipt:  # type: ignore[type-arg]
        authorization = request.headers.get("authorization")
        with store.write() as session:
            machine, boot = machines.find_session(session, authorization)
            presence.hear(machine.id)
            if data.boot_id != boot.boot_id:
                raise ConflictError("the report is of another boot than the session")
            return orders.apply_report(context, session, machine, boot, data)

    @post("/mac", sync_to_thread=True, status_code=200)
    def mac(data: JSONBody[v2.MacUpload], request: Request) -> v2.MacAccepted:  # type: ignore[type-arg]
        authorization = request.headers.get("authorization")
        with store.write() as session:
            machine, boot = machines.find_session(session, authorization)
            presence.hear(machine.id)
            job = jobs.find_job(session, data.job_id)
            if job.machine_id == machine.id and job.handed_to.partition(":")[0] != str(boot.id):
                raise ConflictError(f"this boot does not hold the order of job {job.id}")
            return next_boot.accept_mac(context, session, machine, job, data.mac)

    return Router(v2.PREFIX, route_handlers=[greet, offer_layers, register, order, report, mac])
