"""What a RAID tool refuses takes away only that: the rest is in the inventory, what is missing is a note in the tool's
words, and a plan is refused only where it depends on it. The answers are captured ones."""

import json
from pathlib import Path
from typing import Any

import pytest
from carrying import plan
from storagemachine import StorageMachine
from toolanswers import ToolAnswers, read_golden

from bootos.drivers.contract import Driver, Machine
from bootos.drivers.raid.adaptec import AdaptecDriver
from bootos.drivers.raid.mdadm import MdadmDriver
from bootos.drivers.raid.megaraid import MegaraidDriver
from bootos.drivers.raid.smartarray import SmartArrayDriver
from bootos.engine.plan import JobPlan
from bootos.hardware.describe import build_summary
from bootos.hardware.inventory import collect_inventory
from bootos.wire.inventory import Disk, Inventory, RaidController

MEGARAID = "raid.megaraid"
ONE = {"arrays": [{"name": "new", "level": 1, "drives": "0,1"}]}


def build_storcli(
    main: str, volumes: str | None = "", drives: str | None = "", foreign: str | None = "", **more: str | None
) -> ToolAnswers:
    """storcli64 with one controller. The texts answer to `show all` of it and its parts; empty: there is nothing."""
    rest = {"/c0/vall": volumes, "/c0/eall/sall": drives, "/c0/fall": foreign}
    answers: dict[str, str | None] = {"/call show all": main}
    answers |= {f"{place} show all": text for place, text in rest.items() if text != ""}
    return ToolAnswers("storcli64", answers | more)


def build_main(number: int = 0, /, **data: Any) -> dict[str, Any]:
    """One controller's part of the answer to `/call show all`."""
    basics = {
        "Model": f"MegaRAID {number}",
        "Serial Number": f"S{number}",
        "PCI Address": f"00:0{number + 1}:00:00",
    }
    status = {"Controller": number, "Status": "Success", "Description": "None", "CLI Version": "007.2309"}
    return {"Command Status": status, "Response Data": {"Basics": basics, **data}}


def build_answer(*parts: dict[str, Any]) -> str:
    return json.dumps({"Controllers": list(parts)})


def build_refusal(words: str, number: int = 0, **more: Any) -> dict[str, Any]:
    status = {"Controller": number, "Status": "Failure", "Description": words, **more}
    return {"Command Status": status, "Response Data": {}}


def build_row(place: str, state: str = "UGood", **more: Any) -> dict[str, Any]:
    row = {
        "EID:Slt": place,
        "State": state,
        "DG": "-",
        "Size": "2.728 TB",
        "Intf": "SAS",
        "Med": "HDD",
        "SeSz": "512B",
    }
    return row | more


def collect(tool: ToolAnswers, root: Path) -> Inventory:
    return collect_inventory(root, tool.run)


def plan_raid(tool: ToolAnswers, root: Path, driver: Driver, **raid: Any) -> JobPlan:
    inventory = collect(tool, root)
    inventory.raid = inventory.raid or [RaidController(name="0", driver=driver.name)]
    tool.rest = StorageMachine(root, {}).run
    try:
        return plan(
            {"name": "t", "raid": raid}, Machine(run=tool.run, root=root), inventory, drivers=[driver]
        )
    finally:
        tool.rest = None


def tell(planned: JobPlan) -> list[str]:
    return [f"{problem}" for problem in planned.problems]


def build_with_a_dead_drive() -> ToolAnswers:
    """The published answer about the drives, of which the dead one has failed; the list as `/c0 show all` has it."""
    rows = [build_row("8:0", "Onln", DG=0), build_row("8:6", "UGood"), build_row("8:14", "Failed", DG=0)]
    topology = [
        {"DG": 0, "Arr": 0, "Row": 0, "EID:Slot": "8:0", "Type": "DRIVE", "State": "Onln"},
        {"DG": 0, "Arr": 0, "Row": 1, "EID:Slot": "8:14", "Type": "DRIVE", "State": "Failed"},
    ]
    volumes = [
        {"DG/VD": "0/0", "TYPE": "RAID1", "State": "Dgrd", "Cache": "RWBD", "Size": "2.728 TB", "Name": "os"}
    ]
    data = {"TOPOLOGY": topology, "VD LIST": volumes, "PD LIST": rows}
    return build_storcli(
        build_answer(build_main(**data)), drives=read_golden(f"{MEGARAID}/mr9361.sall-dead-drive.json")
    )


