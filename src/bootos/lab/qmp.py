"""A small client of QEMU's machine protocol (QMP): commands, and the events that came in between.

Used by `emulator.Emulator` only. Protocol: QEMU's docs/interop/qmp-spec.
"""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from bootos.errors import BootosError


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What QEMU told by itself (RESET, SHUTDOWN, DEVICE_DELETED, ...), in seconds since power-on."""

    name: str
    at_s: float
    data: dict[str, Any]


class QmpEnded(BootosError):
    """QEMU closed the connection: it has ended, or is about to."""


class Qmp:
    """One connection. A thread reads it; commands may come from several threads, one after the other. `on_event` and
    `on_end` (the connection has ended) are called by that thread, and must not ask QEMU anything. `earlier` are the
    events before those of this connection, so that their numbers go on."""

    def __init__(
        self,
        connection: socket.socket,
        *,
        began: float,
        on_event: Callable[[Event], None] | None = None,
        on_end: Callable[[], None] | None = None,
        earlier: Sequence[Event] = (),
    ) -> None:
        self._connection = connection
        self._began = began
        self._on_event = on_event
        self._on_end = on_end
        self._one_at_a_time = threading.Lock()
        self._changed = threading.Condition()
        self._events: list[Event] = list(earlier)
        self._answers: dict[int, dict[str, Any]] = {}
        self._last_id = 0
        self._ended = False
        self._thread = threading.Thread(target=self._read, name="qmp", daemon=True)
        self._thread.start()
        self.execute("qmp_capabilities")

    @property
    def events(self) -> tuple[Event, ...]:
        """All events so far."""
        with self._changed:
            return tuple(self._events)

    def execute(
        self, command: str, arguments: dict[str, Any] | None = None, *, timeout_s: float = 10.0
    ) -> Any:
        """Run one command and return its answer. Raises BootosError: refused, or no answer in `timeout_s` seconds;
        QmpEnded when QEMU has ended."""
        until = time.monotonic() + timeout_s
        with self._one_at_a_time:
            self._last_id += 1
            number = self._last_id
            message = {"execute": command, "id": number, **({"arguments": arguments} if arguments else {})}
            try:
                self._connection.sendall(json.dumps(message).encode() + b"\n")
            except OSError as cause:
                raise QmpEnded(f"QEMU cannot be asked to {command}: it has ended") from cause
            with self._changed:
                while number not in self._answers:
                    left = until - time.monotonic()
                    if self._ended:
                        raise QmpEnded(f"QEMU did not {command}: it has ended")
                    if left <= 0:
                        raise BootosError(f"QEMU did not {command}: no answer in {timeout_s:g} s")
                    self._changed.wait(left)
                answer = self._answers.pop(number)
        if "error" in answer:
            raise BootosError(f"QEMU refused to {command}: {answer['error'].get('desc', answer['error'])}")
        return answer.get("return")

    def wait_for_event(self, name: str, deadline_s: float, *, after: int = 0, **data: Any) -> Event:
        """Wait up to `deadline_s` seconds for an event from number `after` on whose data contains `data`. Raises
        BootosError when none came, QmpEnded when QEMU has ended."""
        until = time.monotonic() + deadline_s
        with self._changed:
            while True:
                for event in self._events[after:]:
                    if event.name == name and data.items() <= event.data.items():
                        return event
                left = until - time.monotonic()
                if self._ended:
                    raise QmpEnded(f"QEMU sent no {name} event: it has ended")
                if left <= 0:
                    raise BootosError(f"QEMU sent no {name} event in {deadline_s:g} s")
                self._changed.wait(left)

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError):  # QEMU may have closed it
            self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    def _read(self) -> None:
        try:
            with self._connection.makefile("rb") as stream:
                for line in stream:
                    self._take(json.loads(line))
        except (OSError, ValueError):
            pass  # a killed QEMU ends in the middle of a line
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._connection.close()
        if self._on_end is not None:
            self._on_end()

    def _take(self, message: dict[str, Any]) -> None:
        event = None
        with self._changed:
            if "event" in message:
                at_s = time.monotonic() - self._began
                event = Event(name=message["event"], at_s=at_s, data=message.get("data", {}))
                self._events.append(event)
            elif "id" in message:
                self._answers[message["id"]] = message
            self._changed.notify_all()
        if event is not None and self._on_event is not None:
            self._on_event(event)
