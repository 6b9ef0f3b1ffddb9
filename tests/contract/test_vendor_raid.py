"""`raid.sh`, from its words to what it did to a machine with disks that remembers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from raidrig import RaidRig, build_drives
from storagemachine import MIB, StorageMachine

from bootos.agent.vendor_command.main import run_command
from bootos.drivers.contract import Machine
from bootos.drivers.raid.smartarray import SmartArrayDriver
from bootos.process import Completed
from bootos.wire.inventory import Inventory, RaidArray, RaidController

RAID = "/opt/yunji/osinstall/dell/raid.sh"
CHANGING = ("--create", "--zero-superblock", "--manage")


class Disks:
    """A machine with six disks and without a RAID controller, on which md may be used."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.fake = StorageMachine(root, {f"sd{letter}": 2048 * MIB for letter in "abcdef"})
        self.capsys = capsys
        self.controllers: list[RaidController] = []
        # names of arrays in the inventory, where they differ from the arrays' own
        self.names: dict[str, str] = {}
        self.last_inventory: Inventory | None = None  # the inventory that is given out in place of a new one
        self.set_cmdline("SOFTWARE_RAID=1")

    def set_cmdline(self, text: str) -> None:
        (self.fake.root / "proc/cmdline").write_text(f"console=tty0 {text}\n")

    def collect(self) -> Inventory:
        if self.last_inventory is not None:
            return self.last_inventory
        inventory = self.fake.build_inventory()
        arrays = [
            RaidArray(
                name=self.names.get(array.name, array.name),
                level=str(array.level),
                drives=array.drives,
                hotspares=array.hotspares,
            )
            for array in self.fake.arrays
        ]
        inventory.raid = [*self.controllers, RaidController(name="md", driver="raid.mdadm", arrays=arrays)]
        return inventory

    def call(self, words: str) -> tuple[int, str]:
        self.fake.calls.clear()
        code = run_command(RAID, words.split(), self.fake.machine, self.collect)
        return code, self.capsys.readouterr().out

    @property
    def arrays(self) -> list[tuple[str, int, str, str]]:
        return [(a.name, a.level, tell(a.drives), tell(a.hotspares)) for a in self.fake.arrays]

    @property
    def changes(self) -> int:
        """How many changing commands the last call ran."""
        return sum(
            (c[0] == "mdadm" and c[1] in CHANGING) or c[:2] == ["wipefs", "--all"] for c in self.fake.calls
        )


def tell(nodes: list[str]) -> str:
    return "".join(node.removeprefix("/dev/sd") for node in nodes)


@pytest.fixture
def disks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Disks:
    return Disks(tmp_path, capsys)


EXAMPLES = {
    "-c -r 1 -d 0,1 -H 2 -i": ("raid1-0", 1, "ab", "c"),
    "--clear --raid=5 --disk 1-3 --hotspare 5": ("raid5-1", 5, "bcd", "f"),
    "-cir10 -dall": ("raid10-0", 10, "abcdef", ""),
    "-r 5 -d 2-": ("raid5-2", 5, "cdef", ""),
    "-r 5 -d all -H 5": ("raid5-0", 5, "abcde", "f"),
    "-r 1 -d 0,1 -H 4-": ("raid1-0", 1, "ab", "ef"),
    "-c -l 10": ("raid10-0", 10, "abcdef", ""),
    "-c -l 0 -s 1024": ("raid0-0", 0, "abcdef", ""),
}


@pytest.mark.parametrize("words", EXAMPLES)
def test_the_documented_forms_build_the_array_and_a_second_call_plans_nothing(
    disks: Disks, words: str
) -> None:
    code, said = disks.call(words)
    assert (code, disks.arrays) == (0, [EXAMPLES[words]]), said
    assert "plan: create array" in said
    assert said.endswith("raid.sh: done; read again and compared: as wanted\n")
    code, said = disks.call(words)
    assert code == 0
    assert said.endswith("raid.sh: nothing to do: the machine is as wanted\n")
    assert disks.changes == 0


