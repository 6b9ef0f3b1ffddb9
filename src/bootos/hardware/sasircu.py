"""What LSI's and Broadcom's sas2ircu and sas3ircu print of controllers with IR firmware, as values. Pure but for
what reads.

Used by the inventory (`raidtool.py`) and by the driver `raid.sas3ircu`. The two programs speak alike, for the chips of
SAS 2 and SAS 3. Keys are lower case here. A controller with IT firmware has no RAID, and says so.
"""

import re
from pathlib import Path

import msgspec

from bootos.hardware import cardlist
from bootos.hardware.cardlist import CardList
from bootos.hardware.keyline import parse_pair
from bootos.hardware.program import TIMEOUT_S
from bootos.hardware.remark import Remark
from bootos.process import Runner, ToolError
from bootos.wire.inventory import DiskType

DRIVER = "raid.sas3ircu"
_NAMES = ("sas3ircu", "sas2ircu")
PROGRAMS = tuple(place for name in _NAMES for place in (name, f"/opt/lsi/{name}", f"/opt/lsi/{name}/{name}"))
ASK = ("LIST",)
_NONE = re.compile(r"MPTLib2 Error 1\b|no controllers? (?:was |were )?found", re.IGNORECASE)

_ROW = re.compile(
    r"^\s*(\d+)\s+\S+\s+[0-9a-f]+h\s+[0-9a-f]+h\s+([0-9a-f]+)h:(?:([0-9a-f]+)h:([0-9a-f]+)h:([0-9a-f]+)h)?",
    re.IGNORECASE,
)
_RULE = re.compile(r"^-{5,}$")
_SECTION = re.compile(r"^(controller|IR volume|physical device|enclosure) information$", re.IGNORECASE)
_VOLUME = re.compile(r"^IR volume (\d+)$", re.IGNORECASE)
_DEVICE = re.compile(r"^device is an? (.+)$", re.IGNORECASE)
_MEMBER = re.compile(r"^phy\[\d+\] enclosure#/slot#$", re.IGNORECASE)
_OWN = re.compile(r"^SAS\dIRCU:", re.IGNORECASE)  # the tool's own words, and not what it shows
_WORD = re.compile(r"\((\w+)\)\s*$")
_LEVELS = {"0": "0", "1": "1", "1e": "1E", "10": "10", "01": "10"}


class IrVolume(msgspec.Struct, kw_only=True):
    """A logical disk. `members` are `enclosure:slot`, in order."""

    values: dict[str, str] = {}
    members: list[str] = []

    @property
    def id(self) -> str:
        """The number that commands take."""
        return self.values.get("volume id", "")

    @property
    def name(self) -> str:
        """Its name, which newer releases print; empty: none."""
        return self.values.get("volume name", "")

    @property
    def level(self) -> str:
        """SNIA's number; 1E as it is."""
        said = self.values.get("raid level", "").lower().removeprefix("raid")
        return _LEVELS.get(said, said)

    @property
    def wwn(self) -> str:
        """The world wide name of its disk: the kernel shows the volume's own with its bytes in the other order."""
        own = self.values.get("volume wwid", "").lower()
        if not re.fullmatch(r"[0-9a-f]{16}", own):
            return ""
        return "600508e000000000" + "".join(reversed([own[n : n + 2] for n in range(0, 16, 2)]))

    @property
    def size_bytes(self) -> int:
        """0: it is not printed."""
        said = self.values.get("size (in mb)", "")
        return int(said) * 1024**2 if said.isdigit() else 0


class IrDrive(msgspec.Struct, kw_only=True):
    """A drive; one that is missing may have no place."""

    values: dict[str, str] = {}

    @property
    def id(self) -> str:
        """`enclosure:slot`, as commands want it."""
        return f"{self.values.get('enclosure #', '')}:{self.values.get('slot #', '')}"

    @property
    def state(self) -> str:
        """The tool's short word: RDY, OPT, HSP, FLD; empty: it prints none."""
        return find_word(self.values.get("state", ""))

    @property
    def size_bytes(self) -> int:
        """By its sectors, of which the tool prints the last one's number."""
        mib, _, sectors = self.values.get("size (in mb)/(in sectors)", "").partition("/")
        if sectors.isdigit():
            return (int(sectors) + 1) * 512
        return int(mib) * 1024**2 if mib.isdigit() else 0


