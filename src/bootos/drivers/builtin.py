"""The drivers that BootOS brings, in the order in which they are listed, and what each needs of a machine.

`registry` asks it which drivers take a machine without importing one: importing them all takes longer than all else
that the agent does before it registers. `needs` says what the driver's own `match` will say, yes or no
(tests/contract/test_builtin.py compares them); why, and with what priority, only `match` says.
"""

from collections.abc import Callable
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from bootos.drivers.contract import Driver
from bootos.template.raid import SOFTWARE
from bootos.wire.inventory import Inventory

# SMBIOS vendor names, lower case, of makers whose BIOS tool there is a driver for; as in bios/names/MAKER.toml
MAKERS = {
    "dell": ("dell*",),
    "hpe": ("hp", "hpe*", "hewlett*"),
    "lenovo": ("lenovo*", "ibm*"),
    "supermicro": ("supermicro*", "super micro*"),
}
FIRMWARE_ATTRIBUTES = Path("/sys/class/firmware-attributes")
NVME_CLASS = "0108"  # PCI: a drive with an NVMe interface

Need = Callable[[Inventory], bool]


class Builtin(NamedTuple):
    """One driver: its name, `module:class` below `bootos.drivers`, and whether it takes a machine. `stands_alone`: its
    section of `raid` is the only one of a template."""

    name: str
    where: str
    needs: Need
    stands_alone: bool = False

    def load(self) -> Driver:
        """The driver itself."""
        module, _, attribute = self.where.partition(":")
        driver: Driver = getattr(import_module(f"bootos.drivers.{module}"), attribute)()
        return driver


def needs_nothing(inventory: Inventory) -> bool:
    """True: the driver may take any machine."""
    return True


def has_bmc(inventory: Inventory) -> bool:
    """Whether the machine has a BMC, however it is reached."""
    return inventory.bmc is not None


def has_ipmi(inventory: Inventory) -> bool:
    """Whether the machine has a BMC that may speak IPMI."""
    return inventory.bmc is not None and inventory.bmc.may_speak_ipmi


def has_disks(inventory: Inventory) -> bool:
    """Whether the kernel sees any disk."""
    return bool(inventory.disks)


def has_fixed_disks(inventory: Inventory) -> bool:
    """Whether the kernel sees a disk that is not removable."""
    return any(not disk.removable for disk in inventory.disks)


def has_or_makes_disks(inventory: Inventory) -> bool:
    """Whether there are disks, or what makes them: a RAID controller, an NVMe drive that gets namespaces."""
    return bool(inventory.disks or inventory.raid) or has_nvme(inventory)


def has_nvme(inventory: Inventory) -> bool:
    """Whether there is an NVMe namespace, or a PCI device of the NVMe class that has none yet."""
    return any(disk.path.startswith("/dev/nvme") for disk in inventory.disks) or any(
        device.class_id.startswith(NVME_CLASS) for device in inventory.pci
    )


def has_firmware_attributes(inventory: Inventory) -> bool:
    """Whether the kernel has the BIOS settings in sysfs (Documentation/ABI/testing/sysfs-class-firmware-attributes)."""
    return any(FIRMWARE_ATTRIBUTES.glob("*/attributes"))


def has_controller_of(name: str) -> Need:
    """A question: whether the inventory has a RAID controller that the driver `name` takes."""
    return lambda inventory: any(entry.driver == name for entry in inventory.raid)


def is_made_by(maker: str) -> Need:
    """A question: whether the machine is of this maker, by the patterns in `MAKERS`."""

    def needs(inventory: Inventory) -> bool:
        vendor = (inventory.system.vendor or "").strip().lower()
        return any(fnmatchcase(vendor, pattern) for pattern in MAKERS[maker])

    return needs


BUILTIN = (
    Builtin("firmware.redfish", "firmware.redfish:FirmwareRedfishDriver", has_bmc),
    Builtin("firmware.package", "firmware.package:PackageDriver", needs_nothing),
    Builtin("firmware.fwupd", "firmware.fwupd:FwupdDriver", needs_nothing),
    Builtin("firmware.flashrom", "firmware.flashrom:FlashromDriver", needs_nothing),
    Builtin(SOFTWARE, "raid.mdadm:MdadmDriver", has_fixed_disks, stands_alone=True),
    Builtin("raid.megaraid", "raid.megaraid:MegaraidDriver", has_controller_of("raid.megaraid")),
    Builtin("raid.smartarray", "raid.smartarray:SmartArrayDriver", has_controller_of("raid.smartarray")),
    Builtin("raid.adaptec", "raid.adaptec:AdaptecDriver", has_controller_of("raid.adaptec")),
    Builtin("raid.sas3ircu", "raid.sas3ircu:SasIrcuDriver", has_controller_of("raid.sas3ircu")),
    Builtin("raid.mvcli", "raid.mvcli:MvcliDriver", has_controller_of("raid.mvcli")),
    Builtin("oob.ipmi", "oob.ipmi:IpmiDriver", has_ipmi),
    Builtin("oob.redfish", "oob.redfish:RedfishDriver", has_bmc),
    Builtin("disk.erase", "erase.erase:EraseDriver", has_disks),
    Builtin("disk.nvme", "nvme.nvme:NvmeDriver", has_nvme),
    Builtin("disk.partition", "disk.partition:PartitionDriver", has_or_makes_disks),
    Builtin("disk.lvm", "disk.lvm:LvmDriver", has_or_makes_disks),
    Builtin("disk.luks", "disk.luks:LuksDriver", has_or_makes_disks),
    Builtin("disk.filesystem", "disk.filesystem:FilesystemDriver", has_or_makes_disks),
    Builtin("bios.redfish", "bios.redfish:BiosRedfishDriver", has_bmc),
    Builtin(
        "bios.firmware_attributes",
        "bios.firmware_attributes:FirmwareAttributesDriver",
        has_firmware_attributes,
    ),
    Builtin("bios.racadm", "bios.racadm:RacadmDriver", is_made_by("dell")),
    Builtin("bios.ilorest", "bios.ilorest:IlorestDriver", is_made_by("hpe")),
    Builtin("bios.onecli", "bios.onecli:OnecliDriver", is_made_by("lenovo")),
    Builtin("bios.sum", "bios.sum:SumDriver", is_made_by("supermicro")),
)
