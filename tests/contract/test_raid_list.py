"""A machine whose controllers belong to two drivers (a BOSS card beside a PERC): one template with a list of `raid`
sections makes the arrays of both, driver by driver, and what the machine exports plans nothing there."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from carrying import build_run
from handclock import StillClock
from raidrig import RaidRig, build_drives
from sysfsbackplane import SysfsBackplane

from bootos.drivers.disk.partition import PartitionDriver
from bootos.drivers.raid.megaraid import MegaraidDriver
from bootos.drivers.raid.mvcli import MvcliDriver
from bootos.engine.export import build_raid, build_template
from bootos.engine.offline import build_offline_run
from bootos.engine.plan import JobPlan, plan_job, view_action
from bootos.engine.planhash import hash_plan
from bootos.engine.savedstate import read_saved
from bootos.lab.vendor_tools import marvell
from bootos.lab.vendor_tools.megaraid import MegaraidCard, MegaraidDrive
from bootos.lab.vendor_tools.storcli import Storcli
from bootos.template.check import read_template
from bootos.wire.inventory import Inventory
from bootos.wire.saved import SavedState

BOSS = '{driver: raid.mvcli, arrays: [{name: os, level: 1, drives: "0,1", wipe: true}]}'
PERC = '{driver: raid.megaraid, arrays: [{name: data, level: 5, drives: "0-2", hotspares: "3"}]}'
BOTH = f"raid: [{BOSS}, {PERC}]"
IDS = ["raid.mvcli:create:os", "raid.megaraid:create:data"]


@pytest.fixture
def rig(tmp_path: Path) -> RaidRig:
    drives = [
        MegaraidDrive(
            enclosure=32,
            slot=slot,
            size_bytes=drive.size_bytes,
            type="HDD",
            interface="SATA",
            model=drive.model,
            serial=drive.serial,
            wwn=f"5000C500{slot:08X}",
            firmware=drive.firmware,
        )
        for slot, drive in enumerate(build_drives(6))
    ]
    perc = MegaraidCard(number=0, serial="LAB0SV001", drives=drives)
    state = {marvell.KEY: {}, "megaraid": [msgspec.to_builtins(perc)]}
    rig = RaidRig(tmp_path, MvcliDriver(), drives=build_drives(2, "ssd"), state=state)
    rig.drivers.append(MegaraidDriver(StillClock()))
    rig.silicon.block.backplane = SysfsBackplane(tmp_path)
    rig.hardware.absent = frozenset(Storcli.names) - {"perccli64"}
    rig.silicon.boot()
    return rig


def list_ids(planned: JobPlan) -> list[str]:
    return [action.id for action in planned.actions]


def list_problems(rig: RaidRig, text: str) -> list[tuple[str, str]]:
    run = build_run(
        {"name": "t", **yaml.safe_load(text)}, rig.machine, rig.build_inventory(), drivers=rig.drivers
    )
    return [(problem.path, problem.hint) for problem in plan_job(run).problems]


def save(rig: RaidRig) -> SavedState:
    saved = read_saved(rig.machine, rig.build_inventory(), rig.drivers)
    return msgspec.json.decode(msgspec.json.encode(saved), type=SavedState)


@pytest.mark.parametrize("is_first", [True, False])
def test_the_arrays_of_both_are_made_in_the_order_of_the_list(rig: RaidRig, is_first: bool) -> None:
    planned = rig.settle(BOTH if is_first else f"raid: [{PERC}, {BOSS}]")
    assert [name for name in list_ids(planned) if ":create:" in name] == (IDS if is_first else IDS[::-1])
    assert sorted(drive.model for drive in rig.silicon.block.drives.values()) == [
        "DELLBOSS VD",
        "PERC H740P Mini",
    ]


def test_disks_are_selected_by_the_arrays_of_both(rig: RaidRig) -> None:
    rig.drivers.append(PartitionDriver())
    parts = "table: gpt, partitions: [{name: a, size: rest}]"
    planned = rig.settle(
        f"{BOTH}\ndisks: [{{select: {{array: data}}, {parts}}}, {{select: {{array: os}}, {parts}}}]"
    )
    assert [name.split(":")[0] for name in list_ids(planned)][-2:] == ["disk.partition", "disk.partition"]


def test_a_list_of_one_section_plans_what_the_section_alone_does(rig: RaidRig) -> None:
    alone, listed = (rig.plan(f"raid: {text}") for text in (PERC, f"[{PERC}]"))
    assert list_ids(alone) == ["raid.megaraid:create:data"]
    assert hash_plan(map(view_action, alone.actions)) == hash_plan(map(view_action, listed.actions))
    assert alone.actions[0].path == "raid.arrays[0]"
    assert listed.actions[0].path == "raid[0].arrays[0]"


def test_one_section_without_a_driver_is_not_guessed(rig: RaidRig) -> None:
    hint = "name one of them in raid.driver, or make raid a list of sections, one for each"
    assert list_problems(rig, "raid: {clear: true}") == [("raid", hint)]
    assert list_problems(rig, "raid: [{clear: true}]") == [("raid[0]", "name one of them in raid[0].driver")]


def test_what_is_wrong_with_a_section_is_told_at_its_place(rig: RaidRig) -> None:
    rig.settle(BOTH)
    gone = PERC.replace('"0-2"', "40-42")
    other = BOSS.replace("name: os", "name: other").replace(", wipe: true", "")
    told = list_problems(rig, f"raid: [{gone}, {other}]")
    assert {path for path, _ in told} == {
        "raid[0].arrays[0]",  # "data" is in the way of what it is to be
        "raid[0].arrays[0].drives",
        "raid[1].arrays[0]",
    }
    assert ("raid[1].arrays[0]", "raid[1].clear: true deletes arrays that are not in the template") in told
    (problem,) = list_problems(rig, f"raid: [{PERC}, {{driver: raid.adaptec, clear: true}}]")
    assert problem == ("raid[1].driver", "usable here: raid.mvcli, raid.megaraid")


def test_a_word_that_allows_a_loss_counts_for_its_own_driver_alone(rig: RaidRig) -> None:
    rig.settle(BOTH)
    planned = rig.settle(f"raid: [{BOSS}, {{driver: raid.megaraid, clear: true}}]")
    assert list_ids(planned)[0] == "raid.megaraid:delete:0:data"
    assert planned.actions[0].path == "raid[1].clear"
    assert [drive.model for drive in rig.silicon.block.drives.values()] == ["DELLBOSS VD"]


def test_the_name_of_an_array_means_the_one_that_the_template_has(rig: RaidRig) -> None:
    rig.settle("raid: " + PERC.replace("name: data", "name: os"))
    rig.drivers.append(PartitionDriver())
    disks = "disks: [{select: {array: os}, table: gpt, partitions: [{name: a, size: rest}]}]"
    keep = "{driver: raid.megaraid, hotspares: '4'}"
    rig.settle(f"raid: [{BOSS}, {keep}]\n{disks}")
    (name,) = [name for name, drive in rig.silicon.block.drives.items() if drive.model == "DELLBOSS VD"]
    assert rig.storage.devices[f"/dev/{rig.names[name]}"].table is not None
    other = BOSS.replace("name: os, level: 1", "name: os, level: 1")
    told = list_problems(rig, f"raid: [{{driver: raid.mvcli, clear: false}}, {keep}]\n{disks}")
    assert other and ("disks[0].select.array", "select the disk by its wwn") in told


def test_what_a_machine_with_arrays_of_two_drivers_exports_plans_nothing_there(rig: RaidRig) -> None:
    rig.settle(BOTH)
    saved = save(rig)
    assert [(part["driver"], part["arrays"][0]["name"]) for part in saved.template["raid"]] == [
        ("raid.mvcli", "os"),
        ("raid.megaraid", "data"),
    ]
    assert read_template(saved.template)[1] == []
    online = build_run(saved.template, rig.machine, rig.build_inventory(), drivers=rig.drivers)
    offline = build_offline_run(saved.template, saved, {}, rig.drivers)
    for run in (online, offline):
        planned = plan_job(run)
        assert (planned.problems, planned.actions, len(planned.drivers)) == ([], [], 2)
    other = json.loads(json.dumps(saved.template).replace("0,1,2", "1,2,4"))
    assert (
        plan_job(build_offline_run(other, saved, {}, rig.drivers))
        .problems[0]
        .path.startswith("raid[1].arrays[0]")
    )


def test_what_a_machine_with_arrays_of_one_of_two_drivers_exports_plans_nothing_there(rig: RaidRig) -> None:
    rig.settle(f"raid: {PERC}")
    saved = save(rig)
    part: Any = saved.template["raid"]
    assert (part[0] if isinstance(part, list) else part)["driver"] in ("raid.mvcli", "raid.megaraid")
    planned = plan_job(build_run(saved.template, rig.machine, rig.build_inventory(), drivers=rig.drivers))
    assert (planned.problems, planned.actions) == ([], [])


def test_of_two_arrays_with_one_name_an_export_has_the_first(rig: RaidRig) -> None:
    rig.settle(BOTH.replace("name: os", "name: one"))
    rig.settle("raid: [{driver: raid.megaraid, clear: true}]")
    rig.settle("raid: " + PERC.replace("name: data", "name: one"))
    saved = save(rig)
    assert "array 'one' of raid.megaraid is left out: raid.mvcli has one of that name" in saved.notes
    planned = plan_job(build_run(saved.template, rig.machine, rig.build_inventory(), drivers=rig.drivers))
    assert (planned.problems, planned.actions) == ([], [])


def test_drivers_that_have_nothing_to_say_export_no_section() -> None:
    parts: dict[str, dict[str, Any]] = {"raid.a": {"arrays": []}, "raid.b": {"arrays": []}}
    assert build_raid(parts, Inventory(collected_at=""), []) == {}


def test_software_raid_is_exported_beside_no_controller() -> None:
    notes: list[str] = []
    parts = {"raid.mdadm": {"arrays": [{"name": "soft"}]}, "raid.mvcli": {"arrays": [{"name": "os"}]}}
    assert build_raid(parts, Inventory(collected_at=""), notes) == {"arrays": [{"name": "os"}]}
    assert notes == ["the arrays of raid.mdadm are left out: they need a template and a job of their own"]


def test_of_drivers_that_have_nothing_to_say_nothing_is_exported() -> None:
    class Silent(MvcliDriver):
        def export(self, state: Any) -> dict[str, Any]:
            return {"raid": {"arrays": []}}

    other = Silent()
    other.name = "raid.other"
    document, notes = build_template(Inventory(collected_at=""), [(Silent(), None), (other, None)])
    assert ("raid" in document, notes) == (False, [])
