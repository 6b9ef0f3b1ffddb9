"""`raid.sas3ircu` with its tool: what a template asks for is made, seen again, and every misbehaviour is told."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import pytest
from raidrig import RaidRig, build_card_rig, build_drives
from siliconmachine import SiliconMachine
from toolanswers import ToolAnswers, read_golden

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.raid import order
from bootos.drivers.raid.sas3ircu import SasIrcuDriver, build_controller
from bootos.drivers.storage.state import Storage
from bootos.engine.watcher import StepFailed
from bootos.hardware.inventory import collect_inventory
from bootos.hardware.raidplace import add_told
from bootos.hardware.raidtool import TOOLS
from bootos.hardware.sasircu import parse_display
from bootos.lab.vendor_tools.lsi import fail_disk
from bootos.lab.vendor_tools.silicon import SiliconSpec
from bootos.process import Command, Completed, Options
from bootos.wire.inventory import RaidController

TWO = """
raid:
  hotspares: "6"
  arrays:
    - {name: os, level: 1, drives: "0,1", wipe: true}
    - {name: data, level: 10, drives: "2-5", size: 500GiB, wipe: true}
"""


@pytest.fixture(params=["sas3ircu", "sas2ircu"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> RaidRig:
    found = build_card_rig(tmp_path, SasIrcuDriver(), build_drives(8), "sas3ircu")
    found.hardware.absent = frozenset({"sas3ircu", "sas2ircu"}) - {request.param}
    return found


def test_makes_what_the_template_asks_and_then_plans_nothing(rig: RaidRig) -> None:
    planned = rig.settle(TWO)
    made = [action.id for action in planned.actions if ":jbod-off:" not in action.id]
    assert made == ["raid.sas3ircu:create:os", "raid.sas3ircu:create:data", "raid.sas3ircu:spare:0:1:6"]
    os, data = rig.read_one().arrays
    assert (os.level, os.drives, os.state) == ("1", ("1:0", "1:1"), "optimal")
    assert (data.level, data.drives) == ("10", ("1:2", "1:3", "1:4", "1:5"))
    assert os.device and data.device and os.device != data.device
    assert data.size_bytes == 500 * 1024**3
    assert rig.read_one().hotspares == ("1:6",)


def test_a_global_hot_spare_with_data_is_refused_with_a_word_that_there_is(rig: RaidRig) -> None:
    rig.build_inventory()
    node = next(node for name, node in rig.names.items() if name == "irpd6")
    rig.storage.put(f"/dev/{node}", "ext4", "data")
    problems = rig.plan('raid: {hotspares: "6"}').problems
    assert [(problem.path, "wipe: true" in problem.hint) for problem in problems] == [
        ("raid.hotspares", True)
    ]
    asked = """
raid:
  arrays:
    - {name: os, level: 1, drives: "0,1", hotspares: "6", hotspare_kind: global, wipe: true}
