"""Devices that nothing drives: which, and whether this image has a module that would fit. Read only.

Called by the agent while it waits for the network (`network.uplink`), before there is an inventory, and after it.
"""

import msgspec

from bootos.hardware.pci import DEVICES, read_pci
from bootos.hardware.tree import Tree
from bootos.process import Runner, ToolError
from bootos.wire.inventory import PciDevice

NETWORK = "02"


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A device without a kernel module. `fitting`: modules of this image that are for it, and do not drive it."""

    device: PciDevice
    fitting: tuple[str, ...] = ()


def find_gaps(devices: list[PciDevice]) -> list[PciDevice]:
    """Those that need a kernel module and have none: of no use in this image."""
    return [device for device in devices if device.needs_module and device.kernel_module is None]


def read_gaps(tree: Tree, run: Runner, devices: list[PciDevice] | None = None) -> list[Gap]:
    """The gaps among `devices`, which are read when they are not given."""
    gaps = find_gaps(read_pci(tree) if devices is None else devices)
    return [Gap(device=device, fitting=find_fitting(tree, run, device)) for device in gaps]


def find_fitting(tree: Tree, run: Runner, device: PciDevice) -> tuple[str, ...]:
    """The modules whose aliases match the device."""
    alias = tree.read(f"{DEVICES}/{device.address}/modalias")
    if alias is None:
        return ()
    try:
        done = run(["modprobe", "--resolve-alias", alias], timeout_s=10, check=False)
    except ToolError:
        return ()
    return tuple(dict.fromkeys(done.stdout.split())) if done.returncode == 0 else ()


def describe_gap(gap: Gap) -> str:
    """One sentence, with the ids that a search for a driver begins with."""
    device = gap.device
    ids = f"{device.vendor_id}:{device.device_id}"
    who = f"PCI {device.address} {device.device or device.class_name or 'device'} ({ids})"
    if gap.fitting:
        return f"{who}: kernel module {', '.join(gap.fitting)} is for it, but does not drive it: see dmesg"
    return f"{who}: no kernel module found"
