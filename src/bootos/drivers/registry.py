"""Which drivers take this machine. Built-in ones and those of other packages (entry points `bootos.drivers`).

A driver is chosen once per section of the template, by declared match data: the highest priority wins, a tie is
an error that the template must settle by name. Every choice says why. A list of `raid` sections has one for each.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bootos.drivers.builtin import BUILTIN
from bootos.drivers.contract import Driver, Match
from bootos.drivers.raidsection import SectionDriver, narrow
from bootos.errors import BootosError, Problem
from bootos.template.model import Template
from bootos.template.raid import list_sections
from bootos.wire.inventory import Inventory

GROUP = "bootos.drivers"
RAID = "raid"

# The documented order of sections: BIOS, RAID, OOB, partitions, file systems. Sections of drivers of other packages
# come last.
SECTIONS = (
    "firmware",
    "firmware.redfish",
    "firmware.package",
    "firmware.fwupd",
    "firmware.flashrom",
    "bios",
    "disks.erase",
    "disks.nvme",
    RAID,
    "oob",
    "disks.partitions",
    "disks.lvm",
    "disks.luks",
    "disks.filesystem",
)


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    driver: Driver
    reason: str


def load_drivers() -> list[Driver]:
    """All drivers in the image, the built-in ones first. Raises BootosError when one cannot be loaded."""
    drivers = [entry.load() for entry in BUILTIN]
    return [*drivers, *_load_foreign({driver.name for driver in drivers})]


def find_driver_names(inventory: Inventory) -> list[str]:
    """The names of those that could work on this machine; built-in ones are not imported for that."""
    names = [entry.name for entry in BUILTIN if entry.needs(inventory)]
    if has_foreign():
        foreign = _load_foreign({entry.name for entry in BUILTIN})
        names += [driver.name for driver in foreign if driver.match(inventory) is not None]
    return names


def has_foreign() -> bool:
    """Whether an installed package brings drivers. importlib.metadata, which would know, is slow to import."""
    files = (file for folder in sys.path for file in Path(folder).glob("*-info/entry_points.txt"))
    return any(f"[{GROUP}]" in file.read_text(errors="replace") for file in files)


def _load_foreign(names: set[str]) -> list[Driver]:
    """The drivers of other packages; `names` are taken. Raises BootosError when one cannot be loaded."""
    from importlib.metadata import entry_points

    drivers: list[Driver] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            driver: Driver = point.load()()
        except (ImportError, AttributeError, TypeError) as cause:
            raise BootosError(f"the driver {point.name} ({point.value}) cannot be loaded") from cause
        if driver.name in names:
            raise BootosError(f"two drivers are named {driver.name}", hint=f"the second is {point.value}")
        names.add(driver.name)
        drivers.append(driver)
    return drivers


def match_drivers(inventory: Inventory, drivers: Sequence[Driver] | None = None) -> list[Chosen]:
    """Every driver that could work on this machine, whatever a template asks."""
    found: list[Chosen] = []
    for driver in load_drivers() if drivers is None else drivers:
        match = driver.match(inventory)
        if match is not None:
            found.append(Chosen(driver=driver, reason=match.reason))
    return found


def choose_drivers(
    inventory: Inventory, template: Template, drivers: Sequence[Driver] | None = None
) -> tuple[list[Chosen], list[Problem]]:
    """The drivers that carry out this template here, in order of work, and what stands in the way: a section that
    no driver takes, a tie, a driver asked for by name that is not there. `drivers` replaces the installed ones.
    """
    installed = load_drivers() if drivers is None else drivers
    rest = narrow(template, None)  # each section of `raid` is asked for by itself
    sections: dict[str, list[Driver]] = {RAID: []}
    for driver in installed:
        if driver.section != RAID and driver.wants(rest):
            sections.setdefault(driver.section, []).append(driver)
    chosen: list[Chosen] = []
    problems: list[Problem] = [
        Problem(
            path=f"extra.{name}",
            message="no driver in this image carries this out",
            hint="its package adds one by the entry point bootos.drivers",
        )
        for name in template.extra
        if f"extra.{name}" not in sections
    ]
    for section in sorted(sections, key=_find_rank):
        if section == RAID:
            listed, told = _choose_for_raid(installed, inventory, template)
            chosen += listed
            problems += told
            continue
        found, problem = _choose(section, sections[section], inventory, template)
        chosen += [found] if found else []
        problems += [problem] if problem else []
    return chosen, problems


def _choose_for_raid(
    installed: Sequence[Driver], inventory: Inventory, template: Template
) -> tuple[list[Chosen], list[Problem]]:
    """The drivers of the sections of `raid`, in their order; each is asked with its own section alone."""
    chosen: list[Chosen] = []
    problems: list[Problem] = []
    for at, section in list_sections(template.raid):
        asked = narrow(template, section)
        drivers = [driver for driver in installed if driver.section == RAID and driver.wants(asked)]
        found, problem = _choose(RAID, drivers, inventory, asked, at)
        if found is not None:
            driver: Any = SectionDriver(found.driver, at)
            chosen.append(Chosen(driver=driver, reason=found.reason))
        problems += [problem] if problem else []
    return chosen, problems


def _find_rank(section: str) -> tuple[int, str]:
    return (SECTIONS.index(section) if section in SECTIONS else len(SECTIONS), section)


def _choose(
    section: str, drivers: list[Driver], inventory: Inventory, template: Template, at: str = ""
) -> tuple[Chosen | None, Problem | None]:
    """`at` is the place of the section, where that is not its name."""
    matches: list[tuple[Match, Driver]] = []
    for driver in drivers:
        match = driver.match(inventory)
        if match is not None:
            matches.append((match, driver))
    path = section if section.startswith("extra.") else section.split(".")[0]
    asked = getattr(getattr(template, path, None), "driver", None)  # raid.driver, bios.driver
    path = at or path
    if asked is not None:
        named = [(match, driver) for match, driver in matches if driver.name == asked]
        if not named:
            usable = ", ".join(driver.name for _, driver in matches) or "none"
            message = f"the driver {asked!r} is not there or does not take this machine"
            return None, Problem(path=f"{path}.driver", message=message, hint=f"usable here: {usable}")
        match, driver = named[0]
        return Chosen(driver=driver, reason=f"the template names it; {match.reason}"), None
    hbas = _list_hbas(inventory) if section == "raid" else []
    if not matches and hbas:
        message = f"{', '.join(hbas)}: an HBA, which makes no arrays"
        hint = "raid.mdadm makes software RAID of the disks that the system shows: here it shows none"
        return None, Problem(path=path, message=message, hint=hint)
    if not matches:
        tried = ", ".join(driver.name for driver in drivers)
        message = "this machine has nothing that a driver could configure for this"
        return None, Problem(path=path, message=message, hint=f"tried: {tried}")
    best = max(match.priority for match, _ in matches)
    winners = [(match, driver) for match, driver in matches if match.priority == best]
    if len(winners) > 1:
        names = ", ".join(driver.name for _, driver in winners)
        message = f"more than one driver takes this machine: {names}"
        hint = f"name one of them in {path}.driver"
        if path == RAID:
            hint += ", or make raid a list of sections, one for each"
        return None, Problem(path=path, message=message, hint=hint)
    match, driver = winners[0]
    beaten = [other.name for _, other in matches if other is not driver]
    reason = match.reason + (f"; preferred to {', '.join(beaten)}" if beaten else "")
    return Chosen(driver=driver, reason=reason), None


def _list_hbas(inventory: Inventory) -> list[str]:
    """The models of the cards of which a tool says that they make no arrays. A card that is known by its PCI address
    alone may be one that no driver knows."""
    return [
        card.model or card.name
        for card in inventory.raid
        if not card.driver and card.name != card.pci_address
    ]
