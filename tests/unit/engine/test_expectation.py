"""What a machine must be before anything is done to it: every difference, in the words of the slot."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from bootos.drivers.contract import Machine
from bootos.engine.expectation import find_differences
from bootos.engine.plan import plan_job
from bootos.engine.run import Run
from bootos.template.check import read_template
from bootos.wire.inventory import Inventory

GIB = 1024**3
INVENTORY = msgspec.convert(
    {
        "collected_at": "2026-01-01T00:00:00Z",
        "system": {"vendor": "Dell Inc.", "product": "PowerEdge R740"},
        "bios": {"version": "2.19.1", "boot_mode": "uefi", "secure_boot": False},
        "bmc": {"firmware": "7.00"},
        "cpu": {
            "model": "Intel(R) Xeon(R) Gold 6338",
            "sockets": 2,
            "cores": 64,
            "threads": 128,
            "flags": ["vmx"],
        },
        "memory": {
            "total_bytes": 64 * GIB,
            "dimms": [
                {
                    "slot": "DIMM_A1",
                    "size_bytes": 32 * GIB,
                    "speed_mts": 3200,
                    "type": "DDR4",
                    "part": "M393A4K",
                },
                {"slot": "DIMM_A2", "size_bytes": 32 * GIB, "speed_mts": 2933, "configured_speed_mts": 2666},
                {"slot": "DIMM_B1", "size_bytes": 0},
                {"slot": "DIMM_B2", "size_bytes": 0},
            ],
        },
        "disks": [
            {"index": 0, "name": "sda", "path": "/dev/sda", "size_bytes": 480_103_981_056, "type": "ssd"},
            {"index": 1, "name": "sdb", "path": "/dev/sdb", "size_bytes": 480_103_981_056, "type": "ssd"},
            {"index": 2, "name": "sdc", "path": "/dev/sdc", "size_bytes": 4_000_787_030_016, "type": "hdd"},
        ],
        "nics": [
            {
                "name": "eth0",
                "mac": "52:54:00:00:00:01",
                "model": "ConnectX-6 Lx",
                "link": True,
                "speed_mbps": 25000,
            },
            {"name": "eth1", "mac": "52:54:00:00:00:02", "model": "ConnectX-6 Lx", "link": False},
        ],
        "raid": [
            {
                "name": "c0",
                "driver": "raid.megaraid",
                "model": "PERC H740P",
                "firmware": "51.16.0-4076",
                "drives": [{"id": "252:0", "size_bytes": 1_200_000_000_000}],
            },
            {"name": "md", "driver": "raid.mdadm"},
        ],
    },
    Inventory,
)


def differ(**expect: Any) -> list[str]:
    template, problems = read_template({"name": "t", "expect": expect})
    assert template is not None and template.expect is not None
    assert problems == []
    return [f"{item.path}: {item.message}" for item in find_differences(template.expect, INVENTORY)]


@pytest.mark.parametrize(
    "expect",
    [
        {"system": {"vendor": "dell*", "product": "PowerEdge R7*"}},
        {
            "cpu": {
                "count": 2,
                "model": "*Gold 63??*",
                "cores": ">=32",
                "threads": "100-200",
                "flags": ["vmx"],
            }
        },
        {"memory": "64GiB"},
        {"memory": ">=60GiB"},
        {"memory": "68GiB +-10%"},
        {"memory": {"total": "<=64GiB", "modules": 2, "slots": [{"slot": "DIMM_B*", "empty": True}]}},
        {
            "memory": {
                "slots": [
                    {"slot": "DIMM_A1", "size": "32GiB", "speed": 3200, "type": "ddr4", "part": "M393*"}
                ]
            }
        },
        {
            "disks": [
                {"count": 2, "size": "480GB", "type": "ssd"},
                {"type": "hdd"},
                {"type": "nvme", "count": 0},
            ]
        },
        {"nics": [{"count": ">=2", "model": "ConnectX-6*"}, {"count": 1, "speed": ">=10Gb/s", "link": True}]},
        {
            "raid": [
                {"count": 1, "model": "PERC*", "firmware": ">=51.15", "drives": "1-8", "drive_size": "1.2TB"}
            ]
        },
        {
            "firmware": {"bios": ">=2.10 <3", "bmc": "7.00"},
            "boot_mode": "uefi",
            "secure_boot": False,
            "bmc": True,
        },
        {"gpus": [{"count": 0}]},
    ],
)
def test_what_is_as_expected_makes_no_difference(expect: dict[str, Any]) -> None:
    assert differ(**expect) == []


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        (
            {"memory": {"slots": [{"slot": "DIMM_B2", "size": "32GiB", "speed": 3200}]}},
            "expect.memory.slots[0]: DIMM_B2: expected 32GiB 3200 MT/s, found empty",
        ),
        (
            {"memory": {"slots": [{"slot": "DIMM_A2", "size": "32GiB", "speed": 3200}]}},
            "expect.memory.slots[0]: DIMM_A2: expected 32GiB 3200 MT/s, found 32 GiB 2933 MT/s",
        ),
        (
            {"memory": {"slots": [{"slot": "DIMM_A2", "configured_speed": ">=2933"}]}},
            "DIMM_A2: expected running at >=2933 MT/s, found 32 GiB 2933 MT/s running at 2666 MT/s",
        ),
        (
            {"memory": {"slots": [{"slot": "DIMM_A1", "empty": True}]}},
            "DIMM_A1: expected empty, found 32 GiB 3200 MT/s",
        ),
        (
            {"memory": {"slots": [{"slot": "P9"}]}},
            "P9: there is no such slot (there: DIMM_A1, DIMM_A2, DIMM_B1, DIMM_B2)",
        ),
        ({"memory": ">=256GiB"}, "expect.memory: memory: expected >=256GiB, found 64 GiB"),
        ({"memory": {"modules": 4}}, "expect.memory.modules: memory modules: expected 4, found 2"),
        ({"cpu": {"count": 4}}, "expect.cpu.count: processors: expected 4, found 2"),
        ({"cpu": {"flags": ["avx512f", "vmx"]}}, "expect.cpu.flags: the processors do not have avx512f"),
        (
            {"disks": [{"count": 8, "size": "480GB", "type": "ssd"}]},
            (
                "expect.disks[0]: disks (size 480GB, type ssd): expected 8, found 2 (there: sda 480.1 GB ssd; sdb "
                "480.1 GB ssd; sdc 4.0 TB hdd)"
            ),
        ),
        ({"disks": [{"type": "hdd", "count": 0}]}, "disks (type hdd): expected 0, found 1"),
        (
            {"nics": [{"count": 2, "speed": "25Gb/s"}]},
            (
                "expect.nics[0]: network interfaces (speed 25Gb/s): expected 2, found 1 (there: eth0 ConnectX-6 Lx "
                "25000 Mb/s; eth1 ConnectX-6 Lx no link)"
            ),
        ),
        (
            {"raid": [{"model": "PERC*", "drives": 8}]},
            (
                "RAID controllers (model PERC*, drives 8): expected >=1, found 0 (there: PERC H740P 51.16.0-4076 with "
                "1 drives)"
            ),
        ),
        ({"firmware": {"bios": ">=2.20"}}, "expect.firmware.bios: BIOS: expected >=2.20, found 2.19.1"),
        ({"tpm": "2.0"}, "expect.tpm: TPM: expected 2.0, found none"),
        ({"secure_boot": True}, "secure boot: expected on, found off"),
        ({"system": {"product": "*R640"}}, "product: expected *R640, found PowerEdge R740"),
        (
            {"gpus": [{"model": "*A100*", "count": 4}]},
            "GPUs (model *A100*): expected 4, found 0 (there: none at all)",
        ),
    ],
)
def test_a_difference_says_what_was_expected_and_what_is_there(expect: dict[str, Any], said: str) -> None:
    (found,) = differ(**expect)
    assert said in found


def test_all_differences_come_at_once() -> None:
    assert len(differ(memory="1TiB", cpu={"count": 1, "cores": 2}, disks=[{"type": "nvme"}], bmc=False)) == 5


@pytest.mark.parametrize(
    ("expect", "path"),
    [
        ({"cpu": {"cores": "many"}}, "expect.cpu.cores"),
        ({"memory": "64"}, "expect.memory"),
        (
            {"memory": {"slots": [{"slot": "A", "empty": True, "size": "1GiB"}]}},
            "expect.memory.slots[0].size",
        ),
        ({"disks": [{"size": "big"}]}, "expect.disks[0].size"),
        ({"disks": [{"type": "floppy"}]}, "expect.disks[0].type"),
        ({"nics": [{"speed": "fast"}]}, "expect.nics[0].speed"),
        ({"nics": [{"count": "4-2"}]}, "expect.nics[0].count"),
        ({"firmware": {"bios": ">="}}, "expect.firmware.bios"),
        ({"boot_mode": "floppy"}, "expect.boot_mode"),
        ({"psu": 2}, "expect.psu"),
    ],
)
def test_mistakes_are_found_without_a_machine(expect: dict[str, Any], path: str) -> None:
    _, problems = read_template({"name": "t", "expect": expect})
    assert [problem.path for problem in problems] == [path]


def test_a_job_on_a_machine_that_differs_is_refused_before_any_driver_works(tmp_path: Path) -> None:
    document = {"name": "t", "expect": {"memory": ">=1TiB"}, "raid": {"arrays": []}}
    plan = plan_job(Run(document, Machine(root=tmp_path), INVENTORY, choose=lambda *_: ([], [])))
    assert [problem.path for problem in plan.problems] == ["expect.memory"]
