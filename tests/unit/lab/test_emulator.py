"""A QEMU that stops answering while it starts is told and ended, whatever it had done by then."""

import signal
import socket
import sys
from pathlib import Path
from types import FrameType

import pytest

from bootos.errors import BootosError
from bootos.lab.emulator import Emulator
from bootos.lab.serial import SerialLog
from bootos.lab.socket_place import open_socket_place

PROGRAM = """
import os, signal, socket, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
how, serial, qmp, note = sys.argv[1:]
with open(note, "w") as file:
    file.write(str(os.getpid()))
def connect(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    return connection
print("about to", how, flush=True)
kept = [connect(serial)] if how != "nothing" else []
if how == "end":
    kept.append(connect(qmp))
if how == "signal":
    os.kill(os.getppid(), signal.SIGUSR1)
if how != "end":
    time.sleep(600)
"""


@pytest.mark.parametrize("how", ["nothing", "serial", "end"])
def test_a_qemu_that_hangs_or_ends_while_it_starts_is_told_and_ended(tmp_path: Path, how: str) -> None:
    note = tmp_path / "pid"
    with pytest.raises(BootosError, match=f"QEMU did not start: about to {how}"):
        start(tmp_path, how, note)
    assert not Path("/proc", note.read_text()).exists()


def test_a_start_that_somebody_breaks_off_leaves_no_qemu(tmp_path: Path) -> None:
    note = tmp_path / "pid"

    def press(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, press)
    try:
        with pytest.raises(KeyboardInterrupt):
            start(tmp_path, "signal", note)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not Path("/proc", note.read_text()).exists()


def start(directory: Path, how: str, note: Path) -> Emulator:
    program = directory / "qemu.py"
    program.write_text(PROGRAM)
    return Emulator(
        lambda serial, qmp: [sys.executable, str(program), how, serial, qmp, str(note)],
        log_path=directory / "log",
        serial=SerialLog(directory / "serial", read_cpu_s=lambda: 0.0, find_end=lambda: ""),
        start_deadline_s=3,
    )


def test_sockets_have_short_paths_where_temporary_files_have_long_ones(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir()
    with open_socket_place(str(long)) as place, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(Path(place, "serial-real")))
    assert list(long.iterdir()) == []