def test_two_calls_make_two_arrays_and_the_numbers_mean_the_same_drives(disks: Disks) -> None:
    assert disks.call("-c -r 1 -d 0,1")[0] == 0
    assert disks.call("-r 5 -d 2- -i")[0] == 0
    assert disks.arrays == [("raid1-0", 1, "ab", ""), ("raid5-2", 5, "cdef", "")]
    assert disks.call("-r 5 -d 2- -i")[0] == 0
    assert disks.changes == 0


def test_without_c_an_open_list_means_what_other_arrays_leave(disks: Disks) -> None:
    disks.call("-r 1 -d 0,3")
    for _ in range(2):
        code, said = disks.call("-r 5 -d all")
        assert code == 0
        assert "note: all means drives 1,2,4,5: those of array raid1-0 are not free" in said
    assert disks.arrays[1:] == [("raid5-1", 5, "bcef", "")]
    assert disks.changes == 0


def test_a_machine_that_reboots_in_between_may_run_the_script_from_its_start(disks: Disks) -> None:
    disks.call("-c -r 1 -d 0,1")
    disks.fake.restart()
    code, said = disks.call("-c -r 1 -d 0,1")
    assert (code, disks.changes) == (0, 0), said


def test_an_array_that_is_so_already_is_kept_whatever_its_name(disks: Disks) -> None:
    disks.call("-c -r 1 -d 0,1")
    disks.fake.arrays[0].name = "root"
    assert disks.call("-c -r 1 -d 0,1 -i")[0] == 0
    assert disks.arrays == [("root", 1, "ab", "")]
    assert disks.changes == 0


def test_c_deletes_the_other_arrays_and_says_what_is_lost(disks: Disks) -> None:
    disks.call("-r 1 -d 0,1")
    disks.call("-r 5 -d 2-")
    disks.fake.arrays[1].device.signatures = [{"type": "xfs", "label": "data", "uuid": ""}]
    code, said = disks.call("-c -r 1 -d 0,1")
    assert (code, disks.arrays) == (0, [("raid1-0", 1, "ab", "")])
    assert 'DESTROYS xfs file system "data" on /dev/md/raid5-2 (allowed by -c)' in said


def test_c_alone_deletes_all_arrays_and_nothing_else(disks: Disks) -> None:
    disks.call("-r 1 -d 0,1")
    disks.call("-r 1 -d 2,3")
    disks.fake.put("/dev/sde", "ext4", "mine")
    assert disks.call("-c")[0] == 0
    assert disks.arrays == []
    assert disks.fake.devices["/dev/sde"].signatures
    code, said = disks.call("-c")
    assert (code, disks.changes) == (0, 0), said


def test_c_does_not_touch_what_is_on_drives_that_are_not_named(disks: Disks) -> None:
    disks.fake.put("/dev/sde", "ext4", "mine")
    disks.fake.put("/dev/sda", "ext4", "old")
    code, said = disks.call("-c -r 1 -d 0,1")
    assert code == 0
    assert 'DESTROYS ext4 file system "old" on /dev/sda (allowed by -c)' in said
    assert disks.fake.devices["/dev/sde"].signatures == [{"type": "ext4", "label": "mine", "uuid": ""}]


def test_data_on_the_drives_is_lost_only_with_c_or_i(disks: Disks) -> None:
    disks.fake.put("/dev/sda", "ext4", "old")
    code, said = disks.call("-r 1 -d 0,1")
    assert (code, disks.changes) == (1, 0)
    assert (
        'error: -d: /dev/sda (drive 0, serial SER0) holds ext4 file system "old" on /dev/sda'
        " (-i allows this data to be lost)" in said
    )
    assert said.endswith("raid.sh: refused; nothing was changed\n")
    code, said = disks.call("-r 1 -d 0,1 -i")
    assert code == 0
    assert "(allowed by -i)" in said


