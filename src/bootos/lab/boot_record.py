"""What the boot paths cost when they were measured last: kept beside the other figures, printed as one table.

Called by `benchmarks/boot_paths.py` and by the test of the boot paths. Boots nothing itself.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.files import write_json
from bootos.lab.boot_path import PATHS, PathResult

RECORD = Path("build/bench/boot_paths.json")
STEP_MIB = 32


class PathRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The newest boot by a path. `floor_mib`: the smallest memory with which it registers, 0 when that was not
    measured; `below_floor`: how it ended with one step less. `image`: its version."""

    result: PathResult
    image: str = ""
    accelerator: str = ""
    at_s: float = msgspec.field(default_factory=lambda: round(time.time(), 1))
    floor_mib: int = 0
    below_floor: str = ""


def read_records(path: Path) -> dict[str, PathRecord]:
    """The records by the paths' names, none when nothing was measured. Raises BootosError."""
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, PathRecord])
    except msgspec.DecodeError as cause:
        raise BootosError(f"{path}: {cause}", hint="remove it; the benchmark writes it anew") from cause


def write_record(path: Path, record: PathRecord) -> None:
    """Keep a record in place of the one that the path had before, whole or not at all."""
    records = {**read_records(path), record.result.name: record}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, records)


def find_floor(is_enough: Callable[[int], bool], *, first_mib: int, most_mib: int) -> int:
    """The smallest memory, in steps, that is enough; `most_mib` is known to be. Looks around `first_mib` first."""
    enough, too_small, stride = most_mib // STEP_MIB, 0, 1
    size = min(first_mib, most_mib - STEP_MIB) // STEP_MIB
    while enough - too_small > 1:
        if is_enough(size * STEP_MIB):
            enough = size
        else:
            too_small = size
        near = enough - stride if too_small == 0 else too_small + stride
        size = near if too_small < near < enough else (enough + too_small) // 2
        stride *= 2
    return enough * STEP_MIB


def render_table(records: Iterable[PathRecord]) -> str:
    """Markdown, in the order of PATHS."""
    order = [path.name for path in PATHS]
    lines = [
        "| path | registered | MB loaded | CPU seconds | seconds | memory floor |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for record in sorted(records, key=lambda item: order.index(item.result.name)):
        result = record.result
        registered = "yes" if result.registered else f"NO: {result.ended.splitlines()[0]}"
        floor = f"{record.floor_mib} MiB" if record.floor_mib else "-"
        lines.append(
            f"| {result.title} | {registered} | {result.loaded_bytes / 1e6:.1f} | {result.cpu_s:.0f}"
            f" | {result.seconds:.0f} | {floor} |"
        )
    return "\n".join(lines)
