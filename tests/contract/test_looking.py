"""Captures only look: nothing that a reader or a driver asks is refused, and nothing that changes is run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bmcmachine import BmcMachine
from captured import NAMES, build_machine
from carrying import apply
from drivetools import GOLDEN as DRIVES
from drivetools import Drive, DriveMachine
from imsmmachine import ImsmMachine
from namespacetools import NamespaceMachine
from siliconmachine import SiliconMachine
from storagemachine import MIB, StorageMachine

from bootos.drivers.bios.ilorest import IlorestDriver
from bootos.drivers.bios.onecli import OnecliDriver
from bootos.drivers.bios.racadm import RacadmDriver
from bootos.drivers.bios.sum import SumDriver
from bootos.drivers.contract import Driver, Machine
from bootos.drivers.disk.lvm import LvmDriver
from bootos.drivers.disk.partition import PartitionDriver
from bootos.drivers.erase.erase import EraseDriver
from bootos.drivers.firmware.fwupd import FwupdDriver
from bootos.drivers.firmware.package import PackageDriver
from bootos.drivers.nvme.nvme import NvmeDriver
from bootos.drivers.oob.ipmi import IpmiDriver
from bootos.drivers.raid.adaptec import AdaptecDriver
from bootos.drivers.raid.mdadm import MdadmDriver
from bootos.drivers.raid.megaraid import MegaraidDriver
from bootos.drivers.raid.mvcli import MvcliDriver
from bootos.drivers.raid.sas3ircu import SasIrcuDriver
from bootos.drivers.raid.smartarray import SmartArrayDriver
from bootos.engine.capture.lookrunner import LookRunner
from bootos.engine.savedstate import read_saved
from bootos.hardware.capture import Replay
from bootos.hardware.health import read_health
from bootos.hardware.inventory import collect_inventory
from bootos.hardware.raidtool import TOOLS
from bootos.lab.vendor_tools.catalog import TOOLS as STAND_INS
from bootos.lab.vendor_tools.silicon import PhysicalDrive, SiliconSpec
from bootos.process import Command, Completed, Runner, ToolError
from bootos.wire.inventory import Disk, DiskType, Inventory, System

STATES: dict[str, dict[str, Any]] = {
    "sas3ircu": {"sas3ircu": {}}, "sas2ircu": {"sas3ircu": {}}, "mvcli": {"mvcli": {}},
    "mnv_cli": {"mvcli": {"nvme": True}},
}  # fmt: skip
VENDORS = ("Dell Inc.", "HPE", "Lenovo", "Supermicro")


def look_at(run: Runner, root: Path) -> tuple[Machine, LookRunner]:
    look = LookRunner(run)
    machine = Machine(run=look, root=root)
    machine.only_looks = True
    return machine, look


@pytest.mark.parametrize("name", NAMES)
def test_the_inventory_of_a_machine_is_read_whole(name: str, tmp_path: Path) -> None:
    _, capture = build_machine(name, tmp_path)
    look = LookRunner(Replay(capture))
    assert collect_inventory(tmp_path, look).disks
    assert look.refused == []


def test_what_lies_on_disks_is_read_whole(tmp_path: Path) -> None:
    fake = StorageMachine(tmp_path, {f"sd{letter}": 4096 * MIB for letter in "abcd"})
    template = {
        "name": "t",
        "raid": {"driver": "raid.mdadm", "arrays": [{"name": "os", "level": 1, "drives": "0,1"}]},
        "disks": [
            {"select": {"drives": 2}, "partitions": [{"name": "pv", "size": "rest", "volume_group": "vg0"}]},
            {"select": {"drives": 3}, "volume_group": "vg0"},
        ],
        "volume_groups": [
            {"name": "vg0", "volumes": [{"name": "root", "size": "1GiB", "filesystem": "ext4"}]}
        ],
    }
    apply(template, fake.machine, fake.build_inventory())
    machine, look = look_at(fake.run, tmp_path)
    begun = len(fake.calls)
    saved = read_saved(machine, fake.build_inventory(), [PartitionDriver(), LvmDriver(), MdadmDriver()])
    assert {call[0] for call in fake.calls[begun:]} >= {
        "lsblk", "wipefs", "sfdisk", "mdadm", "pvs", "vgs", "lvs", "blkid",
    }  # fmt: skip
    assert (look.refused, saved.unread) == ([], {})


def test_arrays_of_firmware_are_read_whole(tmp_path: Path) -> None:
    fake = ImsmMachine(tmp_path, {f"sd{letter}": 4096 * MIB for letter in "abcd"})
    machine, look = look_at(fake.run, tmp_path)
    MdadmDriver().read(machine, fake.build_inventory())
    assert look.refused == []


def test_drives_are_read_whole(tmp_path: Path) -> None:
    said = {
        name: (DRIVES / name).read_text()
        for name in (
            "hdparm-sandisk-extreme.txt",
            "sg-opcodes-seagate-st10000nm0226.txt",
            "nvme-id-ctrl-wdc-sn730.json",
        )
    }
    ata, scsi, nvme = said.values()
    drives = {"sda": Drive(hdparm=ata), "sdb": Drive(sg_opcodes=scsi), "nvme0n1": Drive(id_ctrl=nvme)}
    fake = DriveMachine(tmp_path, drives)
    machine, look = look_at(fake.run, tmp_path)
    EraseDriver().read(machine, fake.build_inventory())
    assert {call[0] for call in fake.calls} >= {"hdparm", "sg_opcodes", "nvme"}
    assert look.refused == []


def test_namespaces_are_read_whole(tmp_path: Path) -> None:
    fake = NamespaceMachine(tmp_path)
    fake.add(1024**3)
    machine, look = look_at(fake.run, tmp_path)
    NvmeDriver().read(machine, fake.build_inventory())
    assert look.refused == []


@pytest.mark.parametrize("wear_log", [False, True])
def test_the_health_of_every_kind_of_disk_is_read(*, wear_log: bool) -> None:
    asked: list[tuple[str, ...]] = []

    def note(argv: Sequence[Any], **options: Any) -> Completed:
        command = Command(argv, **options)
        asked.append(command.words)
        raise command.build_missing()

    look = LookRunner(note)
    for type in DiskType:
        for transport in ("sas", "sata", "nvme"):
            disk = Disk(index=0, name="sda", path="/dev/sda", size_bytes=1, type=type, transport=transport)
            with pytest.raises(ToolError, match="is not installed"):
                read_health(disk, look, wear_log=wear_log)
    assert {words[0] for words in asked} == {"smartctl", "nvme"}
    assert look.refused == []


def test_a_bmc_is_read_whole(tmp_path: Path) -> None:
    fake = BmcMachine()
    machine, look = look_at(fake.run, tmp_path)
    inventory = Inventory(collected_at="2024-01-01T00:00:00Z")
    assert IpmiDriver().read(machine, inventory).users
    assert look.refused == []


@pytest.mark.parametrize(
    "name", [name for tool in STAND_INS for name in tool.names if name != "lab-firmware-package"]
)
def test_every_vendor_tool_is_read_whole(name: str, tmp_path: Path) -> None:
    def find(wanted: str) -> str | None:
        return wanted if wanted == name else None

    drives = tuple(PhysicalDrive(type="hdd", size_bytes=10**12) for _ in range(4))
    absent = {other for each in STAND_INS for other in each.names} - {name}
    spec = SiliconSpec(drives=drives, state=STATES.get(name, {}))
    asked = set()
    for vendor in VENDORS:
        root = tmp_path / vendor
        root.mkdir()
        box = SiliconMachine(root, spec, absent=sorted(absent))
        machine, look = look_at(box.run, root)
        inventory = Inventory(collected_at="2024-01-01T00:00:00Z", system=System(vendor=vendor))
        for reader in TOOLS:
            told = reader.read(look, root)
            inventory.raid += told.controllers if told is not None else []
        drivers: list[Driver] = [
            RacadmDriver(find), IlorestDriver(find), OnecliDriver(find), SumDriver(find), PackageDriver(find),
            MegaraidDriver(), SmartArrayDriver(), AdaptecDriver(), SasIrcuDriver(), MvcliDriver(), FwupdDriver(find),
        ]  # fmt: skip
        saved = read_saved(machine, inventory, drivers)
        assert (look.refused, [said for said in saved.unread.values() if "known to change" in said]) == (
            [],
            [],
        )
        asked |= {tuple(call[1:]) for call in box.calls if Path(call[0]).name == name}
    assert len(asked) >= (1 if name == "firmware-versions" else 2)
