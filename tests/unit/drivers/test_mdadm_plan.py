from typing import Any

import pytest

from bootos.drivers.contract import Forecast, Planned
from bootos.drivers.raid.drives import usable_bytes
from bootos.drivers.raid.imsmplatform import MdState
from bootos.drivers.raid.mdadm import MdadmDriver
from bootos.drivers.storage.md import Array, Member
from bootos.drivers.storage.signature import Signature
from bootos.drivers.storage.state import Block
from bootos.template.check import read_template
from bootos.wire.inventory import Disk

GIB = 1024**3


def build_state(*arrays: Array, count: int = 6, size: int = 100 * GIB, **changed: Any) -> MdState:
    """`count` blank disks sda, sdb, ... and these arrays; `changed` are blocks by name that differ."""
    names = [f"sd{chr(ord('a') + n)}" for n in range(count)]
    disks = tuple(
        Disk(index=n, name=name, path=f"/dev/{name}", serial=f"S{n}", size_bytes=size)
        for n, name in enumerate(names)
    )
    blocks = {disk.path: Block(device=disk.path, node=disk.path, size_bytes=size) for disk in disks}
    for array in arrays:
        if array.node:
            blocks[array.device] = Block(device=array.device, node=array.node, size_bytes=50 * GIB)
        for member in array.members:
            blocks[member.node] = Block(
                device=member.node,
                node=member.node,
                size_bytes=size,
                signatures=(Signature(type="linux_raid_member", label=f"any:{array.name}"),),
            )
    for name, block in changed.items():
        blocks[f"/dev/{name}"] = block
    return MdState(disks=disks, blocks=blocks, arrays=arrays)


def build_array(name: str, level: str, drives: str, spares: str = "", **more: Any) -> Array:
    members = [Member(node=f"/dev/sd{letter}", role=n) for n, letter in enumerate(drives)]
    members += [Member(node=f"/dev/sd{letter}") for letter in spares]
    fields: dict[str, Any] = {
        "name": name,
        "device": f"/dev/md/{name}",
        "node": "/dev/md127",
        "uuid": name,
        "level": level,
        "drive_count": len(drives),
        "members": tuple(members),
    }
    return Array(**(fields | more))


def plan(state: MdState, *arrays: dict[str, Any], **raid: Any) -> tuple[Planned, Forecast]:
    template, problems = read_template({"name": "t", "raid": {"arrays": list(arrays), **raid}})
    assert template is not None
    assert problems == []
    forecast = Forecast()
    return MdadmDriver().plan(state, template, {}, forecast), forecast


OS = {"name": "os", "level": 1, "drives": "0,1"}


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (build_array("os", "1", "ab"), OS),
        (build_array("os", "1", "ab", "c"), OS | {"hotspares": 2}),
        # the spare has taken over: sdb failed, was replaced by sdc and came back as the spare
        (build_array("os", "1", "ac", "b"), OS | {"hotspares": 2}),
        # a fresh RAID 5 shows its last drive as a spare until it is built
        (
            build_array("os", "5", "ab", "c", drive_count=3, progress="recovery 7.1%"),
            {"name": "os", "level": 5, "drives": "0-2"},
        ),
        (
            build_array("os", "5", "abc", chunk_bytes=65536),
            {"name": "os", "level": 5, "drives": "0-2", "strip": "64KiB"},
        ),
    ],
)
def test_an_array_that_is_right_needs_nothing_and_a_note_says_so(
    array: Array, wanted: dict[str, Any]
) -> None:
    planned, forecast = plan(build_state(array), wanted)
    assert (planned.actions, planned.problems) == ([], [])
    assert planned.notes[0].startswith("array 'os' is as wanted")
    assert forecast.arrays["os"].exists


@pytest.mark.parametrize(
    ("array", "wanted", "difference"),
    [
        (build_array("os", "0", "ab"), OS, "level 0, not 1"),
        (build_array("os", "1", "abc"), OS, "3 drives, not 2; /dev/sdc should not be in it"),
        (build_array("os", "1", "ac"), OS, "/dev/sdc should not be in it"),
        (build_array("os", "1", "ab", node=""), OS, "it cannot be started"),
        (
            build_array("os", "5", "abc", chunk_bytes=524288),
            {"name": "os", "level": 5, "drives": "0-2", "strip": "64KiB"},
            "strip 512 KiB, not 64KiB",
        ),
        (build_array("os", "1", "ab"), OS | {"size": "20GiB"}, "size 50 GiB, not 20GiB"),
    ],
)
def test_an_array_that_differs_is_refused_without_permission(
    array: Array, wanted: dict[str, Any], difference: str
) -> None:
    planned, _ = plan(build_state(array), wanted)
    assert planned.actions == []
    assert [problem.path for problem in planned.problems] == ["raid.arrays[0]"]
    assert planned.notes == [f"array 'os' exists and is not as wanted: {difference}"]


def test_wipe_is_enough_when_the_old_array_lies_wholly_on_the_drives() -> None:
    planned, _ = plan(build_state(build_array("old", "1", "ab")), OS | {"wipe": True})
    assert planned.problems == []
    assert [action.id for action in planned.actions] == ["raid.mdadm:delete:old", "raid.mdadm:create:os"]
    assert planned.actions[0].allowed == "raid.arrays[0].wipe"


def test_wipe_does_not_reach_drives_that_are_not_in_the_array() -> None:
    planned, _ = plan(build_state(build_array("old", "1", "bc")), OS | {"wipe": True})
    assert planned.actions == []
    assert [problem.path for problem in planned.problems] == ["raid.arrays[0]"]


