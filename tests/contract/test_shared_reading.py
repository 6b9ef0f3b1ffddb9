"""Drivers of a moment share what was read; a change, a hot-plug and the last reading make it anew."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from storagemachine import MIB, StorageMachine

from bootos.engine.apply import apply_job
from bootos.engine.plan import plan_job
from bootos.engine.run import Run
from bootos.engine.watcher import StepFailed, Watcher
from bootos.wire.v2 import ActionView, StepState

TEMPLATE = {
    "name": "t",
    "disks": [
        {
            "select": {"drives": 0},
            "table": "gpt",
            "partitions": [{"name": "root", "size": "rest", "filesystem": "ext4"}],
        },
        {"select": {"drives": 1}, "filesystem": "xfs"},
    ],
}


class Watching(Watcher):
    """Counts the looks at the storage from one step to the next."""

    def __init__(self, fake: StorageMachine) -> None:
        self.fake = fake
        self.said: list[tuple[str, str, int]] = []

    def set_step(
        self, id: str, state: StepState, *, message: str = "", actions: Sequence[ActionView] | None = None
    ) -> None:
        self.said.append((id, state.value, count_looks(self.fake)))

    def set_action(self, step_id: str, action_id: str, state: StepState) -> None:
        self.said.append((action_id, state.value, count_looks(self.fake)))


def count_looks(fake: StorageMachine) -> int:
    return sum(1 for call in fake.calls if call[0] == "lsblk" and not call[-1].startswith("/dev/"))


@pytest.fixture
def fake(tmp_path: Path) -> StorageMachine:
    found = StorageMachine(tmp_path, {f"vd{letter}": 2048 * MIB for letter in "ab"})
    counter = tmp_path / "sys/kernel/uevent_seqnum"
    counter.parent.mkdir(parents=True)
    counter.write_text("7\n")
    return found


def test_a_plan_of_several_drivers_looks_once(fake: StorageMachine) -> None:
    plan = plan_job(Run(TEMPLATE, fake.machine, fake.build_inventory()))
    assert [part.driver.name for part in plan.drivers] == ["disk.partition", "disk.filesystem"]
    assert count_looks(fake) == 1


def test_the_reading_after_each_driver_and_the_last_one_are_new(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    watching = Watching(fake)
    run = Run(TEMPLATE, fake.machine, inventory, watcher=watching)
    plan = plan_job(run)
    fake.calls.clear()
    apply_job(run, plan)
    # A look before the first driver, one after it (the second driver begins with that), one after the second, and one
    # of everything at the end.
    looks = [(id, state, count) for id, state, count in watching.said if ":" not in id]
    assert looks == [
        ("disk.partition", "running", 0),
        ("disk.partition", "running", 1),
        ("disk.partition", "done", 2),
        ("disk.filesystem", "running", 2),
        ("disk.filesystem", "running", 2),
        ("disk.filesystem", "done", 3),
    ]
    assert count_looks(fake) == 4


def test_a_disk_that_is_written_between_plan_and_apply_is_seen(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()
    run = Run(TEMPLATE, fake.machine, inventory, watcher=Watching(fake))
    plan = plan_job(run)
    fake.put("/dev/vda", "ext4", "data")
    with pytest.raises(StepFailed, match="holds ext4"):
        apply_job(run, plan)


def test_a_disk_that_is_changed_while_another_driver_works_is_seen_by_its_kernel_event(
    fake: StorageMachine,
) -> None:
    inventory = fake.build_inventory()

    class Plugging(Watching):
        """Somebody exchanges the second disk as soon as the first driver is done."""

        def set_step(self, id: str, state: StepState, **more: Any) -> None:
            super().set_step(id, state, **more)
            if (id, state) == ("disk.partition", StepState.DONE):
                self.fake.put("/dev/vdb", "ext4", "data")
                (self.fake.root / "sys/kernel/uevent_seqnum").write_text("9\n")

    run = Run(TEMPLATE, fake.machine, inventory, watcher=Plugging(fake))
    plan = plan_job(run)
    with pytest.raises(StepFailed, match=r"vdb .*holds ext4"):
        apply_job(run, plan)
    assert fake.devices["/dev/vdb"].signatures[0]["label"] == "data"


def test_what_broke_after_its_driver_was_done_is_found_by_the_last_reading(fake: StorageMachine) -> None:
    inventory = fake.build_inventory()

    class Breaking(Watching):
        """What the first driver made is lost without a word of the kernel, once the last driver is done."""

        def set_step(self, id: str, state: StepState, **more: Any) -> None:
            super().set_step(id, state, **more)
            if (id, state) == ("disk.filesystem", StepState.DONE):
                self.fake.devices["/dev/vda"].parts.clear()

    run = Run(TEMPLATE, fake.machine, inventory, watcher=Breaking(fake))
    plan = plan_job(run)
    with pytest.raises(StepFailed, match="was as wanted, but is not any more"):
        apply_job(run, plan)
