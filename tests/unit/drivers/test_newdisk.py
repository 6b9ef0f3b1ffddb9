"""The disk of a new array is waited for, with a deadline, and what shines through from its drives is removed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from handclock import StillClock
from test_current_disks import put_disk

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.raid.kerneldisk import find_disk
from bootos.drivers.storage.newdisk import (
    DEADLINE_S,
    find_kernel_node,
    find_linked_node,
    read_appearances,
    receive_disk,
)
from bootos.process import Completed

WWN = "0x600508b1001caaaa"
LSBLK = '{"blockdevices": [{"path": "/dev/vdb", "type": "disk", "size": 1048576, "ro": false}]}'


class Bench(StillClock):
    """A machine that notes what is run, and its clock."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.calls: list[list[str]] = []
        self.machine = Machine(run=self.run, root=root)
        self.pauses = 0
        self.at_third: Callable[[], None] = lambda: None

    def run(self, argv: Any, **options: Any) -> Completed:
        self.calls.append([str(word) for word in argv])
        stdout = LSBLK if argv[0] == "lsblk" else ""
        return Completed(argv=tuple(argv), returncode=0, stdout=stdout, stderr="", duration_s=0.0)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.pauses += 1
        if self.pauses == 3:
            self.at_third()

    def receive(self, find: Callable[[], str | None]) -> str:
        return receive_disk(self.machine, find, "array 'os'", clock=self)


def test_waits_until_the_kernel_has_the_disk_and_empties_that_one(tmp_path: Path) -> None:
    put_disk(tmp_path, "vda", "naa.5000c500a1b2c3d4")
    bench = Bench(tmp_path)
    bench.at_third = lambda: put_disk(tmp_path, "vdb", f"naa.{WWN[2:]}")
    found = bench.receive(lambda: find_kernel_node(tmp_path, lambda storage: find_disk(storage, wwn=WWN)))
    assert (found, bench.pauses) == ("/dev/vdb", 3)
    wiped = [call[-1] for call in bench.calls if call[0] == "wipefs"]
    assert wiped == ["/dev/vdb"]


def test_a_disk_that_was_there_before_is_another_one(tmp_path: Path) -> None:
    def find() -> str | None:
        return find_kernel_node(tmp_path, lambda storage: next(iter(storage.disks), None), before)

    put_disk(tmp_path, "vda", "naa.5000c500a1b2c3d4")
    count = tmp_path / "sys/block/vda/diskseq"
    count.write_text("17\n")
    before = read_appearances(tmp_path)
    assert find() is None
    put_disk(tmp_path, "vdb", f"naa.{WWN[2:]}")
    assert find() == "/dev/vdb"
    (tmp_path / "sys/block/vdb").unlink()
    count.write_text("18\n")  # it went, and one came in its place
    assert find() == "/dev/vda"


def test_gives_up_after_the_deadline_and_empties_nothing(tmp_path: Path) -> None:
    put_disk(tmp_path, "vda", "naa.5000c500a1b2c3d4")
    bench = Bench(tmp_path)
    with pytest.raises(DriverError, match="array 'os' was created, but the system shows no disk"):
        bench.receive(lambda: find_kernel_node(tmp_path, lambda storage: find_disk(storage, wwn=WWN)))
    assert DEADLINE_S <= bench.now_s < DEADLINE_S + 1
    assert not any(call[0] == "wipefs" for call in bench.calls)


def test_a_link_of_udev_is_believed_only_when_it_is_the_one(tmp_path: Path) -> None:
    links = tmp_path / "dev/disk/by-id"
    links.mkdir(parents=True)
    assert find_linked_node(tmp_path, WWN) is None
    (links / f"wwn-{WWN}").symlink_to("../../sdb")
    assert find_linked_node(tmp_path, WWN) == "/dev/sdb"
    assert find_linked_node(tmp_path, WWN.replace("aaaa", "bbbb")) is None
    (links / f"wwn-{WWN}00").symlink_to("../../sdc")
    assert find_linked_node(tmp_path, f"{WWN}0000") is None
