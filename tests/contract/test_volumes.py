"""Volume groups, logical volumes and containers on the fake machine: carried out, read again, nothing left to do."""

from pathlib import Path
from typing import Any

import pytest
from carrying import Recorder, apply, build_run, plan
from storagemachine import MIB, StorageMachine

from bootos.drivers.contract import Machine
from bootos.engine.apply import apply_job
from bootos.engine.plan import plan_job
from bootos.engine.watcher import StepFailed

SECRETS = {"disk": "correct horse"}


def build(**more: Any) -> dict[str, Any]:
    group = {
        "name": "vg0",
        "volumes": [
            {"name": "root", "size": "1GiB", "filesystem": {"type": "xfs", "label": "root"}},
            {"name": "home", "size": "rest", "filesystem": "ext4"},
            {"name": "var", "size": "20%"},
        ],
    }
    disks = [
        {
            "select": {"drives": 0},
            "partitions": [
                {"name": "boot", "size": "512MiB", "filesystem": "ext4"},
                {"name": "pv", "size": "rest", "volume_group": "vg0"},
            ],
        },
        {"select": {"drives": 1}, "volume_group": "vg0"},
    ]
    return {"name": "t", "disks": disks, "volume_groups": [{**group, **more}]}


@pytest.fixture
def fake(tmp_path: Path) -> StorageMachine:
    return StorageMachine(tmp_path, {f"sd{letter}": 4096 * MIB for letter in "abc"})


def test_groups_and_volumes_are_made_and_then_nothing_is_planned(fake: StorageMachine) -> None:
    template, inventory = build(), fake.build_inventory()
    done = [action.id for action in apply(template, fake.machine, inventory)]
    assert done == [
        "disk.partition:write:/dev/sda",
        "disk.lvm:create:vg0",
        "disk.lvm:volume:vg0/root",
        "disk.lvm:volume:vg0/var",
        "disk.lvm:volume:vg0/home",
        "disk.filesystem:make:/dev/sda1",
        "disk.filesystem:make:/dev/vg0/root",
        "disk.filesystem:make:/dev/vg0/home",
    ]
    volumes = fake.groups["vg0"].volumes
    assert volumes["root"].extents == 256
    assert volumes["var"].extents == sum(fake.groups["vg0"].members.values()) // 5
    assert not [name for name, volume in volumes.items() if volume.active or volume.tags]
    assert plan(template, fake.machine, inventory).actions == []


