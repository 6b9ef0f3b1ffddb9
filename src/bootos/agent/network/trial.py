"""Tries the server through every port that has an address, in the background, over and over. Called by `uplink`."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import msgspec

from bootos.agent.network.link import Interface
from bootos.agent.network.networkfile import Names, Port
from bootos.agent.network.reach import Reach, check_reach
from bootos.threadpool import ThreadPool
from bootos.waiting import Clock

MOST_TRIALS = 16  # how many run at the same time


class Trial(msgspec.Struct, kw_only=True):
    """The tries of the server through one port, as long as it keeps its address."""

    address: str
    last: Reach | None = None
    future: "Future[Reach] | None" = None
    next_at: float = 0.0


class Trials:
    """One try after the other for each port; `find` tells what the last one came to, and never waits.

    `again_s`: between two tries through one port. `connect_s`: how long one may take.
    """

    def __init__(self, url: str, root: Path, *, again_s: float, connect_s: float, clock: Clock) -> None:
        self._url = url
        self._root = root
        self._again_s = again_s
        self._connect_s = connect_s
        self._clock = clock
        self._trials: dict[str, Trial] = {}
        self._pool = ThreadPool(MOST_TRIALS, "reach")

    def find(self, port: Port, item: Interface, find_names: Callable[[], Names]) -> Reach | None:
        """What the last try of this address came to; None: not known yet. When that is a while ago, a new one begins,
        with the names of that moment."""
        trial = self._trials.get(port.name)
        if trial is None or trial.address != item.address:
            trial = self._trials[port.name] = Trial(address=str(item.address))
        if trial.future is not None and trial.future.done():
            trial.last, trial.future = trial.future.result(), None
            trial.next_at = self._clock.now() + self._again_s
        if trial.future is None and self._clock.now() >= trial.next_at:
            trial.future = self._pool.submit(
                check_reach, self._url, port.name, find_names(), self._root, self._connect_s
            )
        return trial.last

    def close(self) -> None:
        """Begin no more tries; those that run are left to end."""
        self._pool.close()
