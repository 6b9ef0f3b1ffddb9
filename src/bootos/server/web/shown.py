"""How values are shown to people on the pages: sizes, times, the inventory by section, static files."""

from datetime import UTC, datetime
from importlib import resources
from typing import Any

import msgspec
from litestar import Response

from bootos.server.fault import NotFoundError
from bootos.wire.inventory import Inventory, PciDevice

STATIC = {"style.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}


def show_size(size_bytes: int | None) -> str:
    """A size in bytes as on a drive's label, `480 GB`: powers of 1000, three digits."""
    if size_bytes is None:
        return "–"
    value, units = float(size_bytes), ["B", "kB", "MB", "GB", "TB", "PB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.3g} {units[0]}"


def show_moment(at: datetime | str | None) -> str:
    """A moment in UTC, `2026-01-31 12:00:00Z`; a text stays as it is."""
    if isinstance(at, datetime):
        return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return at or "–"


def show_age(at: datetime | None) -> str:
    """How long ago a moment is, `3 min ago`."""
    if at is None:
        return "never"
    seconds = max(0.0, (datetime.now(UTC) - at).total_seconds())
    for limit, unit, word in ((90, 1, "s"), (5400, 60, "min"), (129600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {word} ago"
    return f"{seconds / 86400:.0f} days ago"


def machine_path(machine_id: int) -> str:
    """The path of a machine's page. By id: a serial number is what the machine says, and may hold a slash."""
    return f"/machines/id:{machine_id}"


class Shown(msgspec.Struct, kw_only=True):
    """An inventory, and what a page wants to point out."""

    all: Inventory
    without_module: list[PciDevice]


def read_inventory(value: dict[str, Any] | None) -> Shown | None:
    """The stored inventory as its model; None when there is none, or an agent sent one of another kind."""
    if value is None:
        return None
    try:
        inventory = msgspec.convert(value, Inventory)
    except msgspec.ValidationError:
        return None
    gaps = [device for device in inventory.pci if device.needs_module and device.kernel_module is None]
    return Shown(all=inventory, without_module=gaps)


def read_static(name: str) -> Response[bytes]:
    """One of the static files. Raises NotFoundError."""
    if name not in STATIC:
        raise NotFoundError("there is no such file")
    content = resources.files("bootos.server.web").joinpath("static", name).read_bytes()
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type=STATIC[name], headers=headers)
