"""`raid.adaptec` with its tool, both families: what a template asks for is made, seen again, and every misbehaviour
is told."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from raidrig import RaidRig, build_drives
from storagemachine import FakeDevice
from sysfsbackplane import SysfsBackplane

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.raid.adaptec import AdaptecDriver
from bootos.drivers.storage.controller import Controller
from bootos.engine.watcher import StepFailed
from bootos.lab.vendor_tools.adaptec import fail_drive, keep_card, read_card
from bootos.lab.vendor_tools.silicon import VirtualDrive
from bootos.process import Completed

TWO = """
raid:
  arrays:
    - {name: os, level: 1, drives: "0,1"}
    - {name: data, level: 5, drives: "2-4", hotspares: "5", strip: 128KiB, write_policy: through}
"""
SMART = {"arcconf": {"model": "Adaptec SmartRAID 3154-8i", "firmware": "4.11"}}


def build_old(root: Path, count: int = 8) -> RaidRig:
    """A controller of aacraid: the kernel's disk of an array is known by its serial number, which sysfs shows."""
    rig = RaidRig(root, AdaptecDriver(), drives=build_drives(count))
    rig.silicon.block.backplane = SysfsBackplane(root)
    return rig


class LateBackplane(SysfsBackplane):
    """A disk has the model `name` from the start, and those of new arrays come when the kernel was asked twice."""

    def __init__(self, rig: RaidRig, name: str) -> None:
        super().__init__(rig.machine.root)
        self.waiting: VirtualDrive | None = None
        self.asked = 0
        self.run = rig.machine.run
        super().plug(
            VirtualDrive(name="other", size_bytes=2**40, wwn="0x1", vendor="x", model=name, serial="7")
        )
        block = self.root / "sys/block"
        (block / "sda").rename(block / "sdz")
        del self.names["other"]

    def plug(self, drive: VirtualDrive) -> None:
        self.waiting = drive

    def run_late(self, argv: Sequence[Any], **options: Any) -> Completed:
        done = self.run(argv, **options)
        if self.waiting is not None and Path(str(argv[0])).name == "udevadm":
            self.asked += 1
            if self.asked == 2:
                super().plug(self.waiting)
        return done


@pytest.fixture
def old(tmp_path: Path) -> RaidRig:
    return build_old(tmp_path)


@pytest.fixture
def smart(tmp_path: Path) -> RaidRig:
    return RaidRig(tmp_path, AdaptecDriver(), drives=build_drives(8), state=SMART)


@pytest.fixture(params=["old", "smart"])
def rig(request: pytest.FixtureRequest) -> RaidRig:
    found: RaidRig = request.getfixturevalue(request.param)
    return found


def read(rig: RaidRig) -> Controller:
    controller: Controller
    (controller,) = rig.driver.read(rig.machine, rig.build_inventory()).controllers
    return controller


def test_makes_what_the_template_asks_and_then_plans_nothing(rig: RaidRig) -> None:
    rig.settle(TWO)
    os, data = read(rig).arrays
    assert (os.name, os.level, os.device, os.drives) == ("os", "1", "/dev/sda", ("0,0", "0,1"))
    assert (data.name, data.level, data.device, data.hotspares) == ("data", "5", "/dev/sdb", ("0,5",))
    assert (data.state, data.write_policy, data.strip_bytes) == ("initializing", "through", 128 * 1024)


def test_a_disk_that_was_there_and_has_the_name_of_a_new_array_is_not_emptied(old: RaidRig) -> None:
    late = LateBackplane(old, "a")
    old.silicon.block.backplane = late
    old.machine = Machine(run=late.run_late, root=old.machine.root)
    old.storage.devices["/dev/sdz"] = FakeDevice(size_bytes=2**40)
    old.storage.put("/dev/sdz", "ext4", "keep")
    old.apply('raid: {arrays: [{name: a, level: 1, drives: "0,1"}]}')
    assert late.asked == 2
    assert old.storage.devices["/dev/sdz"].signatures
    assert "/dev/sda" in {call[-1] for call in old.storage.calls if call[0] == "wipefs"}


