"""What people read on a terminal goes there by one door, `bootos.screen`: it has words of machines and files in it."""

import ast
from pathlib import Path

from sourcetree import parse_file

SOURCE = Path(__file__).parents[2] / "src/bootos"
# The in-memory OS has no rich. What it prints goes through `bootos.printable`.
IN_MEMORY = ("agent/", "engine/watcher.py")
APART = {
    "drivers/bios/namespage.py",  # writes a page of the documents, from a table of the source
    "lab/bmc_program.py",  # answers ipmi_sim
    "server/limit.py",  # names the page that it wrote
    "wire/schema.py",  # the same
}


def prints(node: ast.AST) -> bool:
    """A call of Python's own `print`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"


def test_nobody_prints_past_the_screen() -> None:
    found = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if any(prints(node) for node in ast.walk(parse_file(path)))
    }
    assert {path for path in found if not path.startswith(IN_MEMORY)} == APART, "bootos.screen"
