"""The golden machine: the template that describes a machine as it is, so that applying it there plans nothing and
applying it to others makes them the same. Pure; called by `savedstate`."""

import logging
from collections.abc import Sequence
from typing import Any

from bootos.drivers.builtin import BUILTIN
from bootos.drivers.contract import Driver, Exporter
from bootos.errors import MISREADINGS
from bootos.template.raid import SOFTWARE
from bootos.template.size import format_size
from bootos.wire.inventory import Dimm, Disk, DiskType, Inventory

_KNOWN = frozenset(entry.name for entry in BUILTIN)
_ALONE = frozenset(entry.name for entry in BUILTIN if entry.stands_alone)

log = logging.getLogger(__name__)


def build_template(
    inventory: Inventory, states: Sequence[tuple[Driver, Any]]
) -> tuple[dict[str, Any], list[str]]:
    """The document, and what it leaves open."""
    notes: list[str] = []
    document: dict[str, Any] = {
        "name": build_name(inventory),
        "description": f"as {inventory.system.serial or 'a machine'} was configured on {inventory.collected_at[:10]}",
        "expect": build_expect(inventory),
    }
    taken: dict[str, str] = {}
    raid: dict[str, dict[str, Any]] = {}
    for driver, state in states:
        if not isinstance(driver, Exporter):
            notes.append(f"{driver.title} ({driver.name}) is not exported")
            continue
        try:
            parts = driver.export(state)
        except MISREADINGS as cause:
            log.info("%s: exporting failed", driver.name, exc_info=True)
            notes.append(f"{driver.title} ({driver.name}) could not be exported: {cause}")
            continue
        for section, part in parts.items():
            if not part:
                continue
            if section == "raid":
                raid[driver.name] = part
                document[section] = part  # its place among the sections
            elif section in document and isinstance(part, list):
                document[section] = [*document[section], *part]
            elif section in document:
                notes.append(f"{section} of {driver.name} is left out: it is taken from {taken[section]}")
            else:
                document[section] = part
                taken[section] = driver.name
    if raid:
        document["raid"] = build_raid(raid, inventory, notes)
        if not document["raid"]:
            del document["raid"]
    secrets = sorted(set(find_references(document)))
    notes += [f"store the secret {name!r}: bootos secret set {name}" for name in secrets]
    return document, notes


def build_raid(
    parts: dict[str, dict[str, Any]], inventory: Inventory, notes: list[str]
) -> dict[str, Any] | list[dict[str, Any]]:
    """The section `raid` of what each driver exports, by its name: one section, or the list of them, without one that
    stands alone beside others; empty: they have nothing. A driver is named where another one could be chosen. A name
    that two have is kept for the first, and a note says so."""
    cards = {entry.driver for entry in inventory.raid if entry.driver in _KNOWN} - {SOFTWARE}
    for alone in _ALONE & parts.keys() if len(parts) > 1 else ():
        parts = {name: part for name, part in parts.items() if name != alone}
        notes.append(f"the arrays of {alone} are left out: they need a template and a job of their own")
    if len(parts) == 1:
        ((name, part),) = parts.items()
        return {"driver": name, **part} if cards - {name} else part
    listed: list[dict[str, Any]] = []
    taken: dict[str, str] = {}
    for name in parts:
        arrays = parts[name].get("arrays", [])
        for array in arrays:
            other = taken.setdefault(array["name"], name)
            if other != name:
                notes.append(f"array {array['name']!r} of {name} is left out: {other} has one of that name")
        part = {**parts[name], "arrays": [array for array in arrays if taken[array["name"]] == name]}
        part = {key: value for key, value in part.items() if value}
        listed += [{"driver": name, **part}] if part else []
    return listed if len(listed) > 1 else listed[0] if listed else {}


def build_name(inventory: Inventory) -> str:
    """`golden-SN001`: letters, digits, `_`, `-` and `.` only, as the server wants names."""
    text = f"golden-{inventory.system.serial or 'machine'}"
    return "".join(
        letter if (letter.isalnum() and letter.isascii()) or letter in "_-." else "-" for letter in text
    )[:100]


