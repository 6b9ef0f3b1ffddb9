"""Wakes who waits: long-polls for orders and live pages. In this process only; commits publish, nobody polls.

A waiter takes a mark, looks into the store, and waits for a change since the mark, so that a change between
looking and waiting is never missed. A hub that is closed wakes everybody at once (shutdown).
"""

import asyncio
from collections.abc import Iterable


class Hub:
    """Topics are words such as `machine:7` and `job:12`. `publish` may be called from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._marks: dict[str, int] = {}
        self._waiters: dict[str, set[asyncio.Event]] = {}
        self.closed = False

    def attach(self) -> None:
        """Use the running event loop; called once when the application starts."""
        self._loop = asyncio.get_running_loop()

    def publish(self, topics: Iterable[str]) -> None:
        """Wake who waits for one of these topics, from any thread. Does nothing before the application has started."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, tuple(topics))

    def close(self) -> None:
        """Wake everybody, for ever. Call in the event loop's thread."""
        self.closed = True
        self._wake(tuple(self._waiters))

    def close_soon(self) -> None:
        """As `close`, from a signal handler or another thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.close)

    def mark(self, topic: str) -> int:
        """How often the topic has changed; to be read before the store is."""
        return self._marks.get(topic, 0)

    async def wait(self, topic: str, mark: int, timeout_s: float) -> bool:
        """Wait until `topic` changed after `mark`, at most `timeout_s` seconds; returns whether it did. False at once
        when the hub is closed."""
        if self.closed:
            return False
        if self.mark(topic) != mark:
            return True
        if timeout_s <= 0:
            return False
        event = asyncio.Event()
        waiters = self._waiters.setdefault(topic, set())
        waiters.add(event)
        try:
            await asyncio.wait_for(event.wait(), timeout_s)
        except TimeoutError:
            return False
        finally:
            waiters.discard(event)
            if not waiters and self._waiters.get(topic) is waiters:
                del self._waiters[topic]
        return not self.closed

    def _wake(self, topics: tuple[str, ...]) -> None:
        for topic in topics:
            self._marks[topic] = self._marks.get(topic, 0) + 1
            for event in self._waiters.get(topic, ()):
                event.set()
