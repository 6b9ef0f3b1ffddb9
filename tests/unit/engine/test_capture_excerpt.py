"""The first of a long list, as notes of a capture name them."""

import pytest

from bootos.engine.capture.excerpt import tell_first


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, ""), (1, "a"), (3, "a, b, c"), (4, "a, b, c and 1 more"), (5, "a, b, c and 2 more")],
)
def test_names_beyond_the_first_are_counted(count: int, told: str) -> None:
    assert tell_first("abcde"[:count], most=3) == told


def test_twelve_are_named_where_nothing_else_is_said() -> None:
    names = dict.fromkeys(f"sd{number}" for number in range(13))
    assert tell_first(names) == f"{', '.join(list(names)[:12])} and 1 more"
