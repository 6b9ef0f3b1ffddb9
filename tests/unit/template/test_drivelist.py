import pytest

from bootos.template.drivelist import parse_drives


@pytest.mark.parametrize(
    ("text", "count", "drives"),
    [
        ("0", 4, [0]),
        (0, 4, [0]),
        ("1,2", 4, [1, 2]),
        ("3-5", 8, [3, 4, 5]),
        ("6-", 8, [6, 7]),
        ("all", 3, [0, 1, 2]),
        ("0, 2-3, 6-", 8, [0, 2, 3, 6, 7]),
        ("ALL", 2, [0, 1]),
    ],
)
def test_the_documented_forms_mean_these_drives(text: str | int, count: int, drives: list[int]) -> None:
    assert parse_drives(text).resolve(count) == (drives, [])


def test_open_forms_pass_over_drives_that_are_named_elsewhere() -> None:
    assert parse_drives("2-").resolve(7, elsewhere={0, 1, 6}) == ([2, 3, 4, 5], [])
    assert parse_drives("all").resolve(4, elsewhere={3}) == ([0, 1, 2], [])


def test_drives_that_are_not_there_are_told_apart() -> None:
    assert parse_drives("1,9").resolve(4) == ([1], [9])
    assert parse_drives("6-").resolve(4) == ([], [6])
    assert parse_drives("all").resolve(0) == ([], [])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("1,,2", "is not a drive"),
        ("5-3", "backwards"),
        ("1,1", "listed twice"),
        ("0-3,2", "listed twice"),
        ("-3", "is not a drive"),
        ("99999", "no drive above"),
        ("sda", "is not a drive"),
    ],
)
def test_says_what_is_wrong_with_a_drive_list(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_drives(text)
