"""What BootOS may cost: the budgets (`benchmarks/budgets.toml`), the figures that benchmarks wrote, and both compared.

Called by the benchmarks and by `tests/policy/test_budgets.py`. It measures nothing itself.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from bootos.document import convert_all, read_document
from bootos.errors import ProblemsError
from bootos.files import write_json
from bootos.screen import Screen, build_table
from bootos.wire.manifest import parse_manifest

BUDGETS = Path("benchmarks/budgets.toml")
FIGURES = Path("build/bench/figures")


class Budget(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"source": "from"}
):
    """One budget: `most` is held, `aim` is hoped for. `source` says what measures it. `recorded` is what it came to
    when the documents were written: a host that has measured nothing holds that."""

    title: str
    unit: str
    most: float
    source: str
    recorded: float | None = None
    aim: float | None = None


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A measured value, the larger of its runs, and when it was measured (seconds since 1970)."""

    name: str
    value: float
    at_s: float
    runs: tuple[float, ...] = ()


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A budget and the newest figure for it, if there is one."""

    name: str
    budget: Budget
    figure: Figure | None

    @property
    def is_kept(self) -> bool:
        """Whether what is recorded, and the figure, as far as there are any, are within the budget."""
        values = (self.budget.recorded, self.figure.value if self.figure else None)
        return all(value <= self.budget.most for value in values if value is not None)


def read_budgets(path: Path) -> dict[str, Budget]:
    """The budgets by name. Raises ProblemsError."""
    budgets, problems = convert_all(read_document(path), dict[str, Budget])
    if budgets is None or problems:
        raise ProblemsError(str(path), problems)
    return budgets


def write_figure(directory: Path, name: str, runs: Sequence[float]) -> Figure:
    """Keep a measured value as `NAME.json`, in place of the one before."""
    figure = Figure(name=name, value=max(runs), at_s=round(time.time(), 1), runs=tuple(runs))
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / f"{name}.json", figure)
    return figure


def read_figures(directory: Path, image: Path) -> dict[str, Figure]:
    """The newest figures by name. The image's size comes from its manifest; a figure that is older than the image
    counts all the same: it is the last that was measured."""
    figures = {}
    for path in sorted(directory.glob("*.json")):
        figure = msgspec.json.decode(path.read_bytes(), type=Figure)
        figures[figure.name] = figure
    manifest = image / "manifest.json"
    if manifest.is_file():
        size = parse_manifest(manifest.read_bytes()).size_bytes / 1e6
        figures["image_mb"] = Figure(name="image_mb", value=size, at_s=manifest.stat().st_mtime, runs=(size,))
    return figures


def compare_budgets(budgets: Mapping[str, Budget], figures: Mapping[str, Figure]) -> list[Held]:
    """Each budget with its figure, in the order of the file."""
    return [Held(name=name, budget=budget, figure=figures.get(name)) for name, budget in budgets.items()]


def print_budgets(held: Sequence[Held], screen: Screen) -> None:
    """The budgets as a table."""
    table = build_table("budget", "at most", "aim", "recorded", "here", "kept", "on")
    for item in held:
        budget, figure = item.budget, item.figure
        table.add_row(
            budget.title,
            f"{budget.most:g} {budget.unit}",
            "" if budget.aim is None else f"{budget.aim:g}",
            "" if budget.recorded is None else f"{budget.recorded:g}",
            "not measured" if figure is None else f"{figure.value:.1f}",
            "yes" if item.is_kept else "NO",
            "" if figure is None else time.strftime("%Y-%m-%d %H:%M", time.gmtime(figure.at_s)),
        )
    screen.print(table)
