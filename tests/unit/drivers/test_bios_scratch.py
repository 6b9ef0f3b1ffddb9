"""The files that a BIOS tool writes for the driver: a capture that wakes up late does not touch those of a job."""

import shutil
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import pytest

from bootos.drivers.bios.sum import SumDriver
from bootos.drivers.contract import Machine
from bootos.process import Command, Completed
from bootos.wire.inventory import Inventory, System

BOARD = Path(__file__).parents[2] / "golden/drivers/bios.sum/x11sdv-8c-tp8f.xml"
INVENTORY = Inventory(collected_at="2026-01-01T00:00:00Z", system=System(vendor="Supermicro"))


def read(machine: Machine) -> int:
    return len(SumDriver(find_program=lambda name: name).read(machine, INVENTORY).settings)


def test_a_capture_that_wakes_up_late_does_not_touch_the_file_of_a_job(tmp_path: Path) -> None:
    late = []

    def refuse(argv: Sequence[str | PathLike[str]], **options: Any) -> Completed:
        raise SystemExit  # as the runner of a capture does after its deadline

    capture = Machine(run=refuse, root=tmp_path)
    capture.only_looks = True

    def answer(argv: Sequence[str | PathLike[str]], **options: Any) -> Completed:
        command = Command(argv, **options)
        shutil.copyfile(BOARD, command.words[command.words.index("--file") + 1])
        with pytest.raises(SystemExit):  # between the tool's end and the driver's reading
            read(capture)
        late.append(command.words)
        return command.complete(0)

    assert read(Machine(run=answer, root=tmp_path)) == 261
    assert len(late) == 1
