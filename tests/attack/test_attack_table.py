"""The table of attacks says what the tests do."""

from attacktable import ROWS, Outcomes, Row, find_missing, format_row


def test_every_test_that_a_row_names_is_there() -> None:
    assert find_missing(ROWS) == []
    assert len(ROWS) > 15


def test_a_test_that_is_not_there_is_found() -> None:
    rows = (Row("a", "refused", ("attack/test_path.py::test_none", "attack/none.py")),)
    assert find_missing(rows) == ["attack/test_path.py::test_none", "attack/none.py"]


def test_a_row_is_open_with_a_reason_or_has_tests() -> None:
    assert [row.attack for row in ROWS if (row.outcome == "open") != bool(row.reason)] == []
    assert [row.attack for row in ROWS if (row.outcome == "open") == bool(row.tests)] == []
    assert len({row.attack for row in ROWS}) == len(ROWS)


def test_a_row_whose_tests_did_not_all_pass_is_told_as_failed() -> None:
    outcomes, row = Outcomes(), Row("a", "refused", ("attack/test_x.py::test_a", "attack/test_y.py"))
    assert format_row(row, outcomes)[1] == "FAILED"
    outcomes.passed.update(["attack/test_x.py::test_a", "attack/test_y.py"])
    assert format_row(row, outcomes)[1:] == ("refused", "2 tests: attack/test_x.py, attack/test_y.py")
    outcomes.failed.update(["attack/test_y.py"])
    assert format_row(row, outcomes)[1] == "FAILED"
