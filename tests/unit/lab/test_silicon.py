import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bootos.lab.vendor_tools.catalog import TOOLS
from bootos.lab.vendor_tools.silicon import (
    Knob,
    Output,
    PhysicalDrive,
    Silicon,
    SiliconSpec,
    VirtualDrive,
)
from bootos.lab.vendor_tools.tool import JUNK, HangError, run_program


class Lamp:
    """A tool for a lamp: `on` and `off` take effect at once, `later` with the next start."""

    names: tuple[str, ...] = ("lampctl", "lampctl64")

    def run(
        self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        state = silicon.state.setdefault("lamp", {"lit": False, "pending": None})
        match list(argv):
            case ["on"]:
                state["lit"] = True
                silicon.block.plug("vd0", 4096, "0x6000000000000001", "LAMP", "VD", "1")
            case ["off"]:
                state["lit"] = False
                silicon.block.unplug("vd0")
            case ["later"]:
                state["pending"] = True
            case _:
                return Output(code=2, stderr="usage\n")
        return Output(stdout="done\n")

    def on_boot(self, silicon: Silicon) -> None:
        state = silicon.state.get("lamp")
        if state and state["pending"] is not None:
            state["lit"], state["pending"] = state["pending"], None


class Recorder:
    """A backplane that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def plug(self, drive: VirtualDrive) -> None:
        self.told.append(f"plug {drive.name}")

    def unplug(self, name: str) -> None:
        self.told.append(f"unplug {name}")


def build(path: Path | None = None, *knobs: Knob) -> Silicon:
    return Silicon(SiliconSpec(knobs=knobs), path, tools=(Lamp(),))


def test_state_is_kept_in_the_file_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a/silicon.json"
    assert run_program(build(path), "lampctl64", ["on"], {}).stdout == "done\n"
    again = build(path)
    assert again.state["lamp"] == {"lit": True, "pending": None}
    assert list(again.block.drives) == ["vd0"]
    assert json.loads(path.read_text()) == again.state


def test_what_is_pending_takes_effect_with_the_next_start() -> None:
    silicon = build()
    run_program(silicon, "lampctl", ["later"], {})
    assert silicon.state["lamp"]["lit"] is False
    silicon.boot()
    assert silicon.state["lamp"] == {"lit": True, "pending": None}


def test_virtual_drives_come_and_go_on_the_backplane() -> None:
    silicon, backplane = build(), Recorder()
    silicon.block.backplane = backplane
    run_program(silicon, "lampctl", ["on"], {})
    assert silicon.block.drives["vd0"].wwn == "0x6000000000000001"
    run_program(silicon, "lampctl", ["off"], {})
    assert backplane.told == ["plug vd0", "unplug vd0"]
    assert silicon.block.drives == {}


def test_two_cards_of_one_machine_have_each_its_own_drives() -> None:
    drives = tuple(
        PhysicalDrive(size_bytes=4096, serial=f"S{number}", controller=number // 3) for number in range(6)
    )
    state = {"mvcli": {"controller": 0}, "sas3ircu": {"controller": 1}}
    silicon = Silicon(SiliconSpec(drives=drives, state=state), tools=TOOLS)
    silicon.boot()
    assert [drive.serial for drive in silicon.block.drives.values()] == ["S3", "S4", "S5", "S0", "S1"]
    assert [disk["serial"] for disk in silicon.state["mvcli"]["disks"]] == ["S0", "S1"]


def test_ignore_says_done_and_leaves_state_and_disks_as_they_were() -> None:
    silicon, backplane = build(None, Knob(tool="lampctl*", kind="ignore", when="ON", times=1)), Recorder()
    silicon.block.backplane = backplane
    assert run_program(silicon, "lampctl", ["on"], {}) == Output(stdout="done\n")
    assert silicon.state == {} and backplane.told == []
    run_program(silicon, "lampctl", ["on"], {})
    assert silicon.state["lamp"]["lit"] is True


def test_junk_does_nothing_and_says_nonsense_with_success() -> None:
    silicon = build(None, Knob(tool="lampctl", kind="junk"))
    assert run_program(silicon, "lampctl", ["on"], {}) == Output(stdout=JUNK)
    assert silicon.state == {}


def test_wrong_exit_does_the_work_and_says_failed() -> None:
    silicon = build(None, Knob(tool="lampctl", kind="wrong-exit"))
    assert run_program(silicon, "lampctl", ["on"], {}).code == 1
    assert silicon.state["lamp"]["lit"] is True
    assert run_program(silicon, "lampctl", ["rubbish"], {}).code == 0


def test_hang_never_answers() -> None:
    silicon = build(None, Knob(tool="lampctl", kind="hang", when="on"))
    with pytest.raises(HangError):
        run_program(silicon, "lampctl", ["on"], {})
    assert run_program(silicon, "lampctl", ["later"], {}).code == 0


def test_a_knob_is_for_its_tool_and_its_words() -> None:
    silicon = build(None, Knob(tool="lampctl64", kind="fail-half", when="name=* on"))
    assert not silicon.is_misbehaving("fail-half", "lampctl", ["on", "name=a"])
    assert not silicon.is_misbehaving("fail-half", "lampctl64", ["on"])
    assert not silicon.is_misbehaving("junk", "lampctl64", ["on", "name=a"])
    assert silicon.is_misbehaving("fail-half", "lampctl64", ["on", "NAME=a"])


def test_a_program_that_no_tool_stands_for_is_not_found() -> None:
    assert run_program(build(), "nothing", [], {}).code == 127


def test_no_two_tools_stand_for_the_same_program() -> None:
    names = [name for tool in TOOLS for name in tool.names]
    assert len(names) == len(set(names))