def find_references(value: Any) -> list[str]:
    """The names of the secrets that a document refers to."""
    if isinstance(value, dict):
        if set(value) == {"secret"} and isinstance(value["secret"], str):
            return [value["secret"]]
        return [name for item in value.values() for name in find_references(item)]
    return [name for item in value for name in find_references(item)] if isinstance(value, list) else []


def build_expect(inventory: Inventory) -> dict[str, Any]:
    """The hardware that another machine must have, too: what is known, without serial numbers and versions."""
    expect: dict[str, Any] = {}
    system = {"vendor": inventory.system.vendor, "product": inventory.system.product}
    expect["system"] = {key: escape(text) for key, text in system.items() if text}
    cpu = inventory.cpu
    known = {"count": cpu.sockets, "model": escape(cpu.model) if cpu.model else None, "cores": cpu.cores}
    expect["cpu"] = {key: value for key, value in known.items() if value is not None}
    expect["memory"] = _build_memory(inventory)
    disks: dict[tuple[str, str, str], int] = {}
    for disk in inventory.disks:
        if not disk.removable and disk.size_bytes and not _is_made(disk, inventory):
            key = (disk.type.value, format_bytes(disk.size_bytes), escape(disk.model) if disk.model else "")
            disks[key] = disks.get(key, 0) + 1
    expect["disks"] = [
        {
            "count": count,
            **({"type": kind} if kind != "unknown" else {}),
            "size": size,
            **({"model": model} if model else {}),
        }
        for (kind, size, model), count in disks.items()
    ]
    nics: dict[str, int] = {}
    for nic in inventory.nics:
        if nic.model:
            nics[escape(nic.model)] = nics.get(escape(nic.model), 0) + 1
    expect["nics"] = [{"count": count, "model": model} for model, count in nics.items()]
    models: dict[tuple[str, int], int] = {}
    for controller in inventory.raid:
        if controller.driver != SOFTWARE and controller.model:
            place = (escape(controller.model), len(controller.drives))
            models[place] = models.get(place, 0) + 1
    expect["raid"] = [
        {"count": count, "model": model, "drives": drives} for (model, drives), count in models.items()
    ]
    if inventory.bios.boot_mode is not None:
        expect["boot_mode"] = inventory.bios.boot_mode
    return {key: value for key, value in expect.items() if value}


def _is_made(disk: Disk, inventory: Inventory) -> bool:
    """Whether it is an array of a controller: that is what the `raid` section makes."""
    if disk.type is not DiskType.VIRTUAL:
        return False
    return any(controller.driver != SOFTWARE and controller.arrays for controller in inventory.raid)


def _build_memory(inventory: Inventory) -> dict[str, Any]:
    memory: dict[str, Any] = {}
    if inventory.memory.total_bytes:
        memory["total"] = format_bytes(inventory.memory.total_bytes)
    slots = [_build_slot(dimm) for dimm in inventory.memory.dimms]
    names = [slot["slot"] for slot in slots]
    if slots and len(set(names)) == len(names):  # some firmware gives several slots the same name
        memory["slots"] = slots
    elif slots:
        memory["modules"] = sum(1 for slot in slots if not slot.get("empty"))
    return memory


def _build_slot(dimm: Dimm) -> dict[str, Any]:
    slot: dict[str, Any] = {"slot": escape(dimm.slot)}
    if not dimm.size_bytes:
        return slot if dimm.size_bytes is None else {**slot, "empty": True}
    slot["size"] = format_bytes(dimm.size_bytes)
    if dimm.speed_mts:
        slot["speed"] = dimm.speed_mts
    if dimm.type:
        slot["type"] = escape(dimm.type)
    return slot


def format_bytes(size_bytes: int) -> str:
    """A size that reads back as itself: `32GiB`, or bytes where it is no round number."""
    words = format_size(size_bytes).split()
    return "".join(words) if words[1].endswith("iB") else f"{size_bytes}B"


def escape(text: str) -> str:
    """A text as a pattern that only it fits."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text.strip())
