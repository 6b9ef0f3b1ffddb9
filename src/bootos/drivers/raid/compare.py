"""Whether an array of a hardware controller is what the template wants, and how its drives lie. Pure; used by
`hardware.plan_controllers`.
"""

from collections.abc import Iterable, Set

from bootos.drivers.raid.demand import Demand
from bootos.drivers.raid.drives import data_drives
from bootos.drivers.storage.controller import Array, Controller
from bootos.template.size import format_size, parse_bytes


def find_differences(demand: Demand, array: Array, substitutes: Set[str]) -> tuple[list[str], list[str]]:
    """Why an existing array cannot be what is wanted: (what it is, the drives it is on). `substitutes` are drives
    that may have taken over for one of its own."""
    wanted = demand.wanted
    hard: list[str] = []
    drives: list[str] = []
    if array.level != str(wanted.level):
        hard.append(f"level {array.level}, not {wanted.level}")
    if array.state == "failed":
        hard.append("it has failed")
    if wanted.strip is not None and array.strip_bytes not in (None, parse_bytes(wanted.strip)):
        hard.append(f"strip {format_size(array.strip_bytes or 0)}, not {wanted.strip}")
    spans = split_spans(wanted.level, [drive.id for drive in demand.drives], wanted.span)
    if wanted.span is not None and wanted.level in (10, 50, 60) and array.span != len(spans):
        hard.append(f"{array.span} spans, not {len(spans)}")
    if wanted.size is not None and array.size_bytes:
        asked = parse_bytes(wanted.size)
        # Tools print sizes with three digits, and controllers round up to units of their own.
        if not asked * 0.99 <= array.size_bytes <= asked * 1.01 + 256 * 1024**2:
            hard.append(f"size {format_size(array.size_bytes)}, not {wanted.size}")
    count = array.drive_count or len(array.drives)
    if count != len(demand.drives):
        drives.append(f"{count} drives, not {len(demand.drives)}")
    strangers = [drive for drive in array.drives if drive not in demand.ids and drive not in substitutes]
    if strangers:
        drives.append(f"{tell_drives(demand.controller, strangers)} should not be in it")
    elif not set(array.drives) & demand.ids:
        drives.append("it is on other drives")
    return hard, drives


def split_spans(level: int, drives: list[str], span: int | None) -> tuple[tuple[str, ...], ...]:
    """The drives by span. RAID 10 without a number of spans is made of pairs."""
    if level not in (10, 50, 60):
        return (tuple(drives),)
    groups = span or (len(drives) // 2 if level == 10 else 2)
    size = max(1, len(drives) // max(1, groups))
    return tuple(tuple(drives[start : start + size]) for start in range(0, len(drives), size))


def count_data(level: int, spans: tuple[tuple[str, ...], ...]) -> int:
    """How many drives' worth of data."""
    inner = {50: 5, 60: 6}.get(level, level)
    return sum(data_drives(inner, len(span)) for span in spans)


def tell_drives(controller: Controller, ids: Iterable[str]) -> str:
    """`drives 0, 1 (252:0, 252:1)`"""
    listed = list(ids)
    found = [drive for drive_id in listed if (drive := controller.find_drive(drive_id)) is not None]
    numbers = ", ".join(str(drive.number) for drive in found)
    return f"drive{'s' if len(found) != 1 else ''} {numbers} ({', '.join(listed)})"
