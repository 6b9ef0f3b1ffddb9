"""`raid.megaraid` with its tool, both generations: what a template asks for is made, seen again, and every misbehaviour
is told by the array's name."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from carrying import plan
from handclock import StillClock
from raidrig import RaidRig, build_drives

from bootos.agent.vendor_command.main import run_command
from bootos.drivers.contract import DriverError
from bootos.drivers.disk.partition import PartitionDriver
from bootos.drivers.raid.megaraid import MegaraidDriver
from bootos.engine.watcher import StepFailed
from bootos.lab.vendor_tools.megaraid import fail_drive, make_foreign
from bootos.lab.vendor_tools.silicon import PhysicalDrive
from bootos.lab.vendor_tools.storcli import Storcli

TOOLS = ("perccli64", "storcli2")
TWO = """
raid:
  arrays:
    - {name: os, level: 1, drives: "0,1"}
    - {name: data, level: 5, drives: "2-4", hotspares: "5", strip: 128KiB, write_policy: through, read_policy: none}
"""


def build_rig(
    root: Path, tool: str = "perccli64", drives: list[PhysicalDrive] | None = None, **more: Any
) -> RaidRig:
    clock = StillClock()
    rig = RaidRig(root, MegaraidDriver(clock), drives=drives or build_drives(8), **more)
    rig.hardware.absent = frozenset(Storcli.names) - {tool}
    return rig


@pytest.fixture(params=TOOLS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> RaidRig:
    return build_rig(tmp_path, request.param)


def read_arrays(rig: RaidRig) -> Any:
    return rig.driver.read(rig.machine, rig.build_inventory()).controllers[0].arrays


def test_makes_what_the_template_asks_and_then_plans_nothing(rig: RaidRig) -> None:
    planned = rig.settle(TWO)
    assert [action.id for action in planned.actions] == [
        "raid.megaraid:create:os",
        "raid.megaraid:create:data",
    ]
    os, data = read_arrays(rig)
    assert (os.name, os.level, os.drives, os.device) == ("os", "1", ("32:0", "32:1"), "/dev/sda")
    assert (data.name, data.level, data.hotspares, data.device) == ("data", "5", ("32:5",), "/dev/sdb")
    assert (data.state, data.strip_bytes) == ("initializing", 128 * 1024)
    assert (data.read_policy, data.write_policy) == ("none", "through")
    assert "0%" in data.progress


@pytest.mark.parametrize(
    ("level", "drives", "spans"),
    [
        (0, "0", 1),
        (1, "0,1", 1),
        (5, "0-2", 1),
        (6, "0-3", 1),
        (10, "0-3", 2),
        (50, "0-5", 2),
        (60, "all", 2),
    ],
)
def test_every_level(rig: RaidRig, level: int, drives: str, spans: int) -> None:
    rig.settle(f'raid: {{arrays: [{{name: a, level: {level}, drives: "{drives}"}}]}}')
    (array,) = read_arrays(rig)
    assert (array.level, array.span) == (str(level), spans)


def test_three_spans_and_a_size(tmp_path: Path) -> None:
    rig = build_rig(tmp_path, drives=build_drives(9))
    rig.settle("raid: {arrays: [{name: a, level: 50, span: 3, size: 500GiB, drives: {type: hdd, count: 9}}]}")
    assert (read_arrays(rig)[0].span, read_arrays(rig)[0].size_bytes) == (3, 500 * 1024**3)


def test_deletes_only_with_permission_and_says_what_is_lost(rig: RaidRig) -> None:
    rig.settle('raid: {arrays: [{name: old, level: 5, drives: "0-2"}]}')
    rig.storage.put("/dev/sda", "ext4", "keep")
    refused = rig.plan('raid: {arrays: [{name: new, level: 1, drives: "0,1"}]}')
    assert [problem.path for problem in refused.problems] == ["raid.arrays[0]"]
    planned = rig.settle('raid: {clear: true, arrays: [{name: new, level: 1, drives: "0,1"}]}')
    delete, _ = planned.actions
    assert 'ext4 file system "keep" on /dev/sda' in delete.destroys
    assert delete.allowed == "raid.clear"
    assert [array.name for array in read_arrays(rig)] == ["new"]


def test_an_array_that_is_not_named_is_left_alone(rig: RaidRig) -> None:
    rig.settle('raid: {arrays: [{name: old, level: 5, drives: "0-2"}]}')
    rig.settle('raid: {arrays: [{name: new, level: 1, drives: "3,4"}]}')
    assert [array.name for array in read_arrays(rig)] == ["old", "new"]


def test_policies_and_spares_are_put_right_without_touching_the_data(rig: RaidRig) -> None:
    rig.settle(TWO)
    planned = rig.settle(TWO.replace('"5"', '"6"').replace("through", "always-back").replace("none", "ahead"))
    assert not any(action.destroys for action in planned.actions)
    assert [action.id for action in planned.actions] == [
        "raid.megaraid:spare-off:0:32:5",
        "raid.megaraid:spare:0:32:6",
        "raid.megaraid:policy:data",
    ]


def test_global_hot_spares_and_single_disks(rig: RaidRig) -> None:
    text = 'raid: {hotspares: "6", jbod: "7", arrays: [{name: os, level: 1, drives: "0,1"}]}'
    rig.settle(text)
    (card,) = rig.driver.read(rig.machine, rig.build_inventory()).controllers
    assert card.hotspares == ("32:6",)
    assert (card.mode, card.drives[7].state, card.drives[7].device) == ("mixed", "jbod", "/dev/sdb")
    rig.storage.put("/dev/sdb", "xfs", "scratch")
    refused = rig.plan('raid: {arrays: [{name: b, level: 0, drives: "7"}]}')
    assert "holds xfs file system" in refused.problems[0].message
    rig.settle('raid: {arrays: [{name: b, level: 0, drives: "7", wipe: true}]}')


def test_the_boot_array_is_chosen_where_the_tool_can(tmp_path: Path) -> None:
    rig = build_rig(tmp_path)
    rig.settle(TWO)
    planned = rig.settle(TWO.replace('"0,1"', '"0,1", boot: true'))
    assert [action.id for action in planned.actions] == ["raid.megaraid:boot:os"]
    assert read_arrays(rig)[0].is_boot


def test_the_second_generation_cannot_choose_the_boot_array(tmp_path: Path) -> None:
    planned = build_rig(tmp_path, "storcli2").plan(TWO.replace('"0,1"', '"0,1", boot: true'))
    assert [problem.path for problem in planned.problems] == ["raid.arrays[0].boot"]


def test_a_fast_initialisation(rig: RaidRig) -> None:
    rig.settle('raid: {arrays: [{name: a, level: 1, drives: "0,1", initialize: fast}]}')
    assert any(call[-4:] == ("start", "init", "J") or "init" in call for call in rig.silicon.calls)
    assert read_arrays(rig)[0].state == "initializing"
    rig.now += 400
    assert read_arrays(rig)[0].state == "optimal"


def test_a_foreign_configuration_is_imported_or_cleared(tmp_path: Path) -> None:
    rig = build_rig(tmp_path)
    make_foreign(rig.silicon, ["32:0", "32:1"], 1)
    text = 'raid: {arrays: [{name: os, level: 1, drives: "0,1"}]}'
    refused = rig.plan(text)
    assert "belongs to a configuration of another controller" in refused.problems[0].message
    planned = rig.settle('raid: {foreign: clear, arrays: [{name: os, level: 1, drives: "0,1"}]}')
    assert planned.actions[0].destroys == ("foreign configuration RAID 1 of 2 drives (893.753 GB)",)
    make_foreign(rig.silicon, ["32:2", "32:3"], 1)
    rig.settle("raid: {foreign: import}")
    assert [array.name for array in read_arrays(rig)] == ["os", "imported"]


def test_an_array_that_lives_on_its_hot_spare_is_as_wanted(rig: RaidRig) -> None:
    rig.settle(TWO)
    fail_drive(rig.silicon, "32:3")
    rig.now += 150
    assert read_arrays(rig)[1].state == "rebuilding"
    for text in (TWO, TWO.replace("raid:\n", "raid:\n  clear: true\n")):
        planned = rig.plan(text)
        assert not planned.actions and not planned.problems
        assert any("replace it" in note for note in planned.notes)
    rig.now += 500
    assert read_arrays(rig)[1].state == "optimal"
    assert not rig.plan(TWO).actions


def test_a_degraded_array_is_not_made_anew_even_with_clear(rig: RaidRig) -> None:
    rig.settle('raid: {arrays: [{name: data, level: 5, drives: "2-4"}]}')
    fail_drive(rig.silicon, "32:3")
    planned = rig.plan('raid: {clear: true, arrays: [{name: data, level: 5, drives: "4-6"}]}')
    assert "is degraded" in planned.problems[0].message
    assert not any(action.destroys for action in planned.actions)


def test_the_personality_changes_with_a_reboot(tmp_path: Path) -> None:
    rig = build_rig(tmp_path)
    assert [action.reboot for action in rig.plan("raid: {mode: hba}").actions] == [True]
    rig.apply("raid: {mode: hba}")
    assert not rig.plan("raid: {mode: hba}").actions
    assert rig.driver.read(rig.machine, rig.build_inventory()).controllers[0].drives[0].device == "/dev/sda"


def test_with_two_controllers_the_template_says_which(tmp_path: Path) -> None:
    drives = [
        PhysicalDrive(size_bytes=10**12, serial=f"S{c}{n}", controller=c) for c in (0, 1) for n in range(3)
    ]
    rig = build_rig(tmp_path, drives=drives)
    refused = rig.plan('raid: {arrays: [{name: a, level: 1, drives: "0,1"}]}')
    assert refused.problems[0].path == "raid.arrays[0].controller"
    rig.settle('raid: {controller: LAB1SV001, arrays: [{name: a, level: 1, drives: "0,1"}]}')
    one, two = rig.driver.read(rig.machine, rig.build_inventory()).controllers
    assert not one.arrays and two.arrays[0].name == "a"
    rig.settle('raid: {controller: "0000:3b:00.0", arrays: [{name: b, level: 1, drives: "1,2"}]}')


def test_what_the_controller_cannot_do_is_found_while_planning(tmp_path: Path) -> None:
    mixed = [*build_drives(3), *build_drives(2, "ssd"), *build_drives(1, size_bytes=10**11)]
    rig = build_rig(tmp_path, drives=mixed, state={"megaraid": [{"number": 0, "levels": [0, 1, 5, 10]}]})
    planned = rig.plan(
        'raid: {arrays: [{name: a, level: 6, drives: "0-3"}, {name: a-name-that-is-too-long, level: 0, drives: "4",'
        " strip: 16KiB, read_policy: adaptive}]}"
    )
    told = {problem.path: problem.message for problem in planned.problems}
    assert told["raid.arrays[0].level"] == "PERC H740P Mini has no RAID 6"
    assert told["raid.arrays[0].drives"].startswith(
        "drives of different types cannot be in one array: hdd and ssd"
    )
    assert "raid.arrays[1].name" in told and "raid.arrays[1].strip" in told
    assert "raid.arrays[1].read_policy" in told
    small = rig.plan('raid: {arrays: [{name: a, level: 1, drives: "0,1", hotspares: "5"}]}')
    assert "too small to stand in" in small.problems[0].message


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("fail-half", r"array 'os' was not created: .* says: Add VD failed: Firmware error"),
        ("junk", r"array 'os' was not created: .* add vd .*: Expecting property name .*glibc detected"),
        ("hang", r"array 'os' was not created: .* took longer than"),
        ("ignore", r"array 'os' was not created: .* reported success and shows no new arrays"),
    ],
)
def test_a_tool_that_misbehaves_while_creating_is_told(
    tmp_path: Path, tool: str, kind: str, message: str
) -> None:
    rig = build_rig(tmp_path, tool)
    rig.misbehave(tool, kind, "add vd")
    with rig.raises(match=message):
        rig.apply(TWO)


def test_exit_codes_mean_nothing(rig: RaidRig) -> None:
    rig.misbehave("*", "wrong-exit", "add vd")
    assert rig.settle(TWO).actions


def test_a_deletion_that_did_not_happen_is_planned_again(rig: RaidRig) -> None:
    rig.settle(TWO)
    planned = rig.plan("raid: {clear: true}")
    rig.misbehave("*", "ignore", "del*")
    with pytest.raises(StepFailed, match=r"still to do: delete array os .*; delete array data"):
        rig.apply("raid: {clear: true}")
    assert [action.id for action in rig.plan("raid: {clear: true}").actions] == [
        a.id for a in planned.actions
    ]


def test_an_array_that_was_mounted_since_it_was_planned_is_not_deleted(rig: RaidRig) -> None:
    rig.settle(TWO)
    (node, *_) = rig.storage.devices

    def mount() -> None:
        rig.storage.devices[node].mountpoint = "/mnt"

    with rig.raises(match=f"{node} was taken into use: it is mounted on /mnt"):
        rig.apply("raid: {clear: true}", at_first=mount)
    assert node in rig.storage.devices


def test_what_is_exported_plans_nothing_on_the_same_machine(rig: RaidRig) -> None:
    rig.settle(TWO)
    again = rig.plan(yaml.safe_dump(rig.export()))
    assert not again.problems and not again.actions


SCRIPT = "/opt/yunji/osinstall/dell/raid.sh"


@pytest.mark.parametrize(
    ("words", "name", "level", "drives", "spares"),
    [
        ("-c -r 1 -d 0,1 -H 2 -i", "raid1-0", "1", ("32:0", "32:1"), ("32:2",)),
        ("-r 5 -d 2-", "raid5-2", "5", ("32:2", "32:3", "32:4", "32:5", "32:6", "32:7"), ()),
        ("-c -l 10", "raid10-0", "10", tuple(f"32:{n}" for n in range(8)), ()),
        ("-c -r 50 -d 0-5", "raid50-0", "50", tuple(f"32:{n}" for n in range(6)), ()),
    ],
)
def test_the_script_of_the_vendor_builds_on_the_controller(
    rig: RaidRig, words: str, name: str, level: str, drives: tuple[str, ...], spares: tuple[str, ...]
) -> None:
    assert run_command(SCRIPT, words.split(), rig.machine, rig.build_inventory) == 0
    (array,) = read_arrays(rig)
    assert (array.name, array.level, array.drives, array.hotspares) == (name, level, drives, spares)
    before = len([call for call in rig.silicon.calls if "add" in call])
    assert run_command(SCRIPT, words.split(), rig.machine, rig.build_inventory) == 0
    assert len([call for call in rig.silicon.calls if "add" in call]) == before


def test_two_calls_of_the_script_and_a_hot_spare_later(rig: RaidRig) -> None:
    for words in ("-c -r 1 -d 0,1", "-r 5 -d 2-6", "-r 5 -d 2-6 -H 7"):
        assert run_command(SCRIPT, words.split(), rig.machine, rig.build_inventory) == 0
    assert [(a.name, a.hotspares) for a in read_arrays(rig)] == [("raid1-0", ()), ("raid5-2", ("32:7",))]
    assert run_command(SCRIPT, ["-c"], rig.machine, rig.build_inventory) == 0
    assert not read_arrays(rig)


def test_what_was_on_the_drives_does_not_shine_through(rig: RaidRig) -> None:
    rig.settle(TWO)
    assert ["wipefs", "--all", "--force", "--quiet", "/dev/sda"] in rig.storage.calls


def test_an_array_whose_disk_does_not_come_is_told(tmp_path: Path) -> None:
    rig = build_rig(tmp_path)
    rig.shows_disks = False
    with rig.raises(match=r"array 'os' was created, but the system shows no disk of its name"):
        rig.apply(TWO)


def test_a_job_puts_partitions_on_the_array_it_has_just_made(rig: RaidRig) -> None:
    document = {
        "name": "t",
        "raid": {"arrays": [{"name": "os", "level": 1, "drives": "0,1"}]},
        "disks": [{"select": {"array": "os"}, "partitions": [{"name": "root", "size": "rest"}]}],
    }
    inventory = rig.build_inventory()
    assert not inventory.disks
    made = plan(document, rig.machine, inventory, drivers=[rig.driver, PartitionDriver()])
    assert made.problems == []
    assert [action.id for action in made.actions] == [
        "raid.megaraid:create:os",
        "disk.partition:write:/dev/raid/os",
    ]
    rig.settle("raid: {arrays: [{name: os, level: 1, drives: '0,1'}]}")
    left = plan(document, rig.machine, rig.build_inventory(), drivers=[rig.driver, PartitionDriver()])
    assert [(action.id, action.detail.device) for action in left.actions] == [
        ("disk.partition:write:/dev/raid/os", "/dev/sda")
    ]


def test_without_its_tool_the_machine_says_which_is_missing(tmp_path: Path) -> None:
    rig = build_rig(tmp_path)
    rig.hardware.absent = frozenset(Storcli.names)
    with pytest.raises(DriverError, match="neither storcli nor perccli is installed"):
        rig.plan(TWO)
