"""One reading for all drivers of a moment, and none after something may have changed."""

from pathlib import Path

import pytest

from bootos.drivers.contract import Machine
from bootos.drivers.look import Look

INVENTORY, OTHER = object(), object()


class Reading:
    """Counts how often it was read; each reading is another value."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        return self.count


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    """The kernel's count of events."""
    path = tmp_path / "sys/kernel/uevent_seqnum"
    path.parent.mkdir(parents=True)
    path.write_text("1234\n")
    return path


def test_what_was_read_is_shared(tmp_path: Path, counter: Path) -> None:
    look, reading = Look(tmp_path), Reading()
    assert [look.take("storage", INVENTORY, reading) for _ in range(3)] == [1, 1, 1]


def test_another_question_is_another_reading(tmp_path: Path, counter: Path) -> None:
    look, reading = Look(tmp_path), Reading()
    taken = [look.take("storage", INVENTORY, reading), look.take("storage", OTHER, reading)]
    assert [*taken, look.take("drives", OTHER, reading)] == [1, 2, 3]


def test_a_disk_that_is_plugged_in_ends_a_reading(tmp_path: Path, counter: Path) -> None:
    look, reading = Look(tmp_path), Reading()
    look.take("storage", INVENTORY, reading)
    counter.write_text("1235\n")
    assert [look.take("storage", INVENTORY, reading) for _ in range(2)] == [2, 2]


def test_a_disk_that_is_plugged_in_while_it_is_read_ends_it_too(tmp_path: Path, counter: Path) -> None:
    look, reading = Look(tmp_path), Reading()

    def read_slowly() -> int:
        counter.write_text("1235\n")
        return reading()

    look.take("storage", INVENTORY, read_slowly)
    assert look.take("storage", INVENTORY, reading) == 2


@pytest.mark.parametrize("name", ["proc/self/mountinfo", "proc/swaps"])
def test_a_disk_that_is_taken_into_use_ends_a_reading(tmp_path: Path, counter: Path, name: str) -> None:
    look, reading, file = Look(tmp_path), Reading(), tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_text("")
    look.take("storage", INVENTORY, reading)
    file.write_text("22 1 8:1 / /mnt rw - ext4 /dev/sda1 rw\n")
    assert [look.take("storage", INVENTORY, reading) for _ in range(2)] == [2, 2]


def test_a_reading_that_failed_is_not_kept(tmp_path: Path) -> None:
    look, reading = Look(tmp_path), Reading()

    def fail() -> int:
        raise OSError("lsblk went away")

    with pytest.raises(OSError, match="went away"):
        look.take("storage", INVENTORY, fail)
    assert look.take("storage", INVENTORY, reading) == 1


def test_every_change_ends_what_was_read_also_one_that_failed(tmp_path: Path) -> None:
    machine = Machine(root=tmp_path)
    with machine.looking():
        seen = [machine.look]
        with machine.changing():
            assert machine.look is None
        seen.append(machine.look)
        with pytest.raises(OSError, match="half done"), machine.changing():
            raise OSError("half done")
        seen.append(machine.look)
        machine.drop_look()
        seen.append(machine.look)
    assert None not in seen
    assert len({id(look) for look in seen}) == 4
    assert machine.look is None


def test_what_is_looked_at_inside_is_not_used_outside(tmp_path: Path) -> None:
    machine = Machine(root=tmp_path)
    with machine.looking():
        outer = machine.look
        with machine.looking():
            assert machine.look not in (None, outer)
        assert machine.look not in (None, outer)
