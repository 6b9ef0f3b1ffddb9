"""The console process itself, on pseudo-terminals: page, key, shell, and consoles that block or go away."""

import fcntl
import os
import pty
import select
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from terminal import Terminal

from bootos.agent.console import page
from bootos.agent.console.main import find_consoles, is_alive, read_identity
from bootos.agent.console.status import Status, wake_console
from bootos.process import Child, run, start
from bootos.waiting import find_within

DEADLINE_S = 30.0


class Line:
    """The far end of a serial line: what arrived, as bytes and as the screen of a terminal."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        self.path = Path(os.ttyname(slave))
        self.heard = b""
        self.terminal = Terminal()
        self._slave = slave  # held open, as the kernel holds its console

    def wait_for(self, check: Callable[[], bool], what: str) -> None:
        def hear() -> bool:
            if not check() and select.select([self.master], [], [], 0.2)[0]:
                chunk = os.read(self.master, 65536)
                self.heard += chunk
                self.terminal.feed(chunk)
            return check()

        is_seen = find_within(hear, DEADLINE_S, pause_s=0)
        assert is_seen, f"no {what}; the screen is\n" + "\n".join(self.terminal.screen)

    def wait_for_text(self, text: str) -> None:
        """Wait until the screen shows it."""
        self.wait_for(lambda: any(text in row for row in self.terminal.screen), text)

    def wait_for_no(self, text: str) -> None:
        self.wait_for(lambda: all(text not in row for row in self.terminal.screen), f"end of {text}")

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def hang_up(self) -> None:
        for file in (self._slave, self.master):
            os.close(file)


class Room:
    """A machine's consoles and the directory in which its agent writes."""

    def __init__(self, directory: Path) -> None:
        self.run = directory / "run"
        self.status = Status(self.run)
        self.status.set(pid=os.getpid(), version="0.1.0", server="http://10.0.2.2:8083")
        self.shell = directory / "shell"
        self.shell.write_text('#!/bin/sh\nENV= PS1="prompt> " exec /bin/sh -i\n')
        self.shell.chmod(0o755)
        self.children: list[Child] = []

    def log(self, *texts: str) -> None:
        with (self.run / "agent.log").open("a") as file:
            file.writelines(f"{text}\n" for text in texts)
        wake_console(self.run)

    def start(self, *lines: Line) -> Child:
        words: list[str | Path] = [sys.executable, "-m", "bootos.agent.console.main", self.run, self.shell]
        child = start([*words, *(line.path for line in lines)], log_path=self.run / "console.out")
        self.children.append(child)
        return child

    def end(self) -> None:
        for child in self.children:
            child.signal(signal.SIGKILL)
        written = (self.run / "console.out").read_text() if self.children else ""
        assert "Traceback" not in written, written


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    yield room
    room.end()


def test_a_key_opens_a_shell_of_its_own_and_exit_gives_the_page_back(room: Room) -> None:
    line = Line()
    room.log("[19:40:12] bootos: eth0 has address 10.0.2.15/24")
    room.status.wait_for("an order")
    room.start(line)
    line.wait_for_text("waits for an order")
    line.wait_for_text("eth0 has address")
    assert line.heard.index(b"BootOS: shell") < line.heard.index(b"eth0 has address")
    line.type("\rtty; ps -o sid= -p $$; echo $$; stty -a | grep -o ' echo '\n")  # typed ahead of the prompt
    line.wait_for_text("prompt>")
    line.wait_for(lambda: b"\n echo " in line.heard, "answer of stty")
    said = line.heard.decode().split("prompt> ", 1)[1].replace("\r", "").split("\n")
    assert str(line.path) in said
    numbers = [word.strip() for word in said if word.strip().isdigit()]
    assert len(numbers) == 2, said
    assert numbers[0] == numbers[1], "the shell leads its session"
    line.type("echo contr''olled > /dev/tty\n")  # there is one only with a controlling terminal
    line.wait_for_text("controlled")
    room.log("[19:40:13] bootos: said while the shell is open")
    line.type("exit\n")
    line.wait_for_text("waits for an order")
    line.wait_for_text("said while the shell is open")
    assert line.terminal.screen[0].startswith("BootOS 0.1.0")
    line.type("s")
    line.wait_for_text("prompt>")


def test_the_page_leaves_a_terminal_alone_while_its_shell_is_open_and_the_others_go_on(room: Room) -> None:
    one, other = Line(), Line()
    room.start(one, other)
    one.wait_for_text("keys")
    one.type("s")
    one.wait_for_text("prompt>")
    heard = len(one.heard)
    room.status.do("collecting hardware information")
    room.log("a line of the log")
    other.wait_for_text("is collecting hardware information")
    other.wait_for_text("a line of the log")
    one.type("echo do''ne\n")
    one.wait_for_text("done")
    assert b"log" not in one.heard[heard:]
    assert b"\x1b" not in one.heard[heard:]


