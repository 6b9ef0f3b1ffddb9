"""`raid.mvcli` with its tool: what a template asks for is made, seen again, and every misbehaviour is told."""

import re
from pathlib import Path
from typing import Any

import pytest
from raidrig import RaidRig, build_card_rig, build_drives
from siliconmachine import SiliconMachine
from toolanswers import ToolAnswers, read_golden

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.raid.mvcli import MvcliDriver, build_controller
from bootos.drivers.storage.content import find_on_drive
from bootos.drivers.storage.controller import Controller, Drive
from bootos.drivers.storage.state import Storage
from bootos.hardware import mvcli
from bootos.hardware.inventory import collect_inventory
from bootos.hardware.raidtool import read_mvcli
from bootos.lab.vendor_tools.marvell import fail_disk
from bootos.lab.vendor_tools.silicon import SiliconSpec
from bootos.wire.inventory import Disk

OS = 'raid: {arrays: [{name: os, level: 1, drives: "0,1", wipe: true}]}'


@pytest.fixture
def rig(tmp_path: Path) -> RaidRig:
    return build_card_rig(tmp_path, MvcliDriver(), build_drives(2, "ssd"), "mvcli")


def test_makes_what_the_template_asks_and_then_plans_nothing(rig: RaidRig) -> None:
    assert [drive.state for drive in rig.read_one().drives] == ["jbod", "jbod"]
    planned = rig.settle(OS)
    assert planned.actions[-1].id == "raid.mvcli:create:os"
    (array,) = rig.read_one().arrays
    assert (array.name, array.level, array.drives, array.state) == ("os", "1", ("0", "1"), "optimal")
    assert array.device and array.strip_bytes == 64 * 1024
    assert [drive.state for drive in rig.read_one().drives] == ["online", "online"]


def test_an_array_whose_drive_died_is_seen_and_kept(rig: RaidRig) -> None:
    rig.settle(OS)
    fail_disk(rig.silicon, 0)
    (array,) = rig.read_one().arrays
    assert (array.state, array.drives, array.drive_count) == ("degraded", ("1",), 2)
    planned = rig.plan('raid: {arrays: [{name: os, level: 1, drives: "0,1"}], clear: true}')
    assert planned.actions == []


def test_an_array_that_is_not_wanted_is_deleted_with_the_word(rig: RaidRig) -> None:
    rig.settle(OS)
    planned = rig.settle("raid: {clear: true}")
    assert [action.id for action in planned.actions] == ["raid.mvcli:delete:0:os"]
    assert rig.read_one().arrays == ()


@pytest.mark.parametrize(
    ("array", "path"),
    [
        ("name: os, level: 5, drives: all", "level"),
        ('name: os, level: 0, drives: "0,1", strip: 1MiB', "strip"),
        ("name: longer-than-ten, level: 1, drives: all", "name"),
        ('name: os, level: 1, drives: "0,1", size: 100GB', "size"),
        ('name: os, level: 1, drives: "0,1", write_policy: back', "write_policy"),
    ],
)
def test_what_the_controller_cannot_is_a_problem(rig: RaidRig, array: str, path: str) -> None:
    told = [problem.path for problem in rig.plan(f"raid: {{arrays: [{{{array}}}]}}").problems]
    assert f"raid.arrays[0].{path}" in told


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("fail-half", "does not answer"),
        ("wrong-exit", "exit code 1"),
        ("ignore", "shows no new virtual disks"),
        ("hang", "took longer than 600 s and was ended"),
    ],
)
def test_a_refusal_names_the_array(rig: RaidRig, kind: str, said: str) -> None:
    rig.misbehave("mvcli", kind, "create")
    with rig.raises(match=rf"array 'os' was not created: .*{said}"):
        rig.apply(OS)


def test_rubbish_is_not_believed(rig: RaidRig) -> None:
    rig.misbehave("mvcli", "junk", "hba")
    with pytest.raises(DriverError, match="cannot be understood"):
        rig.plan(OS)


def test_drives_that_are_not_shown_refuse_what_depends_on_them(tmp_path: Path) -> None:
    answers = {
        "info -o hba": read_golden("raid.mvcli/88se9230.hba.txt"),
        "info -o vd": read_golden("raid.mvcli/88se9230.vd-offline.txt"),
        "info -o pd": "SG driver version 3.5.36.\ncli: error: the controller does not answer.\n",
    }
    tool = ToolAnswers("mvcli", answers, otherwise="")
    inventory = collect_inventory(tmp_path, tool.run)
    (card,) = inventory.raid
    (array,) = card.arrays
    assert (array.name, array.level, array.state) == ("created_ra", "0", "offline")
    assert any(
        "its drives are not shown: cli: error: the controller does not answer" in n for n in inventory.notes
    )
    (controller,) = MvcliDriver().read_controllers(Machine(run=tool.run, root=tmp_path), Storage())
    assert controller.find_unread("drives") and controller.arrays[0].state == "failed"


def test_what_is_exported_plans_nothing_on_the_same_machine(rig: RaidRig) -> None:
    rig.settle(OS)
    assert rig.export()["raid"]["arrays"] == [
        {"name": "os", "level": 1, "drives": "0,1"},
    ]


