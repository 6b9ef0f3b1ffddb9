"""A server with cards of two programs of one family has them all: sas3ircu and sas2ircu, mvcli and mnv_cli."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from raidrig import build_card_rig, build_drives
from toolanswers import ToolAnswers, read_golden

from bootos.drivers.contract import DriverError, Forecast, Machine
from bootos.drivers.raid.card import CardDriver
from bootos.drivers.raid.mvcli import MvcliDriver
from bootos.drivers.raid.sas3ircu import SasIrcuDriver
from bootos.drivers.storage.controller import Controller, ControllerState
from bootos.drivers.storage.state import Storage
from bootos.engine.capture.source import RawFile
from bootos.engine.capture.understand import understand_tool
from bootos.hardware.inventory import collect_inventory
from bootos.lab.vendor_tools.silicon import PhysicalDrive
from bootos.process import ToolError
from bootos.template.model import Template
from bootos.template.raid import Raid

Answers = Mapping[str, str | None]

LIST = read_golden("raid.sas3ircu/sas2008-raid1.list.txt")
OLD = {"LIST": LIST, "0 DISPLAY": read_golden("raid.sas3ircu/sas2008-raid1.display.txt")}
NEW = {
    "LIST": LIST.replace("SAS2", "SAS3").replace("00h:03h", "00h:01h"),
    "0 DISPLAY": read_golden("raid.sas3ircu/sas2008-ready.display.txt").replace("SAS2", "SAS3"),
}
NONE = {"LIST": "SAS3IRCU: MPTLib2 Error 1\n"}
BROKEN = {"LIST": "Segmentation fault\n"}


def build_answers(name: str) -> dict[str, str]:
    return {f"info -o {kind}": read_golden(f"raid.mvcli/{name}.{kind}.txt") for kind in ("hba", "vd", "pd")}


def build_machine(root: Path, first: str, one: Answers, second: str, other: Answers) -> Machine:
    """Both programs are installed, and nothing else."""
    tool, rest = ToolAnswers(first, one, otherwise=""), ToolAnswers(second, other, otherwise="")
    tool.rest = rest.run
    return Machine(run=tool.run, root=root)


def read(machine: Machine, driver: CardDriver) -> list[Controller]:
    return list(driver.read_controllers(machine, Storage()))


def test_the_cards_of_sas3ircu_and_of_sas2ircu_are_all_there(tmp_path: Path) -> None:
    machine = build_machine(tmp_path, "sas3ircu", NEW, "sas2ircu", OLD)
    listed = collect_inventory(tmp_path, machine.run).raid
    assert [(card.name, card.model, card.pci_address, len(card.arrays)) for card in listed] == [
        ("controller 0", "SAS3008", "0000:01:00.0", 0),
        ("controller 1", "SAS2008", "0000:03:00.0", 1),
    ]
    cards = read(machine, SasIrcuDriver())
    assert [(card.id, card.number, card.pci_address) for card in cards] == [
        ("0", 0, "0000:01:00.0"),
        ("sas2ircu:0", 1, "0000:03:00.0"),
    ]


def test_the_cards_of_mvcli_and_of_mnv_cli_are_all_there(tmp_path: Path) -> None:
    machine = build_machine(tmp_path, "mvcli", build_answers("boss-s1"), "mnv_cli", build_answers("88nr2241"))
    listed = collect_inventory(tmp_path, machine.run).raid
    assert [(card.name, card.model, len(card.arrays), len(card.drives)) for card in listed] == [
        ("controller 0", "Marvell 1b4b-9230", 1, 2),
        ("controller 1", "Marvell 1b4b-2241", 1, 2),
    ]
    cards = read(machine, MvcliDriver())
    assert [(card.id, card.number, card.model) for card in cards] == [
        ("0", 0, "Marvell 1b4b-9230"),
        ("mnv_cli:0", 1, "Marvell 1b4b-2241"),
    ]


def test_a_card_that_both_programs_list_stands_once(tmp_path: Path) -> None:
    machine = build_machine(tmp_path, "sas3ircu", OLD, "sas2ircu", OLD)
    (card,) = collect_inventory(tmp_path, machine.run).raid
    assert (card.name, card.pci_address) == ("controller 0", "0000:03:00.0")
    assert [card.id for card in read(machine, SasIrcuDriver())] == ["0"]


def test_a_card_is_that_of_the_program_that_can_read_it(tmp_path: Path) -> None:
    machine = build_machine(tmp_path, "sas3ircu", {"LIST": LIST}, "sas2ircu", OLD)
    inventory = collect_inventory(tmp_path, machine.run)
    assert [(card.name, len(card.arrays)) for card in inventory.raid] == [("controller 0", 1)]
    (card,) = read(machine, SasIrcuDriver())
    assert (card.id, card.number, card.remarks) == ("sas2ircu:0", 0, ())


@pytest.mark.parametrize("program", ["sas3ircu", "sas2ircu"])
def test_with_one_program_ids_are_its_numbers(tmp_path: Path, program: str) -> None:
    machine = Machine(run=ToolAnswers(program, OLD, otherwise="").run, root=tmp_path)
    assert [(card.id, card.number) for card in read(machine, SasIrcuDriver())] == [("0", 0)]


def test_numbers_are_as_ever_where_the_first_program_has_no_card(tmp_path: Path) -> None:
    machine = build_machine(tmp_path, "sas3ircu", NONE, "sas2ircu", OLD)
    assert [(card.id, card.number) for card in read(machine, SasIrcuDriver())] == [("sas2ircu:0", 0)]


def test_a_program_that_fails_hides_no_card_of_the_other_one(tmp_path: Path) -> None:
    machine = build_machine(tmp_path, "sas3ircu", NEW, "sas2ircu", BROKEN)
    inventory = collect_inventory(tmp_path, machine.run)
    assert [card.model for card in inventory.raid] == ["SAS3008"]
    assert any("that sas2ircu knows are not read: it lists no controllers, but" in n for n in inventory.notes)
    assert [card.id for card in read(machine, SasIrcuDriver())] == ["0"]


def test_nothing_is_planned_where_it_is_not_known_what_a_number_means(tmp_path: Path) -> None:
    machine = build_machine(tmp_path, "sas3ircu", BROKEN, "sas2ircu", OLD)
    assert [card.model for card in collect_inventory(tmp_path, machine.run).raid] == ["SAS2008"]
    with pytest.raises(DriverError, match="sas3ircu cannot be understood"):
        read(machine, SasIrcuDriver())


def test_nothing_is_planned_where_the_first_program_does_not_end(tmp_path: Path) -> None:
    boss = build_answers("88nr2241")
    machine = build_machine(tmp_path, "mvcli", {"info -o hba": None}, "mnv_cli", boss)
    with pytest.raises(ToolError, match="mvcli info -o hba"):
        read(machine, MvcliDriver())


def test_mvcli_may_say_what_it_likes_where_mnv_cli_has_the_card(tmp_path: Path) -> None:
    machine = build_machine(
        tmp_path, "mvcli", {"info -o hba": "Frob.\n"}, "mnv_cli", build_answers("88nr2241")
    )
    assert [(card.id, card.number) for card in read(machine, MvcliDriver())] == [("mnv_cli:0", 0)]


def test_nothing_is_planned_where_a_card_of_mvcli_is_there_and_mvcli_is_not_understood(
    tmp_path: Path,
) -> None:
    device = tmp_path / "sys/bus/pci/devices/0000:41:00.0"
    device.mkdir(parents=True)
    device.joinpath("uevent").write_text("PCI_CLASS=10601\nPCI_ID=1B4B:9230\nPCI_SLOT_NAME=0000:41:00.0\n")
    machine = build_machine(
        tmp_path, "mvcli", {"info -o hba": "API error 0x10\n"}, "mnv_cli", build_answers("88nr2241")
    )
    with pytest.raises(DriverError, match="mvcli cannot be understood"):
        read(machine, MvcliDriver())


@pytest.mark.parametrize(
    ("number", "deleted"), [(0, []), (1, ["raid.sas3ircu:delete:1"]), (None, ["raid.sas3ircu:delete:1"])]
)
def test_what_is_cleared_is_the_controller_that_is_named_or_all(
    tmp_path: Path, number: int | None, deleted: list[str]
) -> None:
    driver, machine = SasIrcuDriver(), build_machine(tmp_path, "sas3ircu", NEW, "sas2ircu", OLD)
    state = ControllerState(controllers=tuple(read(machine, driver)), storage=Storage())
    template = Template(name="t", raid=Raid(clear=True, controller=number))
    planned = driver.plan(state, template, {}, Forecast())
    assert planned.problems == []
    assert [action.id.rpartition(":")[0] for action in planned.actions] == deleted


def test_a_controller_to_clear_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    driver, machine = SasIrcuDriver(), build_machine(tmp_path, "sas3ircu", NEW, "sas2ircu", OLD)
    state = ControllerState(controllers=tuple(read(machine, driver)), storage=Storage())
    planned = driver.plan(state, Template(name="t", raid=Raid(clear=True, controller=7)), {}, Forecast())
    assert [(problem.path, problem.message) for problem in planned.problems] == [
        ("raid.controller", "there is no controller 7")
    ]
    assert planned.actions == []


def test_a_controller_that_is_not_there_is_told_once_whatever_is_asked_of_it(tmp_path: Path) -> None:
    driver, machine = SasIrcuDriver(), build_machine(tmp_path, "sas3ircu", NEW, "sas2ircu", OLD)
    state = ControllerState(controllers=tuple(read(machine, driver)), storage=Storage())
    raid = Raid(clear=True, controller=7, mode="raid", foreign="clear", hotspares="2", jbod="3")
    planned = driver.plan(state, Template(name="t", raid=raid), {}, Forecast())
    assert [problem.path for problem in planned.problems] == ["raid.controller"]
    assert planned.actions == []


class Family(NamedTuple):
    driver: type[CardDriver]
    programs: tuple[str, str]
    other_id: str


FAMILIES = {
    "sas3ircu and sas2ircu": Family(SasIrcuDriver, ("sas3ircu", "sas2ircu"), "0000:04:00.0"),
    "mvcli and mnv_cli": Family(MvcliDriver, ("mvcli", "mnv_cli"), "0000:45:00.0"),
}
MIRRORS = """
raid:
  arrays:
    - {name: os, level: 1, drives: "0,1", controller: 0, wipe: true}
    - {name: data, level: 1, drives: "0,1", controller: OTHER, wipe: true}