def test_shell_and_page_do_without_the_agent(room: Room) -> None:
    line = Line()
    (room.run / "status.json").unlink()
    room.start(line)
    line.wait_for_text("starts, or does not come up")
    room.status.do("collecting hardware information")
    room.status.set(pid=os.getpid())
    line.wait_for_text("is collecting hardware information")
    dead = start(["true"])
    dead.wait(DEADLINE_S)
    room.status.set(pid=dead.pid)
    line.wait_for_text("is NOT RUNNING, is started again (last: collecting hardware inf")
    assert b"prompt>" not in line.heard
    line.type("\r")
    line.wait_for_text("prompt>")


def test_an_image_without_shell_says_so_and_a_key_draws_again(room: Room) -> None:
    line = Line()
    room.shell.unlink()
    room.log("line one", "line two")
    room.start(line)
    line.wait_for_text("no shell in this image")
    line.wait_for_text("line two")
    line.terminal = Terminal()  # another one is attached
    line.type("s")
    line.wait_for_text("line two")
    assert "no shell" in line.terminal.screen[page.ROWS - 2]
    assert b"BootOS: shell" not in line.heard


def test_a_console_that_blocks_or_is_gone_holds_up_nothing(room: Room) -> None:
    stuck, gone, line = Line(), Line(), Line()
    missing = Line()
    missing.path = Path("/dev/pts/no-such-line")
    room.start(stuck, gone, missing, line)
    gone.wait_for_text("keys")
    gone.hang_up()
    for number in range(4):
        room.log(*(f"line {number}.{part} {'x' * 60}" for part in range(500)))
        line.wait_for_text(f"line {number}.499")
    stuck.wait_for_text("line 3.499")  # read at last: it goes on with the lines that are still kept
    assert b"lines left out" in stuck.heard
    whole = [text.rpartition(b"\r")[2] for text in line.heard.replace(b"\r\n", b"\n").split(b"\n")]
    lines = [text for text in whole if text.startswith(b"line")]
    assert len(lines) == 2000, "the console that is read has every line, whole"


def test_a_process_that_is_started_again_repeats_nothing_and_leaves_open_shells_alone(room: Room) -> None:
    one, other = Line(), Line()
    room.log("first line")
    child = room.start(one, other)
    for line in (one, other):
        line.wait_for_text("first line")
    one.type("s")
    one.wait_for_text("prompt>")
    child.signal(signal.SIGKILL)
    child.wait(DEADLINE_S)
    heard, seen = len(one.heard), len(other.heard)
    room.log("second line")
    room.start(one, other)
    other.wait_for(lambda: b"keys" in other.heard[seen:], "page")
    room.log("third line")
    other.wait_for_text("third line")
    assert other.heard.count(b"first line") == 1
    one.type("echo al''ive\n")
    one.wait_for_text("alive")
    assert b"line" not in one.heard[heard:]
    one.type("exit\n")
    one.wait_for_text("keys")


def test_the_size_of_a_terminal_that_knows_it_is_used(room: Room) -> None:
    line = Line()
    line.terminal = Terminal(rows=50, columns=132)
    size = (50).to_bytes(2, sys.byteorder) + (132).to_bytes(2, sys.byteorder) + bytes(4)  # struct winsize
    fcntl.ioctl(line.master, termios.TIOCSWINSZ, size)
    room.log(*(f"line {number}" for number in range(60)))
    room.start(line)
    line.wait_for(lambda: line.terminal.screen[48] == "line 59", "last line in the last row but one")
    assert line.terminal.screen[page.ROWS - 1] == "-" * 131


def test_the_process_is_small() -> None:
    """It is there as long as the machine is on, on machines with 1 GiB; msgspec alone would double it."""
    code = "import sys, bootos.agent.console.main; print(*sys.modules)"
    loaded = set(run([sys.executable, "-c", code]).stdout.split())
    assert not loaded & {"msgspec", "logging", "typing", "subprocess", "urllib3", "asyncio"}


def test_the_consoles_are_the_screen_every_uart_and_what_the_kernel_uses(tmp_path: Path) -> None:
    for name, kind in (("tty1", None), ("ttyS0", "4"), ("ttyS1", "0"), ("ttyS2", "4"), ("console", None)):
        (tmp_path / "sys/class/tty" / name).mkdir(parents=True)
        if kind is not None:
            (tmp_path / "sys/class/tty" / name / "type").write_text(f"{kind}\n")
    (tmp_path / "sys/class/tty/console/active").write_text("tty0 ttyS2 hvc0\n")
    names = [path.name for path in find_consoles(tmp_path)]
    assert names == ["tty1", "ttyS0", "ttyS2", "hvc0"]


def test_the_machine_is_named_without_the_agent(tmp_path: Path) -> None:
    directory = tmp_path / "sys/class/dmi/id"
    directory.mkdir(parents=True)
    (directory / "sys_vendor").write_text("Dell Inc.\n")
    (directory / "product_serial").write_text("7XK2M13\n")
    identity = read_identity(tmp_path)
    assert (identity.vendor, identity.product, identity.serial) == ("Dell Inc.", "", "7XK2M13")


def test_a_process_id_that_cannot_be_one_is_not_alive() -> None:
    assert is_alive(os.getpid())
    assert not any(is_alive(pid) for pid in (0, -1, 2**40))