def test_the_inventory_lists_what_the_stand_in_has(tmp_path: Path) -> None:
    rig = SiliconMachine(tmp_path, SiliconSpec(drives=tuple(build_drives(2)), state={"mvcli": {}}))
    others = {"storcli64", "storcli", "perccli64", "perccli", "storcli2", "perccli2", "sas3ircu", "sas2ircu"}
    rig.absent = frozenset({"ssacli", "hpssacli", "hpacucli", "arcconf", *others})
    (card,) = collect_inventory(rig.root, rig.run).raid
    assert (card.driver, [drive.serial for drive in card.drives]) == ("raid.mvcli", ["SN0000", "SN0001"])


@pytest.fixture
def nvme(tmp_path: Path) -> RaidRig:
    """A BOSS-N1; both programs are installed, and mvcli sees no card."""
    return build_card_rig(tmp_path, MvcliDriver(), build_drives(2, "ssd"), mvcli={"nvme": True})


def test_the_array_of_an_nvme_card_is_made_by_mnv_cli_and_then_plans_nothing(nvme: RaidRig) -> None:
    assert [drive.state for drive in nvme.read_one().drives] == ["good", "good"]
    assert [action.id for action in nvme.settle(OS).actions] == ["raid.mvcli:create:os"]
    (array,) = nvme.read_one().arrays
    assert (array.name, array.level, array.drives, array.state) == ("os", "1", ("0", "1"), "optimal")
    assert array.device and array.strip_bytes == 128 * 1024
    assert nvme.export()["raid"]["arrays"] == [{"name": "os", "level": 1, "drives": "0,1"}]
    fail_disk(nvme.silicon, 1)
    assert nvme.plan(OS).actions == []
    assert [action.id for action in nvme.settle("raid: {clear: true}").actions] == ["raid.mvcli:delete:0:os"]


@pytest.mark.parametrize(
    ("kind", "said"), [("fail-half", "does not answer"), ("ignore", "no new virtual disks")]
)
def test_a_refusal_of_mnv_cli_names_the_array(nvme: RaidRig, kind: str, said: str) -> None:
    nvme.misbehave("mnv_cli", kind, "create")
    with nvme.raises(match=rf"array 'os' was not created.*{said}"):
        nvme.apply(OS)


def read_n1(root: Path, vd: str, *disks: Disk) -> Controller:
    answers = {
        f"info -o {kind}": read_golden(f"raid.mvcli/88nr2241.{name}.txt")
        for kind, name in (("hba", "hba"), ("vd", vd), ("pd", "pd"))
    }
    tool = ToolAnswers("mnv_cli", answers)
    (card,) = collect_inventory(root, tool.run).raid
    assert (card.driver, card.model, card.pci_address) == ("raid.mvcli", "Marvell 1b4b-2241", "0000:45:00.0")
    assert [drive.size_bytes for drive in card.drives] == [500118192 * 512] * 2
    machine = Machine(run=tool.run, root=root)
    (controller,) = MvcliDriver().read_controllers(machine, Storage(disks=disks))
    return controller


def test_an_nvme_card_is_read_as_mnv_cli_prints_it(tmp_path: Path) -> None:
    disk = Disk(index=0, name="nvme0n1", path="/dev/nvme0n1", size_bytes=10**11)
    controller = read_n1(tmp_path, "vd", disk)
    (array,) = controller.arrays
    assert (array.name, array.level, array.drives, array.state) == ("VD_0", "1", ("0", "1"), "optimal")
    assert (array.size_bytes, array.strip_bytes, array.device) == (447 * 1024**3, 128 * 1024, "/dev/nvme0n1")
    assert [(drive.state, drive.interface) for drive in controller.drives] == [("online", "NVME")] * 2
    assert controller.capability.levels == (0, 1)


def test_an_array_of_an_nvme_card_that_is_rebuilt_says_how_far(tmp_path: Path) -> None:
    (array,) = read_n1(tmp_path, "vd-rebuild").arrays
    assert (array.state, array.progress, array.device) == ("rebuilding", "Rebuilding is running in 21%", "")


def read_captured(name: str, **other: str) -> Any:
    """The controller as the driver sees it where the tool prints what was captured."""
    answers = {f"info -o {kind}": f"{name}.{kind}" for kind in ("hba", "vd", "pd")} | {
        f"info -o {kind}": place for kind, place in other.items()
    }
    texts = {call: read_golden(f"raid.mvcli/{place}.txt") for call, place in answers.items()}
    (found,) = mvcli.read_controllers(ToolAnswers("mvcli", texts).run, "mvcli")
    return build_controller(found, Storage())


def test_a_boss_card_of_dell_is_read() -> None:
    card = read_captured("boss-s1")
    assert (card.model, card.firmware, card.capability.levels) == ("Marvell 1b4b-9230", "2.5.13.1210", (1,))
    (array,) = card.arrays
    assert (array.level, array.drives, array.size_bytes) == ("1", ("0", "1"), 228872 * 1024**2)
    assert [(drive.model, drive.state) for drive in card.drives] == [("MTFDDAV240TCB", "online")] * 2


