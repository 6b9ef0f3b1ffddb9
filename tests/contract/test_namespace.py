"""Namespaces of NVMe drives: made as wanted, once; what they hold needs its word; what a drive cannot is said first."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from carrying import apply, plan
from drivetools import GOLDEN as ERASE
from handclock import StillClock
from namespacetools import GOLDEN, LBAFS, NamespaceMachine

from bootos.drivers.contract import Driver
from bootos.drivers.erase.erase import EraseDriver
from bootos.drivers.nvme.namespace import parse_controller_list, parse_created, parse_namespace_list
from bootos.drivers.nvme.nvme import NvmeDriver
from bootos.engine.watcher import StepFailed
from bootos.template.check import read_template

MIB, GIB, TIB = 1024**2, 1024**3, 1024**4
WHOLE = 3840755982336  # the capacity of a Micron 9300
SN730 = json.loads((ERASE / "nvme-id-ctrl-wdc-sn730.json").read_text()) | {"sn": "201327AA90B6"}
SELECT = {"serial": "201327AA90B6"}
TITLE = r"/dev/nvme0 \(Micron_9300_MTFDHAL3T8TDP, serial 201327AA90B6\)"


def template(*namespaces: Any, **more: Any) -> Any:
    items = [{"size": item} if isinstance(item, str) else item for item in namespaces]
    disks = {"disks": more.pop("disks")} if "disks" in more else {}
    entry = {"select": more.pop("select", SELECT), "namespaces": items, **more}
    return {"name": "t", "nvme": [entry], **disks}


def find_problems(fake: NamespaceMachine, wanted: Any) -> list[tuple[str, str]]:
    return [(item.path, item.message) for item in plan(wanted, fake.machine, fake.build_inventory()).problems]


def test_a_drive_gets_the_namespaces_that_are_wanted_and_then_nothing_is_planned(tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path)
    fake.add(WHOLE)
    wanted = template("1TiB", {"size": "50%", "sector_bytes": 4096}, "rest")
    (action,) = apply(wanted, fake.machine, fake.build_inventory())
    assert (action.id, action.destroys) == ("disk.nvme:namespaces:201327AA90B6", ())
    half = WHOLE // 2 // MIB * MIB
    assert fake.tell() == [
        (TIB, 512, "/dev/nvme0n1"),
        (half, 4096, "/dev/nvme0n2"),
        ((WHOLE - TIB - half) // MIB * MIB, 512, "/dev/nvme0n3"),
    ]
    again = plan(wanted, fake.machine, fake.build_inventory())
    assert (again.actions, again.problems) == ([], [])
    assert "has its 3 namespaces already" in again.notes[0]


def test_a_drive_without_any_namespace_is_found_by_its_serial(tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path)
    assert fake.build_inventory().disks == []
    apply(template("1TiB"), fake.machine, fake.build_inventory())
    assert fake.tell() == [(TIB, 512, "/dev/nvme0n1")]


def test_what_a_namespace_holds_is_lost_by_the_templates_word_only(tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path)
    fake.put(fake.add(TIB), "xfs", "precious")
    wanted = ("2TiB",)
    ((path, message),) = find_problems(fake, template(*wanted))
    assert (path, "precious" in message) == ("nvme[0]", True)
    (action,) = apply(template(*wanted, wipe=True), fake.machine, fake.build_inventory())
    assert (action.destroys, action.allowed) == (
        ('xfs file system "precious" on /dev/nvme0n1',),
        "nvme[0].wipe",
    )


def test_what_nobody_can_read_counts_as_data(tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path)
    fake.add(TIB, attached=())
    ((_, message),) = find_problems(fake, template("2TiB"))
    assert "namespace 1 of /dev/nvme0 (1 TiB, sectors of 512 bytes), of which nobody can say" in message


def test_namespaces_that_are_as_wanted_are_kept_with_their_data(tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path)
    fake.put(fake.add(TIB), "xfs", "precious")
    fake.add(GIB)
    (action,) = apply(template("1TiB", "2GiB", "rest"), fake.machine, fake.build_inventory())
    assert action.destroys == ()
    assert [size for size, _, _ in fake.tell()][:2] == [TIB, 2 * GIB]
    assert fake.devices["/dev/nvme0n1"].signatures[0]["label"] == "precious"


def test_a_mounted_namespace_is_not_deleted_whatever_the_template_allows(tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path)
    node = fake.add(TIB)
    fake.devices[node].mountpoint = "/srv"
    ((_, message),) = find_problems(fake, template("2TiB", wipe=True))
    assert message == "/dev/nvme0n1 cannot be deleted: it is mounted on /srv"


def test_disks_of_the_same_job_lie_on_named_namespaces(tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path)
    fake.stale = {"type": "ext4", "label": "what the flash held before", "uuid": "u"}
    fake.add(TIB)
    fake.devices["/dev/nvme0n1"].signatures.clear()
    disks = [{"select": {"array": "data"}, "filesystem": "xfs"}]
    wanted = template("1GiB", {"size": "1TiB", "name": "data", "sector_bytes": 4096}, disks=disks)
    done = apply(wanted, fake.machine, fake.build_inventory())
    assert [action.id for action in done] == [
        "disk.nvme:namespaces:201327AA90B6",
        "disk.filesystem:make:/dev/nvme/data",
    ]
    assert [item["type"] for item in fake.devices["/dev/nvme0n2"].signatures] == ["xfs"]
    assert plan(wanted, fake.machine, fake.build_inventory()).actions == []


def test_an_action_on_a_named_namespace_has_the_same_id_before_the_namespace_is_there_and_after(
    tmp_path: Path,
) -> None:
    fake = NamespaceMachine(tmp_path)
    namespaces = [
        {"size": "1TiB", "name": "data"},
        {"size": "1TiB", "name": "more"},
        {"size": "rest", "name": "safe"},
    ]
    parts = [
        {"name": "root", "size": "1GiB", "filesystem": "ext4"},
        {"name": "pv", "size": "rest", "volume_group": "vg"},
    ]
    locked = {"passphrase": {"secret": "disk"}}
    disks = [
        {"select": {"array": "data"}, "partitions": parts},
        {"select": {"array": "more"}, "volume_group": "vg"},
        {"select": {"array": "safe"}, "partitions": [{"name": "s", "size": "rest", "encryption": locked}]},
    ]
    wanted = template(*namespaces, disks=disks)
    wanted["volume_groups"] = [{"name": "vg", "volumes": [{"name": "a", "size": "1GiB"}]}]
    secrets = {"disk": "correct horse"}
    before = plan(wanted, fake.machine, fake.build_inventory(), secrets)
    apply(template(*namespaces), fake.machine, fake.build_inventory())
    after = plan(wanted, fake.machine, fake.build_inventory(), secrets)
    assert (before.problems, after.problems) == ([], [])
    assert [action.id for action in before.actions][1:] == [action.id for action in after.actions]
    assert len(after.actions) >= 5


@pytest.mark.parametrize("filesystem", [{}, {"uuid": "3f6b1a52-8c1e-4c67-9b63-0d5f2a7e4c11"}])
def test_a_file_system_on_a_namespace_that_was_cut_off_is_made_again(
    filesystem: dict[str, str], tmp_path: Path
) -> None:
    fake = NamespaceMachine(tmp_path)
    fake.machine.owner = "SN001 7"
    fake.add(GIB)
    disks = [{"select": {"array": "data"}, "filesystem": {"type": "xfs", **filesystem}}]
    wanted = template({"size": "1TiB", "name": "data"}, disks=disks)
    make = apply(wanted, fake.machine, fake.build_inventory())[-1].id
    fake.devices["/dev/nvme0n1"].signatures[0]["half"] = "yes"
    assert plan(wanted, fake.machine, fake.build_inventory()).actions == [], "it was not begun"
    fake.machine.begun = frozenset({make})
    done = apply(wanted, fake.machine, fake.build_inventory())
    assert [(action.id, action.destroys) for action in done] == [(make, ())]


@pytest.mark.parametrize("sizes", [["8MiB"], ["4MiB", "rest"]])
def test_a_drive_is_erased_and_then_gets_other_namespaces(sizes: list[str], tmp_path: Path) -> None:
    """A namespace that is made anew has another world wide name: it is the erased drive's all the same."""
    fake = NamespaceMachine(tmp_path, tnvmcap=16 * MIB, sanicap=SN730["sanicap"])
    fake.machine.owner = "SN001 7"
    for node in ("/dev/nvme0n1", "/dev/nvme0n2"):
        file = fake._file(node)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"precious" * (2 * MIB))
    fake.add(16 * MIB)
    inventory = fake.build_inventory()
    drivers: list[Driver] = [EraseDriver(StillClock()), NvmeDriver()]
    wanted = template(*sizes) | {"erase": [{"select": {"drives": "all"}, "confirm": "lose-all-data"}]}
    done = apply(wanted, fake.machine, inventory, drivers=drivers)
    ids = [action.id for action in done]
    assert ids == ["disk.erase:erase:201327AA90B6:drive", "disk.nvme:namespaces:201327AA90B6"]
    assert len(fake.tell()) == len(sizes)
    assert fake.build_inventory().disks[0].wwn != inventory.disks[0].wwn
    again = plan(wanted, fake.machine, fake.build_inventory(), drivers=drivers)
    assert (again.actions, again.problems) == ([], [])
    shutil.rmtree(tmp_path / "run/bootos/certificates")  # as after a reboot
    assert plan(wanted, fake.machine, fake.build_inventory(), drivers=drivers).actions
    fake.machine.done = frozenset(ids)
    again = plan(wanted, fake.machine, fake.build_inventory(), drivers=drivers)
    assert (again.actions, again.problems) == ([], [])


