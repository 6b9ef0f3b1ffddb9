from pathlib import Path
from typing import Any

import pytest
from carrying import apply, plan
from storagemachine import MIB, StorageMachine

UUID = "3f6b1a52-8c1e-4c67-9b63-0d5f2a7e4c11"

WHOLE = {
    "name": "whole",
    "raid": {
        "arrays": [
            {"name": "os", "level": 1, "drives": "0,1", "hotspares": "2"},
            {"name": "data", "level": 5, "drives": "3-", "strip": "64KiB"},
        ]
    },
    "disks": [
        {
            "select": {"array": "os"},
            "table": "gpt",
            "partitions": [
                {
                    "name": "efi",
                    "size": "64MiB",
                    "type": "efi",
                    "filesystem": {"type": "vfat", "label": "EFI", "uuid": "12AB-34CD"},
                },
                {"name": "boot", "size": "10%", "bootable": True, "filesystem": "ext4"},
                {"name": "swap", "size": "100MB", "type": "swap", "filesystem": "swap"},
                {
                    "name": "root",
                    "size": "rest",
                    "filesystem": {"type": "xfs", "label": "root", "uuid": UUID},
                },
            ],
        },
        {"select": {"array": "data"}, "filesystem": {"type": "btrfs", "label": "data"}},
        {
            "select": {"drives": 6},
            "table": "mbr",
            "partitions": [
                {"name": "a", "size": "50%", "bootable": True},
                {"name": "b", "size": "50%", "type": "lvm"},
            ],
        },
        {"select": {"type": "nvme"}, "filesystem": "ext4"},
    ],
}


@pytest.fixture
def fake(tmp_path: Path) -> StorageMachine:
    disks = {f"sd{letter}": 2048 * MIB for letter in "abcdefg"} | {"nvme0n1": 4096 * MIB}
    return StorageMachine(tmp_path, disks)


def build_array(**more: Any) -> dict[str, Any]:
    return {"name": "t", "raid": {"arrays": [{"name": "os", "level": 1, "drives": "0,1", **more}]}}


def test_a_whole_template_is_carried_out_and_then_plans_nothing(fake: StorageMachine) -> None:
    template, inventory = WHOLE, fake.build_inventory()
    # Drive 7 is the NVMe drive: `3-` means 3, 4, 5 and 7 unless 7 is named elsewhere.
    inventory.disks[7].removable = False
    whole = dict(WHOLE)
    whole["raid"] = {"arrays": [WHOLE["raid"]["arrays"][0], {**WHOLE["raid"]["arrays"][1], "drives": "3-5"}]}  # type: ignore[index]
    template = whole
    done = apply(template, fake.machine, inventory)
    assert [action.id for action in done] == [
        "raid.mdadm:create:os",
        "raid.mdadm:create:data",
        "disk.partition:write:/dev/md/os",
        "disk.partition:write:/dev/sdg",
        "disk.filesystem:make:/dev/md/os1",
        "disk.filesystem:make:/dev/md/os2",
        "disk.filesystem:make:/dev/md/os3",
        "disk.filesystem:make:/dev/md/os4",
        "disk.filesystem:make:/dev/md/data",
        "disk.filesystem:make:/dev/nvme0n1",
    ]
    again = plan(template, fake.machine, inventory)
    assert (again.actions, again.problems) == ([], [])


def test_after_a_reboot_the_arrays_are_looked_at_read_only_and_nothing_is_planned(
    fake: StorageMachine,
) -> None:
    template, inventory = build_array(), fake.build_inventory()
    apply(template, fake.machine, inventory)
    fake.restart()
    fake.calls.clear()
    again = plan(template, fake.machine, inventory)
    assert (again.actions, again.problems) == ([], [])
    assert [array.read_only for array in fake.arrays] == [True]
    changing = [call for call in fake.calls if call[0] == "mdadm" and call[1] == "--assemble"]
    assert all("--readonly" in call for call in changing)


@pytest.mark.parametrize(("level", "drives"), [(1, "0,1"), (5, "0-2"), (6, "0-3"), (10, "0-3")])
def test_an_array_that_is_still_synchronised_for_the_first_time_starts_again_after_a_power_cut(
    fake: StorageMachine, level: int, drives: str
) -> None:
    template, inventory = build_array(level=level, drives=drives), fake.build_inventory()
    apply(template, fake.machine, inventory)
    fake.cut_power()
    again = plan(template, fake.machine, inventory)
    assert (again.actions, again.problems) == ([], [])
    assert again.notes == [f"array 'os' is as wanted: RAID {level}"]


