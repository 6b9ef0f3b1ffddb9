"""The machines of the families, what each shall become, and how its arrays are seen from outside the guest."""

import hashlib
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bootos.lab.machine import Machine
from bootos.lab.md_array import build_array_view, read_md_arrays
from bootos.lab.spec import BmcSpec, DiskSpec, Identity, MachineSpec, NicSpec
from bootos.lab.vendor_tools import adaptec, megaraid, smartarray
from bootos.lab.vendor_tools.firmware_package import VERSIONS, build_package, list_history
from bootos.lab.vendor_tools.redfish_path import BIOS as BIOS_RESOURCE
from bootos.lab.vendor_tools.redfish_path import INVENTORY, MANAGER, SESSIONS
from bootos.lab.vendor_tools.redfish_spec import Component, RedfishSpec
from bootos.lab.vendor_tools.redfish_state import find_state
from bootos.lab.vendor_tools.silicon import PciIdentity, PhysicalDrive, Silicon, SiliconSpec

GIB = 1024**3
OOB = ("10.0.9.21", "255.255.255.0", "10.0.9.1")
OOB_USER = "ops"
FIRST_BIOS = "2.2.11"
HOPS = (("2.10.0", "2.0.0"), ("2.19.1", "2.10.0"))
OS_DISK = {
    "select": {"array": "os"},
    "table": "gpt",
    "partitions": [
        {"name": "boot", "size": "256MiB", "filesystem": {"type": "ext4", "label": "boot"}},
        {"name": "root", "size": "rest", "filesystem": {"type": "xfs", "label": "root"}},
    ],
}
DATA_DISK = {
    "select": {"array": "data"},
    "table": "gpt",
    "partitions": [{"name": "pv", "size": "rest", "volume_group": "vg0"}],
}
VOLUME_GROUP = {
    "name": "vg0",
    "volumes": [
        {"name": "db", "size": "512MiB", "filesystem": {"type": "xfs", "label": "db"}},
        {"name": "log", "size": "rest", "filesystem": {"type": "ext4", "label": "log"}},
    ],
}


class Array(msgspec.Struct, kw_only=True):
    """An array as it is found on the host; `view` is a file with its content."""

    level: str
    drives: int
    hotspares: int
    view: Path


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """`sections` are the parts of the template beside those that all families have; `later` are those of further
    templates, each of which a job of its own carries out without a reboot before it. `settings` and `versions` are
    what the hardware shall say at the end, by the words of `read_settings` and `read_versions`; `reboots` how often
    the machine starts again inside the jobs."""

    name: str
    spec: MachineSpec
    sections: dict[str, Any]
    find_arrays: Callable[[Machine, Path], dict[str, Array]]
    arrays: dict[str, tuple[str, int, int]]  # (level, drives, hot spares)
    later: tuple[dict[str, Any], ...] = ()
    read_settings: Callable[[Machine], dict[str, str]] | None = None
    settings: dict[str, str] = {}
    read_versions: Callable[[Machine], list[str]] | None = None
    versions: list[str] = []  # versions of the BIOS, in the order of their installation
    oob: dict[str, Any] = {}  # more keys for the section `oob` of the template
    method: str = "package"  # how firmware is installed
    reboots: int = 0
    hops: tuple[tuple[str, str], ...] = ()  # BIOS versions, each with the oldest version that it may follow

    def build_packages(self) -> dict[str, bytes]:
        """The firmware packages by file name."""
        return {f"BIOS_{version}.BIN": self.build_package(version, base) for version, base in self.hops}

    def build_package(self, version: str, base: str) -> bytes:
        """One BIOS: a program, or an image for the BMC to take."""
        if self.method == "redfish":
            return json.dumps({"component": "BIOS", "version": version}).encode() + b"\n" + bytes(range(256))
        return build_package("bios", version, base)

    def build_firmware(self, url: str) -> list[dict[str, Any]]:
        """The template's `firmware` section; `url` is where the packages are."""
        if not self.hops:
            return []
        packages = [
            {
                "version": version,
                "from": f">={base}",
                "package": f"{url}/BIOS_{version}.BIN",
                "sha256": hashlib.sha256(self.build_package(version, base)).hexdigest(),
            }
            for version, base in self.hops
        ]
        item: dict[str, Any] = {"component": "bios", "version": self.hops[-1][0], "packages": packages}
        if self.method == "redfish":
            return [{**item, "method": "redfish"}]
        # The lab's package behaves like Dell's on every machine.
        return [{**item, "format": "dell-dup"}]

    def build_templates(self, files_url: str) -> list[dict[str, Any]]:
        """The templates of this family in the order of their jobs."""
        later = enumerate(self.later, start=2)
        return [
            self.build_template(files_url),
            *({"name": f"{self.name}-{number}", **sections} for number, sections in later),
        ]

    def build_template(self, files_url: str) -> dict[str, Any]:
        """The template that all families have."""
        return {
            "name": self.name,
            "firmware": self.build_firmware(files_url),
            "oob": {
                "network": {"source": "static", "address": f"{OOB[0]}/24", "gateway": OOB[2]},
                "users": [{"name": OOB_USER, "role": "administrator", "password": {"secret": "oob-ops"}}],
                **self.oob,
            },
            "disks": [OS_DISK, DATA_DISK],
            "volume_groups": [VOLUME_GROUP],
            **self.sections,
        }


