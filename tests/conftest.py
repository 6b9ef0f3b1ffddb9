"""What holds for the whole run: the table of the fault cells, of all processes that tests run in, is printed last."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from table import Cell, format_table, write_table

FAULT_TABLE = Path(__file__).parents[1] / "build/faults/table.txt"


def find_cells(reporter: pytest.TerminalReporter) -> Iterator[Cell]:
    """What the tests of `faults` wrote down with `record_property("cell", ...)`, whichever process they ran in."""
    for reports in reporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "cell" and report.when == "call":
                    yield msgspec.convert(value, Cell)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    cells = sorted(find_cells(terminalreporter), key=lambda cell: cell.place)
    if cells:
        write_table(cells, FAULT_TABLE)
        terminalreporter.section("every fault at every boundary of a job")
        terminalreporter.write(format_table(cells))
