"""The disk of a new array is waited for, with a deadline."""

from pathlib import Path
from typing import Any

from test_current_disks import put_disk

from bootos.drivers.contract import Machine
from bootos.drivers.raid.arrival import DEADLINE_S, wait_for_disk
from bootos.drivers.raid.kerneldisk import find_disk
from bootos.process import Completed

WWN = "0x600508b1001caaaa"


def build_machine(root: Path) -> Machine:
    def run(argv: Any, **options: Any) -> Completed:
        return Completed(argv=tuple(argv), returncode=0, stdout="", stderr="", duration_s=0.0)

    return Machine(run=run, root=root)


class Clock:
    def __init__(self) -> None:
        self.time = 0.0
        self.pauses = 0

    def pause(self, seconds: float) -> None:
        self.time += seconds
        self.pauses += 1

    def now(self) -> float:
        return self.time


def test_waits_until_the_kernel_has_the_disk(tmp_path: Path) -> None:
    put_disk(tmp_path, "vda", "naa.5000c500a1b2c3d4")
    clock = Clock()

    def pause(seconds: float) -> None:
        clock.pause(seconds)
        if clock.pauses == 3:
            put_disk(tmp_path, "vdb", f"naa.{WWN[2:]}")

    found = wait_for_disk(
        build_machine(tmp_path), lambda storage: find_disk(storage, wwn=WWN), pause=pause, now=clock.now
    )
    assert found is not None and found.path == "/dev/vdb"
    assert clock.pauses == 3


def test_gives_up_after_the_deadline(tmp_path: Path) -> None:
    put_disk(tmp_path, "vda", "naa.5000c500a1b2c3d4")
    clock = Clock()
    machine = build_machine(tmp_path)
    found = wait_for_disk(
        machine, lambda storage: find_disk(storage, wwn=WWN), pause=clock.pause, now=clock.now
    )
    assert found is None and DEADLINE_S <= clock.time < DEADLINE_S + 1
