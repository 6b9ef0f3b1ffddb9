"""Deadlines of `process.run`, with real processes: one that ends, one with children, one that cannot be killed; and one
for several steps."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from handclock import StillClock

from bootos.process import ToolError, run
from bootos.waiting import Deadline, wait_for


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
        # who waited for the file system has to end first
        wait_for(lambda: run(["umount", place], check=False).returncode == 0, 20, what="the unmounting")


def test_a_command_that_is_late_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with pytest.raises(ToolError, match=r"took longer than 1 s and was ended"):
        run(["sh", "-c", f"tail -f /dev/null & echo $! > {note}; wait"], timeout_s=1)
    status = Path(f"/proc/{note.read_text().strip()}/status")
    assert wait_for(
        lambda: not status.exists() or "State:\tZ" in status.read_text(),
        10,
        what="the end of what was started",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.timeout(60)  # it would wait until the file system takes writes again
def test_a_command_that_cannot_even_be_killed_is_not_waited_for(frozen: Path) -> None:
    with pytest.raises(
        ToolError, match=r"touch .* took longer than 0.5 s and cannot be ended \(pid \d+ waits"
    ):
        run(["touch", frozen / "file"], timeout_s=0.5, kill_s=1)


def test_one_deadline_leaves_each_step_its_own_bound_or_what_is_left() -> None:
    clock = StillClock()
    deadline = Deadline(5.0, clock)
    assert deadline.left_s(3.0) == 3.0
    clock.sleep(3.0)
    assert deadline.left_s(3.0) == 2.0
    clock.sleep(3.0)
    assert deadline.left_s(3.0) == Deadline.LEAST_S
