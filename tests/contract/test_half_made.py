"""What an earlier attempt of a job left half done: known by the job's mark, and made anew without a word of wiping."""

from pathlib import Path
from typing import Any

import pytest
from carrying import apply, plan
from storagemachine import MIB, StorageMachine

from bootos.drivers.contract import Machine

OWNER = "SN001 7"


@pytest.fixture
def fake(tmp_path: Path) -> StorageMachine:
    return StorageMachine(tmp_path, {f"sd{letter}": 2048 * MIB for letter in "abc"})


def doubt(fake: StorageMachine, *begun: str, owner: str = OWNER) -> Machine:
    return Machine(run=fake.run, root=fake.root, owner=owner, begun=frozenset(begun))


ARRAY = {"name": "t", "raid": {"arrays": [{"name": "os", "level": 5, "drives": "0-2"}]}}
CREATE = "raid.mdadm:create:os"


def disk(**filesystem: Any) -> dict[str, Any]:
    return {"name": "t", "disks": [{"select": {"drives": 0}, "filesystem": {"type": "xfs", **filesystem}}]}


def cut_array(fake: StorageMachine) -> None:
    apply(ARRAY, doubt(fake), fake.build_inventory())
    fake.restart()
    fake.arrays[0].half = True
    fake.devices["/dev/sdc"].signatures = []


def cut_filesystem(fake: StorageMachine, template: dict[str, Any]) -> None:
    apply(template, doubt(fake), fake.build_inventory())
    fake.devices["/dev/sda"].signatures[0]["half"] = "yes"


def test_an_array_whose_creation_was_cut_off_is_taken_back_and_created(fake: StorageMachine) -> None:
    cut_array(fake)
    done = apply(ARRAY, doubt(fake, CREATE), fake.build_inventory())
    assert [action.id for action in done] == ["raid.mdadm:delete:os", CREATE]
    assert done[0].destroys == ()


def test_an_array_of_another_job_is_not_taken_back(fake: StorageMachine) -> None:
    cut_array(fake)
    found = plan(ARRAY, doubt(fake, CREATE, owner="SN001 8"), fake.build_inventory())
    assert "exists on /dev/sda, /dev/sdb" in found.problems[0].message
    assert plan(ARRAY, doubt(fake), fake.build_inventory()).problems, "it was not begun"


@pytest.mark.parametrize("filesystem", [{}, {"uuid": "3f6b1a52-8c1e-4c67-9b63-0d5f2a7e4c11"}])
def test_a_file_system_whose_making_was_cut_off_is_made_again(
    fake: StorageMachine, filesystem: dict[str, str]
) -> None:
    template = disk(**filesystem)
    cut_filesystem(fake, template)
    make = "disk.filesystem:make:/dev/sda"
    done = apply(template, doubt(fake, make), fake.build_inventory())
    assert [(action.id, action.destroys) for action in done] == [(make, ())]


def test_a_file_system_that_was_finished_is_left_alone(fake: StorageMachine) -> None:
    apply(disk(), doubt(fake), fake.build_inventory())
    found = plan(disk(), doubt(fake, "disk.filesystem:make:/dev/sda"), fake.build_inventory())
    assert (found.actions, found.problems) == ([], [])


def test_what_came_to_the_place_meanwhile_needs_its_word(fake: StorageMachine) -> None:
    cut_filesystem(fake, disk())
    fake.put("/dev/sda", "xfs", "precious", "8d0ad1a4-54ef-4d4b-9f8c-3c1e6c1f8a10")
    fake.devices["/dev/sda"].signatures[0]["half"] = "yes"
    found = plan(disk(), doubt(fake, "disk.filesystem:make:/dev/sda"), fake.build_inventory())
    assert 'holds xfs file system "precious"' in found.problems[0].message
