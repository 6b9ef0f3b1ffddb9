"""`raid.smartarray` with its tool: what a template asks for is made, seen again, and every misbehaviour is told."""

from pathlib import Path

import pytest
import yaml
from carrying import plan
from raidrig import RaidRig, build_drives

from bootos.drivers.contract import DriverError
from bootos.drivers.disk.partition import PartitionDriver
from bootos.drivers.raid.smartarray import SmartArrayDriver
from bootos.engine.watcher import StepFailed
from bootos.lab.vendor_tools.smartarray import fail_drive, keep_card, read_card

TWO = """
raid:
  arrays:
    - {name: os, level: 1, drives: "0,1", boot: true}
    - {name: data, level: 5, drives: "2-4", hotspares: "5", strip: 128KiB, write_policy: through}
"""


@pytest.fixture
def rig(tmp_path: Path) -> RaidRig:
    return RaidRig(tmp_path, SmartArrayDriver(), drives=build_drives(8))


def test_makes_what_the_template_asks_and_then_plans_nothing(rig: RaidRig) -> None:
    planned = rig.settle(TWO)
    assert [action.id for action in planned.actions] == [
        "raid.smartarray:create:os",
        "raid.smartarray:create:data",
    ]
    state = rig.driver.read(rig.machine, rig.build_inventory())
    os, data = state.controllers[0].arrays
    assert (os.name, os.level, os.device, os.is_boot) == ("os", "1", "/dev/sda", True)
    assert (data.name, data.level, data.device, data.hotspares) == ("data", "5", "/dev/sdb", ("2I:1:6",))
    assert (data.state, data.write_policy, data.strip_bytes) == ("initializing", "through", 128 * 1024)
    assert data.progress == "initialization 0%"


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
    (array,) = rig.driver.read(rig.machine, rig.build_inventory()).controllers[0].arrays
    assert (array.level, array.drive_count) == (str(level), count)


def test_three_parity_groups(tmp_path: Path) -> None:
    rig = RaidRig(tmp_path, SmartArrayDriver(), drives=build_drives(9))
    rig.settle('raid: {arrays: [{name: a, level: 50, drives: "all", span: 3}]}')
    assert rig.driver.read(rig.machine, rig.build_inventory()).controllers[0].arrays[0].span == 3


def test_what_the_controller_cannot_do_is_found_while_planning(tmp_path: Path) -> None:
    rig = RaidRig(tmp_path, SmartArrayDriver(), drives=build_drives(16))
    planned = rig.plan(
        "raid: {hotspares: '7', arrays: [{name: a, level: 1, drives: '0-3', read_policy: ahead},"
        " {name: b, level: 5, drives: '4-6', strip: 2MiB}, {name: c, level: 10, drives: '8-15', span: 2}]}"
    )
    assert {problem.path for problem in planned.problems} == {
        "raid.hotspares",
        "raid.arrays[0].drives",
        "raid.arrays[1].strip",
        "raid.arrays[2].span",
        "raid.arrays[0].read_policy",
    }


def test_deletes_only_with_permission_and_says_what_is_lost(rig: RaidRig) -> None:
    rig.settle('raid: {arrays: [{name: old, level: 5, drives: "0-2"}]}')
    rig.storage.put("/dev/sda", "ext4", "keep")
    refused = rig.plan('raid: {arrays: [{name: new, level: 1, drives: "0,1"}]}')
    assert [problem.path for problem in refused.problems] == ["raid.arrays[0]"]
    planned = rig.settle('raid: {clear: true, arrays: [{name: new, level: 1, drives: "0,1"}]}')
    delete, _ = planned.actions
    assert 'ext4 file system "keep" on /dev/sda' in delete.destroys
    assert delete.allowed == "raid.clear"


def test_spares_policies_and_the_boot_volume_are_put_right_without_touching_the_data(rig: RaidRig) -> None:
    rig.settle(TWO)
    changed = TWO.replace('"5"', '"6"').replace("through", "back")
    planned = rig.settle(changed)
    assert not any(action.destroys for action in planned.actions)
    assert [action.id for action in planned.actions] == [
        "raid.smartarray:spare-off:0:2I:1:6",
        "raid.smartarray:spare:0:2I:1:7",
        "raid.smartarray:policy:data",
    ]


def test_caching_of_an_ssd_array_switches_smart_path_off_first(tmp_path: Path) -> None:
    rig = RaidRig(tmp_path, SmartArrayDriver(), drives=build_drives(2, "ssd"))
    planned = rig.settle('raid: {arrays: [{name: a, level: 1, drives: "0,1", write_policy: back}]}')
    assert planned.actions


def test_an_array_that_lives_on_its_hot_spare_is_as_wanted(rig: RaidRig) -> None:
    rig.settle(TWO)
    fail_drive(rig.silicon, "1I:1:4")
    rig.now += 150
    state = rig.driver.read(rig.machine, rig.build_inventory())
    data = state.controllers[0].arrays[1]
    assert (data.state, data.progress) == ("rebuilding", "rebuild 50% complete")
    planned = rig.plan(TWO)
    assert not planned.actions and not planned.problems


def test_hba_mode_needs_a_start_and_is_then_there(rig: RaidRig) -> None:
    text = "raid: {mode: hba}"
    assert [action.reboot for action in rig.plan(text).actions] == [True]
    pending = []

    def boot() -> None:
        pending.append(rig.driver.read(rig.machine, rig.build_inventory()).controllers[0].pending_mode)
        rig.silicon.boot()

    rig.apply(text, reboot=boot)
    assert pending == ["hba"]
    assert not rig.plan(text).actions
    drives = rig.driver.read(rig.machine, rig.build_inventory()).controllers[0].drives
    assert [(drive.state, drive.device) for drive in drives][:2] == [
        ("jbod", "/dev/sda"),
        ("jbod", "/dev/sdb"),
    ]


