"""Where a disk is attached: its transport, and the key that orders disks for the drive numbers of templates.

The key is the way from the root of the machine to the disk: each PCI address on it, then ATA port, SAS bay or
phy, SCSI channel:target:LUN, or NVMe namespace, all compared as numbers. It stays the same over reboots, kernel
versions and the order in which controllers answer. USB and SD media come last, so that a stick or a BMC's
virtual medium that somebody plugs in shifts no other disk's number. Called by `block.py`.
"""

import re
from typing import NamedTuple

from bootos.hardware.pci import build_address_key, find_address_chain
from bootos.hardware.tree import Tree, build_natural_key

_ATA = re.compile(r"/ata(\d+)/")
_SCSI = re.compile(r"/(\d+):(\d+):(\d+):(\d+)(?:/|$)")
_END_DEVICE = re.compile(r"^(.*/end_device-[\d:]+)(?:/|$)")
_EXPANDER = re.compile(r"/expander-[\d:]+/")
_NVME = re.compile(r"^nvme(\d+)n(\d+)$")

# SCSI drivers of RAID controllers, with the first channel that has logical drives. Lower channels have physical
# drives.
_LOGICAL_FROM_CHANNEL = {"megaraid_sas": 2, "megaraid": 0, "hpsa": 1, "smartpqi": 1, "mpt3sas": 1, "mpi3mr": 1,
                         "ips": 0, "3w-9xxx": 0, "3w-sas": 0, "arcmsr": 0}  # fmt: skip
# With aacraid logical drives are on channel 0, and physical drives on the channels above.
_LOGICAL_ON_CHANNEL_0 = ("aacraid",)
_LAST = ("usb", "mmc")

Key = tuple[object, ...]


class Attachment(NamedTuple):
    """How a disk is attached. `path` is its sysfs device path below the root."""

    transport: str | None
    key: Key
    path: str


def find_attachment(tree: Tree, name: str) -> Attachment | None:
    """The attachment of `sys/block/NAME`; None for devices that are on no hardware."""
    path = tree.resolve(f"sys/block/{name}")
    if "/virtual/" in path:
        if "/nvme-subsystem/" not in path:
            return None
        path = _find_nvme_path(tree, path, name) or path
    chain = find_address_chain(path)
    transport = _find_transport(tree, path, name, chain)
    last = transport in _LAST
    key: Key = (
        last,
        tuple(build_address_key(address) for address in chain),
        _build_unit_key(tree, path, name),
        build_natural_key(name),
    )
    return Attachment(transport, key, path)


def _find_nvme_path(tree: Tree, path: str, name: str) -> str | None:
    """With native multipath the disk hangs off the subsystem: take the first controller that leads to it."""
    subsystem = path.rpartition("/")[0]
    controllers = [entry for entry in tree.names(subsystem) if re.fullmatch(r"nvme\d+", entry)]
    paths = [tree.resolve(f"{subsystem}/{entry}") for entry in controllers]
    paths.sort(key=lambda found: [build_address_key(address) for address in find_address_chain(found)])
    return f"{paths[0]}/{name}" if paths else None


def _find_transport(tree: Tree, path: str, name: str, chain: list[str]) -> str | None:
    if name.startswith("nvme"):
        return "nvme"
    if name.startswith("mmcblk"):
        return "mmc"
    if name.startswith("xvd"):
        return "xen"
    for mark, transport in (("/usb", "usb"), ("/session", "iscsi"), ("/rport-", "fc"), ("/virtio", "virtio")):
        if mark in path:
            return transport
    if _ATA.search(path):
        return "sata"
    unit = _SCSI.search(path)
    if unit is None:
        return None
    driver = tree.target_name(f"sys/bus/pci/devices/{chain[-1]}/driver") if chain else None
    channel = int(unit[2])
    if driver is not None and (
        channel >= _LOGICAL_FROM_CHANNEL.get(driver, 1 << 16)
        or (driver in _LOGICAL_ON_CHANNEL_0 and channel == 0)
    ):
        return "raid"
    if tree.read(f"sys/block/{name}/device/vendor") == "ATA":
        return "sata"  # a SATA disk on a SAS controller
    if _END_DEVICE.match(path) or driver in _LOGICAL_FROM_CHANNEL:
        return "sas"
    return "scsi"


def _build_unit_key(tree: Tree, path: str, name: str) -> tuple[tuple[object, ...], ...]:
    """What comes after the PCI addresses, as tuples that begin with a number so that kinds never mix."""
    nvme = _NVME.match(name)
    if nvme:
        return ((0, int(nvme[2])),)
    parts: list[tuple[object, ...]] = []
    ata = _ATA.search(path)
    if ata:
        parts.append((1, int(ata[1])))
    end_device = _END_DEVICE.match(path)
    if end_device:
        parts.append(_build_sas_key(tree, end_device[1], path))
    usb = re.search(r"/usb\d+/(.*?)/host\d+/", path)
    if usb:
        parts.append((3, build_natural_key(usb[1])))
    unit = _SCSI.search(path)
    if unit:
        parts.append((4, int(unit[2]), int(unit[3]), int(unit[4])))
    return tuple(parts) or ((5, build_natural_key(path.rpartition("/block/")[0])),)


def _build_sas_key(tree: Tree, end_device: str, path: str) -> tuple[object, ...]:
    """SAS target numbers count in the order of discovery, so the slot decides: enclosure and bay, else the phy."""
    name = end_device.rpartition("/")[2]
    place = f"{end_device}/sas_device/{name}"
    behind = 1 if _EXPANDER.search(path) else 0
    enclosure = tree.read_int(f"{place}/enclosure_identifier")
    bay = tree.read_int(f"{place}/bay_identifier")
    if enclosure and bay is not None:
        return (2, 0, enclosure, bay)
    phy = tree.read_int(f"{place}/phy_identifier")
    return (2, 1, behind, phy if phy is not None else 1 << 16)
