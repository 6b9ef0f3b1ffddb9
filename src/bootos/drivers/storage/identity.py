"""Which drive a disk is, whatever the kernel calls it: the kernel's names follow the order in which drives answer, and
are others in the next boot. Pure; asked by whoever must know a drive again.
"""

from collections.abc import Sequence

import msgspec

from bootos.wire.inventory import Disk, DiskType


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What tells one drive from another. Erase certificates hold it as `drive`."""

    serial: str | None = None
    wwn: str | None = None
    size_bytes: int = 0
    type: str = DiskType.UNKNOWN.value


def read_marks(disk: Disk) -> Marks:
    """The marks of a disk."""
    return Marks(
        serial=disk.serial or None, wwn=disk.wwn or None, size_bytes=disk.size_bytes, type=disk.type.value
    )


def is_same_drive(one: Marks, other: Marks) -> bool:
    """Whether both are one drive: by serial number and world wide name where both know them; by size only where neither
    has any. An NVMe drive is known by its serial number alone: the world wide name is that of a namespace (NVMe: NGUID,
    EUI64), and a namespace that is made anew has another one, and another size."""
    if one.serial and other.serial:
        if one.serial != other.serial:
            return False
        is_namespace = DiskType.NVME.value in (one.type, other.type)
        return is_namespace or not (one.wwn and other.wwn) or one.wwn == other.wwn
    if one.wwn and other.wwn:
        return one.wwn == other.wwn
    return not any((one.serial, one.wwn, other.serial, other.wwn)) and one.size_bytes == other.size_bytes


def name_drive(disk: Disk, disks: Sequence[Disk]) -> str:
    """What ids of actions call the drive, the same in each boot: its serial number, else its world wide name, each only
    if no other of `disks` has it (namespaces of one NVMe drive share the serial number). The serial number of a USB
    disk is often that of its bridge. Empty: nothing tells the drive from another one."""
    serials = [other.serial for other in disks]
    if disk.serial and disk.transport != "usb" and serials.count(disk.serial) < 2:
        return disk.serial
    wwns = [other.wwn for other in disks]
    return disk.wwn if disk.wwn and wwns.count(disk.wwn) < 2 else ""
