"""NVMe block sizes: the fastest format is taken, once; data and drives that cannot are problems."""

from pathlib import Path
from typing import Any

import pytest
from carrying import apply, plan
from drivetools import GOLDEN, Drive, DriveMachine

from bootos.engine.watcher import StepFailed

NVME = (GOLDEN / "nvme-id-ctrl-wdc-sn730.json").read_text()


def template(**more: Any) -> Any:
    return {"name": "t", "nvme": [{"select": {"drives": 0}, "sector_bytes": 4096, **more}]}


def build(tmp_path: Path, **drive: Any) -> DriveMachine:
    return DriveMachine(tmp_path, {"nvme0n1": Drive(id_ctrl=NVME, **drive)})


def test_the_fastest_format_without_metadata_is_taken_and_then_nothing_is_planned(tmp_path: Path) -> None:
    fake = build(tmp_path)
    inventory = fake.build_inventory()
    done = apply(template(), fake.machine, inventory)
    assert [action.id for action in done] == ["disk.nvme:format:/dev/nvme0n1"]
    assert fake.drives["/dev/nvme0n1"].lbaf == 2
    assert plan(template(), fake.machine, inventory).actions == []


def test_data_needs_its_word(tmp_path: Path) -> None:
    fake = build(tmp_path)
    fake.put("/dev/nvme0n1", "xfs", "precious")
    (problem,) = plan(template(), fake.machine, fake.build_inventory()).problems
    assert (problem.path, "precious" in problem.message) == ("nvme[0]", True)
    (action,) = apply(template(wipe=True), fake.machine, fake.build_inventory())
    assert action.destroys == ('xfs file system "precious" on /dev/nvme0n1',)


def test_a_drive_that_did_not_change_its_format_fails_by_name(tmp_path: Path) -> None:
    fake = build(tmp_path, lies=True)
    with pytest.raises(StepFailed, match="/dev/nvme0n1 still has sectors of 512 bytes"):
        apply(template(), fake.machine, fake.build_inventory())


@pytest.mark.parametrize(
    ("drive", "said"),
    [
        (
            {"lbafs": ({"ms": 0, "ds": 9, "rp": 0}, {"ms": 8, "ds": 12, "rp": 0})},
            "has no format of 4096 bytes",
        ),
        ({}, "cannot be formatted alone: /dev/nvme0n2 would be, too"),
    ],
)
def test_what_the_drive_cannot_do_is_told_while_planning(
    drive: dict[str, Any], said: str, tmp_path: Path
) -> None:
    all_at_once = NVME.replace('"fna": 4', '"fna": 5')
    fake = DriveMachine(tmp_path, {f"nvme0n{n}": Drive(id_ctrl=all_at_once, **drive) for n in (1, 2)})
    (problem,) = plan(template(), fake.machine, fake.build_inventory()).problems
    assert problem.path == "nvme[0].sector_bytes"
    assert said in problem.message


def test_another_kind_of_disk_is_a_problem(tmp_path: Path) -> None:
    fake = DriveMachine(tmp_path, {"nvme0n1": Drive(id_ctrl=NVME), "sda": Drive()})
    wanted = {"name": "t", "nvme": [{"select": {"serial": "SER1"}, "sector_bytes": 4096}]}
    (problem,) = plan(wanted, fake.machine, fake.build_inventory()).problems
    assert "is not an NVMe drive" in problem.message