def test_i_does_not_delete_an_array(disks: Disks) -> None:
    disks.call("-r 1 -d 0,1")
    code, said = disks.call("-r 5 -d 0-2 -i")
    assert (code, disks.changes) == (1, 0)
    assert "array 'raid1-0' (RAID 1) exists on /dev/sda, /dev/sdb" in said
    assert "-c deletes the arrays that are there" in said
    code, said = disks.call("-r 1 -d 0-2 -i")
    assert (code, disks.changes) == (1, 0), said


def test_an_open_list_knows_the_array_that_it_made_beside_another_of_its_level(disks: Disks) -> None:
    disks.call("-r 1 -d 2-4 -H 5")
    for _ in range(2):
        code, said = disks.call("-r 1 -d all")
        assert (code, disks.arrays[1:]) == (0, [("raid1-0", 1, "ab", "")]), said
    assert disks.changes == 0


@pytest.mark.parametrize("words", ["-r 5 -d 2- -i", "-r 5 -d all -i", "-r 1 -d 0,1 -H 2- -i"])
def test_an_open_list_with_no_drive_left_deletes_no_array(disks: Disks, words: str) -> None:
    disks.call("-r 10 -d 2-5")
    if "all" in words:
        disks.call("-r 1 -d 0,1")
    code, said = disks.call(words)
    assert (code, disks.changes) == (1, 0)
    assert "means no drive: all of them belong to array raid10-2" in said


def test_a_hot_spare_can_be_added_later_to_the_one_array_that_can_use_it(disks: Disks) -> None:
    disks.call("-c -r 5 -d 0-3")
    for _ in range(2):
        assert disks.call("-H 4")[0] == 0
        assert disks.arrays == [("raid5-0", 5, "abcd", "e")]
    assert disks.changes == 0
    assert disks.call("-r 5 -d 0-3 -H 4,5")[0] == 0
    assert disks.arrays == [("raid5-0", 5, "abcd", "ef")]


def test_a_hot_spare_for_none_or_two_arrays_is_refused(disks: Disks) -> None:
    code, said = disks.call("-H 4")
    assert code == 1
    assert "here are 0: none (give -r, -d and -H in one call)" in said
    disks.call("-r 1 -d 0,1")
    disks.call("-r 1 -d 2,3")
    code, said = disks.call("-H 4")
    assert code == 1
    assert "here are 2: raid1-0 (RAID 1), raid1-2 (RAID 1)" in said


def test_drives_that_are_not_there_are_named_by_their_option(disks: Disks) -> None:
    code, said = disks.call("-c -r 1 -d 0,7 -H 9")
    assert (code, disks.changes) == (1, 0)
    assert "error: -d: drive 7 is not there: this machine has 6 disks, drives 0 to 5" in said
    assert "error: -H: drive 9 is not there" in said
    code, said = disks.call("-c -r 5 -d 4-")
    assert code == 1
    assert "error: -d: RAID 5 needs at least 3 drives; '4-' means 2 here" in said


def test_the_size_counts_mib_unless_it_has_a_unit(disks: Disks) -> None:
    assert disks.call("-c -l 1 -d 0,1 -s 512")[0] == 0
    assert disks.fake.arrays[0].device.size_bytes == 512 * MIB
    assert disks.call("-c -l 1 -d 0,1 -s 1GiB")[0] == 0
    assert disks.fake.arrays[0].device.size_bytes == 1024 * MIB


def test_without_a_controller_md_is_used_only_if_somebody_said_so(disks: Disks) -> None:
    disks.set_cmdline("")
    code, said = disks.call("-c -r 1 -d 0,1")
    assert (code, disks.fake.calls) == (1, [])
    assert "give --software, or SOFTWARE_RAID=1 on the kernel command line" in said
    assert disks.call("-c -r 1 -d 0,1 --software")[0] == 0


def test_a_controller_without_a_driver_is_named_and_its_disks_are_not_given_to_md(disks: Disks) -> None:
    disks.controllers = [
        RaidController(name="0000:18:00.0", driver="raid.areca", model="ARC-1886", pci_address="0000:18:00.0")
    ]
    code, said = disks.call("-c -r 1 -d 0,1")
    assert (code, disks.fake.calls) == (1, [])
    assert "ARC-1886 (PCI 0000:18:00.0, driver raid.areca)" in said
    assert disks.call("-c -r 1 -d 0,1 --software")[0] == 0