def test_a_volume_grows_and_never_shrinks(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    small = [{"name": "root", "size": "1GiB", "filesystem": "xfs"}]
    apply(build(volumes=small), fake.machine, inventory)
    larger = [{"name": "root", "size": "2GiB", "filesystem": "xfs"}]
    done = apply(build(volumes=larger), fake.machine, inventory)
    assert [action.id for action in done] == ["disk.lvm:grow:vg0/root"]
    assert done[0].destroys == ()
    assert fake.groups["vg0"].volumes["root"].extents == 512
    problems = plan(build(volumes=small), fake.machine, inventory).problems
    assert [problem.path for problem in problems] == ["volume_groups[0].volumes[0].size"]
    assert "never shrunk" in problems[0].hint


def test_a_new_disk_extends_the_group_and_the_volume_that_takes_the_rest(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    apply(build(), fake.machine, inventory)
    before = fake.groups["vg0"].volumes["home"].extents
    wider = build()
    wider["disks"].append({"select": {"drives": 2}, "volume_group": "vg0"})
    wider["volume_groups"][0]["volumes"].pop()  # `var` is a share of the group, and would grow with the group
    done = [action.id for action in apply(wider, fake.machine, inventory)]
    assert done == ["disk.lvm:extend:vg0:/dev/sdc", "disk.lvm:grow:vg0/home"]
    assert fake.groups["vg0"].volumes["home"].extents == before + (4096 * MIB - MIB) // (4 * MIB)
    assert fake.groups["vg0"].volumes["home"].signatures[0]["type"] == "ext4"


def test_what_is_on_a_volume_needs_its_word_to_be_lost(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    apply(build(), fake.machine, inventory)
    other = build()
    other["volume_groups"][0]["volumes"][0]["filesystem"] = "ext4"
    problems = plan(other, fake.machine, inventory).problems
    assert [problem.path for problem in problems] == ["volume_groups[0].volumes[0].filesystem"]
    assert 'xfs file system "root" on /dev/vg0/root' in problems[0].message
    other["volume_groups"][0]["wipe"] = True
    done = apply(other, fake.machine, inventory)
    assert [action.id for action in done] == ["disk.filesystem:make:/dev/vg0/root"]


@pytest.mark.parametrize(
    "wanted",
    [{"filesystem": "ext4"}, {"filesystem": "ext4", "encryption": {"passphrase": {"secret": "disk"}}}],
)
def test_a_volume_that_was_mounted_since_it_was_planned_is_not_emptied(
    wanted: dict[str, Any], fake: StorageMachine
) -> None:
    inventory = fake.build_inventory()
    apply(build(), fake.machine, inventory)
    root = fake.groups["vg0"].volumes["root"]

    def mount() -> None:
        root.active = root.open = True

    other = build(wipe=True)
    other["volume_groups"][0]["volumes"][0] = {"name": "root", "size": "1GiB", **wanted}
    recorder = Recorder()
    recorder.at_first = mount
    run = build_run(other, fake.machine, inventory, SECRETS, watcher=recorder)
    planned = plan_job(run)
    assert planned.problems == []
    with pytest.raises(StepFailed, match="/dev/vg0/root was taken into use: something has it open"):
        apply_job(run, planned)
    assert (root.signatures[0]["label"], root.tags, root.active) == ("root", [], True)


def test_a_disk_of_another_group_is_not_taken_without_its_word(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    apply(build(), fake.machine, inventory)
    other = build(name="vg1")
    for disk in other["disks"]:
        disk["volume_group" if "volume_group" in disk else "wipe"] = (
            "vg1" if "volume_group" in disk else False
        )
    other["disks"][0]["partitions"][1]["volume_group"] = "vg1"
    problems = plan(other, fake.machine, inventory).problems
    assert {problem.path for problem in problems} == {"disks[0].partitions[1]", "disks[1]"}
    assert 'volume group "vg0"' in problems[0].message
    assert 'xfs file system "root" on /dev/vg0/root' in problems[0].message
    assert "which also lies on" in problems[0].message


def test_a_group_of_the_same_name_elsewhere_is_a_problem(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    elsewhere = {
        "name": "t",
        "disks": [{"select": {"drives": 2}, "volume_group": "vg0"}],
        "volume_groups": [{"name": "vg0", "volumes": [{"name": "precious", "size": "1GiB"}]}],
    }
    apply(elsewhere, fake.machine, inventory)
    problems = plan(build(), fake.machine, inventory).problems
    assert [problem.path for problem in problems] == ["volume_groups[0].name"]
    assert "/dev/sdc" in problems[0].message


def test_a_group_that_loses_a_disk_is_made_anew_only_where_all_of_it_may_be_lost(
    fake: StorageMachine,
) -> None:
    inventory = fake.build_inventory()
    apply(build(), fake.machine, inventory)
    anew = build()
    anew["disks"][0]["wipe"] = True
    anew["disks"][0]["partitions"][0]["size"] = "600MiB"
    problems = plan(anew, fake.machine, inventory).problems
    assert [problem.path for problem in problems] == ["volume_groups[0]"]
    assert "loses /dev/sda2" in problems[0].message
    anew["disks"][1]["wipe"] = True
    shown = plan(anew, fake.machine, inventory).actions
    done = apply(anew, fake.machine, inventory)
    assert [action.id for action in done][:2] == ["disk.partition:write:/dev/sda", "disk.lvm:create:vg0"]
    told = {lost for action in shown for lost in action.destroys}
    assert {lost for action in done for lost in action.destroys} <= told, (
        "the guard refuses what was not shown"
    )
    assert 'xfs file system "root" on /dev/vg0/root' in told


def test_volumes_that_are_not_named_stay(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    apply(build(), fake.machine, inventory)
    fewer = build()
    fewer["volume_groups"][0]["volumes"] = [{"name": "root", "size": "1GiB", "filesystem": "xfs"}]
    planned = plan(fewer, fake.machine, inventory)
    assert (planned.actions, planned.problems) == ([], [])
    assert "logical volume vg0/home is not in the template and stays" in planned.notes


def test_what_does_not_fit_is_told_while_planning(fake: StorageMachine) -> None:
    huge = build()
    huge["volume_groups"][0]["volumes"] = [{"name": "a", "size": "6GiB"}, {"name": "b", "size": "3GiB"}]
    problems = plan(huge, fake.machine, fake.build_inventory()).problems
    assert [problem.path for problem in problems] == ["volume_groups[0].volumes[1].size"]


def test_a_group_whose_making_was_cut_off_is_finished(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    machine = Machine(run=fake.run, root=fake.root, owner="SN001 7")
    apply(build(), machine, inventory)
    group = fake.groups.pop("vg0")  # a power cut between pvcreate and vgcreate
    done = [action.id for action in apply(build(), machine, inventory)]
    assert done[0] == "disk.lvm:create:vg0"
    stranger = Machine(run=fake.run, root=fake.root, owner="SN001 8")
    fake.groups.pop("vg0")
    assert plan(build(), stranger, inventory).problems, "physical volumes of somebody else"
    fake.groups["vg0"] = group
    group.volumes["root"].tags = ["bootos.unfinished"]  # a power cut during mkfs
    done = [action.id for action in apply(build(), machine, inventory)]
    assert done == ["disk.lvm:finish:vg0/root", "disk.filesystem:make:/dev/vg0/root"]


def encrypted() -> dict[str, Any]:
    secret = {"passphrase": {"secret": "disk"}}
    template = build(
        volumes=[
            {"name": "data", "size": "2GiB", "filesystem": "xfs", "encryption": {**secret, "label": "data"}}
        ]
    )
    template["disks"][0]["partitions"][0]["encryption"] = secret
    return template


def test_containers_are_made_closed_again_and_then_nothing_is_planned(fake: StorageMachine) -> None:
    template, inventory = encrypted(), fake.build_inventory()
    done = [action.id for action in apply(template, fake.machine, inventory, SECRETS)]
    assert done[-2:] == ["disk.luks:make:/dev/sda1", "disk.luks:make:/dev/vg0/data"]
    assert fake.containers == {}
    assert {found[0]["type"] for found in fake.inside.values()} == {"ext4", "xfs"}
    assert not [call for call in fake.calls if any("correct" in word for word in call)], (
        "a passphrase in argv"
    )
    fake.devices["/dev/sda"].parts[1].signatures[0]["label"] = "bootos.unfinished"
    again = [action.id for action in apply(template, fake.machine, inventory, SECRETS)]
    assert again == ["disk.luks:make:/dev/sda1"]


def test_a_passphrase_without_a_value_is_a_problem_of_its_place(fake: StorageMachine) -> None:
    problems = plan(encrypted(), fake.machine, fake.build_inventory()).problems
    assert [problem.path for problem in problems] == [
        "disks[0].partitions[0].encryption.passphrase",
        "volume_groups[0].volumes[0].encryption.passphrase",
    ]
