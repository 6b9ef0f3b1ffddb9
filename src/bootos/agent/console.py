"""Every console of the machine: what the agent does and what it waits for is said on all of them.

`open_consoles` finds them, `Consoles.say` writes a line to each. A console that blocks or is gone is left out
and never stops the agent.
"""

import logging
import os
import re
import time
from pathlib import Path

log = logging.getLogger(__name__)


def find_consoles(root: Path = Path("/")) -> list[Path]:
    """The screen (tty1) and each serial line with a UART behind it, plus what the kernel uses as console."""
    names = []
    if (root / "sys/class/tty/tty1").exists():
        names.append("tty1")
    for port in sorted((root / "sys/class/tty").glob("ttyS*")):
        kind = port / "type"  # 0: no UART (include/uapi/linux/serial.h, PORT_UNKNOWN)
        if kind.exists() and kind.read_text().strip() != "0":
            names.append(port.name)
    active = root / "sys/class/tty/console/active"
    if active.exists():
        names += [name for name in active.read_text().split() if re.fullmatch(r"(ttyS|ttyAMA|hvc)\d+", name)]
    return [root / "dev" / name for name in dict.fromkeys(names)]


class Consoles:
    """Writes lines to all consoles."""

    def __init__(self, paths: list[Path]) -> None:
        self._files: dict[Path, int] = {}
        for path in paths:
            try:
                self._files[path] = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
            except OSError as cause:
                log.debug("console %s cannot be opened: %s", path, cause)

    def say(self, text: str) -> None:
        """Write one line to every console; a full or vanished console loses the line, nothing else."""
        stamp = time.strftime("%H:%M:%S", time.gmtime())
        line = f"\r[{stamp}] bootos: {text}\r\n".encode()
        for path, number in list(self._files.items()):
            try:
                os.write(number, line)
            except BlockingIOError:
                continue
            except OSError as cause:
                log.debug("console %s is gone: %s", path, cause)
                del self._files[path]


class ConsoleHandler(logging.Handler):
    """Sends the agent's own log lines (INFO and above) to the consoles."""

    def __init__(self, consoles: Consoles) -> None:
        super().__init__(logging.INFO)
        self._consoles = consoles

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "" if record.levelno < logging.WARNING else f"{record.levelname}: "
        self._consoles.say(prefix + record.getMessage())
