"""The consoles of the machine: a status page on each, and a root shell at a key. A process of its own.

`/usr/lib/bootos/console` runs it, one process for all consoles, apart from the agent: page and shell are there also
when the agent is dead. It only reads what the agent leaves in /run/bootos. A console that blocks or is gone holds
up nothing. It lives as long as the machine is on, so it imports little (no msgspec: half the memory).
"""

import os
import re
import select
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bootos.agent.console import page
from bootos.agent.console.status import FILE_NAME as STATUS_NAME
from bootos.agent.console.status import WAKE_NAME, View, read_view
from bootos.agent.console.tail import Tail
from bootos.agent.console.terminal import Console

RUN_DIRECTORY = Path("/run/bootos")
SHELL = Path("/usr/lib/bootos/shell")
LOG_NAME = "agent.log"

LOOK_S = 2.0
"""How often it is looked whether the agent lives, when nothing comes from it."""
GATHER_S = 0.05
"""Log lines that come in a burst are shown together."""


def find_consoles(root: Path = Path("/")) -> list[Path]:
    """The screen (tty1) and each serial line with a UART behind it, plus what the kernel uses as console."""
    names = []
    if (root / "sys/class/tty/tty1").exists():
        names.append("tty1")
    for port in sorted((root / "sys/class/tty").glob("ttyS*")):
        kind = port / "type"  # type 0 is PORT_UNKNOWN (include/uapi/linux/serial.h): there is no UART
        if kind.exists() and kind.read_text().strip() != "0":
            names.append(port.name)
    active = root / "sys/class/tty/console/active"
    if active.exists():
        names += [name for name in active.read_text().split() if re.fullmatch(r"(ttyS|ttyAMA|hvc)\d+", name)]
    return [root / "dev" / name for name in dict.fromkeys(names)]


def read_identity(root: Path = Path("/")) -> page.Identity:
    """Vendor, product and serial number by the firmware."""
    texts = []
    for name in ("sys_vendor", "product_name", "product_serial"):
        text = ""
        with suppress(OSError):
            text = (root / "sys/class/dmi/id" / name).read_text(errors="replace").strip()
        texts.append(text)
    return page.Identity(*texts)


def is_alive(pid: int) -> bool:
    """Whether the process exists."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return pid > 0


def open_wake_pipe(directory: Path) -> int:
    """The pipe through which the agent says that it wrote something. Open for writing too, so that it never ends."""
    directory.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.mkfifo(directory / WAKE_NAME, 0o600)
    return os.open(directory / WAKE_NAME, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


class Consoles:
    """All consoles, and the files of the agent that their pages are made of."""

    def __init__(self, paths: Sequence[Path], directory: Path, shell: Path) -> None:
        self._directory = directory
        self._shell = shell
        self._identity = read_identity()
        self._view: View | None = None
        self._written_at = 0
        self._wake = open_wake_pipe(directory)
        self._tail = Tail(directory / LOG_NAME)
        self.consoles = [Console(path, self._tail, shell) for path in paths]
        self._begin()

    def _begin(self) -> None:
        """The first time everything is said, from the agent's first line on; a process that was started again goes on
        after what was said, and leaves open shells alone."""
        said = self._directory / "console-started"
        if said.exists():
            self._tail.read()
            for console in self.consoles:
                console.skip_lines()
                console.adopt_shell()
            return
        said.touch()
        if self._shell.exists():
            self._tail.add("BootOS: shell")

    def show(self) -> None:
        """Every console up to date, as far as it takes it."""
        self._tail.read()
        self._read_view()
        alive = self._view is not None and is_alive(self._view.pid)
        for console in self.consoles:
            if not console.has_shell:
                console.show((self._written_at, alive), lambda: self._build(console, alive=alive))  # noqa: B023

    def wait(self, timeout_s: float) -> None:
        """Wait for news of the agent, a key, the end of a shell, or a console that takes output again."""
        poller = select.poll()
        poller.register(self._wake, select.POLLIN)
        shells, keyboards = {}, {}
        for console in self.consoles:
            if console.has_shell:
                shells[console.pidfd] = console
                poller.register(console.pidfd, select.POLLIN)
            elif console.file >= 0:
                keyboards[console.file] = console
                poller.register(console.file, select.POLLIN | (select.POLLOUT if console.blocks else 0))
        for file, events in poller.poll(timeout_s * 1000):
            if file == self._wake:
                time.sleep(GATHER_S)
                os.read(self._wake, 65536)
            elif file in shells:
                shells[file].end_shell()
            elif events & ~select.POLLOUT:
                keyboards[file].hear()

    def _read_view(self) -> None:
        """Read the status when it was written since the last time; a machine that waits costs next to nothing."""
        written_at = 0
        with suppress(OSError):
            written_at = (self._directory / STATUS_NAME).stat().st_mtime_ns
        if written_at != self._written_at:
            self._view, self._written_at = read_view(self._directory), written_at

    def _build(self, console: Console, *, alive: bool) -> list[str]:
        return page.build_page(
            self._view,
            self._identity,
            alive=alive,
            shell=self._shell.exists(),
            terminal=console.name,
            columns=console.columns,
        )


def main(paths: Sequence[Path] = (), directory: Path = RUN_DIRECTORY, shell: Path = SHELL) -> None:
    """For ever."""
    consoles = Consoles(paths or find_consoles(), directory, shell)
    while True:
        consoles.show()
        consoles.wait(LOOK_S)


if __name__ == "__main__":  # tests start it so: DIRECTORY SHELL TERMINAL...
    main([Path(name) for name in sys.argv[3:]], Path(sys.argv[1]), Path(sys.argv[2]))
