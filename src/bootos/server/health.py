"""What the server refused or cut, and for whom: sentences with counts, in memory only, the newest ones of each kind.
Shown on the page *Health* and by `bootos health`.
"""

import copy
import itertools
import logging
import threading
from datetime import datetime

import msgspec

from bootos.printable import show_line
from bootos.server.store.table import read_clock

log = logging.getLogger(__name__)

MOST_LETTERS = 300  # of a sentence


class Sentence(msgspec.Struct, kw_only=True):
    """What happened (`what`, the name of a limit or a word), of whom, how often, and when first and last."""

    what: str
    detail: str
    count: int
    first_at: datetime
    last_at: datetime


class Health:
    """The newest sentences, at most so many. Each kind has a share of them that no other kind takes: where there are
    too many, the oldest goes of the kind that has the most. Safe to use from any thread."""

    def __init__(self, most: int = 100) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._said: dict[
            str, dict[str, tuple[int, Sentence]]
        ] = {}  # by kind and detail; the last one is the newest
        self._numbers = itertools.count()  # the order in which they were said: clocks step, and are coarse
        self._counts: dict[str, int] = {}

    def note(self, what: str, detail: str) -> None:
        """Say it, or count it once more. What is new goes into the server's log, too."""
        detail = show_line(detail)[:MOST_LETTERS]
        now = read_clock()
        with self._lock:
            self._counts[what] = self._counts.get(what, 0) + 1
            kind = self._said.setdefault(what, {})
            _, said = kind.pop(detail, (0, None))
            is_new = said is None
            said = said or Sentence(what=what, detail=detail, count=0, first_at=now, last_at=now)
            said.count += 1
            said.last_at = now
            kind[detail] = (next(self._numbers), said)
            if sum(map(len, self._said.values())) > self._most:
                largest = max(self._said.values(), key=len)
                del largest[next(iter(largest))]
        if is_new and self.count(what) <= self._most:
            log.warning("%s: %s", what, detail)

    def count(self, what: str) -> int:
        """How often this happened since the server began."""
        with self._lock:
            return self._counts.get(what, 0)

    def counts(self) -> dict[str, int]:
        """How often each kind happened since the server began."""
        with self._lock:
            return dict(self._counts)

    def sentences(self) -> list[Sentence]:
        """Those that are kept, newest first."""
        with self._lock:
            numbered = [item for kind in self._said.values() for item in kind.values()]
            return [copy.copy(said) for _, said in sorted(numbered, key=lambda item: item[0], reverse=True)]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._said.clear()
            self._counts.clear()
