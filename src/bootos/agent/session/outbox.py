"""The log lines that the server does not have yet, in /run: they outlive an agent that is killed, not the boot.

Only `reporter` uses it. Lines come with their secrets masked. /run is memory. A line that cannot be written there is
left out: the agent itself still holds it.
"""

import contextlib
from pathlib import Path

import msgspec

from bootos.wire.v2 import LogLine


class Outbox:
    """One file, a line of JSON for each log line. Calls come one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[LogLine]:
        """What an agent before this one left; a last line that was cut off halfway is dropped."""
        lines: list[LogLine] = []
        with contextlib.suppress(OSError):
            for text in self._path.read_bytes().splitlines():
                with contextlib.suppress(msgspec.DecodeError):
                    lines.append(msgspec.json.decode(text, type=LogLine))
        return lines

    def add(self, lines: list[LogLine]) -> None:
        """Append lines. What cannot be written is left out: the agent still holds it."""
        with contextlib.suppress(OSError), self._path.open("ab", buffering=0) as file:
            file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))

    def clear(self) -> None:
        """The server has them all."""
        with contextlib.suppress(OSError):
            self._path.write_bytes(b"")
