"""Deadlines of `process.run`, with real processes: one that ends, one with children, one that cannot be killed."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootos import process
from bootos.process import ToolError, run


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[Path]:
    """A file system that takes no writes: who writes to it waits inside the kernel."""
    image, place = tmp_path / "disk.img", tmp_path / "frozen"
    with image.open("wb") as file:
        file.truncate(16 * 2**20)
    place.mkdir()
    run(["mkfs.ext4", "-q", image])
    try:
        run(["mount", "-o", "loop", image, place])
    except ToolError as cause:
        pytest.skip(f"no loop device can be mounted here: {cause}")
    try:
        run(["fsfreeze", "--freeze", place])
        yield place
    finally:
        run(["fsfreeze", "--unfreeze", place], check=False)
        deadline = time.monotonic() + 20  # who waited for the file system has to end first
        while run(["umount", place], check=False).returncode != 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_command_that_is_late_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with pytest.raises(ToolError, match=r"took longer than 1 s and was ended"):
        run(["sh", "-c", f"tail -f /dev/null & echo $! > {note}; wait"], timeout_s=1)
    status = Path(f"/proc/{note.read_text().strip()}/status")
    deadline = time.monotonic() + 10
    while status.exists() and "State:\tZ" not in status.read_text():
        assert time.monotonic() < deadline, "what the command started still runs"
        time.sleep(0.01)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_command_that_cannot_even_be_killed_is_not_waited_for(frozen: Path) -> None:
    began = time.monotonic()
    with pytest.raises(
        ToolError, match=r"touch .* took longer than 0.5 s and cannot be ended \(pid \d+ waits"
    ):
        run(["touch", frozen / "file"], timeout_s=0.5)
    assert time.monotonic() - began < process.KILL_S + 20
