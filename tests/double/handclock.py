"""Clocks and a caller that tests hand in, so that no test waits for the seconds that a machine waits."""

import threading
from collections.abc import Callable
from typing import Any

import urllib3

from bootos.waiting import Clock

SPEED = 20.0  # how much faster a quick clock runs


class StillClock(Clock):
    """Time that passes only when somebody sleeps; with a `pace` of 10 ten times as fast as they mean it to."""

    def __init__(self, pace: float = 1.0) -> None:
        self.now_s = 0.0
        self._pace = pace

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds * self._pace


class QuickClock(Clock):
    """Time that passes twenty times as fast, for what waits for a peer that is really there."""

    def now(self) -> float:
        return super().now() * SPEED

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / SPEED)

    def wait(
        self, condition: threading.Condition, is_true: Callable[[], bool], timeout_s: float | None = None
    ) -> bool:
        return super().wait(condition, is_true, None if timeout_s is None else timeout_s / SPEED)


class QuickCaller(urllib3.PoolManager):
    """HTTP calls that are given up twenty times as soon."""

    def __init__(self) -> None:
        super().__init__(maxsize=4, retries=False)

    def request(self, method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]
        timeout = options.get("timeout")
        if isinstance(timeout, urllib3.Timeout):
            connect = timeout.connect_timeout
            if isinstance(timeout.total, int | float):  # of connecting and reading together
                options["timeout"] = urllib3.Timeout(connect=connect, total=timeout.total / SPEED)
            else:
                options["timeout"] = urllib3.Timeout(
                    connect=connect, read=float(timeout.read_timeout or 0) / SPEED
                )
        return super().request(method, url, **options)
