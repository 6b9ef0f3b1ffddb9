"""Who was heard of, and when. Kept in memory; `app` writes it down now and then, all machines in one transaction:
a poll costs none.

An open long-poll counts as heard, for as long as it is open.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from bootos.server.store.table import read_clock


class Presence:
    """Moments by machine id. Safe to use from any thread."""

    def __init__(self, grace_s: float) -> None:
        self.grace_s = grace_s
        self._lock = threading.Lock()
        self._heard: dict[int, datetime] = {}
        self._unwritten: set[int] = set()
        self._open: dict[int, int] = {}

    def hear(self, machine_id: int) -> None:
        """Note a word from the machine's agent."""
        now = read_clock()
        with self._lock:
            self._heard[machine_id] = now
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
            moments = {machine_id: self._heard[machine_id] for machine_id in self._unwritten}
            moments |= dict.fromkeys(self._open, now)
            self._unwritten.clear()
        return moments

    def last_heard(self, machine_id: int, written: datetime | None) -> datetime | None:
        """The later of what is known here and what the store says."""
        with self._lock:
            known = self._heard.get(machine_id)
        return max(filter(None, (known, written)), default=None)

    def grace_left_s(self, machine_id: int, written: datetime | None) -> float:
        """For how many seconds the machine still counts as heard of; 0 when it does not. `written`: when it was heard
        of last, as the store says."""
        with self._lock:
            if self._open.get(machine_id):
                return self.grace_s
            known = self._heard.get(machine_id)
        now = read_clock()
        # A time in the future was written before the clock was set back. Without abs() it would keep the identity
        # taken for years.
        ages_s = [abs((now - moment).total_seconds()) for moment in (known, written) if moment is not None]
        return max(0.0, self.grace_s - min(ages_s, default=self.grace_s))

    def is_heard(self, machine_id: int, written: datetime | None) -> bool:
        """Whether the machine counts as heard of; `written` is what the store says."""
        return self.grace_left_s(machine_id, written) > 0

    def is_recent(self, moment: datetime | None, within_s: float) -> bool:
        """Whether the moment is less than `within_s` seconds away, before or after."""
        return moment is not None and abs((read_clock() - moment).total_seconds()) < within_s

    def forget(self, machine_id: int) -> None:
        """The machine is gone."""
        with self._lock:
            self._heard.pop(machine_id, None)
            self._unwritten.discard(machine_id)
