"""Which parts of the machine have firmware, and its versions, read anew: an upgrade changes them within one boot.

The vendor's own tool is believed first (DMI shows what was there when the machine started), then SMBIOS, ipmitool,
ethtool and sysfs, then the inventory. Called by the drivers' `read`; changes nothing.
"""

import logging
import re
from collections.abc import Callable, Sequence
from typing import get_args

from bootos.drivers.calling import read_state
from bootos.drivers.contract import Machine
from bootos.drivers.firmware.state import Installed
from bootos.drivers.firmware.vendor import find_queries, list_formats
from bootos.drivers.firmware.version import spell_bios
from bootos.drivers.storage.controller import Controller, ControllerState
from bootos.errors import BootosError
from bootos.hardware import block, bmc, dmi, nic
from bootos.hardware.tree import Tree
from bootos.template.firmware import Component
from bootos.template.raid import SOFTWARE
from bootos.wire.inventory import Inventory

log = logging.getLogger(__name__)

QUERY_TIMEOUT_S = 90.0
Finder = Callable[[str], str | None]  # returns the path of a program, as shutil.which does


def read_installed(machine: Machine, inventory: Inventory, find_program: Finder) -> list[Installed]:
    """All parts, each with the version it has now; what cannot be read has none. Tools are slow: of components that the
    template does not ask for, the version is that of the inventory."""
    tree = Tree(machine.root)
    asked = _find_asked(machine)
    told = _ask_vendor(machine, inventory, find_program, asked)
    controllers = _read_controllers(machine, inventory, asked)
    return [
        _read_bios(tree, inventory, told),
        *_read_bmc(machine, tree, inventory, told, asked),
        *(_build_controller(entry) for entry in controllers),
        *_read_nics(machine, tree, inventory, asked),
        *_read_drives(tree, inventory, controllers),
    ]


def find_programs(find_program: Finder) -> list[str]:
    """Those of the vendors' programs that apply packages and are here."""
    names = {program for format in list_formats().values() for program in format.programs}
    return sorted(name for name in names if find_program(name) is not None)


def _find_asked(machine: Machine) -> frozenset[Component]:
    """The components that the template names; all without one."""
    if machine.template is None:
        return frozenset(get_args(Component))
    return frozenset(item.component for item in machine.template.firmware)


def _ask_vendor(
    machine: Machine, inventory: Inventory, find_program: Finder, asked: frozenset[Component]
) -> dict[Component, tuple[str, str]]:
    """Versions by component, with the program that says so. A tool that fails counts as missing."""
    told: dict[Component, tuple[str, str]] = {}
    for query in find_queries(inventory.system.vendor):
        program = next((name for name in query.programs if find_program(name) is not None), None)
        if program is None or not (asked & query.versions.keys()) - told.keys():
            continue
        try:
            said = machine.run([program, *query.arguments], timeout_s=QUERY_TIMEOUT_S).stdout
        except BootosError as error:
            log.warning("versions are not read by %s: %s", program, error)
            continue
        for component, pattern in query.versions.items():
            found = re.search(pattern, said)
            if found is not None:
                told.setdefault(component, (found[1].strip(), program))
    return told


def _read_bios(tree: Tree, inventory: Inventory, told: dict[Component, tuple[str, str]]) -> Installed:
    table = dmi.read_dmi(tree)
    bios = dmi.parse_bios(table) if table is not None else inventory.bios
    entry = table.find(dmi.BIOS) if table is not None else None
    revision = (entry.byte(0x14), entry.byte(0x15)) if entry is not None else (None, None)
    present = spell_bios(bios.version, bios.date, revision) if bios.version is not None else None
    version, source = told.get("bios", (present, "DMI"))
    return Installed(component="bios", id="bios", title="BIOS", version=version, source=source)


