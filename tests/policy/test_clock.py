"""The agent reckons with clocks that do not jump; the wall clock is only shown."""

import ast
from pathlib import Path

import pytest
from sourcetree import parse_file

SOURCE = Path(__file__).parents[2] / "src/bootos"
WALL = {
    ("time", "time"),
    ("time", "time_ns"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
}
# Files that read the wall clock to show it: in log lines, reports, the inventory and the status page.
SHOWN = {"agent/session/reporter.py", "engine/savedstate.py", "hardware/inventory.py"}
PARTS = [
    path
    for part in ("agent", "engine", "drivers", "hardware")
    for path in sorted((SOURCE / part).rglob("*.py"))
]
FILES = [*PARTS, SOURCE / "process.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_deadline_follows_the_wall_clock(path: Path) -> None:
    found = [
        f"{path.name}:{node.lineno}"
        for node in ast.walk(parse_file(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and (node.func.value.id, node.func.attr) in WALL
    ]
    if str(path.relative_to(SOURCE)) not in SHOWN:
        assert not found


def test_who_waits_does_so_by_the_clock_that_tests_can_hand_in() -> None:
    """The console's process imports next to nothing, and the guest's part of the vendor tools is a script without
    BootOS."""
    apart = {"waiting.py", "agent/console/main.py", "lab/vendor_tools/guest.py"}
    asleep = {
        str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if "time.sleep(" in path.read_text()
    }
    assert asleep == apart, "bootos.waiting.CLOCK.sleep, find_within or wait_for"
