"""What `ssacli controller all show config detail` prints (hpssacli and hpacucli print the same), as values. Pure.

Used by the inventory (`raidtool.py`) and by the driver `raid.smartarray`. The text is a tree by indentation;
controllers, arrays, logical drives and physical drives are found by their titles, all other lines below a title are its
`values`, in the tool's words.
"""

import re

import msgspec

from bootos.wire.inventory import DiskType

PROGRAMS = (
    "ssacli",
    "/usr/sbin/ssacli",
    "/opt/smartstorageadmin/ssacli/bin/ssacli",
    "hpssacli",
    "/usr/sbin/hpssacli",
    "/opt/hp/hpssacli/bld/hpssacli",
    "hpacucli",
    "/usr/sbin/hpacucli",
    "/opt/compaq/hpacucli/bld/hpacucli",
)
SHOW = ("controller", "all", "show", "config", "detail")
NO_CONTROLLERS = "No controllers detected"

_CONTROLLER = re.compile(r"^(\S.*?) in Slot (\S+)(?P<rest>.*)$")
_ARRAY = re.compile(r"^[Aa]rray:? ([A-Z]{1,2})(?: \(.*)?$")
_LOOSE = re.compile(r"^(unassigned|HBA Drives)$", re.IGNORECASE)
_VOLUME = re.compile(r"^Logical Drive: (\d+)$")
_DRIVE = re.compile(r"^physicaldrive (\S+)$")
_MEMBER = re.compile(r"^physicaldrive (\S+) \(")
_GROUP = re.compile(r"^(Mirror|Parity) Group \d+:$")
_VALUE = re.compile(r"^(.+?)\s*:(?:\s+(.*))?$")
_SIZE = re.compile(r"^(\d+)(?:\.(\d+))?\s*(KB|MB|GB|TB|PB)$")
_POWERS = {"KB": 1, "MB": 2, "GB": 3, "TB": 4, "PB": 5}
_LABEL_TAIL = re.compile(r"\s+")


class SsaDrive(msgspec.Struct, kw_only=True):
    """`array` is the letter of the one it belongs to (as data drive or spare); empty: none."""

    id: str
    array: str = ""
    values: dict[str, str] = {}


class SsaVolume(msgspec.Struct, kw_only=True):
    """A logical drive. `groups` are its mirror or parity groups, where the tool prints them."""

    id: str
    array: str = ""
    values: dict[str, str] = {}
    groups: list[list[str]] = []


class SsaController(msgspec.Struct, kw_only=True):
    model: str
    slot: str
    values: dict[str, str] = {}
    arrays: dict[str, dict[str, str]] = {}
    volumes: list[SsaVolume] = []
    drives: list[SsaDrive] = []


def parse_config(text: str) -> list[SsaController]:
    """The controllers in `... show config detail`. Raises ValueError for a text that holds none and does not say so."""
    controllers: list[SsaController] = []
    for block in _split_controllers(text):
        controllers.append(_parse_controller(block))
    if not controllers and NO_CONTROLLERS not in text:
        first = next((line.strip() for line in text.splitlines() if line.strip()), "nothing")
        raise ValueError(f"it does not print controllers, but: {first[:200]!r}")
    return controllers


def _split_controllers(text: str) -> list[list[str]]:
    """Lines from one controller's title to the next."""
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if _CONTROLLER.match(line) and " in Slot " in line:
            blocks.append([])
        if blocks and line.strip():
            blocks[-1].append(line.rstrip())
    return blocks


def _parse_controller(lines: list[str]) -> SsaController:
    title = _CONTROLLER.match(lines[0])
    assert title is not None
    controller = SsaController(model=title[1], slot=title[2])
    controller.values["Title"] = lines[0]
    values: dict[str, str] | None = controller.values  # the values of the part that the lines belong to
    array = ""
    volume: SsaVolume | None = None
    for line in lines[1:]:
        text = line.strip()
        depth = len(line) - len(line.lstrip())
        if found := _ARRAY.match(text):
            array = found[1]
            values, volume = controller.arrays.setdefault(array, {}), None
        elif _LOOSE.match(text):
            array, values, volume = "", None, None
        elif found := _VOLUME.match(text):
            volume = SsaVolume(id=found[1], array=array)
            controller.volumes.append(volume)
            values = volume.values
        elif found := _DRIVE.match(text):
            drive = SsaDrive(id=found[1], array=array)
            controller.drives.append(drive)
            values, volume = drive.values, None
        elif _GROUP.match(text) and volume is not None:
            volume.groups.append([])
        elif (found := _MEMBER.match(text)) and volume is not None and volume.groups:
            volume.groups[-1].append(found[1])
        elif depth <= 4 and (":" not in text or values is not controller.values):
            values, volume = None, None  # a part that is not read: an enclosure, a port, an expander
        elif values is not None and (found := _VALUE.match(text)):
            values.setdefault(found[1], (found[2] or "").strip())
    return controller


def parse_size(text: str, unit: int) -> tuple[int, int]:
    """`558.9 GB` in bytes: (as printed, the least that prints so). `unit`: 1000 for physical drives, 1024 for logical
    ones; the tool has the same letters for both. Raises ValueError."""
    found = _SIZE.match(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a size")
    whole, tenths, letters = found.groups()
    factor = unit ** _POWERS[letters]
    digits = len(tenths or "")
    printed = int(f"{whole}{tenths or ''}") * factor // 10**digits
    return printed, max(0, printed - factor // (2 * 10**digits))


def parse_level(text: str) -> str:
    """`1+0` is SNIA's 10; older tools say `RAID 1`."""
    plain = text.removeprefix("RAID ").strip()
    return "10" if plain == "1+0" else plain


def find_label(values: dict[str, str], serial: str) -> str:
    """The name that somebody gave a logical drive. Empty when the label is the one that the controller makes from its
    serial number (`02795E8FPDVTF0BRH5T0MOF6B8`)."""
    label = values.get("Logical Drive Label", "")
    made_up = re.match(r"^[0-9A-F]{8}", label) and len(label) >= 20
    if made_up or (serial and serial in label):
        return ""
    return _LABEL_TAIL.sub(" ", label)


def find_type(interface: str) -> DiskType:
    """`Solid State SATA` is an SSD; `SAS` alone turns."""
    if "NVMe" in interface or "PCIe" in interface:
        return DiskType.NVME
    return DiskType.SSD if interface.startswith("Solid State") else DiskType.HDD


def read_bytes(text: str | None) -> int | None:
    """`256 KB`, of strips."""
    try:
        return parse_size(text or "", 1024)[0]
    except ValueError:
        return None


def parse_error(text: str) -> str:
    """The prose of a failure in one line: `Error: ... Reason: ...`; empty: the text holds none. Warnings are none."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if line.strip().startswith("Error:"):
            rest = []
            for more in lines[index:]:
                if not more.strip():
                    break
                rest.append(more.strip())
            return " ".join(rest)
    return ""