"""


def build_drives_of_two() -> list[PhysicalDrive]:
    """Two drives behind each of two controllers."""
    drives = build_drives(4, "ssd")
    return [msgspec.structs.replace(drive, controller=n // 2) for n, drive in enumerate(drives)]


@pytest.mark.parametrize("is_by_address", [False, True], ids=["by number", "by address"])
@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_each_array_is_made_and_deleted_by_the_program_of_its_card(
    tmp_path: Path, family: Family, is_by_address: bool
) -> None:
    rig = build_card_rig(tmp_path, family.driver(), build_drives_of_two(), *family.programs)
    planned = rig.settle(MIRRORS.replace("OTHER", f"'{family.other_id}'" if is_by_address else "1"))
    made = [action.id for action in planned.actions if ":create:" in action.id]
    assert made == [f"{family.driver.name}:create:os", f"{family.driver.name}:create:data"]
    words = [(program, " ".join(argv)) for program, *argv in rig.silicon.calls]
    assert [program for program, said in words if "create" in said.lower()] == list(family.programs)
    for key in family.programs:
        drives = rig.silicon.state[key]["disks"]
        assert [disk["serial"] for disk in drives] == (
            ["SN0000", "SN0001"] if key == family.programs[0] else ["SN0002", "SN0003"]
        )
    cards = read(rig.machine, family.driver())
    assert [(card.number, len(card.arrays)) for card in cards] == [(0, 1), (1, 1)]
    raid = rig.export()["raid"]
    assert [(array["controller"], array["level"], array["drives"]) for array in raid["arrays"]] == [
        (0, 1, "0,1"),
        (1, 1, "0,1"),
    ]
    assert len({array.device for card in rig.read_all() for array in card.arrays}) == 2
    gone = [action.id for action in rig.settle("raid: {clear: true}").actions]
    assert len(gone) == 2
    assert [len(card.arrays) for card in rig.read_all()] == [0, 0]


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_which_card_is_meant_has_to_be_said(tmp_path: Path, family: Family) -> None:
    rig = build_card_rig(tmp_path, family.driver(), build_drives_of_two(), *family.programs)
    told = rig.plan('raid: {arrays: [{name: os, level: 1, drives: "0,1", wipe: true}]}').problems
    assert [(problem.path, problem.message.partition(":")[0]) for problem in told] == [
        ("raid.arrays[0].controller", "this machine has 2 controllers")
    ]


def test_the_card_that_both_stand_ins_know_stands_once(tmp_path: Path) -> None:
    rig = build_card_rig(tmp_path, SasIrcuDriver(), build_drives(2), "sas3ircu")
    assert [call[0] for call in rig.silicon.calls] == []
    assert rig.read_one().id == "0"
    assert {call[0] for call in rig.silicon.calls} == {"sas3ircu", "sas2ircu"}


@pytest.mark.parametrize(
    ("tool", "one", "other"),
    [("sas3ircu", NEW, OLD), ("mvcli", build_answers("boss-s1"), build_answers("88nr2241"))],
    ids=["sas3ircu and sas2ircu", "mvcli and mnv_cli"],
)
def test_outputs_of_both_programs_are_shown_as_the_machine_would(
    tool: str, one: dict[str, str], other: dict[str, str]
) -> None:
    texts = [*other.values(), *one.values()]
    files = [RawFile(name=f"{number}.txt", data=text.encode()) for number, text in enumerate(texts)]
    seen = understand_tool(tool, files)
    assert [card.name for card in seen.inventory.raid] == ["controller 0", "controller 1"]
    (state,) = seen.states.values()
    assert [(card["number"], len(card["drives"]) > 1) for card in state["controllers"]] == [
        (0, True),
        (1, True),
    ]
    assert len({card["id"] for card in state["controllers"]}) == 2
