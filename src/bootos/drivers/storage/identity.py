"""Which drive a disk is, whatever the kernel calls it: the kernel's names follow the order in which drives answer, and
are others in the next boot. Pure; asked by whoever must know a drive again.
"""

from collections.abc import Sequence

from bootos.wire.inventory import Disk


def name_drive(disk: Disk, disks: Sequence[Disk]) -> str:
    """What ids of actions call the drive, the same in each boot: its serial number, else its world wide name, each only
    if no other of `disks` has it (namespaces of one NVMe drive share the serial number). The serial number of a USB
    disk is often that of its bridge. Empty: nothing tells the drive from another one."""
    serials = [other.serial for other in disks]
    if disk.serial and disk.transport != "usb" and serials.count(disk.serial) < 2:
        return disk.serial
    wwns = [other.wwn for other in disks]
    return disk.wwn if disk.wwn and wwns.count(disk.wwn) < 2 else ""
