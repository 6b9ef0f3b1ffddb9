"""How often somebody may do something in a minute. In memory, of a bounded size, safe to use from any thread."""

import threading
from collections import deque

from bootos.waiting import CLOCK, Clock

PERIOD_S = 60.0
MOST_KEYS = 10_000


class Rate:
    """At most `most` takes of each key in any minute."""

    def __init__(self, most: int, clock: Clock = CLOCK) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._taken: dict[str, deque[float]] = {}

    def take(self, key: str = "") -> float:
        """Take one; returns 0, or the seconds until there is one again, and then nothing was taken."""
        now = self._clock.now()
        with self._lock:
            taken = self._taken.pop(key, None)
            if taken is None:
                taken = deque()
                while len(self._taken) >= MOST_KEYS:  # who was quiet for longest
                    del self._taken[next(iter(self._taken))]
            self._taken[key] = taken
            while taken and taken[0] <= now - PERIOD_S:
                taken.popleft()
            if len(taken) >= self._most:
                return max(0.001, taken[0] + PERIOD_S - now)
            taken.append(now)
            return 0.0

    def clear(self) -> None:
        """Forget who took what."""
        with self._lock:
            self._taken.clear()
