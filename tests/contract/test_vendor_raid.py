"""The documented vendor scripts, from their words to what they did to a machine that remembers."""

from pathlib import Path

import pytest
from storagemachine import MIB, StorageMachine

from bootos.agent.vendor_command.main import run_command
from bootos.wire.inventory import Inventory, RaidArray, RaidController

VENDOR = "/opt/yunji/osinstall/dell"


class Disks:
    """A machine with six disks and without a RAID controller."""

    def __init__(self, root: Path) -> None:
        self.fake = StorageMachine(root, {f"sd{letter}": 2048 * MIB for letter in "abcdef"})
        (root / "proc/cmdline").write_text("console=tty0\n")
        self.controllers: list[RaidController] = []

    def collect(self) -> Inventory:
        inventory = self.fake.build_inventory()
        arrays = [
            RaidArray(name=array.name, level=str(array.level), drives=array.drives, hotspares=array.hotspares)
            for array in self.fake.arrays
        ]
        inventory.raid = [*self.controllers, RaidController(name="md", driver="raid.mdadm", arrays=arrays)]
        return inventory

    def call(self, words: str) -> int:
        self.fake.calls.clear()
        return run_command(f"{VENDOR}/raid.sh", words.split(), self.fake.machine, self.collect)

    @property
    def arrays(self) -> list[tuple[str, int, str, str]]:
        return [(a.name, a.level, tell(a.drives), tell(a.hotspares)) for a in self.fake.arrays]

    @property
    def changing(self) -> list[list[str]]:
        return [c for c in self.fake.calls if c[0] == "mdadm" and c[1] in ("--create", "--zero-superblock")]


def tell(nodes: list[str]) -> str:
    return "".join(node.removeprefix("/dev/sd") for node in nodes)


@pytest.fixture
def disks(tmp_path: Path) -> Disks:
    return Disks(tmp_path)


def test_the_documented_example_builds_the_array_with_its_hot_spare(disks: Disks) -> None:
    assert disks.call("-c -r 1 -d 0,1 -H 2 -i --software") == 0
    assert disks.arrays == [("raid1-0", 1, "ab", "c")]


def test_a_second_identical_call_plans_nothing_and_says_so(
    disks: Disks, capsys: pytest.CaptureFixture[str]
) -> None:
    disks.call("-c -r 1 -d 0,1 -H 2 -i --software")
    capsys.readouterr()
    assert disks.call("-c -r 1 -d 0,1 -H 2 -i --software") == 0
    assert "nothing to do" in capsys.readouterr().out
    assert disks.changing == []


def test_two_calls_make_two_arrays_and_the_numbers_mean_the_same_drives(disks: Disks) -> None:
    assert disks.call("-c -r 1 -d 0,1 --software") == 0
    assert disks.call("-r 5 -d 2- -i --software") == 0
    assert disks.arrays == [("raid1-0", 1, "ab", ""), ("raid5-2", 5, "cdef", "")]
    assert disks.call("-r 5 -d 2- -i --software") == 0
    assert disks.changing == []


def test_without_a_controller_and_without_permission_for_md_it_refuses(
    disks: Disks, capsys: pytest.CaptureFixture[str]
) -> None:
    assert disks.call("-c -r 1 -d 0,1") == 1
    assert "give --software, or SOFTWARE_RAID=1 on the kernel command line" in capsys.readouterr().out
    (disks.fake.root / "proc/cmdline").write_text("SOFTWARE_RAID=1\n")
    assert disks.call("-c -r 1 -d 0,1") == 0
