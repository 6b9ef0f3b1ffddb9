"""Pools of addresses, as they are shown."""

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.store.pool import count_free, list_held
from bootos.server.store.table import Pool
from bootos.server.view.conversion import build_view


class HeldView(msgspec.Struct, kw_only=True):
    """Which machine holds which address."""

    sn: str
    address: str


class PoolView(msgspec.Struct, kw_only=True):
    """`used` and `free` are numbers of addresses; `held`: which machine has which."""

    name: str
    addresses: str
    gateway: str
    used: int
    free: int
    held: list[HeldView] = []


def view_pool(session: Session, row: Pool) -> PoolView:
    """A pool, with who holds its addresses."""
    held = [HeldView(sn=sn, address=address) for sn, address in list_held(session, row)]
    return build_view(
        PoolView,
        row,
        addresses=f"{row.first}-{row.last}/{row.prefix_length}",
        used=len(held),
        free=count_free(session, row),
        held=held,
    )


def list_pools(session: Session) -> list[PoolView]:
    """All pools by name."""
    return [view_pool(session, row) for row in session.scalars(select(Pool).order_by(Pool.name))]
