"""The operator's calls about pools of addresses, and many machines at once."""

from litestar import delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from bootos.server.auth import Caller, read_actor
from bootos.server.context import Context
from bootos.server.operation import pool
from bootos.server.operation.machine_import import Imported, NewMachine, import_machines
from bootos.server.operation.pool import NewPool
from bootos.server.store.pool import find_pool
from bootos.server.view import pool as shown
from bootos.server.view.pool import PoolView, view_pool


def build_pool_calls(context: Context) -> list[HTTPRouteHandler]:
    """The handlers of `/pools` and `/import`."""
    store = context.store

    @get("/pools", sync_to_thread=True)
    def list_pools() -> list[PoolView]:
        with store.read() as session:
            return shown.list_pools(session)

    @post("/pools", sync_to_thread=True)
    def add_pool(data: JSONBody[NewPool], request: Caller) -> PoolView:
        return pool.add_pool(context, read_actor(request), data)

    @get("/pools/{name:str}", sync_to_thread=True)
    def show_pool(name: FromPath[str]) -> PoolView:
        with store.read() as session:
            return view_pool(session, find_pool(session, name))

    @delete("/pools/{name:str}", sync_to_thread=True, status_code=204)
    def remove_pool(name: FromPath[str], request: Caller) -> None:
        pool.remove_pool(context, read_actor(request), name)

    @delete("/pools/{name:str}/held/{word:str}", sync_to_thread=True, status_code=204)
    def free_address(name: FromPath[str], word: FromPath[str], request: Caller) -> None:
        pool.free_address(context, read_actor(request), name, word)

    @post("/import", sync_to_thread=True, status_code=200)
    def import_rows(data: JSONBody[list[NewMachine]], request: Caller) -> Imported:
        return import_machines(context, read_actor(request), data)

    return [list_pools, add_pool, show_pool, remove_pool, free_address, import_rows]
