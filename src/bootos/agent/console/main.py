"""The consoles of the machine: a status page on each, and a root shell at a key. A process of its own.

`/usr/lib/bootos/console` runs it, one process for all consoles, apart from the agent: page and shell are there also
when the agent is dead. It only reads what the agent leaves in /run/bootos. A console that blocks or is gone holds
up nothing. It lives as long as the machine is on, so it imports little (no msgspec: half the memory).
"""

import os
import re
import select
import signal
import sys
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from bootos.agent.console import page
from bootos.agent.console.status import FILE_NAME as STATUS_NAME
from bootos.agent.console.status import WAKE_NAME, View, read_view
from bootos.agent.console.tail import Tail

RUN_DIRECTORY = Path("/run/bootos")
SHELL = Path("/usr/lib/bootos/shell")
LOG_NAME = "agent.log"

LOOK_S = 2.0
"""How often it is looked whether the agent lives, when nothing comes from it."""
GATHER_S = 0.05
"""Log lines that come in a burst are shown together."""
REDRAW_S = 15.0
"""A terminal that is attached late, or that something else wrote to, has the whole page again after this time."""
REOPEN_S = 5.0
MOST_LINES_AT_ONCE = 20
SHELL_KEYS = b"\r\nsS"


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


def find_session(terminal: Path) -> int | None:
    """The leader of the session on a terminal: a shell that an earlier console process opened."""
    with suppress(OSError):
        device = terminal.stat().st_rdev
        for file in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                # proc_pid_stat(5): state, parent, group, session, terminal
                fields = file.read_text().rpartition(")")[2].split()
                pid = int(file.parent.name)
                if int(fields[3]) == pid and int(fields[4]) == device:
                    return pid
    return None


