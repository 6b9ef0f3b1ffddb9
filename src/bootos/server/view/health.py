"""What the server refused or cut, as it is shown."""

import msgspec

from bootos.server.context import Context
from bootos.server.health import Sentence
from bootos.server.limit import ROWS


class HealthView(msgspec.Struct, kw_only=True):
    """`counts`: how often each kind happened since the server began; `sentences`: the newest, newest first."""

    counts: dict[str, int]
    sentences: list[Sentence]


class LimitView(msgspec.Struct, kw_only=True):
    """A limit, its value here, and how often it was passed since the server began."""

    name: str
    value: int
    unit: str
    counts: str
    passed: int


def view_health(context: Context) -> HealthView:
    """What was noted since the server began."""
    return HealthView(counts=context.health.counts(), sentences=context.health.sentences())


def list_limits(context: Context) -> list[LimitView]:
    """All limits of this server."""
    counts = context.health.counts()
    return [
        LimitView(
            name=name,
            value=getattr(context.settings.limits, name),
            unit=row.unit,
            counts=row.counts,
            passed=counts.get(name, 0),
        )
        for name, row in ROWS.items()
    ]
