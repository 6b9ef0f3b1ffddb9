"""The serial line of a lab machine: every line with the seconds since power-on, kept in memory and in two files.

A thread reads what QEMU sends on a socket; `wait_for` looks for a pattern in what came so far and in what comes.
`<name>.log` has the stamped lines as text, `<name>.raw` the bytes as they came.
"""

import codecs
import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.waiting import CLOCK, Clock

REGISTERED = r"bootos: registered as "
"""What the agent says when the server has its machine. The kernel's clock driver says "registered as rtc0"."""

GAVE_UP = (
    # said by the kernel, /init and GRUB
    r"Kernel panic|[Oo]ut of memory|Initramfs unpacking failed|write error|BootOS: cannot start"
    r"|Not enough (memory|space)|^kexec\.sh: |EFI stub: ERROR|No bootable (device|option)"
)
"""What a machine says that will not come up: the rest of the wait would be for nothing."""

_ESCAPES = re.compile(r"\x1b(?:\][^\x07\x1b]*|\[[0-9;?]*[ -/]*[@-~]|[()][0-9A-Za-z]|[=>c78])|\x0f|\x0e|\x07")

# A row of the status page, with the sequence that places it. The page is no part of the console's lines.
_PAGE_ROW = re.compile(r"\x1b\[\d+;1H[^\r\n]*")


class SerialLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line without its escape sequences. `at_s` is when it was complete, in seconds since power-on;
    `cpu_s` is the CPU time the guest's process had used then; `number` counts from 0."""

    number: int
    at_s: float
    cpu_s: float
    text: str


class SerialTimeout(BootosError):
    """What was waited for did not come. The message ends with the last lines that did."""


def clean_text(raw: str) -> str:
    """A line as a person reads it: without escape sequences; the status page, and what a carriage return
    overwrote, are left out."""
    text = _ESCAPES.sub("", _PAGE_ROW.sub("", raw)).rstrip("\r")
    return text.rsplit("\r", 1)[-1].rstrip()


