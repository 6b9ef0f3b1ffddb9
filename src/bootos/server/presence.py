"""Who was heard of, and when. Kept in memory and written down now and then: a poll costs no transaction.

An open long-poll counts as heard, for as long as it is open.
"""

import threading
from datetime import datetime, timedelta

from bootos.server.store.table import read_clock

WRITE_EVERY_S = 10


class Presence:
    """Moments by machine id. Safe to use from any thread."""

    def __init__(self, grace_s: float) -> None:
        self.grace_s = grace_s
        self._lock = threading.Lock()
        self._heard: dict[int, datetime] = {}
        self._written: dict[int, datetime] = {}
        self._open: dict[int, int] = {}

    def hear(self, machine_id: int) -> bool:
        """Note a word from the machine's agent; True when it is time to write it down."""
        now = read_clock()
        with self._lock:
            self._heard[machine_id] = now
            written = self._written.get(machine_id)
            if written is not None and now - written < timedelta(seconds=WRITE_EVERY_S):
                return False
            self._written[machine_id] = now
            return True

    def open_poll(self, machine_id: int) -> None:
        with self._lock:
            self._open[machine_id] = self._open.get(machine_id, 0) + 1

    def close_poll(self, machine_id: int) -> None:
        with self._lock:
            left = self._open.get(machine_id, 0) - 1
            if left > 0:
                self._open[machine_id] = left
            else:
                self._open.pop(machine_id, None)

    def last_heard(self, machine_id: int, written: datetime | None) -> datetime | None:
        """The later of what is known here and what the store says."""
        with self._lock:
            known = self._heard.get(machine_id)
        return max(filter(None, (known, written)), default=None)

    def grace_left_s(self, machine_id: int, written: datetime | None) -> float:
        """For how long the machine still counts as heard of; 0 when it does not."""
        with self._lock:
            if self._open.get(machine_id):
                return self.grace_s
        last = self.last_heard(machine_id, written)
        if last is None:
            return 0.0
        return max(0.0, self.grace_s - (read_clock() - last).total_seconds())

    def is_heard(self, machine_id: int, written: datetime | None) -> bool:
        return self.grace_left_s(machine_id, written) > 0

    def forget(self, machine_id: int) -> None:
        with self._lock:
            for table in (self._heard, self._written, self._open):
                table.pop(machine_id, None)