def test_a_disk_that_is_deleted_cannot_be_meant_by_disks(tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path)
    fake.add(TIB)
    disks = [{"select": {"path": "/dev/nvme0n1"}, "filesystem": "xfs"}]
    problems = find_problems(fake, template("2TiB", disks=disks))
    assert [path for path, _ in problems] == ["disks[0].select"]
    assert "it is used by nvme[0], which deletes it" in problems[0][1]


def test_sizes_are_rounded_to_what_the_drive_says_it_counts_in(tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path, ctratt=128)
    fake.granularity = GIB
    apply(template("1500MiB", "rest"), fake.machine, fake.build_inventory())
    assert [size for size, _, _ in fake.tell()] == [2 * GIB, (WHOLE - 2 * GIB) // GIB * GIB]


def test_the_rest_is_what_is_left_when_a_drive_counts_in_larger_units_than_it_says(tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path, tnvmcap=3577 * GIB)
    fake.unit_bytes = GIB
    wanted = template("1500MiB", "rest")
    apply(wanted, fake.machine, fake.build_inventory())
    assert [size for size, _, _ in fake.tell()] == [1500 * MIB, 3575 * GIB]
    assert plan(wanted, fake.machine, fake.build_inventory()).actions == []


@pytest.mark.parametrize("command", ["create-ns", "attach-ns", "ns-rescan", "delete-ns"])
def test_what_a_cut_left_half_made_is_finished_by_the_next_attempt(command: str, tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path)
    for size in (TIB, GIB, 2 * GIB):
        fake.add(size)
    wanted = template("3GiB", "1GiB", "rest")
    fake.failing[command] = "after"
    inventory = fake.build_inventory()
    planned = plan(wanted, fake.machine, inventory)
    cut = command != "ns-rescan"  # nobody waits for the end of ns-rescan
    try:
        apply(wanted, fake.machine, inventory)
    except StepFailed as failure:
        assert cut, failure
        assert "/dev/nvme0" in str(failure)
    fake.failing.clear()
    fake.machine.begun = frozenset(action.id for action in planned.actions)
    apply(wanted, fake.machine, fake.build_inventory())
    assert [size for size, _, _ in fake.tell()] == [3 * GIB, GIB, (WHOLE - 4 * GIB) // MIB * MIB]
    assert all(node for _, _, node in fake.tell())


def test_a_namespace_of_somebody_else_is_attached_with_what_it_holds(tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path)
    fake.stale = {"type": "xfs", "label": "precious", "uuid": "u"}
    fake.add(TIB, attached=())
    (action,) = apply(template("1TiB"), fake.machine, fake.build_inventory())
    assert action.destroys == ()
    assert fake.devices["/dev/nvme0n1"].signatures[0]["label"] == "precious"


def test_what_another_drive_of_the_same_name_holds_is_not_taken_for_the_jobs_own_work(tmp_path: Path) -> None:
    """The drive that was /dev/nvme0 when the job began is another one since the machine started anew."""
    fake = NamespaceMachine(tmp_path)
    fake.stale = {"type": "xfs", "label": "precious", "uuid": "u"}
    fake.add(TIB, attached=())
    begun = {"disk.nvme:namespaces:/dev/nvme0", "disk.nvme:namespaces:201327AA90B7"}
    fake.machine.begun = frozenset(begun)
    apply(template("1TiB"), fake.machine, fake.build_inventory())
    assert fake.devices["/dev/nvme0n1"].signatures[0]["label"] == "precious"


@pytest.mark.parametrize("command", ["delete-ns", "create-ns", "attach-ns"])
def test_a_command_that_the_drive_refuses_fails_by_the_drives_name(command: str, tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path)
    fake.add(TIB)
    fake.failing[command] = "before"
    with pytest.raises(StepFailed, match=rf"{TITLE}: (no )?namespace .*Internal Error"):
        apply(template("2TiB"), fake.machine, fake.build_inventory())


@pytest.mark.parametrize("command", ["id-ctrl", "list-ns", "id-ns"])
def test_a_drive_that_does_not_answer_is_a_problem_of_the_plan(command: str, tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path)
    fake.add(TIB, attached=())
    fake.failing[command] = "before"
    ((path, message),) = find_problems(fake, template("2TiB"))
    assert path == "nvme[0].namespaces"
    assert "/dev/nvme0 (Micron" in message
    assert "Internal Error" in message


@pytest.mark.parametrize(
    ("id_ctrl", "wanted", "path", "said"),
    [
        (SN730, ["100GiB"], ".namespaces", "cannot create or delete namespaces"),
        ({"nn": 2}, ["1GiB", "1GiB", "rest"], ".namespaces", "has at most 2 namespaces, not 3"),
        ({"mnan": 1}, ["1GiB", "rest"], ".namespaces", "has at most 1 namespaces, not 2"),
        ({}, ["3TiB", "1TiB"], ".namespaces", "has 3.8 TB, not 4 TiB"),
        ({}, ["100%", "rest"], ".namespaces[1].size", "is less than the 1 MiB it counts in"),
        ({"tnvmcap": 0}, ["1TiB"], ".namespaces", "does not tell its capacity"),
    ],
)
def test_what_the_drive_cannot_is_told_while_planning(
    id_ctrl: dict[str, Any], wanted: list[str], path: str, said: str, tmp_path: Path
) -> None:
    fake = NamespaceMachine(tmp_path, **id_ctrl)
    ((found, message),) = find_problems(fake, template(*wanted))
    assert found == f"nvme[0]{path}"
    assert said in message


def test_a_format_that_the_drive_has_not_is_told_with_those_it_has(tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path)
    fake.told_lbafs = (*LBAFS[:2], {"ms": 0, "ds": 0, "rp": 0})
    wanted = template({"size": "1TiB", "sector_bytes": 4096})
    (problem,) = plan(wanted, fake.machine, fake.build_inventory()).problems
    assert (problem.path, problem.hint) == ("nvme[0].namespaces[0].sector_bytes", "it has 512, 4096+8")


def test_namespaces_that_another_controller_may_be_using_are_left_alone(tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path, cmic=2)
    fake.add(TIB, attached=(1, 0x42))
    ((_, message),) = find_problems(fake, template("2TiB", wipe=True))
    assert message == "/dev/nvme0n1 is attached to controller 0x42, too"
    fake.failing["list-ctrl"] = "before"
    ((_, message),) = find_problems(fake, template("2TiB", wipe=True))
    assert "does not tell which controllers have /dev/nvme0n1" in message
    other = tmp_path / "sys/class/nvme-subsystem/nvme-subsys0/nvme1"
    other.mkdir()
    assert any(
        "is reached by /dev/nvme1, too" in message for _, message in find_problems(fake, template("2TiB"))
    )


def test_two_entries_cannot_mean_the_same_drive(tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path)
    fake.add(TIB)
    entry = {"select": SELECT, "namespaces": [{"size": "1TiB"}]}
    bare = {"select": {"drives": 0}, "sector_bytes": 4096}
    problems = find_problems(fake, {"name": "t", "nvme": [entry, entry, bare]})
    assert [path for path, _ in problems] == ["nvme[1].select", "nvme[2].select"]


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ({}, ""),
        ({"sector_bytes": 4096, "namespaces": [{"size": "1TiB"}]}, ""),
        ({"namespaces": [{"size": "rest"}, {"size": "1TiB"}]}, ".namespaces[0].size"),
        ({"namespaces": [{"size": "1T"}]}, ".namespaces[0].size"),
        ({"namespaces": [{"size": "60%"}, {"size": "50%"}]}, ".namespaces"),
        ({"select": {"drives": 0}, "namespaces": [{"size": "1TiB"}]}, ".select.drives"),
        ({"select": {"wwn": "eui.1"}, "namespaces": [{"size": "1TiB"}]}, ".select.wwn"),
        (
            {"namespaces": [{"size": "1TiB", "name": "a"}, {"size": "rest", "name": "a"}]},
            ".namespaces[1].name",
        ),
        (
            {"select": {"type": "nvme", "drives": "all"}, "namespaces": [{"size": "1TiB", "name": "a"}]},
            ".namespaces[0].name",
        ),
    ],
)
def test_mistakes_in_the_template_need_no_machine(entry: dict[str, Any], path: str) -> None:
    _, (problem,) = read_template({"name": "t", "nvme": [{"select": SELECT, **entry}]})
    assert problem.path == f"nvme[0]{path}"


def test_published_outputs_are_understood() -> None:
    assert parse_namespace_list(json.loads((GOLDEN / "list-ns.json").read_text())) == [2, 5]
    assert parse_created((GOLDEN / "create-ns.txt").read_text()) == 28
    assert parse_controller_list({"num_ctrl": 2, "ctrl_list": [{"ctrl_id": 65}, {"ctrl_id": 66}]}) == (65, 66)
