"""A configured machine's disks as a template: applied to the same machine, it plans nothing."""

from pathlib import Path
from typing import Any

from carrying import apply, plan
from storagemachine import MIB, StorageMachine

from bootos.drivers.contract import Exporter
from bootos.drivers.registry import load_drivers

WANTED: dict[str, Any] = {
    "name": "golden",
    "raid": {"arrays": [{"name": "os", "level": 1, "drives": "0,1"}]},
    "disks": [
        {
            "select": {"array": "os"},
            "partitions": [
                {
                    "name": "efi",
                    "size": "64MiB",
                    "type": "efi",
                    "filesystem": {"type": "vfat", "label": "EFI"},
                },
                {
                    "name": "hole",
                    "size": "100MB",
                    "start": "200MiB",
                    "attributes": ["hidden", "no-automount"],
                },
                {"name": "pv", "size": "rest", "volume_group": "vg0"},
            ],
        },
        {"select": {"serial": "SER2"}, "filesystem": {"type": "xfs", "label": "data"}},
        {"select": {"serial": "SER3"}, "volume_group": "vg0"},
        {
            "select": {"serial": "SER4"},
            "table": "mbr",
            "partitions": [
                {"name": "a", "size": "50%", "bootable": True, "filesystem": "ext4"},
                {
                    "name": "b",
                    "size": "rest",
                    "encryption": {"passphrase": {"secret": "s"}},
                    "filesystem": "xfs",
                },
            ],
        },
    ],
    "volume_groups": [
        {
            "name": "vg0",
            "extent": "8MiB",
            "volumes": [
                {"name": "root", "size": "1GiB", "filesystem": {"type": "ext4", "label": "root"}},
                {"name": "home", "size": "rest"},
            ],
        }
    ],
}


def export(fake: StorageMachine) -> dict[str, Any]:
    """As the server joins what the drivers say."""
    inventory = fake.build_inventory()
    found: dict[str, Any] = {}
    for driver in load_drivers():
        if driver.name.startswith("disk.") and isinstance(driver, Exporter):
            state = driver.read(fake.machine, inventory)
            for key, value in driver.export(state).items():
                found.setdefault(key, []).extend(value)
    return found


def test_what_was_made_comes_back_as_a_template_that_plans_nothing(tmp_path: Path) -> None:
    disks = {f"sd{letter}": 2048 * MIB for letter in "abcd"} | {"sde": 4096 * MIB}
    fake = StorageMachine(tmp_path, disks)
    apply(WANTED, fake.machine, fake.build_inventory(), {"s": "secret"})
    found = export(fake)
    template = {"name": "exported", "raid": WANTED["raid"], **found}
    planned = plan(template, fake.machine, fake.build_inventory())
    assert (planned.actions, planned.problems) == ([], [])
    assert [disk["select"] for disk in found["disks"]] == [
        {"serial": "SER3"},
        {"size": f"{4096 * MIB}B", "type": "ssd"},
        {"array": "os"},
        {"serial": "SER2"},
    ]
    assert [volume["name"] for volume in found["volume_groups"][0]["volumes"]] == ["home", "root"]


def test_what_a_template_cannot_say_is_left_out(tmp_path: Path) -> None:
    fake = StorageMachine(tmp_path, {"sda": 2048 * MIB, "sdb": 4096 * MIB, "sdc": 8192 * MIB})
    fake.put("/dev/sda", "zfs_member", "tank")
    fake.put("/dev/sdb", "ntfs", "windows")
    assert export(fake) == {}
    fake.put("/dev/sdc", "vfat", "lower")  # a template may not ask for this label
    assert export(fake)["disks"] == [
        {"select": {"size": f"{8192 * MIB}B", "type": "ssd"}, "filesystem": {"type": "vfat"}}
    ]
