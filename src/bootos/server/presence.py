"""Who was heard of, and how long ago. Kept in memory; `app` writes it down now and then, all machines in one
transaction: a poll costs none.

Ages are counted by the monotonic clock: nobody loses an identity, and nobody keeps one, because the host's clock was
set. Of whom this process has not heard yet, nobody knows for how long it was silent: its age counts from the start.
What was written down is for showing.

An open long-poll counts as heard, for as long as it is open.
"""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from bootos.server.store.table import read_clock
from bootos.waiting import CLOCK, Clock

BAR_S = 120.0  # longer than an agent waits that was refused: the others come first


class Presence:
    """Moments by machine id. Safe to use from any thread."""

    def __init__(self, grace_s: float, clock: Clock = CLOCK) -> None:
        self.grace_s = grace_s
        self._clock = clock
        self._started, self._started_at = clock.now(), read_clock()
        self._lock = threading.Lock()
        self._heard: dict[int, float] = {}
        self._heard_at: dict[int, datetime] = {}
        self._unwritten: set[int] = set()
        self._open: dict[int, int] = {}
        self._barred: dict[int, tuple[float, frozenset[str]]] = {}

    def hear(self, machine_id: int) -> None:
        """Note a word from the machine's agent."""
        now, at = self._clock.now(), read_clock()
        with self._lock:
            self._heard[machine_id] = now
            self._heard_at[machine_id] = at
            self._unwritten.add(machine_id)

    @contextmanager
    def polling(self, machine_id: int) -> Iterator[None]:
        """Within it the machine's agent waits for an order."""
        with self._lock:
            self._open[machine_id] = self._open.get(machine_id, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                left = self._open.pop(machine_id) - 1
                if left > 0:
                    self._open[machine_id] = left

    def count_polls(self) -> int:
        """Of how many machines an agent waits."""
        return len(self._open)

    def take_unwritten(self) -> dict[int, datetime]:
        """The moments to write down: of whom something was heard since the last call, or who waits."""
        now = read_clock()
        with self._lock:
            known = self._unwritten & self._heard_at.keys()
            moments = {machine_id: self._heard_at[machine_id] for machine_id in known}
            moments |= dict.fromkeys(self._open, now)
            self._unwritten.clear()
        return moments

    def last_heard(self, machine_id: int, written: datetime | None) -> datetime | None:
        """The later of what is known here and what the store says."""
        with self._lock:
            known = self._heard_at.get(machine_id)
        return max(filter(None, (known, written)), default=None)

    def grace_left_s(self, machine_id: int) -> float:
        """For how many seconds the machine's boot still holds its identity; 0 when it does not."""
        with self._lock:
            if self._open.get(machine_id):
                return self.grace_s
            heard = self._heard.get(machine_id, self._started)
        return max(0.0, self.grace_s - (self._clock.now() - heard))

    def is_heard(self, machine_id: int, written: datetime | None) -> bool:
        """Whether the machine is shown as heard of; `written`: when it was last, as the store says."""
        with self._lock:
            known = machine_id in self._heard or self._open.get(machine_id)
        if not known and not _is_near(written, self._started_at, self.grace_s):
            return False
        return self.grace_left_s(machine_id) > 0

    def is_recent(self, machine_id: int, written: datetime | None, within_s: float) -> bool:
        """Whether the machine was heard of less than `within_s` seconds ago; `written` as in `is_heard`."""
        with self._lock:
            heard = self._heard.get(machine_id)
        if heard is not None:
            return self._clock.now() - heard < within_s
        return _is_near(written, read_clock(), within_s)

    def let_go(self, machine_id: int, *barred: str) -> None:
        """Nobody holds the machine's identity any more; who speaks for it next does, but none of these boots and
        addresses before `BAR_S`."""
        until = self._clock.now() + BAR_S
        with self._lock:
            self._heard[machine_id] = -math.inf
            self._barred.pop(machine_id, None)
            if barred:
                self._barred[machine_id] = (until, frozenset(barred))

    def bar_left_s(self, machine_id: int, *words: str) -> float:
        """For how many seconds a boot with one of these words is still barred from the machine's identity."""
        with self._lock:
            until, barred = self._barred.get(machine_id, (-math.inf, frozenset[str]()))
            left_s = until - self._clock.now()
            if left_s <= 0:
                self._barred.pop(machine_id, None)
        return max(0.0, left_s) if barred & set(words) else 0.0

    def forget(self, machine_id: int) -> None:
        """The machine is gone."""
        with self._lock:
            self._heard.pop(machine_id, None)
            self._heard_at.pop(machine_id, None)
            self._unwritten.discard(machine_id)
            self._barred.pop(machine_id, None)


def _is_near(moment: datetime | None, other: datetime, within_s: float) -> bool:
    return moment is not None and abs((other - moment).total_seconds()) < within_s
