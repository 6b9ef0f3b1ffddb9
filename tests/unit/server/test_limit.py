from pathlib import Path

import pytest

from bootos.errors import BootosError
from bootos.server.limit import FIXED, FIXED_ROWS, LIMITS, ROWS, build_page, parse_limits

PAGE = Path(__file__).parents[3] / "docs/limits.md"


def test_the_page_of_the_limits_is_up_to_date() -> None:
    assert PAGE.read_text() == build_page(), "docs/limits.md is old: run `python -m bootos.server.limit`"


@pytest.mark.parametrize("name", sorted(ROWS | FIXED_ROWS))
def test_every_limit_is_a_positive_number_with_its_unit_and_its_answer(name: str) -> None:
    row = (ROWS | FIXED_ROWS)[name]
    assert getattr(LIMITS if name in ROWS else FIXED, name) > 0
    assert all((row.part, row.unit, row.counts, row.answer))


def test_a_site_sets_other_values_by_name() -> None:
    limits = parse_limits(["body_bytes=1000", "new_machines=20000"])
    assert (limits.body_bytes, limits.new_machines) == (1000, 20_000)
    assert limits.registration_bytes == LIMITS.registration_bytes


@pytest.mark.parametrize(
    "word", ["body_bytes", "body_bytes=", "body_bytes=0", "body_bytes=²", "body_bytes=-1", "x=1"]
)
def test_a_value_that_is_none_is_refused_with_what_may_be_written(word: str) -> None:
    with pytest.raises(BootosError) as caught:
        parse_limits([word])
    assert "body_bytes" in caught.value.hint


def test_a_limit_that_is_the_same_everywhere_is_refused_as_such() -> None:
    with pytest.raises(BootosError, match="the limit macs is the same everywhere"):
        parse_limits(["macs=65"])
