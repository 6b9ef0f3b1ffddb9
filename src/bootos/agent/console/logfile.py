"""The agent's log lines for the consoles: /run/bootos/agent.log, which the console process follows.

`main` hangs the handler on the agent's logger. The file is bounded: when it is full it becomes `agent.log.old`.
"""

import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from bootos.agent.console.status import wake_console

FILE_NAME = "agent.log"
MOST_BYTES = 512 * 1024
CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[^\t\x20-\x7e\x80-\U0010ffff]|[\x80-\x9f]")


class LogFile(logging.Handler):
    """Writes INFO and above, a line each, masked by `redact`; what a tool paints on its terminal is left out."""

    def __init__(self, directory: Path, redact: Callable[[str], str], most_bytes: int = MOST_BYTES) -> None:
        super().__init__(logging.INFO)
        self._path = directory / FILE_NAME
        self._redact = redact
        self._most_bytes = most_bytes
        directory.mkdir(parents=True, exist_ok=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Append the record to the file, secrets masked, and wake the console. Called by `logging`; never raises."""
        prefix = "" if record.levelno < logging.WARNING else f"{record.levelname}: "
        stamp = time.strftime("%H:%M:%S", time.gmtime(record.created))
        text = self._redact(record.getMessage())
        lines = (f"[{stamp}] bootos: {prefix}{clean_line(line)}\n" for line in text.splitlines() or [""])
        try:
            self._append("".join(lines).encode(errors="replace"))
            wake_console(self._path.parent)
        except OSError:
            self.handleError(record)  # an error of the log never stops the agent

    def _append(self, text: bytes) -> None:
        """The file is opened for each line, so that a file that was removed is made again. The agent is the only
        writer."""
        number = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(number, text)
            full = os.fstat(number).st_size >= self._most_bytes
        finally:
            os.close(number)
        if full:
            self._path.replace(self._path.with_suffix(".log.old"))


def clean_line(line: str) -> str:
    """Without escape sequences and control characters, which would move the cursor of every console."""
    return CONTROL.sub("", line)
