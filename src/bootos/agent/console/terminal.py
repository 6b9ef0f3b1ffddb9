"""One console: what was drawn there, which log lines it has, and the shell that may be open on it. Called by `main`."""

import os
import re
import signal
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bootos.agent.console import page
from bootos.agent.console.tail import Tail

REDRAW_S = 15.0
"""A terminal that is attached late, or that something else wrote to, has the whole page again after this time."""
REOPEN_S = 5.0
MOST_LINES_AT_ONCE = 20
SHELL_KEYS = b"\r\nsS"


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
        """Whether a shell has the terminal now."""
        return self.pidfd >= 0

    @property
    def blocks(self) -> bool:
        """Whether the terminal has not taken everything that was written to it."""
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
        """Close the terminal and drop what it has not taken yet: closing a blocked line would wait for it."""
        if self.file >= 0:
            with suppress(OSError, termios.error):
                if self._pending:
                    termios.tcflush(self.file, termios.TCOFLUSH)
            os.close(self.file)
        self.file, self._pending = -1, b""

    def show(self, facts: object, build: Callable[[], list[str]]) -> None:
        """Bring the terminal up to date: what it did not take before, then the page, then log lines. `build` makes the
        page; it is called when `facts` are not equal to those of the last call."""
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
        if not key:  # the terminal was hung up
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
        if not self._flush():  # a slow line: text that is not sent yet would stand between prompt and command
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
                # Python ignores these signals, and its children would, too
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
            )
        except (OSError, termios.error) as cause:
            self._tail.add(f"console {self.name}: the shell cannot be started: {cause}")
            self.close()
            return
        self._watch(pid)
        self.close()

    def _watch(self, pid: int) -> None:
        with suppress(OSError):  # the shell has ended already
            self.pidfd = os.pidfd_open(pid)

    def _flush(self) -> bool:
        """Write what the terminal takes; whether that was all."""
        while self._pending:
            try:
                taken = os.write(self.file, self._pending)
            except BlockingIOError:
                return False
            except OSError:  # the terminal is gone, or was hung up by the end of a session
                self.close()
                return False
            self._pending = self._pending[taken:]
            if not taken:
                return False
        return True


def find_session(terminal: Path) -> int | None:
    """The leader of the session on a terminal: a shell that an earlier console process opened."""
    with suppress(OSError):
        device = terminal.stat().st_rdev
        for file in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                # The fields are those of proc_pid_stat(5): state, parent, group, session, terminal.
                fields = file.read_text().rpartition(")")[2].split()
                pid = int(file.parent.name)
                if int(fields[3]) == pid and int(fields[4]) == device:
                    return pid
    return None


def set_terminal(file: int, *, page_mode: bool) -> None:
    """For the page: keys arrive one by one, without echo, and no key sends a signal. For a shell: as a login expects
    it. Never waits for output, and drops no input."""
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