# Partitions and their contents; after the partitions of an array its logical volumes.
CONTENTS = {
    "os": [("boot", "ext4", "boot"), ("root", "xfs", "root")],
    "data": [("pv", "LVM2_member", ""), ("vg0/db", "xfs", "db"), ("vg0/log", "ext4", "log")],
}


def find_md_arrays(machine: Machine, directory: Path) -> dict[str, Array]:
    """Software arrays, by the superblocks on the members' files."""
    found = {}
    for name, members in read_md_arrays([machine.disk_path(d.name) for d in machine.spec.disks]).items():
        found[name] = Array(
            level=str(members[0].level),
            drives=sum(not member.is_spare for member in members),
            hotspares=sum(member.is_spare for member in members),
            view=build_array_view(members, directory / f"{name}.view"),
        )
    return found


def build_spec(number: int, vendor: str, product: str, **more: Any) -> MachineSpec:
    """A machine with one card and a BMC (which speaks IPMI, unless it is said to have another)."""
    more.setdefault("bmc", BmcSpec() if "redfish" not in more else None)
    return MachineSpec(
        name=f"family{number}",
        identity=Identity(
            vendor=vendor,
            product=product,
            serial=f"FAM000{number}",
            uuid=f"fa000000-0000-4000-8000-00000000000{number}",
            bios_vendor=vendor,
            bios_version=FIRST_BIOS,
        ),
        nics=(NicSpec(mac=f"52:54:00:fa:00:0{number}", boot=True),),
        **more,
    )


PLAIN_DISKS = tuple(
    DiskSpec(name=f"d{number}", size_mib=768, serial=f"PLAIN-{number}") for number in range(6)
)
SOFTWARE_RAID = {
    "clear": True,
    "arrays": [
        {"name": "os", "level": 1, "drives": "0,1", "hotspares": "2"},
        {"name": "data", "level": 5, "drives": "3-5"},
    ],
}
SOFTWARE = Family(
    name="software",
    spec=build_spec(
        1,
        "BootOS Lab",
        "Plain R1",
        disks=PLAIN_DISKS,
    ),
    sections={"raid": SOFTWARE_RAID},
    find_arrays=find_md_arrays,
    arrays={"os": ("1", 2, 1), "data": ("5", 3, 0)},
)


def get_silicon(machine: Machine) -> Silicon:
    assert machine.silicon is not None
    return machine.silicon


def read_versions(machine: Machine) -> list[str]:
    return list_history(get_silicon(machine))


def find_smart_arrays(machine: Machine, directory: Path) -> dict[str, Array]:
    """Arrays by what the Smart Array stand-in keeps; their content is that of the disk with their identifier."""
    card = smartarray.read_card(get_silicon(machine))
    found = {}
    for volume in card.volumes:
        array = card.arrays[volume.array]
        drive = next(
            d
            for d in get_silicon(machine).block.drives.values()
            if int(d.wwn, 16) == int(volume.uid[:16], 16)
        )
        found[volume.label] = Array(
            level=volume.level,
            drives=len(array.drives),
            hotspares=len(array.spares),
            view=machine.virtual_drive_path(drive.name),
        )
    return found


