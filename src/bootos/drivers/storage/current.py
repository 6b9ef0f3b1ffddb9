"""The disks of this machine now, by the numbers of the inventory. Called by `read.read_storage`.

The inventory is read at the start of a job; the virtual drives of RAID controllers come and go during it, under names
that others had before.
"""

import msgspec

from bootos.drivers.contract import Machine
from bootos.drivers.storage.identity import is_same_drive, read_marks
from bootos.hardware.block import read_disks
from bootos.hardware.tree import Tree
from bootos.wire.inventory import Disk, Inventory, PciDevice

_NVME_CLASS = "0108"  # PCI: mass storage, non-volatile memory controller


def find_nvme_drives(inventory: Inventory) -> list[PciDevice]:
    """The NVMe drives on PCI, also those without any namespace, of which the kernel has no disk."""
    return [device for device in inventory.pci if device.class_id.startswith(_NVME_CLASS)]


def has_or_makes_disks(inventory: Inventory) -> bool:
    """Whether the machine has disks, or what makes them of drives of which the kernel has none: a controller of arrays,
    an NVMe drive that gets namespaces."""
    return bool(inventory.disks or inventory.raid or find_nvme_drives(inventory))


def find_current_disks(machine: Machine, inventory: Inventory) -> list[Disk]:
    """The disks of the inventory as they are now, and new ones with numbers after all others: a number that a template
    gives means the same disk throughout a job. The health that the inventory tells is kept for the drive it is of."""
    now = {disk.path: disk for disk in read_disks(Tree(machine.root))}
    found = []
    for disk in inventory.disks:
        other = now.pop(disk.path, disk)
        health = disk.health if is_same_drive(read_marks(other), read_marks(disk)) else None
        found.append(msgspec.structs.replace(other, index=disk.index, health=health))
    first = max((disk.index for disk in inventory.disks), default=-1) + 1
    return [
        *found,
        *(msgspec.structs.replace(disk, index=first + place) for place, disk in enumerate(now.values())),
    ]
