import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootos.errors import BootosError
from bootos.lab.serial import SerialLog, SerialTimeout, clean_text
from bootos.waiting import Clock


class LateClock(Clock):
    """Four seconds after the machine was switched on."""

    def now(self) -> float:
        return 1004.0


@pytest.fixture
def line(tmp_path: Path) -> Iterator[tuple[socket.socket, SerialLog]]:
    guest, host = socket.socketpair()
    log = SerialLog(tmp_path / "serial", read_cpu_s=lambda: 1.5, clock=LateClock())
    log.follow(host, began=1000.0)
    yield guest, log
    guest.close()
    log.close()


def test_a_line_has_its_number_time_and_cpu_seconds(
    line: tuple[socket.socket, SerialLog], tmp_path: Path
) -> None:
    guest, log = line
    guest.sendall(b"SeaBIOS\r\n\x1b[1mLinux version 6\x1b[0m\r\n")
    found = log.wait_for("Linux version", 5)
    assert (found.number, found.at_s, found.cpu_s, found.text) == (1, 4.0, 1.5, "Linux version 6")
    guest.close()
    log.close()
    assert (tmp_path / "serial.log").read_text().endswith(" Linux version 6\n")
    assert (tmp_path / "serial.raw").read_bytes().startswith(b"SeaBIOS\r\n\x1b[1m")


def test_a_prompt_without_an_end_is_found(line: tuple[socket.socket, SerialLog]) -> None:
    guest, log = line
    guest.sendall(b"boot\nroot@bootos:~# ")
    assert log.wait_for(r"# ?$", 5).text == "root@bootos:~#"


def test_a_character_that_comes_in_two_chunks_is_whole(line: tuple[socket.socket, SerialLog]) -> None:
    guest, log = line
    raw = "进入bootos\n".encode()
    guest.sendall(b"first\n" + raw[:2])
    log.wait_for("first", 5)
    guest.sendall(raw[2:])
    assert log.wait_for("bootos", 5).text == "进入bootos"


def test_lines_before_the_mark_do_not_count(line: tuple[socket.socket, SerialLog]) -> None:
    guest, log = line
    guest.sendall(b"Linux version\n")
    first = log.wait_for("Linux version", 5)
    guest.sendall(b"Linux version\n")
    assert log.wait_for("Linux version", 5, after=first.number + 1).number == 1


def test_a_timeout_shows_the_last_lines(line: tuple[socket.socket, SerialLog]) -> None:
    guest, log = line
    guest.sendall(b"No bootable device.\n")
    log.wait_for("bootable", 5)
    with pytest.raises(SerialTimeout, match=r"(?s)0\.01 s passed.*No bootable device\."):
        log.wait_for("login", 0.01)


def test_waiting_ends_when_the_machine_goes_off(line: tuple[socket.socket, SerialLog]) -> None:
    guest, log = line
    guest.close()
    with pytest.raises(SerialTimeout, match="the machine went off"):
        log.wait_for("login", 30)


def test_all_that_came_is_a_line_once_the_connection_was_drained(
    line: tuple[socket.socket, SerialLog],
) -> None:
    guest, log = line
    said = [f"word {number}" for number in range(2000)]
    guest.sendall("\n".join(said).encode())
    guest.close()
    log.drain(30)
    assert [line.text for line in log.lines] == said[:-1]
    assert log.read_tail().endswith(said[-1])


@pytest.mark.parametrize(
    "said",
    [
        "[   12.3] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
        "[   12.3] Out of memory: Killed process 88 (systemd-udevd)",
        "error: out of memory.",
        "[    2.1] Initramfs unpacking failed: write error",
        "BootOS: cannot start: no tmpfs",
        "kexec.sh: the kernel could not be loaded",
    ],
)
def test_waiting_for_the_registration_ends_when_the_machine_gave_up(
    line: tuple[socket.socket, SerialLog], said: str
) -> None:
    guest, log = line
    guest.sendall(f"Linux version 6\r\n{said}\r\n".encode())
    with pytest.raises(BootosError, match="^" + re.escape(said)):
        log.wait_until_registered(60)


def test_the_registration_counts_from_the_mark_on(line: tuple[socket.socket, SerialLog]) -> None:
    guest, log = line
    guest.sendall(b"kexec.sh: told of before\r\n# sh kexec.sh: typed\r\nbootos: registered as 7\r\n")
    assert log.wait_until_registered(5, after=1).number == 2


def test_what_is_sent_reaches_the_guest(line: tuple[socket.socket, SerialLog]) -> None:
    guest, log = line
    log.send("free\n")
    assert guest.recv(100) == b"free\n"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("\x1b[2J\x1b[01;11Hmenu\r", "menu"),
        ("10%\r20%\r30%", "30%"),
        ("\x1bc\x1b[?7lSeaBIOS", "SeaBIOS"),
        ("plain  ", "plain"),
        ("\x1b[0m\x1b[13;24r\x1b[1;1HBootOS\x1b[K\x1b[9;1Hagent    waits for an ord", ""),
        (
            "\x1b[9;1Hagent    waits for an order\x1b[K\x1b[24;1H\r \r[19:40:12] bootos: a line\r",
            "[19:40:12] bootos: a line",
        ),
    ],
)
def test_escape_sequences_and_overwritten_text_are_left_out(raw: str, text: str) -> None:
    assert clean_text(raw) == text
