"""PCI devices: ids, names, and which kernel module drives each, or that none does.

Called by `inventory.collect_inventory`. One `uevent` file per device holds all ids; names come from pci.ids
where the image has it. A device of a class that is useless without a module has `needs_module`.
"""

import re

from bootos.hardware.pciids import PciNames, read_pci_names
from bootos.hardware.tree import Tree
from bootos.wire.inventory import PciDevice

DEVICES = "sys/bus/pci/devices"

# Classes, or classes with subclass, of devices that are of no use here without a kernel module. In hexadecimal digits.
_NEEDS_MODULE = (
    "01",  # mass storage
    "02",  # network
    "0c03",  # USB: keyboards, virtual media
    "0c04",  # Fibre Channel
    "0c06",  # InfiniBand
    "0c07",  # IPMI
)
_ADDRESS = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


def read_pci(tree: Tree) -> list[PciDevice]:
    """All PCI functions in order of their address, with their names."""
    devices = read_pci_ids(tree)
    names = read_pci_names(tree)
    if names is not None:
        for device in devices:
            add_names(device, names)
    return devices


def read_pci_ids(tree: Tree) -> list[PciDevice]:
    """All PCI functions in order of their address, by their ids alone: pci.ids is not looked into."""
    addresses = sorted(tree.names(DEVICES), key=build_address_key)
    devices = []
    for address in addresses:
        device = parse_uevent(address, tree.read(f"{DEVICES}/{address}/uevent") or "")
        if device is not None:
            if device.kernel_module is not None:
                # The name of a driver can differ from its module's (`virtio-pci` is in virtio_pci). A driver that is
                # built in has no link.
                module = tree.target_name(f"{DEVICES}/{address}/driver/module")
                device.kernel_module = module or device.kernel_module
            devices.append(device)
    return devices


def parse_uevent(address: str, text: str) -> PciDevice | None:
    """A device's `uevent`; None when it holds no PCI id. `kernel_module` is the driver's name here."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    vendor_id, _, device_id = values.get("PCI_ID", "").lower().partition(":")
    if not device_id:
        return None
    sub_vendor_id, _, sub_device_id = values.get("PCI_SUBSYS_ID", "").lower().partition(":")
    class_id = values.get("PCI_CLASS", "").lower().rjust(6, "0")
    if (sub_vendor_id, sub_device_id) == ("0000", "0000"):
        sub_vendor_id = sub_device_id = ""
    return PciDevice(
        address=address,
        vendor_id=vendor_id,
        device_id=device_id,
        subsystem_vendor_id=sub_vendor_id or None,
        subsystem_device_id=sub_device_id or None,
        class_id=class_id,
        kernel_module=values.get("DRIVER"),
        needs_module=class_id.startswith(_NEEDS_MODULE),
    )


def add_names(device: PciDevice, names: PciNames) -> None:
    """Fill in vendor, device, subsystem and class from pci.ids."""
    device.vendor = names.find_vendor(device.vendor_id)
    device.device = names.find_device(device.vendor_id, device.device_id)
    if device.subsystem_vendor_id and device.subsystem_device_id:
        device.subsystem = names.find_subsystem(
            device.vendor_id, device.device_id, device.subsystem_vendor_id, device.subsystem_device_id
        )
    device.class_name = names.find_class(device.class_id)


def build_address_key(address: str) -> tuple[int, ...]:
    """A PCI address as numbers (domain, bus, device, function): `0000:0a:00.0` comes after `0000:02:00.0`."""
    return tuple(int(part, 16) for part in re.split("[:.]", address) if part)


def find_address_chain(path: str) -> list[str]:
    """The PCI addresses in a sysfs device path, from the root port to the device."""
    return [part for part in path.split("/") if _ADDRESS.fullmatch(part)]
