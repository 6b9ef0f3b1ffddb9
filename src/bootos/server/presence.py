"""Who was heard of, and how long ago. Kept in memory; `app` writes it down now and then, all machines in one
transaction: a poll costs none.

Ages are counted by the monotonic clock: nobody loses an identity, and nobody keeps one, because the host's clock was
set. Of whom this process has not heard yet, nobody knows for how long it was silent: its age counts from the start.
What was written down is for showing.

An open long-poll counts as heard, for as long as it is open.
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from bootos.server.store.table import read_clock
from bootos.waiting import CLOCK, Clock

BAR_S = 120.0  # longer than an agent waits that was refused: the others come first


class Word(NamedTuple):
    """What is known of a machine: when it was heard of last, by either clock; who is barred from its identity, and
    until when."""

    heard: float = -math.inf
    heard_at: datetime | None = None
    barred_until: float = -math.inf
    barred: frozenset[str] = frozenset()


NOTHING = Word()


class Presence:
    """Moments by machine id. Safe to use from any thread."""

    def __init__(self, grace_s: float, clock: Clock = CLOCK) -> None:
        self.grace_s = grace_s
        self._clock = clock
        self._started, self._started_at = clock.now(), read_clock()
        self._written = self._started  # what was heard before is written down
        self._lock = threading.Lock()
        self._known: dict[int, Word] = {}
        self._open: dict[int, int] = {}

    def hear(self, machine_id: int) -> Callable[[], None]:
        """Note a word from the machine's agent; returns what takes the note back."""
        return self._note(machine_id, heard=self._clock.now(), heard_at=read_clock())

    def _note(self, machine_id: int, **changed: Any) -> Callable[[], None]:
        with self._lock:
            before = self._known.get(machine_id)
            now = self._known[machine_id] = (before or NOTHING)._replace(**changed)

        def take_back() -> None:
            with self._lock:
                if self._known.get(machine_id) is not now:
                    return  # there was another word since
                if before is None:
                    del self._known[machine_id]
                else:
                    self._known[machine_id] = before

        return take_back

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

    @contextmanager
    def writing(self) -> Iterator[dict[int, datetime]]:
        """The moments to write down: of whom something was heard since the last time, or who waits. They are given
        again when what is within raises."""
        now, at = self._clock.now(), read_clock()
        with self._lock:
            moments = {
                machine_id: word.heard_at
                for machine_id, word in self._known.items()
                if word.heard >= self._written and word.heard_at is not None
            }
            moments |= dict.fromkeys(self._open, at)
        yield moments
        self._written = now

    def last_heard(self, machine_id: int, written: datetime | None) -> datetime | None:
        """The later of what is known here and what the store says."""
        with self._lock:
            known = self._known.get(machine_id, NOTHING).heard_at
        return max(filter(None, (known, written)), default=None)

    def grace_left_s(self, machine_id: int) -> float:
        """For how many seconds the machine's boot still holds its identity; 0 when it does not."""
        with self._lock:
            if self._open.get(machine_id):
                return self.grace_s
            word = self._known.get(machine_id)
        heard = word.heard if word is not None else self._started
        return max(0.0, self.grace_s - (self._clock.now() - heard))

    def is_heard(self, machine_id: int, written: datetime | None) -> bool:
        """Whether the machine is shown as heard of; `written`: when it was last, as the store says."""
        with self._lock:
            known = machine_id in self._known or self._open.get(machine_id)
        if not known and not _is_near(written, self._started_at, self.grace_s):
            return False
        return self.grace_left_s(machine_id) > 0

    def is_recent(self, machine_id: int, written: datetime | None, within_s: float) -> bool:
        """Whether the machine was heard of less than `within_s` seconds ago; `written` as in `is_heard`."""
        with self._lock:
            word = self._known.get(machine_id)
        if word is not None:
            return self._clock.now() - word.heard < within_s
        return _is_near(written, read_clock(), within_s)

    def let_go(self, machine_id: int, *barred: str) -> Callable[[], None]:
        """Nobody holds the machine's identity any more; who speaks for it next does, but none of these boots and
        addresses before `BAR_S`. Returns what takes that back."""
        until = self._clock.now() + BAR_S if barred else -math.inf
        return self._note(machine_id, heard=-math.inf, barred_until=until, barred=frozenset(barred))

    def bar_left_s(self, machine_id: int, *words: str) -> float:
        """For how many seconds a boot with one of these words is still barred from the machine's identity."""
        with self._lock:
            word = self._known.get(machine_id, NOTHING)
        return max(0.0, word.barred_until - self._clock.now()) if word.barred & set(words) else 0.0

    def forget(self, machine_id: int) -> None:
        """The machine is gone."""
        with self._lock:
            self._known.pop(machine_id, None)


def _is_near(moment: datetime | None, other: datetime, within_s: float) -> bool:
    return moment is not None and abs((other - moment).total_seconds()) < within_s
