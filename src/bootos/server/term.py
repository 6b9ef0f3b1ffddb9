"""What an operator made for some hours, and whether they have passed. In memory, safe to use from any thread.

The wall clock may be set while the server runs, so its own seconds count beside it (CLOCK_MONOTONIC): a term is over as
soon as either says so, and stays so as long as the server runs. After a restart nobody knows how long the server was
away but by the wall clock; then a term has no more left than it had at its beginning.
"""

import threading
from datetime import datetime

from bootos.server.store.table import read_clock
from bootos.waiting import CLOCK, Clock


class Terms:
    """Of each term, by what it is and when it ends, the moment at which it is over."""

    def __init__(self, clock: Clock = CLOCK) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until: dict[tuple[int, datetime], float] = {}

    def is_over(
        self, number: int, begins_at: datetime, ends_at: datetime, *, now: datetime | None = None
    ) -> bool:
        """Whether the term of this number has passed. It counts from the first time that it is asked for."""
        wall, seconds = now or read_clock(), self._clock.now()
        left_s = max(0.0, (ends_at - max(wall, begins_at)).total_seconds())
        with self._lock:
            until = self._until.setdefault((number, ends_at), seconds + left_s)
            if wall >= ends_at:
                until = self._until[number, ends_at] = min(until, seconds)
        return seconds >= until

    def forget(self, number: int, ends_at: datetime) -> None:
        """Nobody asks for it any more."""
        with self._lock:
            self._until.pop((number, ends_at), None)