def test_one_dead_drive_takes_away_only_itself(tmp_path: Path) -> None:
    inventory = collect(build_with_a_dead_drive(), tmp_path)
    (card,) = inventory.raid
    assert [drive.id for drive in card.drives][:3] == ["8:0", "8:6", "8:14"]
    dead = card.drives[2]
    assert (dead.state, dead.serial) == ("Failed", None)
    assert card.drives[0].serial and card.drives[0].size_bytes == 0x15D50A3B0 * 512
    assert [array.name for array in card.arrays] == ["os"]
    words = "drive 8:14 is not shown: Show Drive Information Failed. Failure (error 46)"
    assert [note for note in inventory.notes if "8:14" in note] == [
        f"RAID controller 0 (MegaRAID 0): {words}."
    ]
    assert any("8:14" in value for name, value in build_summary(inventory))


def test_the_machine_with_one_dead_drive_can_be_planned_and_repaired(tmp_path: Path) -> None:
    array = {"name": "os", "level": 1, "drives": "0,2", "hotspares": "1"}
    planned = plan_raid(build_with_a_dead_drive(), tmp_path, MegaraidDriver(), arrays=[array])
    assert tell(planned) == []
    assert [action.id for action in planned.actions] == ["raid.megaraid:spare:0:8:6"]
    assert any("drive 8:14 is not shown" in note for note in planned.notes)


def test_drives_that_only_the_refused_answer_lists_are_read_from_it(tmp_path: Path) -> None:
    tool = build_storcli(
        build_answer(build_main()), drives=read_golden(f"{MEGARAID}/mr9361.sall-dead-drive.json")
    )
    (card,) = collect(tool, tmp_path).raid
    assert [drive.id for drive in card.drives] == ["8:0", "8:6", "8:14"]


def test_a_failure_of_the_whole_answer_hides_nothing_that_it_holds(tmp_path: Path) -> None:
    tool = build_storcli(read_golden(f"{MEGARAID}/rs3dc080.c0-foreign-incomplete.json"))
    inventory = collect(tool, tmp_path)
    (card,) = inventory.raid
    assert (card.model, card.serial) == ("Intel(R) RAID Controller RS3DC080", "AA00000003")
    assert (card.pci_address, card.firmware) == ("0000:3b:00.0", "24.15.0-0034")
    assert [(array.name, array.level, array.state) for array in card.arrays] == [("dummy", "0", "Optl")]
    assert [drive.id for drive in card.drives] == ["35:12", "35:13", "35:14", "35:15"]
    assert any("the tool reports: Incomplete foreign configuration" in note for note in inventory.notes)


def test_foreign_drives_without_all_their_members_are_cleared_and_not_imported(tmp_path: Path) -> None:
    tool = build_storcli(
        read_golden(f"{MEGARAID}/cisco-12g.c0-foreign.json"),
        foreign=read_golden(f"{MEGARAID}/rs3dc080.fall-two-foreign.json"),
    )
    cleared = plan_raid(tool, tmp_path, MegaraidDriver(), foreign="clear")
    assert [action.id for action in cleared.actions] == ["raid.megaraid:clear-foreign:0"]
    assert "of 2 drives (134:2, 134:6): Incomplete foreign configuration" in cleared.actions[0].summary
    (lost,) = cleared.actions[0].destroys
    assert lost.startswith("foreign configuration of 2 drives (134:2, 134:6)")
    assert cleared.actions[0].allowed == "raid.foreign"
    imported = plan_raid(tool, tmp_path, MegaraidDriver(), foreign="import")
    assert imported.actions == []
    assert "cannot be imported: Incomplete foreign configuration" in tell(imported)[0]
    new = {"name": "new", "level": 0, "drives": "4"}
    assert (
        "configuration of another controller"
        in tell(plan_raid(tool, tmp_path, MegaraidDriver(), arrays=[new]))[0]
    )
    both = plan_raid(tool, tmp_path, MegaraidDriver(), foreign="clear", arrays=[new])
    assert [action.id for action in both.actions] == [
        "raid.megaraid:clear-foreign:0",
        "raid.megaraid:create:new",
    ]