class Console:
    """One terminal: what was drawn there, which log lines it has, and the shell that may be open on it."""

    def __init__(self, path: Path, tail: Tail, shell: Path) -> None:
        self.path = path
        self.name = path.name
        self.file = -1
        self.pidfd = -1
        self._tail = tail
        self._shell = shell
        self._next = 0
        self._pending = b""
        self._page: list[str] | None = None
        self._facts: object = None
        self._drawn_at = 0.0
        self._tried_at = -REOPEN_S
        self._repaint = False
        self.rows, self.columns = 24, 80

    @property
    def has_shell(self) -> bool:
        return self.pidfd >= 0

    @property
    def blocks(self) -> bool:
        return bool(self._pending)

    def open(self) -> None:
        """Open the terminal when it is not; one that cannot be opened is tried again later."""
        now = time.monotonic()
        if self.file >= 0 or self.has_shell or now < self._tried_at + REOPEN_S:
            return
        self._tried_at = now
        with suppress(OSError, termios.error):
            self.file = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
            set_terminal(self.file, page_mode=True)
            self._page = None

    def close(self) -> None:
        """Give the terminal up, with what it did not take: a blocked line would hold up the close."""
        if self.file >= 0:
            with suppress(OSError, termios.error):
                if self._pending:
                    termios.tcflush(self.file, termios.TCOFLUSH)
            os.close(self.file)
        self.file, self._pending = -1, b""

    def show(self, facts: object, build: Callable[[], list[str]]) -> None:
        """Bring the terminal up to date: what it did not take before, then the page, then log lines. `build` makes the
        page, which is asked for when `facts` are others than before."""
        self.open()
        if self.file < 0 or not self._flush():
            return
        now = time.monotonic()
        if self._page is None or now >= self._drawn_at + REDRAW_S:
            self.rows, self.columns = read_size(self.file)
            self._page, self._drawn_at = None, now
        if self._page is None or facts != self._facts:
            rows, self._facts = build(), facts
            self._pending = page.encode_page(rows, self._page, self.rows)
            self._page = rows
        if self._repaint:
            self._repaint = False
            seen = self._tail.read_last(self._next, self.rows)
            self._pending += page.encode_tail(seen, self.rows, self.columns)
        while self._flush():
            lines, self._next = self._tail.pick(self._next, MOST_LINES_AT_ONCE)
            if not lines:
                break
            self._pending = page.encode_lines(lines)

    def skip_lines(self) -> None:
        """Take the lines that there are for shown."""
        self._next = self._tail.end

    def adopt_shell(self) -> None:
        """Leave the terminal to the shell that an earlier console process opened on it, if there is one."""
        if (leader := find_session(self.path)) is not None:
            self._watch(leader)

    def hear(self) -> None:
        """Read one key, and no more: what is typed after it is the shell's."""
        try:
            key = os.read(self.file, 1)
        except BlockingIOError:
            return
        except OSError:
            key = b""
        if not key:  # hung up
            self.close()
        elif key in SHELL_KEYS and self._shell.exists():
            self._open_shell()
        else:
            self.repaint()

    def repaint(self) -> None:
        """Draw everything, at the next `show`, as for a terminal that has seen nothing."""
        self._page, self._repaint = None, True

    def end_shell(self) -> None:
        """The shell has ended: the page comes back. Its end hung the terminal up, so it is opened again."""
        os.close(self.pidfd)
        self.pidfd = -1
        with suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        self._tried_at = -REOPEN_S
        self.repaint()

    def _open_shell(self) -> None:
        """A session of its own with this terminal as its controlling one: setsid comes first, and a session leader's
        first terminal becomes that (tty_ioctl(4)). Its input is what was typed after the key."""
        if not self._flush():  # a slow line: what it has not shown yet would come between prompt and command
            with suppress(termios.error):
                termios.tcflush(self.file, termios.TCOFLUSH)
        self._pending = page.encode_leave(self.rows)
        self._flush()
        terminal = os.fspath(self.path)
        is_screen = re.fullmatch(r"tty\d+", self.name)
        try:
            set_terminal(self.file, page_mode=False)
            pid = os.posix_spawn(
                self._shell,
                [os.fspath(self._shell)],
                {**os.environ, "TERM": "linux" if is_screen else "vt220"},
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, terminal, os.O_RDWR, 0),
                    (os.POSIX_SPAWN_DUP2, 0, 1),
                    (os.POSIX_SPAWN_DUP2, 0, 2),
                ],
                setsid=True,
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores them
            )
        except (OSError, termios.error) as cause:
            self._tail.add(f"console {self.name}: the shell cannot be started: {cause}")
            self.close()
            return
        self._watch(pid)
        self.close()

    def _watch(self, pid: int) -> None:
        with suppress(OSError):  # it has ended already
            self.pidfd = os.pidfd_open(pid)

    def _flush(self) -> bool:
        """Write what the terminal takes; whether that was all."""
        while self._pending:
            try:
                taken = os.write(self.file, self._pending)
            except BlockingIOError:
                return False
            except OSError:  # gone, or hung up by the end of somebody's session
                self.close()
                return False
            self._pending = self._pending[taken:]
            if not taken:
                return False
        return True


def set_terminal(file: int, *, page_mode: bool) -> None:
    """For the page: keys come one by one, unseen, and none is a signal. For a shell: as a login expects it. Never
    waits for output, and drops no input."""
    mode = termios.tcgetattr(file)
    line = termios.ICANON | termios.ECHO | termios.ISIG
    mode[0] |= termios.ICRNL
    mode[1] |= termios.OPOST | termios.ONLCR
    mode[3] = (
        mode[3] & ~line if page_mode else mode[3] | line | termios.IEXTEN | termios.ECHOE | termios.ECHOK
    )
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
    termios.tcsetattr(file, termios.TCSANOW, mode)


def read_size(file: int) -> tuple[int, int]:
    """Rows and columns; 24 and 80 where the terminal does not know, as on a serial line."""
    try:
        columns, rows = os.get_terminal_size(file)
    except OSError:
        columns = rows = 0
    return (rows, columns) if rows > page.ROWS + 1 and columns >= 40 else (24, 80)


def open_wake_pipe(directory: Path) -> int:
    """The pipe through which the agent says that it wrote something. Open for writing too, so that it never ends."""
    directory.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.mkfifo(directory / WAKE_NAME, 0o600)
    return os.open(directory / WAKE_NAME, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


class Desk:
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
    desk = Desk(paths or find_consoles(), directory, shell)
    while True:
        desk.show()
        desk.wait(LOOK_S)


if __name__ == "__main__":  # the tests' way in: DIRECTORY SHELL TERMINAL...
    main([Path(name) for name in sys.argv[3:]], Path(sys.argv[1]), Path(sys.argv[2]))
