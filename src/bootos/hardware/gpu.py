"""Graphics processors and accelerators among the PCI devices. Pure. Called by `inventory.collect_inventory`."""

from collections.abc import Sequence

from bootos.wire.inventory import Gpu, PciDevice

_CLASSES = ("0300", "0302", "0380", "1200")  # VGA, 3D, other display controllers; processing accelerators

# Adapters that only show the console: those of BMCs, and those that hypervisors emulate.
_CONSOLE_VENDORS = frozenset({
    "1a03",  # ASPEED
    "102b",  # Matrox G200 in iDRAC, iLO and others
    "18ca",  # XGI Z7/Z9/Z11
    "126f",  # Silicon Motion SM7xx
    "19e5",  # Huawei Hi1710
    "1234",  # Bochs/QEMU standard VGA
    "1b36",  # QXL
    "1af4",  # virtio-gpu
    "1013",  # Cirrus
    "15ad",  # VMware
    "80ee",  # VirtualBox
    "1414",  # Hyper-V
})  # fmt: skip


def find_gpus(devices: Sequence[PciDevice]) -> list[Gpu]:
    """Display controllers and accelerators, without the adapters that only serve the console."""
    return [
        Gpu(
            pci_address=device.address,
            vendor=device.vendor,
            model=device.device,
            kernel_module=device.kernel_module,
        )
        for device in devices
        if device.class_id[:4] in _CLASSES and device.vendor_id not in _CONSOLE_VENDORS
    ]