@pytest.mark.parametrize(
    ("level", "drives", "count"),
    [
        (0, "0,1", 2),
        (1, "0,1", 2),
        (5, "0-2", 3),
        (6, "0-3", 4),
        (10, "0-3", 4),
        (50, "0-5", 6),
        (60, "all", 8),
    ],
)
def test_every_level(rig: RaidRig, level: int, drives: str, count: int) -> None:
    rig.settle(f'raid: {{arrays: [{{name: a, level: {level}, drives: "{drives}"}}]}}')
    (array,) = read(rig).arrays
    assert (array.level, array.drive_count) == (str(level), count)


def test_three_legs(tmp_path: Path) -> None:
    rig = build_old(tmp_path, 9)
    rig.settle('raid: {arrays: [{name: a, level: 50, drives: "all", span: 3}]}')
    assert read(rig).arrays[0].span == 3


def test_raw_drives_are_initialised_first(old: RaidRig) -> None:
    old.settle(TWO)
    tasks = [call for call in old.silicon.calls if "TASK" in call]
    assert [call[6] for call in tasks] == ["0", "1", "2", "3", "4", "5"]


def test_global_hot_spares(old: RaidRig) -> None:
    text = """
raid:
  hotspares: "6,7"
  arrays: [{name: data, level: 6, drives: "0-3"}]
"""
    old.settle(text)
    assert read(old).hotspares == ("0,6", "0,7")
    old.settle(text.replace("6,7", "7"))
    assert read(old).hotspares == ("0,7",)


def test_policies_and_initialisation(old: RaidRig) -> None:
    text = """
raid:
  arrays:
    - {name: a, level: 5, drives: "0-2", read_policy: none, write_policy: always-back, initialize: none}
"""
    old.settle(text)
    assert read(old).arrays[0].state == "optimal"
    planned = old.settle(text.replace("none, write", "ahead, write").replace("always-back", "back"))
    assert [action.id for action in planned.actions] == ["raid.adaptec:policy:a"]


def test_the_boot_volume_of_a_smartraid(smart: RaidRig) -> None:
    smart.settle('raid: {arrays: [{name: a, level: 1, drives: "0,1", boot: true}]}')
    assert read(smart).arrays[0].is_boot is True


def test_what_the_controller_cannot_do_is_found_while_planning(rig: RaidRig) -> None:
    planned = rig.plan(
        "raid: {arrays: [{name: a, level: 1, drives: '0-3'}, {name: b, level: 5, drives: '4-6', strip: 8KiB}]}"
    )
    assert {problem.path for problem in planned.problems} == {"raid.arrays[0].drives", "raid.arrays[1].strip"}


def test_names_that_are_too_long_and_boot_volumes_are_refused_on_old_ones(old: RaidRig) -> None:
    planned = old.plan("raid: {arrays: [{name: a-name-of-16-char, level: 1, drives: '0,1', boot: true}]}")
    assert {problem.path for problem in planned.problems} == {"raid.arrays[0].name", "raid.arrays[0].boot"}


def test_deletes_only_with_permission_and_says_what_is_lost(rig: RaidRig) -> None:
    rig.settle('raid: {arrays: [{name: old, level: 5, drives: "0-2"}]}')
    rig.storage.put("/dev/sda", "ext4", "keep")
    assert rig.plan('raid: {arrays: [{name: new, level: 1, drives: "0,1"}]}').problems
    planned = rig.settle('raid: {clear: true, arrays: [{name: new, level: 1, drives: "0,1"}]}')
    assert 'ext4 file system "keep" on /dev/sda' in planned.actions[0].destroys


def test_a_hot_spare_is_changed_without_touching_the_data(rig: RaidRig) -> None:
    rig.settle(TWO)
    planned = rig.settle(TWO.replace('"5"', '"6"'))
    assert not any(action.destroys for action in planned.actions)
    assert read(rig).arrays[1].hotspares == ("0,6",)


def test_an_array_that_lives_on_its_hot_spare_is_as_wanted(old: RaidRig) -> None:
    old.settle(TWO)
    fail_drive(old.silicon, 4)
    old.now += 30
    data = read(old).arrays[1]
    assert (data.state, data.progress) == ("rebuilding", "rebuild 10%")
    planned = old.plan(TWO)
    assert not planned.actions and not planned.problems