def test_a_full_initialisation_is_the_rapid_one(rig: RaidRig) -> None:
    rig.settle('raid: {arrays: [{name: a, level: 5, drives: "0-2", initialize: full}]}')
    assert any("parityinitializationmethod=rapid" in word for call in rig.silicon.calls for word in call)


def test_without_its_tool_the_machine_says_which_is_missing(rig: RaidRig) -> None:
    rig.hardware.absent = frozenset({"ssacli", "hpssacli", "hpacucli"})
    with pytest.raises(DriverError, match=r"ssacli \(hpssacli, hpacucli\) is not installed"):
        rig.plan(TWO)


def test_the_forerunner_sets_no_label_and_arrays_are_known_by_their_drives(rig: RaidRig) -> None:
    rig.hardware.absent = frozenset({"ssacli"})
    rig.settle(TWO)
    assert not any("logicaldrivelabel" in word for call in rig.silicon.calls for word in call)


def test_an_array_without_a_label_is_meant_by_its_name_in_the_template(rig: RaidRig) -> None:
    rig.hardware.absent = frozenset({"ssacli"})
    document = {
        "name": "t",
        "raid": {"arrays": [{"name": "os", "level": 1, "drives": "0,1"}]},
        "disks": [{"select": {"array": "os"}, "partitions": [{"name": "root", "size": "rest"}]}],
    }
    drivers = [rig.driver, PartitionDriver()]
    made = plan(document, rig.machine, rig.build_inventory(), drivers=drivers)
    rig.settle("raid: {arrays: [{name: os, level: 1, drives: '0,1'}]}")
    left = plan(document, rig.machine, rig.build_inventory(), drivers=drivers)
    assert (made.problems, left.problems) == ([], [])
    assert [action.id for action in made.actions][1:] == [action.id for action in left.actions]


FAILURES = [
    ("fail-half", r"ssacli says \(exit code 1\): Error: An internal error occurred"),
    ("wrong-exit", r"ssacli says \(exit code 1\): nothing"),
]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        *FAILURES,
        ("junk", "ssacli reported success and shows no new logical drives"),
        ("ignore", "ssacli reported success and shows no new logical drives"),
        ("hang", "ssacli controller .* took longer than 600 s and was ended"),
    ],
)
def test_a_tool_that_misbehaves_while_creating_is_told_by_the_arrays_name(
    rig: RaidRig, kind: str, why: str
) -> None:
    rig.misbehave("ssacli", kind, "create")
    with rig.raises(match=f"array 'os' was not created: {why}"):
        rig.apply(TWO)


@pytest.mark.parametrize(("kind", "why"), FAILURES)
def test_a_tool_that_fails_while_deleting_is_told_by_the_arrays_name(
    rig: RaidRig, kind: str, why: str
) -> None:
    rig.settle(TWO)
    rig.misbehave("ssacli", kind, "delete")
    with rig.raises(match=f"array 'os' was not deleted: {why}"):
        rig.apply("raid: {clear: true}")


@pytest.mark.parametrize("kind", ["ignore", "junk"])
def test_what_was_not_deleted_is_planned_again(rig: RaidRig, kind: str) -> None:
    rig.settle(TWO)
    rig.misbehave("ssacli", kind, "delete")
    with pytest.raises(StepFailed, match=r"still to do: delete array os .*; delete array data"):
        rig.apply("raid: {clear: true}")
    assert [action.id for action in rig.plan("raid: {clear: true}").actions] == [
        "raid.smartarray:delete:0:os",
        "raid.smartarray:delete:0:data",
    ]


@pytest.mark.parametrize("kind", ["fail-half", "ignore"])
def test_a_spare_or_policy_that_was_not_taken_is_planned_again(rig: RaidRig, kind: str) -> None:
    rig.misbehave("ssacli", kind, "add")
    rig.misbehave("ssacli", kind, "modify")
    text = TWO.replace("through", "back")
    with pytest.raises(StepFailed, match=r"still to do: .*boot from array os"):
        rig.apply(text)
    left = {action.id for action in rig.plan(text).actions}
    assert {"raid.smartarray:spare:0:2I:1:6", "raid.smartarray:boot:os"} <= left


def test_a_tool_that_prints_rubbish_is_not_believed(rig: RaidRig) -> None:
    rig.misbehave("ssacli", "junk", "show")
    with pytest.raises(DriverError, match="cannot be understood"):
        rig.plan(TWO)


def test_a_refusal_is_told_in_the_tools_words(rig: RaidRig) -> None:
    message = r"array 'os' was not created.*Reason: Space for creation not available"
    with rig.raises(match=message):
        rig.apply(TWO, at_first=lambda: fail_drive(rig.silicon, "1I:1:1"))


def test_a_spare_that_is_refused_is_told_by_the_arrays_name(rig: RaidRig) -> None:
    rig.settle(TWO)
    message = "array 'data' did not get its hot spare 2I:1:7"
    changed = TWO.replace('"5"', '"6"')
    with rig.raises(match=message):
        rig.apply(changed, at_first=lambda: fail_drive(rig.silicon, "2I:1:7"))


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
    assert [volume.label for volume in read_card(rig.silicon).volumes] == ["data"]