@pytest.mark.parametrize("word", ["clear", "import"])
def test_a_foreign_list_that_cannot_be_had_is_a_problem_of_what_asks_for_it(
    tmp_path: Path, word: str
) -> None:
    rows = [build_row("8:0"), build_row("8:1")]
    busy = build_answer(build_refusal("Controller is busy"))
    tool = build_storcli(build_answer(build_main(**{"PD LIST": rows})), foreign=busy)
    planned = plan_raid(tool, tmp_path, MegaraidDriver(), foreign=word)
    assert tell(planned)[0].startswith("raid.foreign: ") and "Controller is busy" in tell(planned)[0]
    free = plan_raid(tool, tmp_path, MegaraidDriver(), **ONE)
    assert tell(free) == [] and [action.id for action in free.actions] == ["raid.megaraid:create:new"]


def build_beside_an_hba() -> ToolAnswers:
    """A plain HBA as c0, whose answers are captured, and a MegaRAID as c1."""
    (hba,) = json.loads(read_golden(f"{MEGARAID}/ucsc-m5hd.c0.json"))["Controllers"]
    other = build_main(1, **{"PD LIST": [build_row("8:0"), build_row("8:1")]})
    return build_storcli(build_answer(hba, other), read_golden(f"{MEGARAID}/ucsc-m5hd.vall.json"))


def test_an_hba_is_shown_with_its_drives_and_takes_nothing_from_a_megaraid(tmp_path: Path) -> None:
    inventory = collect(build_beside_an_hba(), tmp_path)
    hba, card = inventory.raid
    assert (hba.model, hba.driver, hba.arrays) == ("UCSC-SAS-M5HD", "", [])
    assert [(drive.id, drive.state) for drive in hba.drives] == [("2:1", "JBOD"), ("2:2", "JBOD")]
    assert (card.model, card.driver, len(card.drives)) == ("MegaRAID 1", "raid.megaraid", 2)
    assert not any("Un-supported" in note for note in inventory.notes)


def test_with_an_hba_beside_it_the_only_raid_controller_need_not_be_named(tmp_path: Path) -> None:
    planned = plan_raid(build_beside_an_hba(), tmp_path, MegaraidDriver(), **ONE)
    assert tell(planned) == [] and [action.id for action in planned.actions] == ["raid.megaraid:create:new"]


def test_raid_on_a_server_with_an_hba_alone_is_made_by_md(tmp_path: Path) -> None:
    tool = build_storcli(read_golden(f"{MEGARAID}/hba9500.c0.json"))
    inventory = collect(tool, tmp_path)
    (hba,) = inventory.raid
    assert (hba.model, hba.driver) == ("HBA 9500-8i", "")
    first = hba.drives[0]
    assert [drive.id for drive in hba.drives] == ["23:0", "23:1", "30:9"]
    assert (first.state, first.size_bytes, first.serial, first.type) == (
        "JBOD",
        14000519642624,
        "AAA00011",
        "hdd",
    )
    assert MegaraidDriver().match(inventory) is None
    inventory.disks = [
        Disk(index=n, name=f"sd{c}", path=f"/dev/sd{c}", size_bytes=10**12) for n, c in enumerate("ab")
    ]
    assert MdadmDriver().match(inventory) is not None


def test_arrays_that_are_not_shown_refuse_what_depends_on_them_by_path(tmp_path: Path) -> None:
    rows = [build_row("8:0"), build_row("8:1")]
    refused = build_answer(build_refusal("Get VD info failed"))
    tool = build_storcli(build_answer(build_main(**{"PD LIST": rows})), volumes=refused)
    (card,) = collect(tool, tmp_path).raid
    assert len(card.drives) == 2
    for raid, path in (
        (ONE, "raid.arrays[0]"),
        ({"clear": True}, "raid.clear"),
        ({"hotspares": "0"}, "raid.hotspares"),
    ):
        planned = plan_raid(tool, tmp_path, MegaraidDriver(), **raid)
        assert planned.actions == []
        assert [problem.path for problem in planned.problems] == [path]
        assert "its arrays are not shown: Get VD info failed" in planned.problems[0].message