def test_other_arrays_are_left_alone_without_clear() -> None:
    planned, forecast = plan(build_state(build_array("old", "1", "ef")), OS)
    assert [action.id for action in planned.actions] == ["raid.mdadm:create:os"]
    assert "array 'old' is not in the template and is left alone" in planned.notes
    assert set(forecast.arrays) == {"old", "os"}


def test_an_array_in_use_is_not_deleted() -> None:
    state = build_state(build_array("old", "1", "ab"))
    state.blocks["/dev/md/old"] = Block(
        device="/dev/md/old", node="/dev/md127", size_bytes=GIB, used_by=("mounted on /mnt",)
    )
    planned, _ = plan(state, clear=True)
    assert planned.problems[0].message == "array 'old' cannot be deleted: it is mounted on /mnt"


def test_a_missing_drive_is_added_to_a_degraded_array() -> None:
    array = build_array("os", "1", "a", drive_count=2)
    planned, _ = plan(build_state(array), OS)
    assert [action.id for action in planned.actions] == ["raid.mdadm:add:os:/dev/sdb"]
    assert planned.actions[0].destroys == ()


def test_open_lists_take_what_is_left() -> None:
    planned, forecast = plan(
        build_state(count=7), OS, {"name": "data", "level": 5, "drives": "2-", "hotspares": "6"}
    )
    assert forecast.arrays["data"].members == ("/dev/sdc", "/dev/sdd", "/dev/sde", "/dev/sdf", "/dev/sdg")
    assert planned.actions[1].detail.hotspares == ("/dev/sdg",)


def test_open_lists_pass_over_what_cannot_be_used_and_named_drives_do_not() -> None:
    busy = Block(device="/dev/sdf", node="/dev/sdf", size_bytes=100 * GIB, used_by=("mounted on /mnt",))
    planned, forecast = plan(build_state(sdf=busy), {"name": "a", "level": 5, "drives": "0-"})
    assert len(forecast.arrays["a"].members) == 5
    assert "is passed over: it is mounted on /mnt" in planned.notes[0]
    planned, _ = plan(build_state(sdf=busy), {"name": "a", "level": 5, "drives": "3-5"})
    assert (
        planned.problems[0].message == "/dev/sdf (drive 5, serial S5) cannot be used: it is mounted on /mnt"
    )


def test_too_few_drives_are_counted_on_the_machine() -> None:
    planned, _ = plan(build_state(count=3), {"name": "a", "level": 6, "drives": "all"})
    assert [p.message for p in planned.problems] == ["RAID 6 needs at least 4 drives; 'all' means 3 here"]


def test_a_drive_that_is_not_there_is_named_with_what_is() -> None:
    planned, _ = plan(build_state(count=3), {"name": "a", "level": 1, "drives": "1,7"})
    assert [p.message for p in planned.problems] == [
        "drive 7 is not there: this machine has 3 disks, drives 0 to 2"
    ]


def test_open_lists_of_two_arrays_cannot_both_have_a_drive() -> None:
    planned, _ = plan(
        build_state(), {"name": "a", "level": 5, "drives": "0-"}, {"name": "b", "level": 5, "drives": "2-"}
    )
    assert planned.problems[0].path == "raid.arrays[1].drives"
    assert "is used by raid.arrays[0].drives already" in planned.problems[0].message


def test_a_size_larger_than_the_drives_says_what_they_give() -> None:
    planned, _ = plan(build_state(), OS | {"size": "1TB"})
    assert planned.problems[0].path == "raid.arrays[0].size"
    assert planned.problems[0].message.startswith("1TB is too large: these drives give")


def test_a_hot_spare_must_be_large_enough() -> None:
    small = Block(device="/dev/sdc", node="/dev/sdc", size_bytes=10 * GIB)
    planned, _ = plan(build_state(sdc=small), OS | {"hotspares": 2})
    assert planned.problems[0].path == "raid.arrays[0].hotspares"


def test_drives_of_different_size_get_a_note() -> None:
    large = Block(device="/dev/sdb", node="/dev/sdb", size_bytes=200 * GIB)
    planned, _ = plan(build_state(sdb=large), OS)
    assert "the drives differ in size (100 GiB to 200 GiB)" in planned.notes[0]


@pytest.mark.parametrize(
    ("drive_bytes", "array_bytes"),
    [(600 * 1024**2, 613376 * 1024), (700 * 1024**2, 1431552 * 1024 // 2)],
)
def test_the_forecast_is_a_lower_bound_of_what_md_gives(drive_bytes: int, array_bytes: int) -> None:
    assert usable_bytes(drive_bytes) <= array_bytes
    assert usable_bytes(drive_bytes) > array_bytes - 4 * 1024**2


@pytest.mark.parametrize("kind", ["isw_raid_member", "ddf_raid_member"])
def test_a_member_of_a_firmware_raid_is_taken_by_its_own_number_alone(kind: str) -> None:
    member = Block(
        device="/dev/sdc", node="/dev/sdc", size_bytes=100 * GIB, signatures=(Signature(type=kind),)
    )
    state = build_state(count=4, sdc=member)
    opened, _ = plan(state, {"name": "os", "level": 1, "drives": "1-", "wipe": True})
    assert opened.problems == []
    assert opened.actions[0].detail.drives == ("/dev/sdb", "/dev/sdd")
    assert any("sdc" in note and "is passed over: it is a member of" in note for note in opened.notes)
    selected, _ = plan(state, {"name": "os", "level": 1, "drives": {"count": 3}, "wipe": True}, clear=True)
    assert selected.problems == []
    assert selected.actions[0].detail.drives == ("/dev/sda", "/dev/sdb", "/dev/sdd")
    named, _ = plan(state, {"name": "os", "level": 1, "drives": "1,2"})
    assert "sdc" in f"{named.problems[0]}"
    told, _ = plan(state, {"name": "os", "level": 1, "drives": "1,2", "wipe": True})
    assert told.problems == []