def test_a_mirroring_kit_of_lenovo_is_read() -> None:
    card = read_captured("lenovo-m2")
    assert (card.model, card.serial, card.capability.levels) == ("M.2 + Mirroring Kit", "W1ZS00A00AA", (0, 1))
    (array,) = card.arrays
    assert (array.name, array.state, array.drives) == ("VD_R1_1", "optimal", ("0", "1"))
    assert [drive.state for drive in card.drives] == ["online", "online"]
    assert [drive.usable_bytes for drive in card.drives] == [468851544 * 1024] * 2


def test_an_array_that_is_filled_again_is_rebuilding() -> None:
    (array,) = read_captured("boss-s1", vd="rebuilding.vd").arrays
    assert (array.state, array.progress) == ("rebuilding", "rebuilding is 15% done")


def test_a_drive_that_its_tool_calls_dead_is_not_taken(tmp_path: Path) -> None:
    answers = {
        f"info -o {kind}": read_golden(f"raid.mvcli/lenovo-m2.{kind}.txt") for kind in ("hba", "vd", "pd")
    }
    answers["info -o pd"] = answers["info -o pd"].replace("online", "offline", 1)
    (found,) = mvcli.read_controllers(ToolAnswers("mvcli", answers).run, "mvcli")
    card = build_controller(found, Storage())
    assert [(drive.state, drive.trouble) for drive in card.drives] == [
        ("failed", "its state is offline"),
        ("online", ""),
    ]
    assert (card.arrays[0].drives, card.arrays[0].drive_count) == (("1",), 2)


def read_free_drive(*disks: Disk, status: str = "") -> Drive:
    answers = {
        "info -o hba": read_golden("raid.mvcli/88se9230.hba.txt"),
        "info -o vd": "Total # of VD:       0\n",
        "info -o pd": read_golden("raid.mvcli/88se9230.pd-free.txt").replace(
            "SSD Type:", f"PD status: {status}\nSSD Type:"
        ),
    }
    (found,) = mvcli.read_controllers(ToolAnswers("mvcli", answers).run, "mvcli")
    (drive,) = build_controller(found, Storage(disks=disks)).drives
    return drive


@pytest.mark.parametrize("serials", [[], ["MMYE302150000000"], ["MMYE3021500000009068"] * 2])
def test_a_drive_whose_disk_is_not_found_may_hold_data(serials: list[str]) -> None:
    disks = [
        Disk(index=n, name=f"sd{n}", path=f"/dev/sd{n}", size_bytes=1, serial=serial)
        for n, serial in enumerate(serials)
    ]
    drive = read_free_drive(*disks)
    assert (drive.state, drive.device) == ("jbod", "")
    assert find_on_drive(Storage(disks=tuple(disks)), drive).content


@pytest.mark.parametrize(
    ("status", "assigned", "state", "trouble"),
    [
        ("Status:   Idle", "No", "good", ""),
        ("Status:   Dead", "No", "failed", "its state is Dead"),
        ("Status:   Foreign", "No", "unusable", "its state is Foreign"),
        ("Frob:     Idle", "No", "unusable", "its state is not shown"),
        ("Status:   Rebuild", "Yes", "rebuilding", ""),
        ("Status:   Frob", "Yes", "unusable", "its state is Frob"),
    ],
)
def test_a_drive_of_mnv_cli_is_usable_with_a_known_word_alone(
    status: str, assigned: str, state: str, trouble: str
) -> None:
    shown = re.sub(r"Status:\s+Idle", status, read_golden("raid.mvcli/88nr2241.pd.txt"))
    answers = {
        "info -o hba": read_golden("raid.mvcli/88nr2241.hba.txt"),
        "info -o vd": "Total # of VD:       0\n",
        "info -o pd": re.sub(r"Assigned:\s+Yes", f"Assigned:  {assigned}", shown),
    }
    tool = ToolAnswers("mnv_cli", answers)
    (found,) = mvcli.read_controllers(tool.run, "mnv_cli")
    drives = build_controller(found, Storage()).drives
    assert [(drive.state, drive.trouble) for drive in drives] == [(state, trouble)] * 2
    told = read_mvcli(tool.run, Path("/nonexistent"))
    assert told is not None
    (card,) = told.controllers
    assert card.drives[0].state == (status.split()[1] if status.startswith("Status") else None)


def test_a_free_drive_of_mvcli_with_a_word_that_is_not_known_is_not_taken() -> None:
    drive = read_free_drive(status="foreign")
    assert (drive.state, drive.trouble) == ("unusable", "its state is foreign")


def test_a_block_that_a_drive_names_hides_no_other_drive() -> None:
    text = read_golden("raid.mvcli/boss-s1.pd.txt")
    one, other = mvcli.parse_blocks(text.replace("block ids:", "Block id:            0"), "pd")
    assert (one["pd id"], other["pd id"]) == ("0", "1")
    assert mvcli.is_used(one)
