"""The operator's calls about pools of addresses, and many machines at once."""

import msgspec
from litestar import delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from bootos.server.api.note import Caller, note
from bootos.server.context import Context
from bootos.server.operation import machine as machines
from bootos.server.operation import pool as pools
from bootos.server.operation.machine_import import Imported, NewMachine, import_machines
from bootos.server.store.pool import find_pool
from bootos.server.view import pool as shown
from bootos.server.view.pool import PoolView, view_pool


class NewPool(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`addresses` as `10.0.8.20-10.0.8.250/24`."""

    name: str
    addresses: str
    gateway: str = ""


def build_pool_calls(context: Context) -> list[HTTPRouteHandler]:
    """`/pools` and `/import`."""
    store = context.store

    @get("/pools", sync_to_thread=True)
    def list_pools() -> list[PoolView]:
        with store.read() as session:
            return shown.list_pools(session)

    @post("/pools", sync_to_thread=True)
    def add_pool(data: JSONBody[NewPool], request: Caller) -> PoolView:
        with store.write() as session:
            row = pools.add_pool(session, data.name, data.addresses, data.gateway)
            note(session, request, "pool.add", row.name, data.addresses)
            return view_pool(session, row)

    @get("/pools/{name:str}", sync_to_thread=True)
    def show_pool(name: FromPath[str]) -> PoolView:
        with store.read() as session:
            return view_pool(session, find_pool(session, name))

    @delete("/pools/{name:str}", sync_to_thread=True, status_code=204)
    def remove_pool(name: FromPath[str], request: Caller) -> None:
        with store.write() as session:
            pools.remove_pool(session, name)
            note(session, request, "pool.remove", name)

    @delete("/pools/{name:str}/held/{word:str}", sync_to_thread=True, status_code=204)
    def free_address(name: FromPath[str], word: FromPath[str], request: Caller) -> None:
        with store.write() as session:
            machine = machines.find_machine(session, word)
            address = pools.free_address(session, name, machine)
            note(session, request, "pool.free", name, f"{machine.sn}: {address}")

    @post("/import", sync_to_thread=True, status_code=200)
    def import_rows(data: JSONBody[list[NewMachine]], request: Caller) -> Imported:
        with store.write() as session:
            done = import_machines(session, data)
            note(session, request, "machine.import", f"{done.count} machine(s)", f"{done.new} of them new")
            return done

    return [list_pools, add_pool, show_pool, remove_pool, free_address, import_rows]
