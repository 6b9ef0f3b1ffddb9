"""Mistakes in what a user wrote are gathered in one way, `errors.Problems`."""

import ast
from pathlib import Path

from sourcetree import parse_file

SOURCE = Path(__file__).parents[2] / "src/bootos"
OWNER = "errors.py"


def adds_a_problem(node: ast.AST) -> bool:
    """`problems.append(Problem(...))`."""
    return (
        isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "append"
        and any(
            isinstance(made, ast.Call) and getattr(made.func, "id", "") == "Problem" for made in node.args
        )
    )


def test_a_problem_is_added_by_complain() -> None:
    found = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if any(adds_a_problem(node) for node in ast.walk(parse_file(path)))
    }
    assert found == {OWNER}, "errors.Problems.complain, Planned.complain"