def _read_bmc(
    machine: Machine,
    tree: Tree,
    inventory: Inventory,
    told: dict[Component, tuple[str, str]],
    asked: frozenset[Component],
) -> list[Installed]:
    if "bmc" in told:
        version, source = told["bmc"]
    elif "bmc" in asked and bmc.has_bmc_device(tree):
        source = "ipmitool"
        try:
            version = bmc.read_bmc(machine.run).firmware or ""
        except (BootosError, ValueError) as error:
            log.warning("the version of the BMC is not read: %s", error)
            version = ""
    elif inventory.bmc is not None:
        version, source = inventory.bmc.firmware or "", "inventory"
    else:
        return []
    return [Installed(component="bmc", id="bmc", title="BMC", version=version or None, source=source)]


def _read_controllers(
    machine: Machine, inventory: Inventory, asked: frozenset[Component]
) -> list[Controller]:
    """RAID controllers as their own drivers read them, with the drives behind them; without the tool they have no
    version. Their tools are slow: they are asked only when the template has something for them."""
    controllers: list[Controller] = []
    done: set[str] = {SOFTWARE}
    if asked & {"raid", "drive"} and any(entry.driver != SOFTWARE for entry in inventory.raid):
        # imported here: the registry imports the firmware drivers
        from bootos.drivers.registry import load_drivers

        for driver in load_drivers():
            if driver.section != "raid" or driver.name == SOFTWARE or driver.match(inventory) is None:
                continue
            try:
                state = read_state(driver, machine, inventory)
            except BootosError as error:
                log.warning("the firmware of RAID controllers is not read by %s: %s", driver.name, error)
                continue
            if isinstance(state, ControllerState):
                controllers += state.controllers
                done.add(driver.name)
    return controllers + [
        Controller(
            id=entry.name,
            number=number,
            model=entry.model or entry.name,
            firmware=entry.firmware or "",
            pci_address=entry.pci_address or "",
        )
        for number, entry in enumerate(inventory.raid)
        if entry.driver not in done
    ]


def _build_controller(controller: Controller) -> Installed:
    return Installed(
        component="raid",
        id=f"raid:{controller.pci_address or controller.id}",
        title=f"RAID controller {controller.model or controller.id}",
        version=controller.firmware or None,
        source="the controller's tool",
        model=controller.model or None,
        slot=controller.pci_address or None,
    )


def _read_nics(
    machine: Machine, tree: Tree, inventory: Inventory, asked: frozenset[Component]
) -> list[Installed]:
    models = {entry.name: entry.model for entry in inventory.nics}
    known = {entry.name: entry.firmware for entry in inventory.nics}
    parts = []
    for entry in nic.read_nics(tree) or inventory.nics:
        version, source = known.get(entry.name), "inventory"
        if "nic" in asked and tree.exists(f"sys/class/net/{entry.name}"):
            source = "ethtool"
            try:
                version = nic.read_firmware(entry.name, machine.run)
            except BootosError as error:
                log.warning("the version of %s is not read: %s", entry.name, error)
        model = models.get(entry.name)
        parts.append(
            Installed(
                component="nic",
                id=f"nic:{entry.pci_address or entry.mac}",
                title=f"NIC {entry.name}" + (f" ({model})" if model else ""),
                version=version,
                source=source,
                model=model,
                device=entry.name,
                slot=entry.pci_address,
            )
        )
    return parts


def _read_drives(tree: Tree, inventory: Inventory, controllers: Sequence[Controller]) -> list[Installed]:
    """Those the kernel sees, and those that only their controller does."""
    seen = [
        Installed(
            component="drive",
            id=f"drive:{disk.serial or disk.path}",
            title=f"drive {disk.name}" + (f" ({disk.model})" if disk.model else ""),
            version=disk.firmware,
            source="sysfs",
            model=disk.model,
            device=disk.name,
            slot=disk.by_path,
        )
        for disk in block.read_disks(tree) or inventory.disks
        if not disk.removable and disk.type.value != "virtual"
    ]
    ids = {part.id for part in seen}
    behind = [
        Installed(
            component="drive",
            id=f"drive:{drive.serial or drive.id}",
            title=f"drive {drive.id}" + (f" ({drive.model})" if drive.model else ""),
            version=drive.firmware or None,
            source="the controller's tool",
            model=drive.model or None,
            slot=drive.id,
        )
        for controller in controllers
        for drive in controller.drives
    ]
    return seen + [part for part in behind if part.id not in ids]
