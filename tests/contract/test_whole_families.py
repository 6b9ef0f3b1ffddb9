"""Whole templates of hardware families through the engine, in process: packages, BIOS settings and arrays, with the
reboots in between; then nothing is left to plan."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from carrying import Recorder, build_run, carry_through
from handclock import StillClock
from raidrig import RaidRig, build_drives
from sysfsbackplane import SysfsBackplane

from bootos.drivers.bios.ilorest import IlorestDriver
from bootos.drivers.bios.racadm import RacadmDriver
from bootos.drivers.bios.sum import SumDriver
from bootos.drivers.contract import Driver, Machine
from bootos.drivers.disk.filesystem import FilesystemDriver
from bootos.drivers.disk.partition import PartitionDriver
from bootos.drivers.firmware.package import PackageDriver
from bootos.drivers.raid.adaptec import AdaptecDriver
from bootos.drivers.raid.megaraid import MegaraidDriver
from bootos.drivers.raid.mvcli import MvcliDriver
from bootos.drivers.raid.sas3ircu import SasIrcuDriver
from bootos.drivers.raid.smartarray import SmartArrayDriver
from bootos.engine.plan import plan_job
from bootos.engine.run import NO_PAST, Past, Run
from bootos.lab.vendor_tools.firmware_package import VERSIONS, build_package, list_history
from bootos.lab.vendor_tools.storcli import Storcli
from bootos.wire.inventory import Bios, Inventory, System

FIRST = "2.2.11"
HOPS = (("2.10.0", "2.0.0"), ("2.19.1", "2.10.0"))
PROFILE = {"virtualization": "enabled", "power_profile": "custom", "c_states": "disabled"}
RAID = {
    "clear": True,
    "arrays": [
        {"name": "os", "level": 1, "drives": "0,1", "hotspares": "5"},
        {"name": "data", "level": 5, "drives": "2-4"},
    ],
}
DELL = {"ProcVirtualization": "Enabled", "SysProfile": "Custom", "ProcCStates": "Disabled"}
SUPERMICRO = {
    "Intel Virtualization Technology": "Enable",
    "SR-IOV Support": "Enabled",
    "Hyper-Threading [ALL]": "Disable",
}


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """`words` are the template's BIOS settings, `settings` what they are on the machine. `key` is that of the
    controller's stand-in in the machine's state, where it must be there for the machine to have one."""

    raid: type[Driver]
    bios: type[Any]
    vendor: str
    settings: dict[str, str]
    words: dict[str, str] = msgspec.field(default_factory=PROFILE.copy)
    sections: dict[str, Any] = msgspec.field(default_factory=RAID.copy)
    disks: int = 2  # that the controller shows at the end
    key: str = ""


FAMILIES = {
    "dell": Family(raid=MegaraidDriver, bios=RacadmDriver, vendor="Dell Inc.", settings=DELL),
    "hpe": Family(
        raid=SmartArrayDriver,
        bios=IlorestDriver,
        vendor="HPE",
        settings={"ProcVirtualization": "Enabled", "WorkloadProfile": "Custom", "MinProcIdlePower": "NoCStates"},
    ),
    "adaptec": Family(
        raid=AdaptecDriver, bios=SumDriver, vendor="Supermicro", settings=SUPERMICRO,
        words={"virtualization": "enabled", "sriov": "enabled", "hyperthreading": "disabled"},
    ),
    "boss": Family(
        raid=MvcliDriver, bios=RacadmDriver, vendor="Dell Inc.", settings=DELL, key="mvcli", disks=1,
        sections={"clear": True, "arrays": [{"name": "os", "level": 1, "drives": "0,1"}]},
    ),
    "ir": Family(
        raid=SasIrcuDriver, bios=SumDriver, vendor="Supermicro", settings=SUPERMICRO, key="sas3ircu",
        words={"virtualization": "enabled", "sriov": "enabled", "hyperthreading": "disabled"},
        sections={
            "clear": True,
            "hotspares": "5",
            "arrays": [
                {"name": "os", "level": 1, "drives": "0,1"},
                {"name": "data", "level": 0, "drives": "2-4"},
            ],
        },
    ),
}  # fmt: skip


def build_template(root: Path, family: Family) -> dict[str, Any]:
    packages = []
    for version, base in HOPS:
        path = root / f"BIOS_{version}.BIN"
        path.write_bytes(build_package("bios", version, base))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        packages.append(
            {"version": version, "from": f">={base}", "package": f"file://{path}", "sha256": digest}
        )
    return {
        "name": "whole",
        "firmware": [
            {"component": "bios", "version": HOPS[-1][0], "format": "dell-dup", "packages": packages}
        ],
        "bios": family.words,
        "raid": family.sections,
        "disks": [
            {
                "select": {"array": "os"},
                "table": "gpt",
                "partitions": [
                    {"name": "boot", "size": "1GiB", "filesystem": "ext4"},
                    {"name": "root", "size": "rest", "filesystem": "xfs"},
                ],
            }
        ],
    }


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_a_whole_template_is_carried_out_with_its_reboots_and_then_plans_nothing(
    tmp_path: Path, family: Family
) -> None:
    state: dict[str, Any] = {"bios": {"version": FIRST}} | ({family.key: {}} if family.key else {})
    rig = RaidRig(tmp_path, family.raid(), drives=build_drives(6), state=state)
    rig.silicon.block.backplane = SysfsBackplane(tmp_path)
    rig.silicon.boot()
    rig.hardware.absent = frozenset(Storcli.names) - {"perccli64"}
    drivers: list[Any] = [
        PackageDriver(lambda name: name if name == VERSIONS else None, clock=StillClock()),
        family.bios(find_program=lambda name: f"/usr/sbin/{name}"),
        rig.driver,
        PartitionDriver(),
        FilesystemDriver(),
    ]
    template = build_template(tmp_path, family)

    def start(past: Past = NO_PAST, recorder: Recorder | None = None) -> Run:
        """One boot."""
        base = rig.build_inventory()
        inventory = Inventory(
            collected_at=base.collected_at, disks=base.disks, raid=base.raid,
            system=System(vendor=family.vendor, product="R1"), bios=Bios(version=FIRST),
        )  # fmt: skip
        machine = Machine(run=rig.hardware.run, root=rig.hardware.root)
        return build_run(template, machine, inventory, drivers=drivers, watcher=recorder, past=past)

    reboots = 0

    def reboot() -> None:
        nonlocal reboots
        rig.silicon.boot()
        reboots += 1

    carry_through(start, reboot)
    assert reboots == 3
    assert list_history(rig.silicon) == [version for version, _ in HOPS]
    attributes = rig.silicon.state["bios"]["attributes"]
    assert {name: attributes[name] for name in family.settings} == family.settings
    assert len(rig.silicon.block.drives) == family.disks
    again = plan_job(start())
    assert (again.actions, again.problems) == ([], [])
