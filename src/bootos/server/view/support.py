"""The lines of the support list, as they are shown."""

import msgspec
from sqlalchemy.orm import Session

from bootos.server.store.support import read_lines
from bootos.server.store.table import Support
from bootos.server.view.conversion import build_view


class SupportView(msgspec.Struct, kw_only=True):
    """An empty `allow` allows everything."""

    id: int
    vendor: str
    product: str
    aliases: list[str]
    bios: str
    bmc: str
    allow: list[str]
    note: str


def view_support(row: Support) -> SupportView:
    """A line of the list."""
    return build_view(SupportView, row)


def list_support(session: Session, *, by_model: bool = False) -> list[SupportView]:
    """All lines, in the order they were added, or sorted by vendor and product."""
    return [view_support(row) for row in read_lines(session, by_model=by_model)]
