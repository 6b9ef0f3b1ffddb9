"""What a Redfish service may take of the agent's time and memory: one answer, and all that is read in one session.

A BMC that sends without end, or a byte at a time, ends with a `BoundError`, which takes away the resource it was about.
"""

import io
import socket
from typing import Any

import msgspec

from bootos.waiting import Clock

MIB = 1024**2


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """`answer_bytes` and `answer_s`: of one answer, from its first byte; a request
    that may take longer than `request_s` has as long for its answer. `reading_bytes` and `reading_s`: of all
    resources that one session looks at. The largest are registries of BIOS settings, of 1 to 3 MiB."""

    answer_bytes: int = 16 * MIB
    answer_s: float = 120.0
    request_s: float = 60.0
    reading_bytes: int = 64 * MIB
    reading_s: float = 900.0


BOUNDS = Bounds()


class BoundError(OSError):
    """The service sent more than it may, or for longer."""


class BoundedFile(io.RawIOBase):
    """What a socket receives for one answer, up to the bounds. Raises BoundError."""

    def __init__(self, sock: socket.socket, bounds: Bounds, clock: Clock) -> None:
        # the file keeps the socket open, as a connection closes its own before the answer is read
        self._file: Any = sock.makefile("rb", buffering=0)
        self._socket = sock
        self._bounds = bounds
        self._clock = clock
        self._pause_s = sock.gettimeout()
        # a request that may take long (an upload) is answered while it is carried out
        is_long = self._pause_s is not None and self._pause_s > bounds.request_s
        self._answer_s: float = max(bounds.answer_s, self._pause_s or 0) if is_long else bounds.answer_s
        self._until: float | None = None
        self._size = 0

    def readable(self) -> bool:
        """As `io` asks: it is read from."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """What comes next, 0 bytes at the end. Raises BoundError, TimeoutError."""
        bounds = self._bounds
        left_s = self._answer_s if self._until is None else self._until - self._clock.now()
        late = BoundError(f"its answer is not whole after {self._answer_s:g} s, and is not read")
        if left_s <= 0:
            raise late
        is_last = self._until is not None and (self._pause_s is None or left_s < self._pause_s)
        if is_last:
            self._socket.settimeout(left_s)
        try:
            count: int | None = self._file.readinto(buffer)
        except TimeoutError:
            if is_last:
                raise late from None
            raise
        self._size += count or 0
        if self._size > bounds.answer_bytes:
            raise build_size_error(bounds)
        if self._until is None:
            self._until = self._clock.now() + self._answer_s
        return count

    def close(self) -> None:
        """Let go of the socket."""
        if not self.closed:
            self._file.close()
        super().close()


def build_size_error(bounds: Bounds) -> BoundError:
    """For an answer that is too large."""
    return BoundError(f"its answer is larger than {tell_size(bounds.answer_bytes)}, and is not read")


def tell_size(size: int) -> str:
    """16 MiB; what is no whole number of MiB in bytes."""
    return f"{size // MIB} MiB" if size % MIB == 0 else f"{size} bytes"


class Budget:
    """What a session has still to spend on reading."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._bytes, self._s = 0, 0.0

    def spend(self, *, size: int = 0, seconds: float = 0.0) -> None:
        """Note what an answer took."""
        self._bytes += size
        self._s += seconds

    def find_end(self) -> str:
        """Why nothing more is read; empty while there is something left."""
        bounds = self._bounds
        if self._s >= bounds.reading_s:
            return f"reading this service has taken more than {bounds.reading_s:g} s"
        if self._bytes >= bounds.reading_bytes:
            return f"this service has sent more than {tell_size(bounds.reading_bytes)}"
        return ""
