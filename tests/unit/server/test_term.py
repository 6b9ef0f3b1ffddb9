"""How long something is in force, whatever is done to the wall clock."""

from datetime import UTC, datetime, timedelta

import pytest
from handclock import StillClock

from bootos.server.term import Terms

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("step", "passed_s", "over"),
    [
        (timedelta(), 3599, False),
        (timedelta(), 3600, True),
        (-5 * HOUR, 3599, False),
        (-5 * HOUR, 3600, True),
        (5 * HOUR, 1, True),
    ],
)
def test_a_term_is_over_when_its_seconds_have_passed_wherever_the_wall_clock_steps(
    step: timedelta, passed_s: int, over: bool
) -> None:
    clock = StillClock()
    terms = Terms(clock)
    assert not terms.is_over(1, NOON, NOON + HOUR, now=NOON)
    clock.sleep(passed_s)
    now = NOON + timedelta(seconds=passed_s) + step
    assert terms.is_over(1, NOON, NOON + HOUR, now=now) is over


def test_a_term_that_the_wall_clock_ended_stays_over_when_that_steps_back() -> None:
    terms = Terms(StillClock())
    assert terms.is_over(1, NOON, NOON + HOUR, now=NOON + 2 * HOUR)
    assert terms.is_over(1, NOON, NOON + HOUR, now=NOON)


def test_a_server_that_starts_with_an_earlier_clock_gives_no_more_than_the_whole_term() -> None:
    clock = StillClock()
    terms = Terms(clock)
    assert not terms.is_over(1, NOON, NOON + HOUR, now=NOON - 100 * HOUR)
    clock.sleep(3600)
    assert terms.is_over(1, NOON, NOON + HOUR, now=NOON - 99 * HOUR)


def test_another_term_of_the_same_number_has_its_own_time() -> None:
    terms = Terms(StillClock())
    assert terms.is_over(1, NOON, NOON + HOUR, now=NOON + HOUR)
    assert not terms.is_over(1, NOON + HOUR, NOON + 2 * HOUR, now=NOON + HOUR)
    terms.forget(1, NOON + HOUR)
