"""One run of QEMU, from its start to its end: process, serial line, QMP, and how it ended.

Used by `machine.Machine` for each power-on and by `trial` for each trial of an accelerator. A thread listens to QEMU's
events, so that an internal error, a panic or an ended process is known at once. Run states and events: QEMU's
qapi/run-state.json.
"""

import contextlib
import os
import queue
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from bootos.errors import BootosError
from bootos.lab.qmp import Event, Qmp
from bootos.lab.serial import SerialLog
from bootos.lab.socket_place import open_socket_place
from bootos.process import ToolError, start

WENT_OFF = "the machine went off"
START_DEADLINE_S = 30.0

_EXIT_DEADLINE_S = 30.0
_DRAIN_DEADLINE_S = 5.0
_STOPPED_FOR_GOOD = ("internal-error", "guest-panicked", "io-error")
_OUTSIDE_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_REGISTERS = re.compile(r"[ER]AX\s?=")


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. `off`: the guest powered off, or QEMU was ended from outside. `error`: QEMU stopped the guest
    with an internal error, or itself died. `panic`: the guest told that it panicked. `stuck`: its disk could not be
    written. `words`: why, for a person. `code`: QEMU's exit code, negative for a signal."""

    kind: Literal["off", "error", "panic", "stuck"]
    words: str
    code: int


class MachineEnded(BootosError):
    """A machine that was waited for is not on any more. The message ends with the last lines of its serial line."""