def find_megaraid_arrays(machine: Machine, directory: Path) -> dict[str, Array]:
    """Arrays by what the MegaRAID stand-in keeps."""
    return {
        volume.name: Array(
            level=str(volume.level),
            drives=len(volume.rows),
            hotspares=sum(drive.state == "DHS" and drive.group == volume.group for drive in card.drives),
            view=machine.virtual_drive_path(card.block_name(volume)),
        )
        for card in megaraid.read_cards(get_silicon(machine))
        for volume in card.volumes
    }


def find_adaptec_arrays(machine: Machine, directory: Path) -> dict[str, Array]:
    """Arrays by what the Adaptec stand-in keeps; the disk of one has its identifier as its serial number."""
    card = adaptec.read_card(get_silicon(machine))
    names = {drive.serial: drive.name for drive in get_silicon(machine).block.drives.values()}
    return {
        volume.name: Array(
            level=volume.level,
            drives=len(volume.drives),
            hotspares=sum(drive.spare_of == str(volume.id) for drive in card.drives),
            view=machine.virtual_drive_path(names[volume.uid]),
        )
        for volume in card.volumes
    }


def read_bios_settings(*names: str) -> Callable[[Machine], dict[str, str]]:
    """A reader of these settings of the BIOS that vendors' tools share."""

    def read(machine: Machine) -> dict[str, str]:
        attributes = get_silicon(machine).state["bios"]["attributes"]
        return {name: str(attributes[name]) for name in names}

    return read


def build_drives(count: int) -> tuple[PhysicalDrive, ...]:
    return tuple(
        PhysicalDrive(size_bytes=4 * GIB, model=f"LAB SSD {number}", serial=f"PD{number:06}")
        for number in range(count)
    )


HARDWARE_RAID = {
    "clear": True,
    "arrays": [
        {"name": "os", "level": 1, "drives": "0,1", "hotspares": "5"},
        {"name": "data", "level": 5, "drives": "2-4"},
    ],
}
BIOS = {"virtualization": "enabled", "power_profile": "custom", "c_states": "disabled"}

HPE_SETTINGS = {"ProcVirtualization": "Enabled", "WorkloadProfile": "Custom", "MinProcIdlePower": "NoCStates"}
HPE = Family(
    name="hpe",
    spec=build_spec(
        2,
        "HPE",
        "ProLiant DL380 Gen10",
        silicon=SiliconSpec(
            programs=("ssacli", "ilorest", VERSIONS),
            controllers=(PciIdentity(id="103c:3239", subsystem="103c:21c8", kernel_module="hpsa"),),
            drives=build_drives(6),
            state={"bios": {"version": FIRST_BIOS}},
        ),
    ),
    sections={"raid": HARDWARE_RAID, "bios": BIOS},
    find_arrays=find_smart_arrays,
    arrays={"os": ("1", 2, 1), "data": ("5", 3, 0)},
    read_settings=read_bios_settings(*HPE_SETTINGS),
    settings=HPE_SETTINGS,
    hops=HOPS,
    read_versions=read_versions,
    versions=[version for version, _ in HOPS],
    reboots=3,  # one for each package, one for the settings
)

DELL_SETTINGS = {"ProcVirtualization": "Enabled", "SysProfile": "Custom", "ProcCStates": "Disabled"}
DELL = Family(
    name="dell",
    spec=build_spec(
        3,
        "Dell Inc.",
        "PowerEdge R740",
        silicon=SiliconSpec(
            programs=("perccli64", "racadm", VERSIONS),
            controllers=(PciIdentity(id="1000:005d", subsystem="1028:1f47", kernel_module="megaraid_sas"),),
            drives=build_drives(6),
            state={"bios": {"version": FIRST_BIOS}},
        ),
    ),
    sections={"raid": HARDWARE_RAID, "bios": BIOS},
    find_arrays=find_megaraid_arrays,
    arrays={"os": ("1", 2, 1), "data": ("5", 3, 0)},
    read_settings=read_bios_settings(*DELL_SETTINGS),
    settings=DELL_SETTINGS,
    hops=HOPS,
    read_versions=read_versions,
    versions=[version for version, _ in HOPS],
    reboots=3,
)


