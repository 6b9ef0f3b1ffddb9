"""What was understood of a machine, as lines for people. Pure."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from bootos.engine.capture.disktext import list_disks
from bootos.engine.capture.understand import Understood
from bootos.hardware.describe import build_summary, format_size
from bootos.printable import show_lines
from bootos.template.raid import SOFTWARE
from bootos.wire.inventory import Dimm, Disk, Inventory, RaidController

_WIDTH = 100
_NAME = 12  # columns of the names before values
_END = 8  # characters of a long number
_CONTROLLERS = "controllers"
_LOGICAL = "logical non-volatile device"  # SMBIOS's word for the type of persistent memory
_APART = ("RAID", "Note")  # rows of the summary that are told at length


def format_understood(found: Understood) -> list[str]:
    """The lines: the machine in short, each controller, disk and setting, then the notes. What the machine says makes
    no line of its own."""
    found = msgspec.convert(show_lines(msgspec.to_builtins(found)), Understood)
    parts = [
        list(_tell_machine(found.inventory)),
        *(list(part) for part in _tell_raid(found)),
        list(_tell_arrays(found.states)),
        list(_tell_disks(found)),
        list(_tell_health(found.inventory.disks)),
        list(_tell_dimms(found.inventory)),
        list(_tell_bmc(found.states)),
        list(_tell_accounts(found.states)),
        list(_tell_firmware(found.states)),
        list(_tell_bios(found)),
        list(_tell_notes(found.notes)),
    ]
    lines: list[str] = []
    for part in parts:
        lines += ["", *part] if part and lines else part
    return lines or ["Nothing is understood of it."]


def _tell_machine(inventory: Inventory) -> Iterator[str]:
    last = ""
    for name, value in build_summary(inventory, whole=True):
        last = name or last
        if last not in _APART:
            yield f"{name:{_NAME}}{value}"


def _build_rows(rows: Iterable[Sequence[str]], indent: str = "  ") -> Iterator[str]:
    """Columns under each other; the last one is not filled up."""
    listed = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    for row in listed:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width]
        yield (indent + "  ".join(cells)).rstrip()


def _tell_raid(found: Understood) -> Iterator[Iterator[str]]:
    """A part for each controller, as its driver reads it; as the inventory has it where no driver took it (the same PCI
    address is the same card)."""
    seen = {SOFTWARE} if any("arrays" in state for state in found.states.values()) else set()
    for name, state in found.states.items():
        for controller in state.get(_CONTROLLERS) or ():
            seen |= {name, controller.get("pci_address") or name}
            yield _tell_controller(controller)
    for entry in found.inventory.raid:
        if not {entry.driver, entry.pci_address} & seen:
            yield _tell_listed(entry)


def _tell_controller(controller: dict[str, Any]) -> Iterator[str]:
    model = controller.get("model")
    is_told = controller.get("firmware") or controller["capability"].get(
        "modes"
    )  # more than its name is known
    said = [
        model or "model not known",
        _label("serial", controller.get("serial")),
        _label("firmware", controller.get("firmware")),
        controller.get("pci_address") or "",
        f"mode {controller['mode']}" if model and is_told else "",
    ]
    yield f"RAID controller {controller['number']}: {', '.join(filter(None, said))}"
    yield from _build_rows(_build_array(array) for array in controller["arrays"])
    yield from _build_rows(_build_drive(drive, controller) for drive in controller["drives"])
    for foreign in controller["foreign"]:
        trouble = foreign.get("trouble") or ""
        title = foreign["title"].removesuffix(f": {trouble}")
        yield f"  foreign: {title}{_label(', cannot be imported:', trouble)}"


def _build_array(array: dict[str, Any]) -> list[str]:
    policies = [_label("read", array.get("read_policy")), _label("write", array.get("write_policy"))]
    more = [
        _label("on", " ".join(array["drives"])),
        _label("spares", " ".join(array["hotspares"])),
        _label("strip", format_size(array["strip_bytes"]) if array.get("strip_bytes") else ""),
        *policies,
        "boot" if array.get("is_boot") else "",
        array.get("progress") or "",
        array.get("device") or "",
    ]
    size = format_size(array["size_bytes"] or None)
    return ["array", array["name"] or array["id"], f"RAID {array['level'] or '?'}", size, array["state"],
            ", ".join(filter(None, more))]  # fmt: skip


def _shorten(array: dict[str, Any]) -> str:
    """What an array is called on its drives: of a long number its end, by which those of one controller differ."""
    number = array["id"]
    return array["name"] or (f"...{number[-_END:]}" if len(number) > 2 * _END else number)


def _build_drive(drive: dict[str, Any], controller: dict[str, Any]) -> list[str]:
    of = [_shorten(array) for array in controller["arrays"] if drive["id"] in array["drives"]]
    spare = [_shorten(array) for array in controller["arrays"] if drive["id"] in array["hotspares"]]
    kind = "" if drive["type"] == "unknown" else drive["type"].upper()
    interface = drive.get("interface") or ""
    interface = "" if interface.upper() == kind else interface
    use = _label("of", ", ".join(of)) or _label("spare of", ", ".join(spare))
    state = ", ".join(filter(None, [drive["state"], use, drive.get("progress"), drive.get("trouble")]))
    return ["drive", drive["id"], drive["model"] or "-", format_size(drive["size_bytes"] or None, decimal=True),
            " ".join(filter(None, [interface, kind])), drive["serial"] or "-", state]  # fmt: skip


def _tell_listed(entry: RaidController) -> Iterator[str]:
    said = [
        _label("serial", entry.serial),
        _label("firmware", entry.firmware),
        entry.pci_address or "",
        "" if entry.driver else "makes no arrays",
    ]
    title = "HBA" if not entry.driver else "RAID"
    yield f"{title}: {', '.join(filter(None, [entry.model or entry.name, *said]))}"
    yield from _build_rows(
        [
            "array",
            array.name,
            f"RAID {array.level}",
            format_size(array.size_bytes),
            array.state or "",
            ", ".join(
                filter(
                    None, [_label("on", " ".join(array.drives)), _label("spares", " ".join(array.hotspares))]
                )
            ),
        ]
        for array in entry.arrays
    )
    yield from _build_rows(
        [
            "drive",
            drive.id,
            drive.model or "-",
            format_size(drive.size_bytes, decimal=True),
            "" if drive.type.value == "unknown" else drive.type.value.upper(),
            drive.serial or "-",
            drive.state or "",
        ]
        for drive in entry.drives
    )


def _tell_arrays(states: dict[str, Any]) -> Iterator[str]:
    """Linux md, as its driver reads it."""
    arrays = [
        array for state in states.values() for array in state.get("arrays") or () if "metadata" in array
    ]
    if not arrays:
        return
    yield "Linux md"
    yield from _build_rows(_build_md(array) for array in arrays)


def _build_md(array: dict[str, Any]) -> list[str]:
    members = array["members"]
    working = sum(not member["faulty"] and member["role"] is not None for member in members)
    count = array["drive_count"]
    said = f"{working} of {count} drives" if count else f"{working} drives"
    if count and str(array.get("progress")).startswith("recovery"):  # one or more of them are being rebuilt
        said = f"at most {min(working, count) - 1} of {count} drives"
    marks = ["(failed)" if m["faulty"] else "(spare)" if m["role"] is None else "" for m in members]
    return [
        array["name"],
        array["node"] or "not running",
        f"RAID {array['level']}",
        said,
        " ".join(member["node"] + mark for member, mark in zip(members, marks, strict=True)),
        ", ".join(filter(None, [array.get("progress"), "read-only" if array.get("read_only") else ""])),
    ]


def _tell_disks(found: Understood) -> Iterator[str]:
    rows = list(list_disks(found))
    if rows:
        yield "Disks"
        yield from _build_rows(rows)


def _tell_health(disks: Sequence[Disk]) -> Iterator[str]:
    rows = []
    for disk in disks:
        health = disk.health
        if health is None:
            continue
        said = [
            {True: "passed", False: "FAILING", None: "not told"}[health.passed],
            f"{health.temperature_celsius} C" if health.temperature_celsius is not None else "",
            f"{health.power_on_hours} h" if health.power_on_hours is not None else "",
            f"{health.percentage_used} % used" if health.percentage_used is not None else "",
            f"{health.media_errors} errors not corrected" if health.media_errors else "",
            f"{health.reallocated_sectors} sectors replaced" if health.reallocated_sectors else "",
            f"{health.pending_sectors} sectors pending" if health.pending_sectors else "",
        ]
        rows.append([disk.path, disk.model or "-", disk.serial or "-", ", ".join(filter(None, said))])
    if rows:
        yield "Health"
        yield from _build_rows(rows)


def _tell_dimms(inventory: Inventory) -> Iterator[str]:
    if inventory.memory.dimms:
        yield "DIMM slots"
        yield from _build_rows(
            [
                dimm.slot,
                format_size(dimm.size_bytes) if dimm.size_bytes != 0 else "empty",
                _tell_kind(dimm),
                " ".join(filter(None, [dimm.vendor, dimm.part, dimm.serial])),
            ]
            for dimm in inventory.memory.dimms
        )


def _tell_kind(dimm: Dimm) -> str:
    kind = "" if dimm.persistent and (dimm.type or "").lower() == _LOGICAL else dimm.type
    return " ".join(filter(None, ["persistent" if dimm.persistent else "", kind]))


def _tell_bmc(states: dict[str, Any]) -> Iterator[str]:
    for name, state in states.items():
        interface = state.get("interface")
        lan = interface["lan"] if isinstance(interface, dict) else state.get("lan")
        if isinstance(lan, dict) and lan.get("address"):
            vlan = f", VLAN {lan['vlan']}" if lan.get("vlan") else ""
            said = f"{lan['address']} mask {lan['netmask']} gateway {lan['gateway']} ({lan['source']}){vlan}"
            yield f"{'BMC LAN':{_NAME}}{said}, by {name}"
        ciphers = (state.get("service") or {}).get("ciphers")
        if ciphers:
            yield f"{'Ciphers':{_NAME}}{', '.join(map(str, ciphers['suites']))}; levels {ciphers['levels']}"
        power = state.get("power")
        if power:
            words = {said: word for word, said in power["words"].items()}  # the template's, by the service's
            said = ", ".join(filter(None, [words.get(power["value"]), power["value"]]))
            yield f"{'Power':{_NAME}}when mains power comes back: {said}"


def _tell_accounts(states: dict[str, Any]) -> Iterator[str]:
    words = {True: "enabled", False: "disabled", None: ""}
    users = [user for state in states.values() for user in state.get("users") or () if user.get("name")]
    if users:
        yield "BMC users"
        yield from _build_rows(
            [str(u["slot"]), u["name"], u["privilege"], words[u["enabled"]]] for u in users
        )
    accounts = [
        entry for state in states.values() for entry in state.get("accounts") or () if entry.get("name")
    ]
    if accounts:
        yield "BMC users"
        yield from _build_rows(
            [str(entry["id"]), entry["name"], str(entry.get("role") or ""), words[entry.get("enabled")]]
            for entry in accounts
        )


def _tell_firmware(states: dict[str, Any]) -> Iterator[str]:
    rows: dict[tuple[str, ...], None] = {}
    for name, state in states.items():
        for part in state.get("installed") or ():
            is_fixed = (
                name == "firmware.redfish"
                and not part.get("target")
                and part["component"] not in ("bios", "bmc")
            )
            row = (
                part["component"],
                part["version"] or "-",
                part["title"],
                "cannot be updated" if is_fixed else "",
            )
            rows.setdefault(row)
    if rows:
        yield "Firmware"
        yield from _build_rows(rows)


def _tell_bios(found: Understood) -> Iterator[str]:
    count = sum(len(state.get("settings") or ()) for state in found.states.values())
    if count:
        rows = [
            [name, entry["value"] or "-", f"{setting} = {_spell(value)}"]
            for name, entry in found.names.items()
            for setting, value in entry["settings"].items()
        ]
        which = "these have" if rows else "none has"
        yield f"BIOS settings: {count}, of which {which} a name in templates"
        yield from _build_rows(rows)


def _tell_notes(notes: Sequence[str]) -> Iterator[str]:
    for place, note in enumerate(notes):
        lines = textwrap.wrap(note, _WIDTH - _NAME, break_long_words=False, break_on_hyphens=False)
        for line in lines[:20]:
            yield f"{'Note' if line is lines[0] and place == 0 else '-' if line is lines[0] else '':{_NAME}}{line}"


def _spell(value: Any) -> str:
    """A value as the machine writes it: `true`, and not Python's word for it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _label(name: str, value: str | None) -> str:
    return f"{name} {value}" if value else ""
