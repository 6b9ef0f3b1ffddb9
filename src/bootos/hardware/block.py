"""Whole disks, from sysfs alone: identity, size, type, and the number that templates use for them.

Called by `inventory.collect_inventory`; the drivers use `index`. Disks are numbered by where they are attached
(`attachment.py`), never by kernel name, which depends on which controller answered first.
"""

import re
from collections.abc import Sequence

from bootos.hardware.ata import Identity, parse_identify_page
from bootos.hardware.attachment import Attachment, find_attachment
from bootos.hardware.tree import Tree
from bootos.wire.inventory import Disk, DiskType

# Names of devices that are not disks: memory, mapped and network devices, optical and floppy drives.
_NOT_DISKS = (
    "loop",
    "ram",
    "zram",
    "md",
    "dm-",
    "sr",
    "fd",
    "nbd",
    "rbd",
    "drbd",
    "bcache",
    "mtdblock",
    "pmem",
)
_LUN_TRANSPORTS = ("iscsi", "fc", "virtio", "xen", "raid")  # over these the kernel sees a volume, not a drive
_VIRTUAL_MODELS = ("virtual disk", "virtual-disk", "logical volume", "vbox harddisk")
_SECTOR_BYTES = 512  # the unit of sizes in sysfs, whatever the disk's sectors are


def read_disks(tree: Tree) -> list[Disk]:
    """All disks in the order of their numbers. A drive without a medium (size 0) is left out."""
    found: list[tuple[Attachment, Disk]] = []
    for name in tree.names("sys/block"):
        if name.startswith(_NOT_DISKS) or tree.read(f"sys/block/{name}/hidden") == "1":
            continue
        if (tree.read_int(f"sys/block/{name}/device/type") or 0) == 5:  # SCSI type 5 is a CD or DVD drive
            continue
        attachment = find_attachment(tree, name)
        if attachment is None:
            continue
        disk = _read_disk(tree, name, attachment)
        if disk is not None:
            found.append((attachment, disk))
    found.sort(key=lambda pair: pair[0].key)
    for index, (_, disk) in enumerate(found):
        disk.index = index
    return [disk for _, disk in found]


def _read_disk(tree: Tree, name: str, attachment: Attachment) -> Disk | None:
    block, device = f"sys/block/{name}", f"sys/block/{name}/device"
    sectors = tree.read_int(f"{block}/size")
    if not sectors:
        return None
    udev = parse_udev(tree.read(f"run/udev/data/b{tree.read(f'{block}/dev')}") or "")
    rotational = tree.read_int(f"{block}/queue/rotational")
    identity = parse_identify_page(tree.read_bytes(f"{device}/vpd_pg89") or b"")
    vendor = tree.read(f"{device}/vendor")
    # libata writes ATA; others write a PCI or virtio id
    if vendor is not None and (vendor == "ATA" or vendor.startswith("0x")):
        vendor = None
    model = identity.model or tree.read(f"{device}/model")
    disk = Disk(
        index=0,
        name=name,
        path=f"/dev/{name}",
        by_path=udev.by_path,
        model=model,
        vendor=vendor,
        serial=identity.serial or _read_serial(tree, name) or _read_usb_serial(tree, attachment),
        wwn=identity.wwn or parse_wwid(tree.read(f"{block}/wwid") or tree.read(f"{device}/wwid") or ""),
        size_bytes=sectors * _SECTOR_BYTES,
        logical_sector_bytes=tree.read_int(f"{block}/queue/logical_block_size") or _SECTOR_BYTES,
        physical_sector_bytes=tree.read_int(f"{block}/queue/physical_block_size") or _SECTOR_BYTES,
        transport=attachment.transport,
        rotational=bool(rotational) if rotational is not None else None,
        firmware=identity.firmware or tree.read(f"{device}/firmware_rev") or tree.read(f"{device}/rev"),
        removable=tree.read(f"{block}/removable") == "1",
        read_only=tree.read(f"{block}/ro") == "1",
    )
    _add_udev_identity(disk, udev, identity)
    disk.type = find_disk_type(disk, attachment)
    return disk