def test_hba_mode_needs_a_start_and_is_then_there(rig: RaidRig) -> None:
    text = "raid: {mode: hba}"
    assert [action.reboot for action in rig.plan(text).actions] == [True]
    rig.apply(text)
    assert not rig.plan(text).actions
    assert [(d.state, d.device) for d in read(rig).drives][:2] == [("jbod", "/dev/sda"), ("jbod", "/dev/sdb")]


def test_without_its_tool_the_machine_says_which_is_missing(rig: RaidRig) -> None:
    rig.hardware.absent = frozenset({"arcconf"})
    with pytest.raises(DriverError, match="arcconf is not installed"):
        rig.plan(TWO)


FAILURES = [
    ("fail-half", r"arcconf says \(exit code 1\): The controller stopped responding"),
    ("junk", r"arcconf says \(exit code 0\): .*glibc detected"),
    ("wrong-exit", r"arcconf says \(exit code 1\): Controllers found: 1\n.*Command completed successfully"),
]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        *FAILURES,
        ("ignore", "arcconf reported success and shows no new logical devices"),
        ("hang", "arcconf CREATE 1 LOGICALDRIVE .* took longer than 600 s and was ended"),
    ],
)
def test_a_tool_that_misbehaves_while_creating_is_told_by_the_arrays_name(
    rig: RaidRig, kind: str, why: str
) -> None:
    rig.misbehave("arcconf", kind, "create")
    with rig.raises(match=f"(?s)array 'os' was not created: {why}"):
        rig.apply(TWO)


@pytest.mark.parametrize(("kind", "why"), FAILURES)
def test_a_tool_that_misbehaves_while_deleting_is_told_by_the_arrays_name(
    rig: RaidRig, kind: str, why: str
) -> None:
    rig.settle(TWO)
    rig.misbehave("arcconf", kind, "delete")
    with rig.raises(match=f"(?s)array 'os' was not deleted: {why}"):
        rig.apply("raid: {clear: true}")


def test_what_was_not_deleted_is_planned_again(rig: RaidRig) -> None:
    rig.settle(TWO)
    rig.misbehave("arcconf", "ignore", "delete")
    with pytest.raises(StepFailed, match=r"still to do: delete array os .*; delete array data"):
        rig.apply("raid: {clear: true}")
    ids = [action.id for action in rig.plan("raid: {clear: true}").actions]
    assert ids == ["raid.adaptec:delete:0:os", "raid.adaptec:delete:0:data"]


@pytest.mark.parametrize("kind", ["fail-half", "ignore"])
def test_a_hot_spare_that_was_not_taken_is_planned_again(rig: RaidRig, kind: str) -> None:
    rig.misbehave("arcconf", kind, "setstate")
    with pytest.raises(StepFailed, match=r"still to do: make drive .* hot spare"):
        rig.apply(TWO)
    assert [action.id for action in rig.plan(TWO).actions] == ["raid.adaptec:spare:0:0,5"]


def test_a_tool_that_prints_rubbish_is_not_believed(rig: RaidRig) -> None:
    rig.misbehave("arcconf", "junk", "getconfig")
    with pytest.raises(DriverError, match="cannot be understood"):
        rig.plan(TWO)


def test_what_is_exported_plans_nothing_on_the_same_machine(rig: RaidRig) -> None:
    rig.settle(TWO)
    exported = rig.export()
    assert [array["name"] for array in exported["raid"]["arrays"]] == ["os", "data"]
    again = rig.plan(yaml.safe_dump(exported))
    assert not again.actions and not again.problems


def test_an_array_that_has_another_number_by_now_is_not_taken_for_the_one_that_is_meant(rig: RaidRig) -> None:
    rig.settle(TWO)
    planned = rig.plan("raid: {clear: true}")
    card = read_card(rig.silicon)
    card.volumes[0].id, card.volumes[1].id = card.volumes[1].id, card.volumes[0].id
    keep_card(rig.silicon, card)
    rig.driver.apply(rig.machine, planned.actions[0], {})
    assert [volume.name for volume in read_card(rig.silicon).volumes] == ["data"]