def test_mdadm_says_itself_why_an_array_is_not_started(fake: StorageMachine) -> None:
    template, inventory = build_array(), fake.build_inventory()
    apply(template, fake.machine, inventory)
    fake.restart()
    fake.arrays[0].half = True
    assert plan(template, fake.machine, inventory).notes[0].endswith("cannot be started: not enough members")


def test_an_array_that_was_started_read_only_is_made_writable_before_it_is_written(
    fake: StorageMachine,
) -> None:
    inventory = fake.build_inventory()
    apply(build_array(), fake.machine, inventory)
    fake.restart()
    template = {**build_array(), "disks": [{"select": {"array": "os"}, "filesystem": "ext4"}]}
    assert [a.id for a in apply(template, fake.machine, inventory)] == ["disk.filesystem:make:/dev/md/os"]


def test_refuses_drives_with_data_and_names_what_was_found(fake: StorageMachine) -> None:
    fake.put("/dev/sdb", "ext4", "data")
    found = plan(build_array(), fake.machine, fake.build_inventory())
    assert found.actions == []
    assert [(p.path, p.message) for p in found.problems] == [
        (
            "raid.arrays[0].drives",
            '/dev/sdb (drive 1, serial SER1) holds ext4 file system "data" on /dev/sdb',
        )
    ]


def test_wipe_allows_the_data_to_be_lost_and_says_so(fake: StorageMachine) -> None:
    fake.put("/dev/sdb", "ext4", "data")
    done = apply(build_array(wipe=True), fake.machine, fake.build_inventory())
    assert done[0].destroys == ('ext4 file system "data" on /dev/sdb',)
    assert done[0].allowed == "raid.arrays[0].wipe"


