"""A family with controllers of two drivers: a BOSS card, whose mirror holds the system, and a card with IR firmware."""

from pathlib import Path

import msgspec
from family import (
    DATA_DISK,
    GIB,
    OS_DISK,
    VOLUME_GROUP,
    Array,
    Family,
    build_drives,
    build_spec,
    get_silicon,
)

from bootos.lab.machine import Machine
from bootos.lab.vendor_tools import lsi, marvell
from bootos.lab.vendor_tools.silicon import PciIdentity, PhysicalDrive, SiliconSpec


def find_boss_and_ir_arrays(machine: Machine, directory: Path) -> dict[str, Array]:
    """Arrays by what both stand-ins keep; the disk of one has its identifier as its serial number."""
    silicon = get_silicon(machine)
    boss, ir = marvell.read_card(silicon).array, lsi.read_card(silicon)
    views = {drive.serial: machine.virtual_drive_path(drive.name) for drive in silicon.block.drives.values()}
    found = {}
    if boss is not None:
        found[boss.name] = Array(
            level=str(boss.level), drives=len(boss.members), hotspares=0, view=views[boss.serial]
        )
    for volume in ir.arrays:
        found[volume.name] = Array(
            level=volume.level.removeprefix("RAID"),
            drives=len(volume.members),
            hotspares=sum(disk.state == "HSP" for disk in ir.disks),
            view=views[lsi.build_wwn(volume.wwid)],
        )
    return found


# Two controllers of two drivers; here each has a template and a job, as it may, too.
BOSS = Family(
    name="boss",
    spec=build_spec(
        6,
        "Dell Inc.",
        "PowerEdge R640",
        silicon=SiliconSpec(
            programs=("mvcli", "sas3ircu"),
            controllers=(
                PciIdentity(id="1b4b:9230", subsystem="1028:1fd6", kernel_module="ahci", class_id="10601"),
                PciIdentity(id="1000:0097", subsystem="1000:3090", kernel_module="mpt3sas", class_id="10700"),
            ),
            drives=(
                *(
                    PhysicalDrive(size_bytes=2 * GIB, model=f"LAB M2 {number}", serial=f"M2{number:06}")
                    for number in range(2)
                ),
                *(msgspec.structs.replace(drive, controller=1) for drive in build_drives(5)),
            ),
            state={marvell.KEY: {"controller": 0}, lsi.KEY: {"controller": 1}},
        ),
    ),
    sections={
        "raid": {
            "driver": "raid.mvcli",
            "clear": True,
            "arrays": [{"name": "os", "level": 1, "drives": "0,1", "controller": 0}],
        },
        "disks": [OS_DISK],
        "volume_groups": [],
    },
    later=(
        {
            "raid": {
                "driver": "raid.sas3ircu",
                "clear": True,
                "controller": 0,
                "hotspares": "4",
                "arrays": [{"name": "data", "level": 10, "drives": "0-3"}],
            },
            "disks": [DATA_DISK],
            "volume_groups": [VOLUME_GROUP],
        },
    ),
    find_arrays=find_boss_and_ir_arrays,
    arrays={"os": ("1", 2, 0), "data": ("10", 4, 1)},
)