class SerialLog:
    """The lines of one power-on. It reads the connection that `follow` gave it until that ends; a machine that starts
    anew gives it another one, and the lines go on. Safe to use from several threads.

    `find_end` says, once the connection has ended, why nothing more will come; while it says nothing, waits go on.
    It is asked again after `wake`."""

    def __init__(
        self,
        path: Path,
        *,
        read_cpu_s: Callable[[], float],
        on_line: Callable[[SerialLine], None] | None = None,
        find_end: Callable[[], str] = lambda: "the machine went off",
        clock: Clock = CLOCK,
    ) -> None:
        self._path = path
        self._clock = clock
        self._read_cpu_s = read_cpu_s
        self._on_line = on_line
        self._find_end = find_end
        self._lines: list[SerialLine] = []
        self._partial = ""
        self._changed = threading.Condition()
        self._connection: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._began = 0.0

    def follow(self, connection: socket.socket, *, began: float) -> None:
        """Read this connection from now on. The one before, if there was one, has ended. `began` is the time of
        `time.monotonic` from which the seconds of the lines are counted."""
        if self._thread is not None:
            self._thread.join(5)
        with self._changed:
            self._began = began
            self._partial = ""
            self._connection = connection
        self._thread = threading.Thread(
            target=self._read, args=[connection], name=f"serial {self._path.name}", daemon=True
        )
        self._thread.start()

    def note(self, text: str) -> None:
        """Add a line that the lab itself says, not the machine."""
        self._take(f"{text}\n", begin=True)

    def wake(self) -> None:
        """Let every wait ask `find_end` again."""
        with self._changed:
            self._changed.notify_all()

    @property
    def lines(self) -> tuple[SerialLine, ...]:
        """All complete lines so far."""
        with self._changed:
            return tuple(self._lines)

    def has(self, pattern: str, *, after: int = 0) -> bool:
        """Whether a line from number `after` on matches."""
        return self._find(re.compile(pattern), after) is not None

    def wait_for(self, pattern: str, deadline_s: float, *, after: int = 0) -> SerialLine:
        """Wait up to `deadline_s` seconds for a line (or a prompt, which is a line without an end) from number
        `after` on that matches the regular expression. Raises SerialTimeout, also when the line is closed."""
        wanted = re.compile(pattern)
        until = time.monotonic() + deadline_s
        with self._changed:
            while (found := self._find(wanted, after)) is None:
                left = until - time.monotonic()
                why = self._find_end() if self._connection is None else ""
                if left <= 0 or why:
                    why = why or f"{deadline_s:g} s passed"
                    raise SerialTimeout(
                        f"no {pattern!r} on the serial line: {why}; it ended with\n{self.read_tail()}"
                    )
                self._changed.wait(left)
            return found

    def read_tail(self) -> str:
        """The last 15 lines with their seconds, for an error message; a line without an end is one of them."""
        with self._changed:
            lines = self._lines[-15:]
            if partial := clean_text(self._partial):
                lines = [*lines[-14:], self._stamp(partial)]
        return "\n".join(f"  {line.at_s:9.3f}  {line.text}" for line in lines)

    def read_last_words(self) -> str:
        """The last text that is not blank, also of a line without an end; empty when there is none."""
        with self._changed:
            texts = (clean_text(self._partial), *(line.text for line in reversed(self._lines)))
            return next((text.strip() for text in texts if text.strip()), "")

    def wait_until_registered(self, deadline_s: float, *, after: int = 0) -> SerialLine:
        """Wait until the agent says so. Raises BootosError, as soon as a line says that it will not come to that."""
        line = self.wait_for(f"{REGISTERED}|{GAVE_UP}", deadline_s, after=after)
        if not re.search(REGISTERED, line.text):
            raise BootosError(line.text)
        return line

    def send(self, text: str) -> None:
        """Type `text` into the serial line. Raises BootosError when the machine is off."""
        connection = self._connection
        try:
            if connection is None:
                raise BootosError("the serial line is closed")
            connection.sendall(text.encode())
        except OSError as cause:
            raise BootosError("the serial line is closed") from cause

    def close(self) -> None:
        """End the connection and wait for the last lines to be written."""
        connection = self._connection
        with contextlib.suppress(OSError):  # QEMU may have closed it
            if connection is not None:
                connection.shutdown(socket.SHUT_RDWR)
        self.drain(5.0)

    def drain(self, deadline_s: float) -> None:
        """Wait up to `deadline_s` seconds until all that came over a connection that has ended is among the lines."""
        if self._thread is not None:
            self._thread.join(deadline_s)

    def _find(self, wanted: re.Pattern[str], after: int) -> SerialLine | None:
        for line in self._lines[after:]:
            if wanted.search(line.text):
                return line
        partial = clean_text(self._partial)
        if partial and wanted.search(partial):
            return self._stamp(partial)
        return None

    def _stamp(self, text: str) -> SerialLine:
        at_s = self._clock.now() - self._began
        return SerialLine(number=len(self._lines), at_s=at_s, cpu_s=self._read_cpu_s(), text=text)

    def _read(self, connection: socket.socket) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a character may come in two chunks
        with self._path.with_suffix(".raw").open("ab") as raw:
            while True:
                try:
                    chunk = connection.recv(65536)
                except OSError:
                    chunk = b""
                if not chunk:
                    break
                raw.write(chunk)
                raw.flush()
                self._take(decoder.decode(chunk))
        connection.close()
        with self._changed:
            self._connection = None
            self._changed.notify_all()

    def _take(self, text: str, *, begin: bool = False) -> None:
        fresh: list[SerialLine] = []
        with self._changed:
            head = "\n" if begin and self._partial else ""
            *whole, self._partial = (self._partial + head + text).split("\n")
            for raw in whole:
                line = self._stamp(clean_text(raw))
                self._lines.append(line)
                fresh.append(line)
            self._changed.notify_all()
        with self._path.with_suffix(".log").open("a", encoding="utf-8") as stamped:
            stamped.writelines(f"{line.at_s:9.3f} {line.text}\n" for line in fresh)
        if self._on_line is not None:
            for line in fresh:
                self._on_line(line)
