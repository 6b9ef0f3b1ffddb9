"""The stand-in for ssacli speaks as the real one does, and remembers."""

import pytest

from bootos.hardware.smartarray import find_label, parse_config, parse_error
from bootos.lab.vendor_tools.silicon import Knob, Output, PhysicalDrive, Silicon, SiliconSpec
from bootos.lab.vendor_tools.smartarray import REBUILD_S, fail_drive
from bootos.lab.vendor_tools.ssacli import Ssacli
from bootos.lab.vendor_tools.tool import run_tool

SIZE = 960_197_124_096


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def silicon(clock: Clock) -> Silicon:
    spec = SiliconSpec(
        programs=("ssacli",), drives=tuple(PhysicalDrive(size_bytes=SIZE, type="hdd") for _ in range(6))
    )
    return Silicon(spec, tools=(Ssacli(),), now=clock)


def call(silicon: Silicon, line: str) -> Output:
    return run_tool(silicon, Ssacli(), "ssacli", line.split(), {})


def show(silicon: Silicon) -> str:
    return call(silicon, "controller all show config detail").stdout


def test_a_logical_drive_is_made_with_its_label_and_appears_as_a_disk(silicon: Silicon) -> None:
    line = "ctrl slot=0 create type=ld drives=1I:1:1,1I:1:2 raid=1 stripsize=128 logicaldrivelabel=os forced"
    assert call(silicon, line).code == 0
    (controller,) = parse_config(show(silicon))
    (volume,) = controller.volumes
    assert find_label(volume.values, controller.values["Serial Number"]) == "os"
    assert volume.values["Strip Size"] == "128 KB"
    assert [drive.id for drive in controller.drives if drive.array == "A"] == ["1I:1:1", "1I:1:2"]
    (disk,) = silicon.block.drives.values()
    assert volume.values["Unique Identifier"].lower().startswith(disk.wwn.removeprefix("0x"))


def test_refuses_drives_that_are_taken_as_the_real_one_does(silicon: Silicon) -> None:
    call(silicon, "ctrl slot=0 create type=ld drives=1I:1:1,1I:1:2 raid=1 forced")
    again = call(silicon, "ctrl slot=0 create type=ld drives=1I:1:2,1I:1:3 raid=1 forced")
    assert again.code == 1
    assert parse_error(again.stdout).endswith("Reason: Space for creation not available")


def test_letters_move_up_when_an_array_is_deleted(silicon: Silicon) -> None:
    call(silicon, "ctrl slot=0 create type=ld drives=1I:1:1,1I:1:2 raid=1 logicaldrivelabel=one forced")
    call(silicon, "ctrl slot=0 create type=ld drives=1I:1:3,1I:1:4 raid=1 logicaldrivelabel=two forced")
    assert call(silicon, "ctrl slot=0 ld 1 delete forced").code == 0
    (controller,) = parse_config(show(silicon))
    assert [(volume.id, volume.array) for volume in controller.volumes] == [("2", "A")]
    assert len(silicon.block.drives) == 1


def test_a_spare_takes_over_and_is_filled_in_time(silicon: Silicon, clock: Clock) -> None:
    call(silicon, "ctrl slot=0 create type=ld drives=1I:1:1,1I:1:2,1I:1:3 raid=5 forced")
    assert call(silicon, "ctrl slot=0 array A add spares=1I:1:4 forced").code == 0
    assert "Parity Initialization Status: In Progress" in show(silicon)
    clock.time += 400
    assert "Parity Initialization Status: Initialization Completed" in show(silicon)
    fail_drive(silicon, "1I:1:2")
    clock.time += REBUILD_S / 4
    assert "Status: Recovering, 25% complete" in show(silicon)
    clock.time += REBUILD_S
    assert parse_config(show(silicon))[0].volumes[0].values["Status"] == "OK"


def test_hba_mode_begins_with_the_next_start_and_shows_the_drives(silicon: Silicon) -> None:
    assert call(silicon, "ctrl slot=0 modify hbamode=on forced").code == 0
    assert "Pending Controller Mode: HBA" in show(silicon)
    assert silicon.block.drives == {}
    silicon.boot()
    (controller,) = parse_config(show(silicon))
    assert controller.values["HBA Mode Enabled"] == "True"
    assert {drive.values["Drive Type"] for drive in controller.drives} == {"HBA Mode Drive"}
    assert len(silicon.block.drives) == 6


def test_fails_half_way_when_told_to(silicon: Silicon) -> None:
    silicon.knobs.append(Knob(tool="ssacli", when="create", kind="fail-half", times=1))
    line = "ctrl slot=0 create type=ld drives=1I:1:1,1I:1:2 raid=1 logicaldrivelabel=os forced"
    assert call(silicon, line).code == 1
    (controller,) = parse_config(show(silicon))
    assert [find_label(v.values, controller.values["Serial Number"]) for v in controller.volumes] == [""]
