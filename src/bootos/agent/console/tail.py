"""Follows the agent's log file for the consoles: the last lines, each with a number that only grows.

The agent writes the file (`logfile`), renames it when it is full, and may die at any time; reading never waits.
"""

import os
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MOST_LINES = 1000
CHUNK = 64 * 1024


class Tail:
    """The last lines of the log at `path`."""

    def __init__(self, path: Path, most_lines: int = MOST_LINES) -> None:
        self._path = path
        self._lines: deque[str] = deque(maxlen=most_lines)
        self._file = -1
        self._inode = 0
        self._rest = b""
        self.end = 0
        """The number that the next line gets."""

    def add(self, line: str) -> None:
        """Append one line, without its line break; the oldest is dropped when there are too many."""
        self._lines.append(line)
        self.end += 1

    def read(self) -> None:
        """Take in what was written since the last call, also what went to the file before it was replaced."""
        if self._file < 0 and not self._open():
            return
        self._drain()
        with suppress(OSError):
            if self._path.stat().st_ino != self._inode:
                self._drain()  # what was written after the last read and before the file was replaced
                os.close(self._file)
                if self._open():
                    self._drain()

    def pick(self, start: int, most: int) -> tuple[list[str], int]:
        """Up to `most` lines from number `start` on, and the number to go on with. Lines that are no longer kept
        are counted in the first one."""
        first = self.end - len(self._lines)
        picked = []
        if start < first:
            picked.append(f"... {first - start} lines left out; they may be in {self._path}")
            start = first
        stop = min(self.end, start + most)
        picked += [self._lines[number - first] for number in range(start, stop)]
        return picked, stop

    def read_last(self, before: int, count: int) -> list[str]:
        """The last `count` lines before number `before`."""
        first = self.end - len(self._lines)
        return [self._lines[number - first] for number in range(max(first, before - count), before)]

    def _open(self) -> bool:
        self._file, self._rest = -1, b""
        with suppress(OSError):
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            self._inode = os.fstat(self._file).st_ino
        return self._file >= 0

    def _drain(self) -> None:
        while chunk := os.read(self._file, CHUNK):
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            self._extend(line.decode(errors="replace") for line in whole)

    def _extend(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.add(line)
