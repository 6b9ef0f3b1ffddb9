"""Calls that run at the same time, in threads that do not hold up the end of the process: the interpreter waits at its
end for those of `concurrent.futures`, and what a tool or a connection waits for may never come."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class ThreadPool:
    """At most `most` calls at a time. The end of a `with` block waits for all that was begun in it."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call it in another thread, as soon as one is free; returns where its result or its exception will be, of
        whatever kind."""
        future: Future[T] = Future()

        def work() -> None:
            try:
                result = call(*args, **kwargs)
            except BaseException as cause:  # noqa: BLE001 - SystemExit, too: raised anew for who asks for the result
                future.set_exception(cause)
            else:
                future.set_result(result)

        self._calls.put(work)
        if len(self._threads) < self._most:
            thread = threading.Thread(
                target=self._work, name=f"{self._name}_{len(self._threads)}", daemon=True
            )
            self._threads.append(thread)
            thread.start()
        return future

    def close(self) -> None:
        """Begin no more calls; those that run are left to end, and what waits for a thread has no result."""
        with suppress(Empty):
            while True:
                self._calls.get_nowait()
        for _ in self._threads:
            self._calls.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