class IrController(msgspec.Struct, kw_only=True):
    """`number` counts from 0, as the tool does; `id` and the numbers of cards that both programs share out are
    `cardlist.join_cards`'s. `listed_address` is the PCI address in the list of all. `remarks` are what the tool does
    not show."""

    number: int
    id: str = ""
    listed_address: str = ""
    values: dict[str, str] = {}
    volumes: list[IrVolume] = []
    drives: list[IrDrive] = []
    remarks: list[Remark] = []

    @property
    def is_hba(self) -> bool:
        """Whether its firmware makes no arrays."""
        return self.values.get("raid support", "").lower() == "no" and not self.volumes

    @property
    def model(self) -> str:
        """The chip, which is all that the tool says of the card."""
        return self.values.get("controller type", "")

    @property
    def title(self) -> str:
        """`controller 0 (SAS3008)`"""
        return f"controller {self.number}" + (f" ({self.model})" if self.model else "")

    @property
    def pci_address(self) -> str:
        """`0000:03:00.0`; empty: it is not printed."""
        said = [self.values.get(key, "") for key in ("segment", "bus", "device", "function")]
        if not all(text.isdigit() for text in said):
            return self.listed_address
        segment, bus, device, function = map(int, said)
        return f"{segment:04x}:{bus:02x}:{device:02x}.{function:x}"


def find_word(text: str) -> str:
    """The short word of a state: `Okay (OKY)`, `Inactive, Okay (OKY)`."""
    found = _WORD.search(text)
    return found[1].upper() if found else ""


def find_type(drive: IrDrive) -> DiskType:
    """`SATA_HDD`, `SAS_SSD`."""
    said = drive.values.get("drive type", "").upper()
    return DiskType.SSD if "SSD" in said else DiskType.HDD if "HDD" in said else DiskType.UNKNOWN


def parse_list(text: str) -> dict[int, str]:
    """The PCI addresses of the controllers in the answer to LIST, by their numbers; empty: it is not told."""
    listed: dict[int, str] = {}
    for found in filter(None, map(_ROW.match, text.splitlines())):
        segment, bus, device, function = (int(said or "0", 16) for said in found.groups()[1:])
        is_told = bus or device  # the host bridge is at 00:00.0
        listed[int(found[1])] = f"{segment:04x}:{bus:02x}:{device:02x}.{function:x}" if is_told else ""
    return listed


def parse_display(text: str, number: int) -> IrController:
    """One controller, from the answer to `n DISPLAY`. Raises ValueError for a text without one."""
    controller = IrController(number=number)
    section = ""
    values: dict[str, str] | None = None
    volume: IrVolume | None = None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for place, line in enumerate(lines):
        if _RULE.match(line):
            continue
        is_title = bool(
            place and _RULE.match(lines[place - 1]) and _RULE.match(lines[min(place + 1, len(lines) - 1)])
        )
        if found := _SECTION.match(line):
            section = found[1].lower()
            values, volume = controller.values if section == "controller" else None, None
        elif is_title and parse_pair(line) is None:
            section, values, volume = "", None, None  # a section that is not known
        elif section and (found := _VOLUME.match(line)):
            volume = IrVolume()
            controller.volumes.append(volume)
            values = volume.values
        elif section == "physical device" and (found := _DEVICE.match(line)):
            values = {}
            if "hard disk" in found[1].lower():
                controller.drives.append(IrDrive(values=values))
        elif values is not None and (pair := parse_pair(line)):
            key, value = pair[0].lower(), pair[1]
            if volume is not None and _MEMBER.match(key):
                volume.members.append(value)
            else:
                values.setdefault(key, value)
    if not controller.values and not controller.drives and not controller.volumes:
        raise ValueError(parse_error(text) or "it prints no controller")
    return controller


def parse_error(text: str) -> str:
    """What the tool says against a command, in one line; empty: it completed."""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    own = [line.partition(":")[2].strip() for line in said if _OWN.match(line)]
    is_done = any(line.lower().startswith("utility completed successfully") for line in own)
    if is_done and not any(line.lower().startswith("error") for line in own):
        return ""
    told = [line for line in own if "completed successfully" not in line.lower()]
    return " ".join(told or said[-3:])


def read_cards(run: Runner, root: Path) -> CardList[IrController] | None:
    """The controllers of both programs; None: neither is installed."""
    return cardlist.read_cards(run, root, PROGRAMS, read_controllers)


def read_controllers(run: Runner, program: str) -> list[IrController]:
    """All controllers that one program knows, also those of which it shows nothing. Raises ToolError, and ValueError
    for an answer that neither lists one nor says that there is none."""
    listed = run([program, "LIST"], timeout_s=TIMEOUT_S, check=False)
    numbers = parse_list(listed.stdout)
    if not numbers and not _NONE.search(listed.stdout + listed.stderr):
        said = parse_error(listed.stdout + "\n" + listed.stderr) or listed.stdout.strip()
        raise ValueError(f"it lists no controllers, but: {said[:200]!r}")
    found = [read_controller(run, program, number) for number in numbers]
    for controller in found:
        controller.listed_address = numbers[controller.number]
    return found


def read_controller(run: Runner, program: str, number: int) -> IrController:
    """One controller; where nothing can be read of it, a remark is all there is."""
    try:
        done = run([program, str(number), "DISPLAY"], timeout_s=TIMEOUT_S, check=False)
        return parse_display(done.stdout or done.stderr, number)
    except (ToolError, ValueError) as cause:
        remark = Remark(text=f"its state cannot be read: {cause}", part="controller")
        return IrController(number=number, remarks=[remark])