"""
    assert rig.plan(asked).problems == []


def test_a_hot_spare_that_took_over_is_no_difference(rig: RaidRig) -> None:
    rig.settle(TWO)
    fail_disk(rig.silicon, 0)
    os, _ = rig.read_one().arrays
    assert (os.state, os.drives) == ("rebuilding", ("1:6", "1:1"))
    planned = rig.plan(TWO)
    assert planned.problems == [] and planned.actions == []


def test_an_array_that_is_not_wanted_is_deleted_with_the_word(rig: RaidRig) -> None:
    rig.settle(TWO)
    one = 'raid: {arrays: [{name: os, level: 1, drives: "0,1"}], clear: true}'
    planned = rig.settle(one)
    assert {action.id for action in planned.actions} == {
        "raid.sas3ircu:delete:0:data",
        "raid.sas3ircu:spare-off:0:1:6",
    }
    assert [array.level for array in rig.read_one().arrays] == ["1"]


def test_volumes_that_the_tool_numbers_anew_are_deleted_each(rig: RaidRig) -> None:
    rig.settle(TWO)
    planned = rig.settle("raid: {clear: true}")
    assert {"raid.sas3ircu:delete:0:os", "raid.sas3ircu:delete:0:data"} <= {
        action.id for action in planned.actions
    }
    assert rig.read_one().arrays == ()


@pytest.mark.parametrize(("array", "name"), [("323", "os"), ("600508e000000000" + "0" * 16, "os")])
def test_a_volume_that_is_not_there_any_more_is_no_other_one(rig: RaidRig, array: str, name: str) -> None:
    rig.settle(TWO)
    gone = order.DeleteArray(controller="0", array=array, name=name)
    with pytest.raises(DriverError, match="'os' was not deleted: there is no volume"):
        SasIrcuDriver().carry_out(rig.machine, gone)
    assert len(rig.read_one().arrays) == 2


def test_what_the_firmware_cannot_is_a_problem(rig: RaidRig) -> None:
    asked = 'raid: {arrays: [{name: a, level: 5, drives: "0-2", strip: 64KiB, write_policy: back}]}'
    told = [problem.path for problem in rig.plan(asked).problems]
    assert {"raid.arrays[0].level", "raid.arrays[0].write_policy"} <= set(told)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("fail-half", "the controller stopped responding"),
        ("wrong-exit", "exit code 1"),
        ("junk", r"ircu says \(exit code 0\): .*glibc detected"),
        ("hang", "took longer than 600 s and was ended"),
    ],
)
def test_a_refusal_names_the_array(rig: RaidRig, kind: str, said: str) -> None:
    rig.misbehave("sas?ircu", kind, "create")
    with rig.raises(match=rf"array 'os' was not created: .*{said}"):
        rig.apply(TWO)


def test_success_without_an_array_is_a_failure(rig: RaidRig) -> None:
    rig.misbehave("sas?ircu", "ignore", "create")
    with rig.raises(match="array 'os' was not created: .* shows no new volumes"):
        rig.apply(TWO)


def test_a_volume_without_a_world_wide_name_is_seen_as_created(rig: RaidRig) -> None:
    def run(argv: Sequence[Any], **options: Unpack[Options]) -> Completed:
        done = rig.hardware.run(argv, **options)
        shown = "\n".join(line for line in done.stdout.splitlines() if "Volume wwid" not in line)
        return Command(argv, **options).complete(done.returncode, shown, done.stderr)

    machine = Machine(run=run, root=rig.machine.root)
    for name, drives in (("os", ("1:0", "1:1")), ("data", ("1:2", "1:3"))):
        made = order.CreateArray(controller="0", name=name, level=1, drives=drives, spans=(drives,))
        with pytest.raises(DriverError, match=f"array '{name}' was created, but .* prints no WWID"):
            SasIrcuDriver().carry_out(machine, made)


def test_a_hot_spare_that_was_not_made_is_planned_again(rig: RaidRig) -> None:
    rig.misbehave("sas?ircu", "ignore", "hotspare")
    with pytest.raises(StepFailed, match=r"still to do: .*make drive 6"):
        rig.apply(TWO)


def test_rubbish_is_not_believed(rig: RaidRig) -> None:
    rig.misbehave("sas?ircu", "junk", "list")
    with pytest.raises(DriverError, match="cannot be understood"):
        rig.plan(TWO)


def test_what_is_exported_plans_nothing_on_the_same_machine(rig: RaidRig) -> None:
    rig.settle(TWO)
    exported = rig.export()
    assert [array["level"] for array in exported["raid"]["arrays"]] == [1, 10]


def test_it_firmware_is_an_hba(tmp_path: Path) -> None:
    display = read_golden("raid.sas3ircu/sas2008-ready.display.txt").replace(": Yes", ": No")
    answers = {"LIST": read_golden("raid.sas3ircu/sas2008-raid1.list.txt"), "0 DISPLAY": display}
    tool = ToolAnswers("sas2ircu", answers, otherwise="")
    (card,) = collect_inventory(tmp_path, tool.run).raid
    assert (card.driver, card.model, len(card.drives), card.arrays) == ("", "SAS2008", 12, [])
    with pytest.raises(DriverError, match="makes no arrays"):
        SasIrcuDriver().read_controllers(Machine(run=tool.run, root=tmp_path), Storage())


def test_a_card_with_an_array_is_no_hba_whatever_its_firmware_says(tmp_path: Path) -> None:
    display = read_golden("raid.sas3ircu/sas2008-raid1.display.txt").replace(": Yes", ": No")
    answers = {"LIST": read_golden("raid.sas3ircu/sas2008-raid1.list.txt"), "0 DISPLAY": display}
    (card,) = collect_inventory(tmp_path, ToolAnswers("sas2ircu", answers, otherwise="").run).raid
    assert (card.driver, len(card.arrays)) == ("raid.sas3ircu", 1)


def test_a_member_that_the_tool_calls_ready_is_in_use() -> None:
    """sas2ircu 20 on a SAS2008 of Dell, published by Canonical in the tests of prometheus-hardware-exporter."""
    display = read_golden("raid.sas3ircu/sas2008-raid1.display.txt").replace("Optimal (OPT)", "Ready (RDY)")
    controller = build_controller(parse_display(display, 0), Storage())
    assert [(drive.id, drive.state) for drive in controller.drives] == [("1:0", "online"), ("1:1", "online")]


def test_a_card_that_storcli_shows_as_an_hba_is_the_one_with_arrays() -> None:
    hba = RaidController(name="controller 0", driver="", model="SAS3008", pci_address="0000:03:00.0")
    card = RaidController(name="controller 0", driver="raid.sas3ircu", pci_address="0000:03:00.0")
    hardware: list[RaidController] = []
    add_told(hardware, {"raid.megaraid": [hba], "raid.sas3ircu": [card]}, TOOLS, [])
    assert [entry.driver for entry in hardware] == ["raid.sas3ircu"]


def test_the_older_program_is_asked_where_the_newer_one_sees_nothing(tmp_path: Path) -> None:
    answers = {
        "LIST": read_golden("raid.sas3ircu/sas2008-raid1.list.txt"),
        "0 DISPLAY": read_golden("raid.sas3ircu/sas2008-raid1.display.txt"),
    }
    old = ToolAnswers("sas2ircu", answers, otherwise="")
    new = ToolAnswers("sas3ircu", {"LIST": "SAS3IRCU: MPTLib2 Error 1\n"}, otherwise="")
    new.rest = old.run
    (card,) = collect_inventory(tmp_path, new.run).raid
    (array,) = card.arrays
    assert (card.driver, card.pci_address, array.level) == ("raid.sas3ircu", "0000:03:00.0", "1")


def test_the_inventory_lists_what_the_stand_in_has(tmp_path: Path) -> None:
    rig = SiliconMachine(tmp_path, SiliconSpec(drives=tuple(build_drives(2)), state={"sas3ircu": {}}))
    others = {"storcli64", "storcli", "perccli64", "perccli", "storcli2", "perccli2"}
    rig.absent = frozenset({"ssacli", "hpssacli", "hpacucli", "arcconf", *others})
    (card,) = collect_inventory(rig.root, rig.run).raid
    assert (card.driver, [drive.serial for drive in card.drives]) == ("raid.sas3ircu", ["SN0000", "SN0001"])
