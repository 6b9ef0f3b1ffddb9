from typing import Any

import pytest

from bootos.drivers.contract import ArrayForecast, Forecast
from bootos.drivers.storage.selection import reserve_disks, select_targets
from bootos.drivers.storage.state import Block, Storage
from bootos.template.check import read_template
from bootos.template.model import Select
from bootos.wire.inventory import Disk, DiskType

GB = 1000**3


def build_disk(index: int, name: str, **more: Any) -> Disk:
    fields: dict[str, Any] = {
        "index": index,
        "name": name,
        "path": f"/dev/{name}",
        "by_path": f"pci-0000:00:1f.2-ata-{index + 1}",
        "model": "INTEL SSDSC2KG48",
        "serial": f"S{index}",
        "wwn": f"0x5002538e0000000{index}",
        "size_bytes": 480 * GB,
        "type": DiskType.SSD,
    }
    return Disk(**(fields | more))


DISKS = (
    build_disk(0, "sda"),
    build_disk(1, "sdb", size_bytes=4000 * GB, type=DiskType.HDD, model="ST4000NM0035"),
    build_disk(2, "sdc", size_bytes=4000 * GB, type=DiskType.HDD, model="ST4000NM0035"),
    build_disk(3, "nvme0n1", type=DiskType.NVME, model="SAMSUNG MZQL2960", size_bytes=960 * GB),
    build_disk(4, "sdd", removable=True, type=DiskType.UNKNOWN, size_bytes=16 * GB),
)


def build_storage(*, without: str = "") -> Storage:
    blocks = {
        disk.path: Block(device=disk.path, node=disk.path, size_bytes=disk.size_bytes)
        for disk in DISKS
        if disk.path != without
    }
    return Storage(disks=DISKS, blocks=blocks)


def select(forecast: Forecast | None = None, **keys: Any) -> tuple[list[str], list[str]]:
    targets, problems = select_targets(Select(**keys), "disks[0]", build_storage(), forecast or Forecast())
    return [target.device for target in targets], [f"{p.path}: {p.message}" for p in problems]


@pytest.mark.parametrize(
    ("keys", "device"),
    [
        ({"serial": "S2"}, "/dev/sdc"),
        ({"wwn": "5002538E00000001"}, "/dev/sdb"),
        ({"path": "/dev/sda"}, "/dev/sda"),
        ({"path": "/dev/disk/by-path/pci-*-ata-3"}, "/dev/sdc"),
        ({"type": "nvme"}, "/dev/nvme0n1"),
        ({"size": "480GB"}, "/dev/sda"),
        ({"size": ">=900GB", "type": "nvme"}, "/dev/nvme0n1"),
        ({"model": "intel*"}, "/dev/sda"),
        ({"drives": 3}, "/dev/nvme0n1"),
    ],
)
def test_each_key_finds_its_disk(keys: dict[str, Any], device: str) -> None:
    assert select(**keys) == ([device], [])


def test_several_disks_are_a_problem_that_lists_them() -> None:
    devices, problems = select(size=">=1TB")
    assert devices == []
    listed = [
        f"/dev/sd{letter} (drive {n}, serial S{n}): ST4000NM0035, 4.0 TB, hdd"
        for n, letter in ((1, "b"), (2, "c"))
    ]
    assert problems == [f"disks[0].select: means 2 disks: {'; '.join(listed)}"]


def test_a_drive_list_may_mean_several() -> None:
    assert select(drives="1-2") == (["/dev/sdb", "/dev/sdc"], [])
    assert select(drives="0-3", type="hdd") == (["/dev/sdb", "/dev/sdc"], [])


def test_a_drive_that_is_not_there_is_named() -> None:
    assert select(drives="1,9") == (
        [],
        ["disks[0].select.drives: drive 9 is not there: this machine has 5 disks"],
    )


def test_a_disk_used_elsewhere_is_passed_over_or_refused_when_named() -> None:
    taken = {"/dev/sdb": "raid.arrays[0]"}
    assert select(Forecast(taken=taken), type="hdd") == (["/dev/sdc"], [])
    assert select(Forecast(taken=taken), serial="S1") == (
        [],
        ["disks[0].select: /dev/sdb (drive 1, serial S1) cannot be used: it is used by raid.arrays[0]"],
    )


def test_an_open_list_takes_what_is_free_and_a_number_insists() -> None:
    taken = {"/dev/sdb": "raid.arrays[0]"}
    assert select(Forecast(taken=taken), drives="1-") == (["/dev/sdc", "/dev/nvme0n1"], [])
    assert select(Forecast(taken=taken), drives="1-2")[1] == [
        "disks[0].select: /dev/sdb (drive 1, serial S1) cannot be used: it is used by raid.arrays[0]"
    ]


def test_a_drive_named_by_number_is_kept_from_those_who_come_before() -> None:
    document = {
        "name": "t",
        "disks": [
            {"select": {"type": "hdd"}, "filesystem": "xfs"},
            {"select": {"drives": 1}, "filesystem": "xfs"},
        ],
    }
    template, problems = read_template(document)
    assert template is not None
    assert problems == []
    forecast = Forecast()
    reserve_disks(template, build_storage(), forecast)
    assert select(forecast, type="hdd") == (["/dev/sdc"], [])


def test_a_removable_disk_is_never_meant() -> None:
    assert select(size="<20GB")[1] == [
        "disks[0].select: no disk that fits is free: /dev/sdd (drive 4, serial S4): it is removable"
    ]


def test_nothing_that_fits_tells_what_is_there() -> None:
    _, problems = select_targets(Select(type="virtual"), "disks[0]", build_storage(), Forecast())
    assert problems[0].message == "no disk fits"
    assert problems[0].hint.startswith("this machine has /dev/sda (drive 0, serial S0)")


def test_a_disk_that_went_away_is_said_to_be_gone() -> None:
    storage = build_storage(without="/dev/sda")
    _, problems = select_targets(Select(serial="S0"), "disks[0]", storage, Forecast())
    assert "it is gone since the inventory was read" in problems[0].message


def test_an_array_of_the_plan_can_be_selected_before_it_exists() -> None:
    array = ArrayForecast(name="os", device="/dev/md/os", size_bytes=GB, exists=False)
    targets, problems = select_targets(
        Select(array="os"), "disks[0]", build_storage(), Forecast(arrays={"os": array})
    )
    assert problems == []
    assert (targets[0].device, targets[0].exists) == ("/dev/md/os", False)


def test_an_unknown_array_names_those_that_are_known() -> None:
    array = ArrayForecast(name="os", device="/dev/md/os", size_bytes=GB, exists=False)
    _, problems = select_targets(
        Select(array="data"), "disks[0]", build_storage(), Forecast(arrays={"os": array})
    )
    assert problems[0].path == "disks[0].select.array"
    assert problems[0].hint == "this machine has os"