def read_redfish_tree(machine: Machine) -> dict[str, dict[str, Any]]:
    tree: dict[str, dict[str, Any]] = find_state(get_silicon(machine))["tree"]
    return tree


def read_redfish_settings(machine: Machine) -> dict[str, str]:
    attributes = read_redfish_tree(machine)[BIOS_RESOURCE]["Attributes"]
    return {name: str(attributes[name]) for name in DELL_SETTINGS}


def read_redfish_versions(machine: Machine) -> list[str]:
    """The versions that update tasks brought, the last as the service shows it now."""
    jobs = list(find_state(get_silicon(machine))["jobs"].values())
    return [
        *(job["version"] for job in jobs[:-1]),
        read_redfish_tree(machine)[f"{INVENTORY}/BIOS"]["Version"],
    ]


def read_redfish_address(machine: Machine) -> tuple[str, ...]:
    """Address, netmask and gateway of the BMC."""
    interface = read_redfish_tree(machine)[f"{MANAGER}/EthernetInterfaces/eth0"]
    address = interface["IPv4Addresses"][0]
    return (address["Address"], address["SubnetMask"], address["Gateway"])


def check_redfish_login(machine: Machine, user: str, password: str) -> bool:
    """Does this account open a session, over HTTPS as an operator's program would?"""
    assert machine.redfish is not None
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(
        f"{machine.redfish.scheme}://127.0.0.1:{machine.redfish.port}{SESSIONS}",
        data=json.dumps({"UserName": user, "Password": password}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as response:
            return bool(response.status == 201)
    except urllib.error.HTTPError:
        return False


REDFISH = Family(
    name="redfish",
    spec=build_spec(
        5,
        "Dell Inc.",
        "PowerEdge R650",
        disks=PLAIN_DISKS,
        redfish=RedfishSpec(
            components=(Component(id="BIOS", name="System BIOS", version=FIRST_BIOS, on_reset=True),)
        ),
    ),
    sections={"raid": SOFTWARE_RAID, "bios": BIOS},
    oob={"redfish": {"user": "labadmin", "password": {"secret": "oob-lab"}}},
    method="redfish",
    find_arrays=find_md_arrays,
    arrays=SOFTWARE.arrays,
    read_settings=read_redfish_settings,
    settings=DELL_SETTINGS,
    hops=HOPS,
    read_versions=read_redfish_versions,
    versions=[version for version, _ in HOPS],
    reboots=3,
)
SUM_SETTINGS = {
    "Intel Virtualization Technology": "Enable",
    "SR-IOV Support": "Enabled",
    "Hyper-Threading [ALL]": "Disable",
}
ADAPTEC = Family(
    name="adaptec",
    spec=build_spec(
        4,
        "Supermicro",
        "SYS-2029U-TR4",
        silicon=SiliconSpec(
            programs=("arcconf", "sum", VERSIONS),
            controllers=(PciIdentity(id="9005:028d", subsystem="9005:0555", kernel_module="aacraid"),),
            drives=build_drives(7),
            state={"bios": {"version": FIRST_BIOS}},
        ),
    ),
    sections={
        "raid": {
            "clear": True,
            "arrays": [
                {"name": "os", "level": 1, "drives": "0,1", "hotspares": "6"},
                {"name": "data", "level": 6, "drives": "2-5"},
            ],
        },
        "bios": {"virtualization": "enabled", "sriov": "enabled", "hyperthreading": "disabled"},
    },
    find_arrays=find_adaptec_arrays,
    arrays={"os": ("1", 2, 1), "data": ("6", 4, 0)},
    read_settings=read_bios_settings(*SUM_SETTINGS),
    settings=SUM_SETTINGS,
    hops=HOPS,
    read_versions=read_versions,
    versions=[version for version, _ in HOPS],
    reboots=3,
)

FAMILIES = (SOFTWARE, HPE, DELL, ADAPTEC, REDFISH)
