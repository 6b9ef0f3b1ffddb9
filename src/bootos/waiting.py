"""The one way to wait and to try again. Who waits takes a `Clock`; tests hand in one that stands still until somebody
sleeps, so that no test waits for real time to pass. The wall clock is no part of this: it jumps.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from bootos.errors import BootosError

T = TypeVar("T")


class Clock:
    """Seconds that count on, from any beginning, and a pause in them (CLOCK_MONOTONIC)."""

    def now(self) -> float:
        """Seconds since some moment that stays the same."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        time.sleep(seconds)

    def wait(
        self, condition: threading.Condition, is_true: Callable[[], bool], timeout_s: float | None = None
    ) -> bool:
        """Wait, holding `condition`, until a notified `is_true` holds or `timeout_s` have passed; returns whether it
        holds."""
        return condition.wait_for(is_true, timeout_s)


CLOCK = Clock()


class Deadline:
    """One deadline for several steps that each have a bound of their own."""

    LEAST_S = 0.05  # what a step is given when it has passed: a socket with no time at all does not wait, and says so

    def __init__(self, deadline_s: float, clock: Clock = CLOCK) -> None:
        self._clock = clock
        self._until = clock.now() + deadline_s

    def left_s(self, most_s: float) -> float:
        """Seconds for the next step: `most_s`, or what is left if that is less."""
        return max(self.LEAST_S, min(most_s, self._until - self._clock.now()))


def find_within(
    find: Callable[[], T | None], deadline_s: float, *, pause_s: float, clock: Clock = CLOCK
) -> T | None:
    """Call `find`, every `pause_s` seconds, until it returns something true or `deadline_s` seconds have passed.

    Returns its last answer. It is called once at least, and once more when the deadline has passed."""
    until = clock.now() + deadline_s
    while True:
        is_last = clock.now() >= until
        found = find()
        if found or is_last:
            return found
        clock.sleep(pause_s)


def wait_for(
    find: Callable[[], T | None], deadline_s: float, *, what: str, pause_s: float = 0.2, clock: Clock = CLOCK
) -> T:
    """As `find_within`. Raises BootosError, with `what` should have happened, when it did not."""
    found = find_within(find, deadline_s, pause_s=pause_s, clock=clock)
    if not found:
        raise BootosError(f"{what} did not happen within {deadline_s:g} s")
    return found


def grow_pauses(first_s: float, most_s: float, *, spread: float = 0.0) -> Iterator[float]:
    """Seconds to wait between tries that never end: each is twice the one before, up to `most_s`.

    With `spread` 0.2 each is up to 20 % shorter or longer by chance, so that many machines do not ask in step."""
    pause_s = first_s
    while True:
        yield pause_s * random.uniform(1 - spread, 1 + spread) if spread else pause_s
        pause_s = min(most_s, pause_s * 2)
