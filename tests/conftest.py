"""What holds for the whole run: which tests may be skipped where all of them have to pass (CI=true), and the table of
the fault cells, of all processes that tests run in, which is printed last.
"""

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import msgspec
import pytest
from table import Cell, format_table, write_table

FAULT_TABLE = Path(__file__).parents[1] / "build/faults/table.txt"

LOOP_DEVICES = "loop devices, which a container may not have"
SCHEMAS = "DMTF's schemas, which SCHEMAS names the directory of"
MOCKUPS = "DMTF's mockups, which MOCKUPS names the directory of"
MAY_BE_SKIPPED = {
    "tests/contract/test_real_lvm.py": LOOP_DEVICES,
    "tests/contract/test_redfish_mockups.py::test_the_originals_are_planned_on_too": MOCKUPS,
    "tests/contract/test_redfish_validators.py::test_every_resource_is_of_its_schema": SCHEMAS,
    "tests/unit/lab/test_foreign.py::test_a_physical_volume_is_recognised": LOOP_DEVICES,
    "tests/unit/lab/test_volume.py::test_what_lvm2_wrote_is_understood": LOOP_DEVICES,
    "tests/unit/test_deadline.py::test_a_command_that_cannot_even_be_killed_is_not_waited_for": LOOP_DEVICES,
}
"""Tests that a host may be unable to run, and what they need of it; everywhere else a skip fails with CI=true."""


def may_be_skipped(node_id: str) -> bool:
    return any(node_id == name or node_id.startswith((f"{name}::", f"{name}[")) for name in MAY_BE_SKIPPED)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not may_be_skipped(item.nodeid):
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = (
            f"{reason}\nWith CI=true only what MAY_BE_SKIPPED names in tests/conftest.py may be skipped."
        )
    return report


def pytest_collection_finish() -> None:
    """What was imported until now stays: no search for garbage goes through it again."""
    gc.collect()
    gc.freeze()


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
