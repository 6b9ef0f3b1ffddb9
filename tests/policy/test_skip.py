"""With CI=true a test that is skipped fails, but for those that one list names, which is in tests/conftest.py."""

import ast
import sys
from pathlib import Path

import pytest

from bootos.process import run

TESTS = Path(__file__).parents[1]
SKIPPING = """
import pytest

@pytest.mark.skipif(True, reason="needs a thing")
def test_by_mark():
    assert False

def test_within():
    pytest.skip("no other thing here")
"""


def read_exceptions() -> dict[str, ast.expr]:
    """MAY_BE_SKIPPED: names of tests, and what they need."""
    for node in ast.parse((TESTS / "conftest.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MAY_BE_SKIPPED":
            assert isinstance(node.value, ast.Dict)
            keys = [ast.literal_eval(key) for key in node.value.keys if key is not None]
            return dict(zip(keys, node.value.values, strict=True))
    raise AssertionError("there is no list")


def test_each_exception_is_a_test_that_is_there_and_has_a_reason() -> None:
    for name, reason in read_exceptions().items():
        path, _, function = name.partition("::")
        text = (TESTS.parent / path).read_text()
        assert f"def {function}(" in text if function else "def test_" in text
        assert ast.unparse(reason).strip("'")


@pytest.mark.parametrize(("value", "result"), [("true", "1 failed, 1 error"), ("", "2 skipped")])
def test_a_skip_fails_where_all_tests_have_to_pass(tmp_path: Path, value: str, result: str) -> None:
    (tmp_path / "test_skipping.py").write_text(SKIPPING)
    places = [TESTS, TESTS / "faults", TESTS / "double"]
    done = run(
        [sys.executable, "-m", "pytest", "-p", "conftest", "--rootdir", tmp_path, "-q", tmp_path],
        env={"PYTHONPATH": ":".join(map(str, places)), "CI": value, "PYTEST_ADDOPTS": ""},
        cwd=tmp_path,
        check=False,
    )
    assert result in done.stdout
    assert "needs a thing" in done.stdout or not value
    assert ("MAY_BE_SKIPPED" in done.stdout) == (value == "true")