class Udev:
    """What udev found out about a device: links and properties."""

    def __init__(self) -> None:
        self.by_path: str | None = None
        self.properties: dict[str, str] = {}


def parse_udev(text: str) -> Udev:
    """A file of /run/udev/data: `S:` lines are links below /dev, `E:` lines are properties."""
    udev = Udev()
    links = []
    for line in text.splitlines():
        if line.startswith("S:disk/by-path/"):
            links.append(line.removeprefix("S:disk/by-path/"))
        elif line.startswith("E:"):
            key, _, value = line[2:].partition("=")
            udev.properties[key] = value
    # udev makes two links for one disk, as `...-ata-1` and `...-ata-1.0`; the shorter one is taken
    udev.by_path = min(links, key=lambda link: (len(link), link), default=None)
    return udev


def _add_udev_identity(disk: Disk, udev: Udev, identity: Identity) -> None:
    """For ATA disks whose IDENTIFY page the kernel does not show: sysfs cuts their model to 16 characters."""
    if identity.model is not None or udev.properties.get("ID_BUS") != "ata":
        return
    model = udev.properties.get("ID_MODEL_ENC", "").replace("\\x20", " ").strip()
    disk.model = model or disk.model
    disk.serial = udev.properties.get("ID_SERIAL_SHORT") or disk.serial
    disk.firmware = udev.properties.get("ID_REVISION") or disk.firmware
    disk.wwn = udev.properties.get("ID_WWN") or disk.wwn


def _read_serial(tree: Tree, name: str) -> str | None:
    device = f"sys/block/{name}/device"
    text = tree.read(f"sys/block/{name}/serial") or tree.read(f"{device}/serial")
    if text is not None:
        return text
    return parse_serial_page(tree.read_bytes(f"{device}/vpd_pg80") or b"")


def _read_usb_serial(tree: Tree, attachment: Attachment) -> str | None:
    """The serial of the USB device (`.../usb1/1-2/1-2:1.0/host0/...`: the part before the interface)."""
    found = re.match(r"(.*/usb\d+/.*?)/[\d.-]+:[\d.]+/", attachment.path)
    return tree.read(f"{found[1]}/serial") if found else None


def parse_serial_page(page: bytes) -> str | None:
    """SCSI's Unit Serial Number page (SPC: page 0x80, length in bytes 2 and 3)."""
    if len(page) < 4 or page[1] != 0x80:
        return None
    return page[4 : 4 + int.from_bytes(page[2:4], "big")].decode("ascii", "replace").strip("\0 ") or None


def parse_wwid(text: str) -> str | None:
    """The kernel's `wwid` as a world wide name: `naa.5000c5..` -> `0x5000c5..`, `eui.0025..` as it is.

    Other kinds (`t10.ATA ...`, `nvme.1b36-...`) are put together of model and serial: no world wide name.
    """
    text = text.strip().lower()
    if text.startswith("naa."):
        return "0x" + text.removeprefix("naa.")
    return text if text.startswith(("eui.", "uuid.")) else None


def find_disk_type(disk: Disk, attachment: Attachment) -> DiskType:
    """What kind of disk it is; a USB bridge does not tell whether the disk behind it turns."""
    if attachment.transport == "nvme":
        return DiskType.NVME
    if attachment.transport in _LUN_TRANSPORTS or (disk.model or "").lower().startswith(_VIRTUAL_MODELS):
        return DiskType.VIRTUAL
    if attachment.transport in ("usb", "mmc") or disk.rotational is None:
        return DiskType.UNKNOWN
    return DiskType.HDD if disk.rotational else DiskType.SSD


def find_double_paths(disks: Sequence[Disk]) -> list[str]:
    """A sentence for each disk that is seen more than once: two ways to one disk must not become two members."""
    by_wwn: dict[str, list[str]] = {}
    for disk in disks:
        if disk.wwn is not None:
            by_wwn.setdefault(disk.wwn, []).append(disk.name)
    return [
        f"{' and '.join(names)} are the same disk ({wwn}), seen over {len(names)} paths."
        for wwn, names in by_wwn.items()
        if len(names) > 1
    ]
