"""Kernel modules that only some machines need: the server offers them, and those for this machine are loaded.

Before the inventory, so that it shows what they drive. Whatever goes wrong is said, and the machine goes on without:
the card that reaches the server has its module, or this would not run. Called by `sequence`.
"""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from bootos.agent.host.host import Host
from bootos.errors import BootosError, read_chain
from bootos.fetch import fetch_file
from bootos.hardware.pci import DEVICES, read_pci
from bootos.hardware.tree import Tree
from bootos.process import ToolError
from bootos.wire import v2
from bootos.wire.inventory import PciDevice

if TYPE_CHECKING:
    from bootos.agent.session.client import Client

log = logging.getLogger(__name__)

DIRECTORY = "layers"
MOST_BYTES = 256 * 2**20
FETCH_S = 300.0
_KEPT = "modules.builtin*"
"""The tables of what is built in: depmod lacks here what it needs to make them, and they do not change."""


def load_hardware_layers(host: Host, client: "Client") -> bool:
    """Load what the server offers for this machine's devices. Returns whether something was loaded."""
    offers = ask_for_layers(client, host.image_version)
    if not offers:
        return False
    devices = read_pci(Tree(host.machine.root))
    loaded = False
    for offer in choose_layers(offers, devices, os.uname().release):
        if (host.directory / DIRECTORY / offer.name).exists():
            continue
        host.status.do(f"loading the drivers of layer {offer.name}")
        try:
            lay_in(host, client.server_addr, offer)
            say_loaded(host, offer, devices)
            loaded = True
        except (BootosError, OSError) as error:
            log.error("layer %s is not used: %s", offer.name, "; ".join(read_chain(error)))
    if loaded:
        try:
            host.machine.run(["udevadm", "settle", "--timeout=30"], timeout_s=40)
        except ToolError as error:
            log.warning("%s", error)
    return loaded


def ask_for_layers(client: "Client", image_version: str = "") -> list[v2.LayerOffer]:
    """What the server offers: nothing when it does not answer now, or does not know the question."""
    from bootos.agent.session.client import Refused, Unreachable

    try:
        return client.fetch_layers(image_version)
    except (Refused, Unreachable) as error:
        log.debug("no layers: %s", error)
        return []


def choose_layers(offers: list[v2.LayerOffer], devices: list[PciDevice], release: str) -> list[v2.LayerOffer]:
    """Those for this kernel and a device that is there."""
    present = {f"{device.vendor_id}:{device.device_id}" for device in devices}
    return [
        offer for offer in offers if offer.kernel_release in ("", release) and present & set(offer.pci_ids)
    ]


def lay_in(host: Host, server_addr: str, offer: v2.LayerOffer) -> None:
    """Fetch a layer, copy it over the root, and let modprobe know. Raises BootosError, OSError."""
    run, root = host.machine.run, host.machine.root
    place = host.directory / DIRECTORY / offer.name
    squashfs = place.with_name(f"{offer.name}.squashfs")
    fetch_file(
        f"{server_addr}/bootos/{offer.path}",
        squashfs,
        sha256=offer.sha256,
        size_bytes=offer.size_bytes,
        most_bytes=MOST_BYTES,
        timeout_s=FETCH_S,
        http=host.http,
    )
    place.mkdir(parents=True, exist_ok=True)
    run(["mount", "-t", "squashfs", "-o", "loop,ro", squashfs, place])
    try:
        run(["cp", "--archive", f"{place}/.", f"{root}/"], timeout_s=300)
    finally:
        run(["umount", place], check=False)
        squashfs.unlink(missing_ok=True)
    update_tables(host)


def update_tables(host: Host) -> None:
    """depmod, over all modules that are there now. Raises BootosError, OSError."""
    release = os.uname().release
    directory = host.machine.root / "usr/lib/modules" / release
    kept = {path: path.read_bytes() for path in directory.glob(_KEPT)}
    host.machine.run(["depmod", release], timeout_s=300)
    for path, content in kept.items():
        path.write_bytes(content)


def say_loaded(host: Host, offer: v2.LayerOffer, devices: list[PciDevice]) -> None:
    """Load the layer's modules, by the aliases of their devices, and say what drives each now."""
    run, tree = host.machine.run, Tree(host.machine.root)
    mine = [item for item in devices if f"{item.vendor_id}:{item.device_id}" in offer.pci_ids]
    busy = find_busy(host, devices, list(offer.modules))
    for name in busy:
        log.warning(
            "layer %s: %s drives the card that reaches the server and stays as it is; "
            "its layer belongs into the initrd (bootos driver add without --by-hardware)",
            offer.name,
            name,
        )
    for name in offer.modules:
        if name not in busy:
            run(["modprobe", "--quiet", "--remove", name], check=False)
    for device in mine:
        alias = tree.read(f"{DEVICES}/{device.address}/modalias")
        if alias:
            run(["modprobe", "--quiet", alias], timeout_s=60, check=False)
    now = {device.address: device for device in read_pci(tree)}
    versions = ", ".join(f"{name} {version}" for name, version in offer.modules.items())
    for device in mine:
        driver = now[device.address].kernel_module if device.address in now else None
        log.info(
            "layer %s (%s): PCI %s %s (%s:%s) is driven by %s",
            offer.name,
            versions,
            device.address,
            device.device or "device",
            device.vendor_id,
            device.device_id,
            driver or "nothing: see dmesg",
        )


def find_busy(host: Host, devices: list[PciDevice], names: list[str]) -> list[str]:
    """Those of the modules that drive the card that reaches the server: they must not be taken away."""
    if host.uplink is None:
        return []
    device = Path(host.machine.root / "sys/class/net" / host.uplink.name / "device")
    address = device.resolve().name if device.exists() else ""
    return [item.kernel_module for item in devices if item.address == address and item.kernel_module in names]
