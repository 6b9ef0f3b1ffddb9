"""The whole inventory: `collect_inventory` reads every part of the machine and never fails.

Called by the agent at start and after its changes, and by `bootos-agent inventory`. What can be read from sysfs
is read in this thread; tools run at the same time in others, so that twenty disks take as long as the slowest.
It changes nothing on the machine.
"""

import platform
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from bootos.errors import MISREADINGS, read_chain
from bootos.hardware import (
    block,
    bmc,
    cpu,
    dmi,
    firmware,
    gpu,
    health,
    identity,
    lldp,
    mdexamine,
    memory,
    nic,
    pci,
    raid,
    raidplace,
    raidtool,
    redfish,
    tpm,
    virtual,
)
from bootos.hardware.notes import Notes
from bootos.hardware.tree import Tree
from bootos.process import Runner, ToolError, run
from bootos.threadpool import ThreadPool
from bootos.wire.inventory import Bmc, Disk, Health, Inventory, LldpNeighbour, Nic, PciDevice, RaidController

P = ParamSpec("P")
T = TypeVar("T")
D = TypeVar("D")

_TOOLS_AT_ONCE = 12
_FAILURES = (ToolError, *MISREADINGS)


def collect_inventory(
    machine_root: Path = Path("/"), run: Runner = run, *, pxe_mac: str | None = None
) -> Inventory:
    """Read the machine below `machine_root`, with tools by `run`. What cannot be read is told in `notes`.

    `pxe_mac` is the address of the NIC that booted (BOOTIF), which gets `is_pxe`.
    """
    return collect_from(Tree(machine_root), run, pxe_mac=pxe_mac)


def collect_from(tree: Tree, run: Runner, *, pxe_mac: str | None = None) -> Inventory:
    """As `collect_inventory`, from a `Tree` of the caller's (`capture.py` has one that records)."""
    with ThreadPool(_TOOLS_AT_ONCE, "inventory") as pool:
        return _Collector(tree, run, pool).collect(pxe_mac)


