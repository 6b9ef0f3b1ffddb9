"""The table of the fault suites: fault x step -> outcome, lost reports, doubled actions."""

from collections.abc import Sequence
from pathlib import Path

import msgspec


class Cell(msgspec.Struct, kw_only=True):
    """One fault at one step. `outcome`: recovered, failed (with `reason`) or WRONG. `died`: log lines that were
    in the memory of a machine when its power was cut, which no program could have saved."""

    fault: str
    step: str
    outcome: str
    place: tuple[int, int] = (0, 0)  # the row and the column of the cell
    reason: str = ""
    lost: int = 0
    doubled: int = 0
    died: int = 0
    attempts: int = 0
    seconds: float = 0.0


SHORT = {"recovered": "ok", "failed": "failed"}


def format_table(cells: Sequence[Cell]) -> str:
    """Steps down, faults across: `ok`, `failed` (its reason is below) or `WRONG`, then lost/doubled if any."""
    faults = list(dict.fromkeys(cell.fault for cell in cells))
    steps = list(dict.fromkeys(cell.step for cell in cells))
    found = {(cell.fault, cell.step): cell for cell in cells}

    def show(cell: Cell | None) -> str:
        if cell is None:
            return "-"
        counts = f" {cell.lost}/{cell.doubled}" if cell.lost or cell.doubled else ""
        return SHORT.get(cell.outcome, cell.outcome) + counts

    rows = [["step \\ fault", *faults]]
    rows += [[step, *(show(found.get((fault, step))) for fault in faults)] for step in steps]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [" | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "-|-".join("-" * width for width in widths))
    recovered = sum(cell.outcome == "recovered" for cell in cells)
    failed = sum(cell.outcome == "failed" for cell in cells)
    lines.append("")
    lines.append(
        f"{len(cells)} cells: {recovered} recovered, {failed} failed with a reason, "
        f"{len(cells) - recovered - failed} wrong; lost {sum(cell.lost for cell in cells)}, "
        f"doubled {sum(cell.doubled for cell in cells)}"
    )
    reasons: dict[str, list[str]] = {}
    for cell in cells:
        if cell.outcome != "recovered":
            reasons.setdefault(f"{cell.outcome}: {cell.reason}", []).append(f"{cell.fault} at {cell.step}")
    lines += [f"{reason}\n    {'; '.join(places)}" for reason, places in reasons.items()]
    return "\n".join(lines) + "\n"


def write_table(cells: Sequence[Cell], path: Path) -> None:
    """The table as text, and every figure as JSON beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(format_table(cells))
    path.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(list(cells)), indent=1))