def test_two_arrays_of_the_wanted_name_are_not_mixed_up(disks: Disks) -> None:
    disks.call("-r 1 -d 0,1")
    disks.call("-r 1 -d 2,3")
    disks.fake.arrays[1].name = "raid1-0"
    code, said = disks.call("-c -r 1 -d 2,3")
    assert (code, disks.changes) == (1, 0)
    assert "cannot be kept safely: another one has its name" in said


def test_an_array_is_kept_under_the_name_that_the_driver_has_for_it(disks: Disks) -> None:
    """Superblocks of version 0.90 have no name: the inventory and the kernel then call the array differently."""
    disks.call("-r 1 -d 0,1")
    disks.names = {"raid1-0": "md0"}
    code, said = disks.call("-c -r 1 -d 0,1")
    assert (code, disks.changes) == (0, 0), said


def test_an_array_that_is_whole_but_does_not_run_is_not_deleted(disks: Disks) -> None:
    disks.call("-r 1 -d 0,1")
    disks.last_inventory = disks.collect()
    disks.fake.arrays.clear()  # the inventory has the array, and mdadm does not
    disks.fake.restart()
    code, said = disks.call("-c -r 1 -d 0,1")
    assert (code, disks.changes) == (1, 0), said
    assert "(raid1-0), but it cannot be kept safely: it does not run" in said


def test_a_plan_changes_nothing_and_json_holds_all_of_it(disks: Disks) -> None:
    disks.fake.put("/dev/sda", "ext4", "old")
    code, said = disks.call("-c -r 1 -d 0,1 --plan --json")
    assert (code, disks.changes) == (0, 0)
    told = json.loads(said)
    assert told["outcome"] == "planned"
    assert told["actions"] == [
        {
            "summary": "create array raid1-0: RAID 1 on /dev/sda, /dev/sdb",
            "changes": [{"what": "array raid1-0", "before": "", "after": "RAID 1 on /dev/sda, /dev/sdb"}],
            "destroys": ['ext4 file system "old" on /dev/sda'],
            "allowed": "-c",
        }
    ]
    code, said = disks.call("-r 1 -d 0,9 --json")
    assert code == 1
    told = json.loads(said)
    assert (told["outcome"], told["problems"][0]["path"]) == ("refused", "-d")


def test_only_root_may_and_that_is_said_before_anything_is_read(disks: Disks) -> None:
    code = run_command(RAID, ["-c"], disks.fake.machine, disks.collect, is_root=False)
    assert code == 1
    assert "only root" in disks.capsys.readouterr().out
    assert disks.fake.calls == []


@pytest.mark.parametrize("calls", [0, 1], ids=["reading the controller", "reading it for the arrays' names"])
def test_a_tool_that_says_what_is_not_understood_ends_the_call_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], calls: int
) -> None:
    rig = RaidRig(tmp_path, SmartArrayDriver(), drives=build_drives(3))
    (tmp_path / "proc").mkdir(exist_ok=True)
    (tmp_path / "proc/cmdline").write_text("\n")
    rig.settle("raid: {arrays: [{name: os, level: 1, drives: '0,1'}]}")
    asked: list[str] = []

    def run(argv: Sequence[Any], **options: Any) -> Completed:
        done = rig.hardware.run(argv, **options)
        if argv[0] != "lsblk":
            return done
        asked.append("lsblk")
        return msgspec.structs.replace(done, stdout="null") if len(asked) > calls else done

    machine = Machine(run=run, root=tmp_path)
    words = ["-r", "1", "-d", "0,1"]
    code = run_command(RAID, words, machine, rig.build_inventory, drivers=[rig.driver])
    said = capsys.readouterr().out
    assert code == 1
    assert "raid.sh: failed: " in said
    assert f"{rig.driver.title}: a tool said what is not understood" in said
    assert len(asked) == calls + 1