class Emulator:
    """A QEMU that was started; it has its serial line in `serial`. `build` makes its command line from the paths of
    two sockets, for the serial line and for QMP; `env` is added to its environment.

    `on_end` is called once, by a thread of the emulator, as soon as the run is over and its process has ended. It
    returns the end that others shall see in `end`, or None when the machine goes on with another emulator.

    Raises BootosError with QEMU's own words when it does not start."""

    def __init__(
        self,
        build: Callable[[str, str], Sequence[str]],
        *,
        log_path: Path,
        serial: SerialLog,
        env: Mapping[str, str] = os.environ,
        on_event: Callable[[Event], None] = lambda event: None,
        on_end: Callable[["Emulator", End], End | None] = lambda emulator, end: end,
        earlier: Sequence[Event] = (),
        start_deadline_s: float = START_DEADLINE_S,
    ) -> None:
        self.serial = serial
        self.end: End | None = None
        self._log_path = log_path
        self._on_event = on_event
        self._on_end = on_end
        self._is_stopped = False
        self._cpu_s = 0.0
        self._is_settled = threading.Event()
        self._noticed: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._log_began = log_path.stat().st_size if log_path.exists() else 0
        with open_socket_place() as directory:
            paths = Path(directory, "serial"), Path(directory, "qmp")
            with _listen(paths[0]) as serial_listener, _listen(paths[1]) as qmp_listener:
                self.began = time.monotonic()
                self._child = start(build(str(paths[0]), str(paths[1])), log_path=log_path, env=env)
                until = self.began + start_deadline_s
                with contextlib.ExitStack() as undone:  # also when somebody presses Ctrl-C meanwhile
                    undone.callback(self._child.stop, grace_s=0.0)
                    serial_connection = undone.enter_context(self._accept(serial_listener, until))
                    qmp_connection = undone.enter_context(self._accept(qmp_listener, until))
                    self.qmp = self._shake_hands(qmp_connection, earlier)
                    undone.pop_all()
        serial.follow(serial_connection, began=self.began)
        threading.Thread(target=self._watch, name="emulator", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """QEMU's process id, or None when it has ended."""
        return self._child.pid if self._child.poll() is None else None

    def read_cpu_s(self) -> float:
        """CPU seconds QEMU has used since it started; the last value when it has ended."""
        if (pid := self.pid) is not None:
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                self._cpu_s = (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS
            except (OSError, IndexError):
                pass  # QEMU has ended since its process id was asked for
        return self._cpu_s

    def read_memory_bytes(self) -> dict[str, int]:
        """What QEMU's process holds on the host now and held at most: `resident`, `peak`. Raises BootosError when it
        has ended."""
        names = {"VmRSS": "resident", "VmHWM": "peak"}
        try:
            status = Path(f"/proc/{self._child.pid}/status").read_text()
        except OSError as cause:
            raise BootosError("QEMU has ended") from cause
        lines = (line.split() for line in status.splitlines())
        return {names[words[0][:-1]]: int(words[1]) * 1024 for words in lines if words[0][:-1] in names}

    def stop(self) -> None:
        """Pull the plug: QEMU ends at once. Returns when it has ended and `end` is set."""
        self._is_stopped = True
        self.read_cpu_s()
        self._child.stop(grace_s=0.0)
        self.close()
        self.end = self.end or End(kind="off", words=WENT_OFF, code=self._child.poll() or 0)
        self._is_settled.set()

    def report_panic(self) -> None:
        """Say that the guest's kernel panicked for good, as its serial line tells; the run is over."""
        self._noticed.put(Event(name="GUEST_PANICKED", at_s=time.monotonic() - self.began, data={}))

    def close(self) -> None:
        """Let go of the connections of a QEMU that has ended."""
        self.serial.close()
        self.qmp.close()

    def wait_until_settled(self, deadline_s: float) -> bool:
        """Wait up to `deadline_s` seconds until the run is over and `on_end` has returned. Returns whether it is."""
        return self._is_settled.wait(deadline_s)

    def read_words(self) -> str:
        """What QEMU itself said in this run, in one line of at most 600 characters, without registers."""
        with self._log_path.open("rb") as log:
            log.seek(self._log_began)
            said = log.read().decode(errors="replace")
        lines: list[str] = []
        for line in said.splitlines():
            if _REGISTERS.match(line):
                break
            if line.strip() and not line.startswith("extra data["):
                lines.append(line.strip())
        return "; ".join(lines)[-600:] or "it said nothing"

    def _accept(self, listener: socket.socket, until: float) -> socket.socket:
        """QEMU's connection. Raises BootosError with QEMU's words when it ended, or is too slow."""
        while True:
            try:
                connection, _ = listener.accept()
            except TimeoutError as cause:
                if self._child.poll() is None and time.monotonic() < until:
                    continue
                self._child.stop(grace_s=0.0)
                raise BootosError(f"QEMU did not start: {self.read_words()}") from cause
            connection.settimeout(None)
            return connection

    def _shake_hands(self, connection: socket.socket, earlier: Sequence[Event]) -> Qmp:
        """The QMP connection, ready for commands. Raises BootosError with QEMU's words when it does not answer."""
        try:
            return Qmp(
                connection,
                began=self.began,
                on_event=self._hear_event,
                on_end=lambda: self._noticed.put(None),
                earlier=earlier,
            )
        except BootosError as cause:
            self._child.stop(grace_s=0.0)
            raise BootosError(f"QEMU did not start: {self.read_words()}") from cause

    def _hear_event(self, event: Event) -> None:
        self._noticed.put(event)
        self._on_event(event)

    def _watch(self) -> None:
        """Follow the events until the connection ends; end a QEMU whose guest will not run again."""
        status, shutdown = "", False
        while (event := self._noticed.get()) is not None:
            shutdown = shutdown or event.name == "SHUTDOWN"
            if event.name == "GUEST_PANICKED":
                status = "guest-panicked"
            elif event.name == "STOP":
                status = self._read_status() or status
            if status in _STOPPED_FOR_GOOD:
                self._child.stop(grace_s=0.0)
                break
        try:
            code = self._child.wait(_EXIT_DEADLINE_S)
        except ToolError:  # the connection has ended, but the process goes on
            code = self._child.stop(grace_s=0.0)
        # before the end is told, so that the last lines are there for everybody who hears of it
        self.serial.drain(_DRAIN_DEADLINE_S)
        self._settle(self._find_end(status, code, shutdown=shutdown))

    def _read_status(self) -> str:
        """The run state, empty when QEMU does not say it."""
        try:
            return str(self.qmp.execute("query-status")["status"])
        except BootosError:
            return ""

    def _find_end(self, status: str, code: int, *, shutdown: bool) -> End:
        if self._is_stopped:
            return End(kind="off", words=WENT_OFF, code=code)
        if status == "internal-error":
            words = f"QEMU stopped the machine with an internal error: {self.read_words()}"
            return End(kind="error", words=words, code=code)
        if status == "guest-panicked":
            return End(kind="panic", words="the machine's kernel panicked", code=code)
        if status == "io-error":
            words = "QEMU stopped the machine: a disk's file could not be read or written (is the host's disk full?)"
            return End(kind="stuck", words=words, code=code)
        if shutdown or code == 0:
            return End(kind="off", words=WENT_OFF, code=code)
        if -code in _OUTSIDE_SIGNALS:
            return End(
                kind="off", words=f"{WENT_OFF}: QEMU was ended by {signal.Signals(-code).name}", code=code
            )
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return End(kind="error", words=f"QEMU {how}: {self.read_words()}", code=code)

    def _settle(self, end: End) -> None:
        told = self._on_end(self, end)
        self.end = self.end or told
        self._is_settled.set()
        self.serial.wake()


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)
    listener.settimeout(0.1)
    return listener