class _Collector:
    """One collection: starts the tools first, reads sysfs meanwhile, then takes what the tools found."""

    def __init__(self, tree: Tree, run: Runner, pool: ThreadPool) -> None:
        self.tree = tree
        self.run = run
        self.pool = pool
        self.notes = Notes()

    def collect(self, pxe_mac: str | None) -> Inventory:
        tree, run, start = self.tree, self.run, self.pool.submit
        controller = start(bmc.read_bmc, run) if bmc.has_bmc_device(tree) else None
        neighbours = start(lldp.read_neighbours, run) if lldp.has_networkd(tree) else None
        links = start(nic.read_links, run)
        nics: list[Nic] = self._read("network interfaces", [], nic.read_nics, tree)
        firmwares = [start(nic.read_firmware, entry.name, run) for entry in nics]
        disks: list[Disk] = self._read("disks", [], block.read_disks, tree)
        told = [
            (disk, start(health.read_health, disk, run, wear_log=health.has_wear_log(tree, disk)))
            for disk in disks
            if health.has_health(disk)
        ]
        examined = start(raid.read_examine, raid.find_members(tree, disks), run)
        asked = {tool.driver: start(tool.read, run, tree.root) for tool in raidtool.TOOLS}

        inventory = Inventory(
            collected_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            hostname=tree.read("proc/sys/kernel/hostname"),
            kernel=tree.read("proc/sys/kernel/osrelease") or platform.release(),
            nics=nics,
            disks=disks,
        )
        table = self._read("SMBIOS", None, dmi.read_dmi, tree)
        self._add_smbios(inventory, table)
        firmware.add_boot_mode(tree, inventory.bios)
        inventory.cpu = self._read("processors", inventory.cpu, cpu.read_cpu, tree)
        inventory.memory = self._read(
            "memory", inventory.memory, memory.read_memory, tree, inventory.memory.dimms
        )
        inventory.pci = self._read("PCI devices", inventory.pci, pci.read_pci, tree)
        inventory.gpus = gpu.find_gpus(inventory.pci)
        inventory.tpm = self._read("TPM", None, tpm.read_tpm, tree, table)
        inventory.virtual = virtual.find_hypervisor(inventory.cpu, table)

        self._add_tools(inventory, links, firmwares, neighbours)
        nic.mark_pxe(nics, pxe_mac)
        inventory.identity = identity.find_identity(inventory, table, pxe_mac or "")
        self._add_health(told)
        inventory.raid = self._read_raid(examined, asked, inventory.pci, disks)
        if controller is not None:
            inventory.bmc = self._take("BMC", None, controller)
            if inventory.bmc is not None and inventory.bmc.suite_0_open:
                self.notes.say(
                    "The BMC lets everybody in over the LAN without a password: its cipher suite 0 is open "
                    "(oob.cipher_suites closes it)."
                )
        elif bmc.has_bmc(tree, table):
            self.notes.say("SMBIOS lists a BMC, but there is no /dev/ipmi0: its kernel module is not loaded.")
        host_interface = redfish.parse_interface(table) if table is not None else None
        if host_interface is not None:
            inventory.bmc = inventory.bmc or Bmc()
            inventory.bmc.redfish = host_interface
        inventory.notes = self.notes.build() + block.find_double_paths(disks)
        return inventory

    def _add_smbios(self, inventory: Inventory, table: dmi.Dmi | None) -> None:
        if table is None:
            self.notes.say("There is no SMBIOS table: system, board, chassis, BIOS and DIMMs are not known.")
            return
        inventory.system = self._read("system", inventory.system, dmi.parse_system, table)
        inventory.board = self._read("board", inventory.board, dmi.parse_board, table)
        inventory.chassis = self._read("chassis", inventory.chassis, dmi.parse_chassis, table)
        inventory.bios = self._read("BIOS", inventory.bios, dmi.parse_bios, table)
        inventory.memory.dimms = self._read("DIMMs", inventory.memory.dimms, dmi.parse_dimms, table)

    def _add_tools(
        self,
        inventory: Inventory,
        links: "Future[dict[str, nic.Link]]",
        firmwares: "list[Future[str | None]]",
        neighbours: "Future[dict[str, LldpNeighbour]] | None",
    ) -> None:
        """What `ip`, `ethtool` and networkd say of the NICs, and their names as PCI devices."""
        models = {device.address: device.subsystem or device.device for device in inventory.pci}
        found: dict[str, nic.Link] = self._take("addresses of network interfaces", {}, links)
        asked: dict[str, Future[str | None]] = {}
        for entry in inventory.nics:
            link = found.get(entry.name)
            if link is not None:
                entry.addresses = link.addresses
                entry.permanent_mac = link.permanent_mac or entry.permanent_mac
            # the address was set by software, and only the NIC itself knows its permanent one
            if entry.permanent_mac is None:
                asked[entry.name] = self.pool.submit(nic.read_permanent_mac, entry.name, self.run)
            entry.model = models.get(entry.pci_address or "")
        heard: dict[str, LldpNeighbour] = {}
        if neighbours is not None:
            heard = self._take("LLDP neighbours", {}, neighbours)
        else:
            self.notes.add("LLDP neighbours", "systemd-networkd, which listens for them, is not running")
        for entry, future in zip(inventory.nics, firmwares, strict=True):
            entry.firmware = self._take(f"firmware of {entry.name}", None, future)
            entry.lldp = heard.get(entry.name)
            if entry.name in asked:
                entry.permanent_mac = self._take(f"permanent MAC of {entry.name}", None, asked[entry.name])

    def _add_health(self, told: "list[tuple[Disk, Future[Health]]]") -> None:
        for disk, future in told:
            disk.health = self._take(f"health of {disk.name}", None, future)

    def _read_raid(
        self,
        examined: "Future[list[mdexamine.Superblock]]",
        asked: "dict[str, Future[raidtool.Told | None]]",
        devices: list[PciDevice],
        disks: list[Disk],
    ) -> list[RaidController]:
        superblocks: list[mdexamine.Superblock] = self._take("md superblocks", [], examined)
        running: list[raid.MdDevice] = self._read("running md arrays", [], raid.read_running, self.tree)
        md = self._read("md arrays", None, raid.build_md, superblocks, running, disks)
        hardware = raid.find_hardware_controllers(devices)
        told = {
            tool.driver: self._take(f"RAID controllers by {tool.title}", raidtool.Told(), asked[tool.driver])
            for tool in raidtool.TOOLS
        }
        listed = {driver: entry.controllers if entry else None for driver, entry in told.items()}
        notes = raidplace.add_told(hardware, listed, raidtool.TOOLS, disks)
        for sentence in (line for entry in told.values() if entry for line in entry.notes):
            self.notes.say(sentence, first=True)
        for sentence in notes:
            self.notes.say(sentence)
        return [*hardware, *([md] if md is not None else [])]

    def _read(self, subject: str, otherwise: T, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `read`; when it fails, note why `subject` is not known."""
        try:
            return read(*args, **kwargs)
        except _FAILURES as error:
            self.notes.add(subject, "; ".join(read_chain(error)))
            return otherwise

    def _take(self, subject: str, otherwise: D, future: "Future[T]") -> T | D:
        """Wait for a tool's answer; when it failed, note why `subject` is not known."""
        try:
            return future.result()
        except _FAILURES as error:
            self.notes.add(subject, "; ".join(read_chain(error)))
            return otherwise