def test_drives_that_are_not_shown_refuse_that_arrays_are_deleted(tmp_path: Path) -> None:
    volumes = [{"DG/VD": "0/0", "TYPE": "RAID1", "State": "Optl", "Size": "2.728 TB", "Name": "os"}]
    main = build_answer(build_main(**{"Physical Drives": 2, "VD LIST": volumes}))
    tool = build_storcli(main, drives=None)
    (card,) = collect(tool, tmp_path).raid
    assert [array.name for array in card.arrays] == ["os"]
    planned = plan_raid(tool, tmp_path, MegaraidDriver(), clear=True)
    assert planned.actions == [] and [problem.path for problem in planned.problems] == ["raid.clear"]
    assert "took longer than" in planned.problems[0].message


def test_one_controller_that_is_not_shown_leaves_the_other(tmp_path: Path) -> None:
    other = build_main(1, **{"PD LIST": [build_row("8:0"), build_row("8:1")]})
    tool = build_storcli(build_answer(build_refusal("Controller is not responding"), other))
    inventory = collect(tool, tmp_path)
    assert [len(card.drives) for card in inventory.raid] == [0, 2]
    assert "RAID controller 0: it is not shown: Controller is not responding." in inventory.notes
    planned = plan_raid(tool, tmp_path, MegaraidDriver(), controller=1, **ONE)
    assert tell(planned) == [] and len(planned.actions) == 1
    refused = plan_raid(tool, tmp_path, MegaraidDriver(), controller=0, **ONE)
    assert [problem.path for problem in refused.problems] == ["raid.arrays[0]"]
    assert "Controller is not responding" in refused.problems[0].message


def test_an_adaptec_that_its_tool_cannot_talk_to_leaves_the_other(tmp_path: Path) -> None:
    lost = read_golden("raid.adaptec/inaccessible.txt")
    other = read_golden("raid.adaptec/smartraid-3154.txt")
    tool = ToolAnswers("arcconf", {"GETCONFIG 1 AL": lost, "GETCONFIG 2 AL": other}, otherwise="")
    inventory = collect(tool, tmp_path)
    first, second = inventory.raid
    assert (first.name, first.driver, first.drives) == ("controller 1", "raid.adaptec", [])
    assert (second.model, second.pci_address) == ("Adaptec SmartRAID 3154-16i", "0000:41:00.0")
    assert [array.name for array in second.arrays] == ["RAID1-240GB  OS", "RAID6-160T DATA"]
    words = "RAID controller 1 of arcconf: its state cannot be read: Controller Status: Inaccessible."
    assert words in inventory.notes
    refused = plan_raid(tool, tmp_path, AdaptecDriver(), controller=0, **ONE)
    assert "Controller Status: Inaccessible" in tell(refused)[0]
    planned = plan_raid(tool, tmp_path, AdaptecDriver(), controller=1, clear=True)
    assert len(planned.actions) == 2


def test_an_exit_code_of_arcconf_hides_nothing_that_it_printed(tmp_path: Path) -> None:
    text = read_golden("raid.adaptec/asr71605.txt")
    tool = ToolAnswers("arcconf", {"GETCONFIG 1 AL": text}, codes={"GETCONFIG 1 AL": 1}, otherwise="")
    (card,) = collect(tool, tmp_path).raid
    (array,) = card.arrays
    assert (card.model, array.name, array.level, len(array.drives)) == ("Adaptec ASR71605", "video", "5", 3)
    assert array.size_bytes == 42854390 * 1024**2
    assert tell(plan_raid(tool, tmp_path, AdaptecDriver(), arrays=[])) == []


def test_an_exit_code_of_ssacli_hides_nothing_that_it_printed(tmp_path: Path) -> None:
    show = "controller all show config detail"
    text = read_golden("raid.smartarray/p816i-a-media-errors.txt")
    tool = ToolAnswers(
        "ssacli", {show: text + "\nError: A failure was encountered.\n"}, codes={show: 1}, otherwise=""
    )
    inventory = collect(tool, tmp_path)
    (card,) = inventory.raid
    assert (card.serial, card.pci_address) == ("PWXEX0ARH0000A", "0000:5c:00.0")
    assert any("the tool reports: Error: A failure was encountered." in note for note in inventory.notes)
    assert tell(plan_raid(tool, tmp_path, SmartArrayDriver(), arrays=[])) == []