def test_refuses_to_delete_an_array_without_permission(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    apply(build_array(), fake.machine, inventory)
    other = {"name": "t", "raid": {"arrays": [{"name": "new", "level": 1, "drives": "1,2"}]}}
    found = plan(other, fake.machine, inventory)
    assert [p.path for p in found.problems] == ["raid.arrays[0]"]
    assert "array 'os' (RAID 1) exists on /dev/sda, /dev/sdb" in found.problems[0].message


def test_clear_deletes_what_is_not_wanted_and_keeps_what_is(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    two = {
        "name": "t",
        "raid": {
            "arrays": [
                {"name": "os", "level": 1, "drives": "0,1"},
                {"name": "old", "level": 5, "drives": "2-4"},
            ]
        },
    }
    apply(two, fake.machine, inventory)
    fake._find("/dev/md126").signatures = [{"type": "xfs", "label": "keepsake", "uuid": "1"}]
    new = {
        "name": "t",
        "raid": {
            "clear": True,
            "arrays": [
                {"name": "os", "level": 1, "drives": "0,1"},
                {"name": "new", "level": 10, "drives": "2-5"},
            ],
        },
    }
    done = apply(new, fake.machine, inventory)
    assert [action.id for action in done] == ["raid.mdadm:delete:old", "raid.mdadm:create:new"]
    assert done[0].destroys == (
        'md array "old" (RAID 5) on /dev/sdc, /dev/sdd, /dev/sde',
        'xfs file system "keepsake" on /dev/md/old',
    )
    assert done[0].allowed == "raid.clear"


def test_clear_works_on_arrays_that_do_not_run(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    apply(build_array(), fake.machine, inventory)
    fake.restart()
    done = apply({"name": "t", "raid": {"clear": True}}, fake.machine, inventory)
    assert [action.id for action in done] == ["raid.mdadm:delete:os"]
    assert fake.arrays == []


def test_a_hot_spare_is_added_to_and_taken_from_an_array_in_place(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    apply(build_array(), fake.machine, inventory)
    done = apply(build_array(hotspares="2"), fake.machine, inventory)
    assert [action.id for action in done] == ["raid.mdadm:add:os:/dev/sdc"]
    done = apply(build_array(), fake.machine, inventory)
    assert [action.id for action in done] == ["raid.mdadm:remove:os:/dev/sdc"]


def test_a_kept_partition_with_another_file_system_needs_wipe(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    disk = {"select": {"drives": 0}, "partitions": [{"name": "a", "size": "rest", "filesystem": "ext4"}]}
    apply({"name": "t", "disks": [disk]}, fake.machine, inventory)
    disk["partitions"] = [{"name": "a", "size": "rest", "filesystem": "xfs"}]
    found = plan({"name": "t", "disks": [disk]}, fake.machine, inventory)
    assert [(p.path, p.message) for p in found.problems] == [
        ("disks[0].partitions[0].filesystem", "/dev/sda1 holds ext4 file system on /dev/sda1")
    ]
    done = apply({"name": "t", "disks": [disk | {"wipe": True}]}, fake.machine, inventory)
    assert [action.id for action in done] == ["disk.filesystem:make:/dev/sda1"]
    assert done[0].allowed == "disks[0].wipe"


def test_another_table_needs_wipe_and_names_everything_that_is_lost(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    disk: dict[str, Any] = {
        "select": {"drives": 0},
        "partitions": [{"name": "a", "size": "1GiB", "filesystem": {"type": "ext4", "label": "home"}}],
    }
    apply({"name": "t", "disks": [disk]}, fake.machine, inventory)
    disk["partitions"] = [{"name": "a", "size": "rest", "filesystem": "xfs"}]
    found = plan({"name": "t", "disks": [disk]}, fake.machine, inventory)
    assert len(found.problems) == 1
    assert "GPT partition table with 1 partition on /dev/sda" in found.problems[0].message
    assert 'ext4 file system "home" on /dev/sda1' in found.problems[0].message
    done = apply({"name": "t", "disks": [disk | {"wipe": True}]}, fake.machine, inventory)
    assert done[0].destroys == (
        "GPT partition table with 1 partition on /dev/sda",
        'ext4 file system "home" on /dev/sda1',
    )


def test_a_disk_of_an_array_that_the_template_uses_is_not_to_be_had(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    apply(build_array(), fake.machine, inventory)
    disks = [
        {"select": {"drives": 1}, "wipe": True, "filesystem": "ext4"},
        {"select": {"array": "os"}, "filesystem": "ext4"},
    ]
    found = plan({"name": "t", "disks": disks}, fake.machine, inventory)
    assert [problem.path for problem in found.problems] == ["disks[0].select"]
    assert found.problems[0].message.endswith("cannot be used: it is used by disks[1] through array 'os'")


def test_wipe_frees_a_disk_from_an_array_of_its_former_life(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    apply(build_array(), fake.machine, inventory)
    fake.restart()
    disk = {"select": {"drives": 1}, "filesystem": "ext4"}
    found = plan({"name": "t", "disks": [disk]}, fake.machine, inventory)
    assert 'holds member of md array "os" on /dev/sdb' in found.problems[0].message
    done = apply({"name": "t", "disks": [disk | {"wipe": True}]}, fake.machine, inventory)
    assert done[0].destroys == ('member of md array "os" on /dev/sdb',)


def test_a_mounted_disk_is_refused_even_with_wipe(fake: StorageMachine) -> None:
    fake.put("/dev/sda", "ext4")
    fake.devices["/dev/sda"].mountpoint = "/mnt"
    disk = {"select": {"drives": 0}, "wipe": True, "filesystem": "xfs"}
    found = plan({"name": "t", "disks": [disk]}, fake.machine, fake.build_inventory())
    assert "mounted on /mnt" in found.problems[0].message


def test_problems_of_all_drivers_come_together_before_anything_changes(fake: StorageMachine) -> None:
    template = {
        "name": "t",
        "raid": {"arrays": [{"name": "os", "level": 1, "drives": "0,99"}]},
        "disks": [
            {"select": {"array": "ghost"}, "filesystem": "ext4"},
            {"select": {"drives": 2}, "partitions": [{"name": "a", "size": "5TiB"}]},
            {"select": {"size": "2GiB"}, "filesystem": "ext4"},
            {"select": {"drives": 3}, "partitions": [{"name": "x", "size": "9MiB", "filesystem": "xfs"}]},
        ],
    }
    found = plan(template, fake.machine, fake.build_inventory())
    assert [problem.path for problem in found.problems] == [
        "raid.arrays[0].drives",
        "disks[1].partitions[0].size",
        "disks[0].select.array",
        "disks[2].select",
        "disks[3].partitions[0].filesystem",
    ]
    assert not [call for call in fake.calls if call[0].startswith("mkfs") or "--create" in call]
