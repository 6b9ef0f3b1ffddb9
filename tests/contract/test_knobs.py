"""Every way a vendor's tool can misbehave, through the agent's engine: the job fails by the name of the array, setting
or package, or the hardware really is as wanted. It never says done when it is not.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from carrying import Recorder, build_run, carry_through
from handclock import StillClock
from raidrig import RaidRig, build_drives
from sysfsbackplane import SysfsBackplane

from bootos.drivers.bios.ilorest import IlorestDriver
from bootos.drivers.bios.onecli import OnecliDriver
from bootos.drivers.bios.racadm import RacadmDriver
from bootos.drivers.bios.sum import SumDriver
from bootos.drivers.contract import Driver, Machine
from bootos.drivers.firmware.package import PackageDriver
from bootos.drivers.raid.adaptec import AdaptecDriver
from bootos.drivers.raid.megaraid import MegaraidDriver
from bootos.drivers.raid.mvcli import MvcliDriver
from bootos.drivers.raid.sas3ircu import SasIrcuDriver
from bootos.drivers.raid.smartarray import SmartArrayDriver
from bootos.engine.run import Past, Run
from bootos.errors import BootosError
from bootos.lab.vendor_tools import adaptec, lsi, marvell, megaraid, smartarray
from bootos.lab.vendor_tools.firmware_package import PROGRAM, VERSIONS, build_package, read_version
from bootos.lab.vendor_tools.silicon import Knob, Misbehaviour, Silicon
from bootos.lab.vendor_tools.storcli import Storcli
from bootos.wire.inventory import Bios, Inventory, System

ARRAY = "os"
RAID: dict[str, Any] = {
    "clear": True,
    "arrays": [{"name": ARRAY, "level": 1, "drives": "0,1", "hotspares": "2"}],
}
BOSS: dict[str, Any] = {"clear": True, "arrays": [{"name": ARRAY, "level": 1, "drives": "0,1"}]}
IR: dict[str, Any] = BOSS | {"hotspares": "2"}
SETTINGS: dict[str, Any] = {"virtualization": "enabled", "hyperthreading": "disabled"}
OLD, NEW = "2.2.11", "2.19.1"


class Case:
    """A driver, what it is asked, the words that change something, and whether the hardware is as asked."""

    def __init__(
        self,
        driver: Callable[[], Driver],
        vendor: str,
        sections: Callable[[Path], dict[str, Any]],
        tool: str,
        when: str,
        is_wanted: Callable[[Silicon], bool],
        names: tuple[str, ...],
        key: str = "",
    ) -> None:
        self.key = key  # of the stand-in's part of the state, where the machine needs one
        self.driver, self.vendor, self.sections = driver, vendor, sections
        self.tool, self.when, self.is_wanted, self.names = tool, when, is_wanted, names


def find(name: str) -> str | None:
    return f"/usr/sbin/{name}"


def ask_for_firmware(root: Path) -> dict[str, Any]:
    path = root / f"BIOS_{NEW}.BIN"
    path.write_bytes(build_package("bios", NEW))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    item = {"component": "bios", "version": NEW, "package": f"file://{path}", "sha256": digest}
    return {"firmware": [item]}


def has_smart_array(silicon: Silicon) -> bool:
    card = smartarray.read_card(silicon)
    return [(v.label, v.level, card.arrays[v.array].spares) for v in card.volumes] == [
        (ARRAY, "1", ["1I:1:3"])
    ]


def has_megaraid(silicon: Silicon) -> bool:
    (card,) = megaraid.read_cards(silicon)
    spares = [drive.id for drive in card.drives if drive.state == "DHS"]
    return [(v.name, v.level, spares) for v in card.volumes] == [(ARRAY, 1, ["32:2"])]


def has_adaptec(silicon: Silicon) -> bool:
    card = adaptec.read_card(silicon)
    spares = [drive.id for drive in card.drives if drive.spare_of]
    return [(v.name, v.level, spares) for v in card.volumes] == [(ARRAY, "1", ["0,2"])]


def has_boss(silicon: Silicon) -> bool:
    array = marvell.read_card(silicon).array
    return array is not None and (array.name, array.level, array.members) == (ARRAY, 1, [0, 1])


def has_ir(silicon: Silicon) -> bool:
    card = lsi.read_card(silicon)
    spares = [disk.slot for disk in card.disks if disk.state == "HSP"]
    return [(a.name, a.level, spares) for a in card.arrays] == [(ARRAY, "RAID1", [2])]


def has_settings(
    first: str, second: str, words: tuple[str, str] = ("Enabled", "Disabled")
) -> Callable[[Silicon], bool]:
    def read(silicon: Silicon) -> bool:
        attributes = silicon.state["bios"]["attributes"]
        return (attributes[first], attributes[second]) == words

    return read


LENOVO = ("Processors.IntelVirtualizationTechnology", "Processors.HyperThreading")
SUPERMICRO = ("Intel Virtualization Technology", "Hyper-Threading [ALL]")
CASES = {
    "megaraid create": Case(
        MegaraidDriver, "Dell Inc.", lambda _: {"raid": RAID}, "storcli64", "add vd", has_megaraid, (ARRAY,)
    ),
    "megaraid spare": Case(
        MegaraidDriver, "Dell Inc.", lambda _: {"raid": RAID}, "storcli64", "add hotsparedrive*", has_megaraid,
        ("32:2", ARRAY),
    ),
    "adaptec create": Case(
        AdaptecDriver, "BootOS Lab", lambda _: {"raid": RAID}, "arcconf", "create", has_adaptec, (ARRAY,)
    ),
    "adaptec spare": Case(
        AdaptecDriver, "BootOS Lab", lambda _: {"raid": RAID}, "arcconf", "setstate", has_adaptec, ("0,2", ARRAY)
    ),
    "smartarray create": Case(
        SmartArrayDriver, "HPE", lambda _: {"raid": RAID}, "ssacli", "create", has_smart_array, (ARRAY,)
    ),
    "smartarray spare": Case(
        SmartArrayDriver, "HPE", lambda _: {"raid": RAID}, "ssacli", "add", has_smart_array, ("1I:1:3", ARRAY)
    ),
    "mvcli create": Case(
        MvcliDriver, "Dell Inc.", lambda _: {"raid": BOSS}, "mvcli", "create", has_boss, (ARRAY,), "mvcli"
    ),
    "sas3ircu create": Case(
        SasIrcuDriver, "BootOS Lab", lambda _: {"raid": IR}, "sas?ircu", "create", has_ir, (ARRAY,), "sas3ircu"
    ),
    "sas3ircu spare": Case(
        SasIrcuDriver, "BootOS Lab", lambda _: {"raid": IR}, "sas?ircu", "hotspare", has_ir, ("1:2", "drive 2", ARRAY),
        "sas3ircu",
    ),
    "racadm set": Case(
        lambda: RacadmDriver(find_program=find), "Dell Inc.", lambda _: {"bios": SETTINGS}, "racadm", "set",
        has_settings("ProcVirtualization", "LogicalProc"), ("ProcVirtualization", "LogicalProc"),
    ),
    "racadm job": Case(
        lambda: RacadmDriver(find_program=find), "Dell Inc.", lambda _: {"bios": SETTINGS}, "racadm", "create",
        has_settings("ProcVirtualization", "LogicalProc"), ("ProcVirtualization", "LogicalProc"),
    ),
    "ilorest patch": Case(
        lambda: IlorestDriver(find_program=find), "HPE", lambda _: {"bios": SETTINGS}, "ilorest", "rawpatch",
        has_settings("ProcVirtualization", "ProcHyperthreading"), ("ProcVirtualization", "ProcHyperthreading"),
    ),
    "onecli batch": Case(
        lambda: OnecliDriver(find_program=find), "LENOVO", lambda _: {"bios": SETTINGS}, "onecli", "batch",
        has_settings(*LENOVO, ("Enable", "Disable")), LENOVO,
    ),
    "sum change": Case(
        lambda: SumDriver(find_program=lambda name: name if name == "sum" else None), "Supermicro",
        lambda _: {"bios": SETTINGS}, "sum", "changebioscfg",
        has_settings(*SUPERMICRO, ("Enable", "Disable")), SUPERMICRO,
    ),
    "firmware package": Case(
        lambda: PackageDriver(lambda name: name if name == VERSIONS else None, clock=StillClock()), "Dell Inc.",
        ask_for_firmware, PROGRAM, "", lambda silicon: read_version(silicon, "bios") == NEW, ("BIOS",),
    ),
}  # fmt: skip


def run_job(case: Case, rig: RaidRig, inventory: Inventory, document: dict[str, Any]) -> str:
    """The whole job with its reboots; what it says when it fails, or nothing."""
    machine = Machine(run=rig.hardware.run, root=rig.hardware.root)

    def start(past: Past, recorder: Recorder) -> Run:
        return build_run(document, machine, inventory, drivers=[rig.driver], watcher=recorder, past=past)

    try:
        carry_through(start, rig.silicon.boot)
    except BootosError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", [*get_args(Misbehaviour), None])
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_tool_that_misbehaves_never_makes_a_job_say_done(
    case: Case, kind: Misbehaviour | None, tmp_path: Path
) -> None:
    state: dict[str, Any] = {"bios": {"version": OLD}} | ({case.key: {}} if case.key else {})
    rig = RaidRig(tmp_path, case.driver(), drives=build_drives(3), state=state)
    rig.silicon.block.backplane = SysfsBackplane(tmp_path)
    rig.silicon.boot()
    base = rig.build_inventory()
    inventory = Inventory(
        collected_at=base.collected_at,
        disks=base.disks,
        raid=base.raid,
        system=System(vendor=case.vendor, product="R1"),
        bios=Bios(version=OLD),
    )
    rig.hardware.absent = frozenset(Storcli.names) - {"storcli64"}
    if kind is not None:
        rig.silicon.knobs.append(Knob(tool=case.tool, kind=kind, when=case.when))
    said = run_job(case, rig, inventory, {"name": "t", **case.sections(tmp_path)})
    if kind is None:  # without a knob the tool works, so a failure of the others is due to their knob
        assert said == ""
    if said:
        assert any(name in said for name in case.names), said
    else:
        assert case.is_wanted(rig.silicon), "it said done, and it is not"
