"""What `ssacli controller all show config detail` prints (hpssacli and hpacucli print the same), as values. Pure but
for `read_config`.

Used by the inventory (`raidtool.py`) and by the driver `raid.smartarray`. The text is a tree by indentation;
controllers, arrays, logical drives and physical drives are found by their titles, the lines one step below a title are
its `values`, in the tool's words. Without `detail`, each drive is one line, which is put into the same words. Warnings
stand anywhere, wrapped, with or without indentation: a line that is neither a title nor a value of what is open changes
nothing.
"""

import re

import msgspec

from bootos.hardware.keyline import parse_pair
from bootos.hardware.program import TIMEOUT_S
from bootos.hardware.remark import Remark
from bootos.process import Runner
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

_CONTROLLER = re.compile(r"^(\S.*?) in Slot (\S+)((?:\s+\([^()]*\))*)$", re.IGNORECASE)
# A controller in a box of its own, which is called by the box's name and is none of this machine's slots.
_OUTSIDE = re.compile(
    r"^(HP |HPE |Compaq )?(Smart Array |Modular Smart Array )?MSA ?\d\S*( \S+)? in ", re.IGNORECASE
)
_ARRAY = re.compile(r"^array:? ([A-Z]{1,2})(?: \(.*)?$", re.IGNORECASE)
_LOOSE = re.compile(r"^(unassigned|HBA Drives)$", re.IGNORECASE)
_VOLUME = re.compile(r"^Logical Drive: (\d+)$", re.IGNORECASE)
_DRIVE = re.compile(r"^physicaldrive (\S+)$", re.IGNORECASE)
_MEMBER = re.compile(r"^physicaldrive (\S+) \(", re.IGNORECASE)
_SHORT_VOLUME = re.compile(r"^logicaldrive (\d+) \(([^,]+), ([^,]+), (.+)\)$", re.IGNORECASE)
_SHORT_DRIVE = re.compile(r"^physicaldrive (\S+) \(port [^,]*, ([^,]+), ([^,]+), (.+)\)$", re.IGNORECASE)
_TITLE_SERIAL = re.compile(r"\(sn: *([^)\s]+) *\)", re.IGNORECASE)
_GROUP = re.compile(r"^(Mirror|Parity) Group \d+:$", re.IGNORECASE)
_FLAT_LINES = 4  # with values, where the tool prints a warning at most
_PROSE = re.compile(
    r"^(warning|note|caution|attention|important|info|information|error|reason) *:", re.IGNORECASE
)
# Parts that are not read, as far as their titles are known; others begin after an empty line.
_PART = re.compile(
    r"^(((internal|external) )?drive cage\b|enclosure\b|expander \d|SEP \(|port name:|physical drives$)",
    re.IGNORECASE,
)
_STEP = 4  # what belongs to a title is indented by two or three more
_SIZE = re.compile(r"^(\d+)(?:\.(\d+))?\s*(KB|MB|GB|TB|PB)$", re.IGNORECASE)
_POWERS = {"KB": 1, "MB": 2, "GB": 3, "TB": 4, "PB": 5}
_LABEL_TAIL = re.compile(r"\s+")
# The keys that are read. Their case is not the same in all releases.
_KEYS = {
    key.lower(): key
    for key in (
        "Array Accelerator", "Cache Board Present", "Caching", "Controller Mode", "Disk Name", "Drive Type",
        "Drive exposed to OS", "Fault Tolerance", "Firmware Revision", "Firmware Version", "HBA Mode Enabled",
        "Interface Type", "Logical Drive Label", "Logical/Physical Block Size", "Model", "Native Block Size",
        "Number of Parity Groups", "PCI Address (Domain:Bus:Device.Function)", "Parity Initialization Progress",
        "Parity Initialization Status", "Pending Controller Mode", "Primary Boot Volume", "RAID 6 (ADG) Status",
        "RAID 6 Status", "Serial Number", "Size", "Smart Path", "Status", "Strip Size", "Unique Identifier", "WWID",
    )
}  # fmt: skip


class SsaDrive(msgspec.Struct, kw_only=True):
    """`array` is the letter of the one it belongs to (as data drive or spare); empty: none. `is_short`: the tool prints
    one line of it, which leaves much unsaid."""

    id: str
    array: str = ""
    values: dict[str, str] = {}
    is_short: bool = False


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
    remarks: list[Remark] = []

    @property
    def title(self) -> str:
        """`controller in slot 0 (HPE Smart Array P816i-a SR Gen10)`"""
        return f"controller in slot {self.slot} ({self.model})"


def read_config(run: Runner, program: str) -> list[SsaController]:
    """All controllers. What was printed counts, whatever the exit code. Raises ToolError, and ValueError, with the
    tool's words, for what shows no controller and does not say that there is none."""
    done = run([program, *SHOW], timeout_s=TIMEOUT_S, check=False)
    try:
        return parse_config(done.stdout)
    except ValueError as cause:
        said = parse_error(done.stdout + "\n" + done.stderr) or done.stderr.strip()[-500:]
        if NO_CONTROLLERS.lower() in said.lower():
            return []
        raise ValueError(f"{said} (exit code {done.returncode})" if said else f"{cause}") from cause


def parse_config(text: str) -> list[SsaController]:
    """The controllers in `... show config detail`. Raises ValueError for a text that holds none and does not say so."""
    controllers = [_Reader(block).read() for block in _split_controllers(text)]
    if not controllers and NO_CONTROLLERS.lower() not in text.lower():
        first = next((line.strip() for line in text.splitlines() if line.strip()), "nothing")
        raise ValueError(f"it does not print controllers, but: {first[:200]!r}")
    return controllers


def _split_controllers(text: str) -> list[list[str]]:
    """Lines from one controller's title to the next."""
    blocks: list[list[str]] = []
    is_inside = False
    for line in text.splitlines():
        if _CONTROLLER.match(line.rstrip()) and not _PROSE.match(line):
            blocks.append([])
            is_inside = True
        elif _OUTSIDE.match(line):
            is_inside = False
        if is_inside:
            blocks[-1].append(line.rstrip())
    return blocks


class _Reader:
    """Takes the lines of one controller, in order. `values` are those of what is open: lines of the depth `own` below a
    title of the depth `title`; None: nothing that is read is open."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        found = _CONTROLLER.match(lines[0])
        assert found is not None
        self.controller = SsaController(model=found[1], slot=found[2])
        self.controller.values["Title"] = lines[0]
        self.values: dict[str, str] | None = self.controller.values
        self.title, self.own = 0, 0
        self.array = ""
        self.use = ""  # the drive type of what is open; empty: neither an array nor loose drives are
        self.uses: dict[str, str] = {}  # of each drive, by its title
        self.failed: dict[
            str, str
        ] = {}  # arrays that are marked so in their title, whatever their logical drives are
        self.short: list[SsaDrive] = []  # drives of which there is one line
        self.volume: SsaVolume | None = None
        self.is_shown = False  # the tool prints something of the controller
        self.is_apart = False  # after an empty line
        self.is_prose = False  # in a warning

    def read(self) -> SsaController:
        """The controller."""
        for line in self.lines[1:]:
            text = line.strip()
            depth = len(line) - len(line.lstrip())
            if not text:
                self.is_apart, self.is_prose = True, False
            elif depth == 0 or _PROSE.match(text):
                self.is_prose = True
            elif self._open(text, depth):
                self.is_apart, self.is_prose, self.is_shown = False, False, True
            elif self._is_part(text, depth):
                self.values, self.volume, self.use, self.is_shown = None, None, "", True
            elif self.values is not None:
                self._keep(text, depth)
        controller = self.controller
        told = {drive.id for drive in controller.drives}
        for drive in controller.drives:
            if self.uses[drive.id]:
                drive.values.setdefault("Drive Type", self.uses[drive.id])
        controller.drives += [drive for drive in self.short if drive.id not in told]
        for volume in controller.volumes:
            if volume.array in self.failed:
                said = (volume.values.get("Status", ""), self.failed[volume.array])
                volume.values["Status"] = ", ".join(filter(None, said))
        self._remark()
        if serial := _TITLE_SERIAL.search(controller.values["Title"]):
            controller.values.setdefault("Serial Number", serial[1])
        return controller

    def _remark(self) -> None:
        controller = self.controller
        error = parse_error("\n".join(self.lines))
        if set(controller.values) != {"Title"}:
            said = f"the tool reports: {error}" if error else ""
        elif self.is_shown:
            said = error or "the tool prints nothing of the controller itself"
        else:
            flat = sum(": " in line for line in self.lines[1:] if line[:1].strip())
            lost = (
                "the lines have lost their indentation, by which they are read" if flat >= _FLAT_LINES else ""
            )
            said = f"its state cannot be read: {error or lost or 'the tool prints nothing of it'}"
            controller.remarks.append(Remark(text=said, part="controller"))
            return
        controller.remarks += [Remark(text=said)] if said else []

    def _open(self, text: str, depth: int) -> bool:
        """Whether the line is the title of something that is read."""
        controller = self.controller
        if found := _ARRAY.match(text):
            self.array, self.volume, self.use = found[1].upper(), None, "Data Drive"
            self.values = controller.arrays.setdefault(self.array, {})
            if "(failed" in text.lower():
                self.failed[self.array] = f"array {self.array} (Failed)"
        elif found := _LOOSE.match(text):
            self.array, self.values, self.volume = "", None, None
            self.use = "HBA Mode Drive" if found[1].lower().startswith("hba") else "Unassigned Drive"
        elif found := _VOLUME.match(text):
            self.volume = SsaVolume(id=found[1], array=self.array)
            controller.volumes.append(self.volume)
            self.values = self.volume.values
        elif found := _DRIVE.match(text):
            drive = SsaDrive(id=found[1], array=self.array)
            controller.drives.append(drive)
            self.uses[drive.id] = self.use
            self.values, self.volume = drive.values, None
        else:
            return self._open_short(text)
        self.title, self.own = depth, 0
        return True

    def _open_short(self, text: str) -> bool:
        """Whether the line is all that the tool prints of a logical or physical drive."""
        if not self.use or (self.volume is not None and self.volume.groups):
            return False
        if found := _SHORT_VOLUME.match(text):
            values = {"Size": found[2], "Fault Tolerance": found[3], "Status": found[4]}
            self.controller.volumes.append(SsaVolume(id=found[1], array=self.array, values=values))
        elif found := _SHORT_DRIVE.match(text):
            values = _read_short(found, self.use)
            self.short.append(SsaDrive(id=found[1], array=self.array, values=values, is_short=True))
        else:
            return False
        return True

    def _is_part(self, text: str, depth: int) -> bool:
        """Whether something that is not read begins here: an enclosure, a port, an expander."""
        is_own = self.title == 0 and depth in (0, self.own)
        if _PART.match(text):
            return depth <= self.title or self.title == 0
        is_above = depth <= self.title or (is_own and ":" not in text)
        return is_above and self.is_apart and not self.is_prose

    def _keep(self, text: str, depth: int) -> None:
        if _GROUP.match(text) and self.volume is not None:
            self.volume.groups.append([])
        elif (found := _MEMBER.match(text)) and self.volume is not None and self.volume.groups:
            self.volume.groups[-1].append(found[1])
        elif depth > self.title and self.values is not None and (pair := parse_pair(text)):
            if not self.own and depth - self.title <= _STEP:
                self.own = depth
            if depth == self.own:
                self.values.setdefault(_KEYS.get(pair[0].lower(), pair[0]), pair[1])
                self.is_apart = self.is_prose = False


def _read_short(found: re.Match[str], use: str) -> dict[str, str]:
    """`SAS HDD, 6 TB, OK, spare` in the words of the details."""
    kind, size, *said = [word.strip() for word in found[0].rstrip(")").split(", ")[1:]]
    spares = [word for word in said if "spare" in word.lower()]
    plain = re.sub(r"(?<!\s)\s+(HDD|SSD)$", "", kind, flags=re.IGNORECASE)
    is_solid = kind.upper().endswith("SSD") and not kind.lower().startswith("solid state")
    return {
        "Interface Type": f"Solid State {plain}" if is_solid else plain,
        "Size": size,
        "Status": ", ".join(word for word in said if word not in spares) or "OK",
        "Drive Type": "Spare Drive" if spares else use,
    }


def parse_size(text: str, unit: int) -> tuple[int, int]:
    """`558.9 GB` in bytes: (as printed, the least that prints so). `unit`: 1000 for physical drives, 1024 for logical
    ones; the tool has the same letters for both. Raises ValueError."""
    found = _SIZE.match(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a size")
    whole, tenths, letters = found.groups()
    factor = unit ** _POWERS[letters.upper()]
    digits = len(tenths or "")
    printed = int(f"{whole}{tenths or ''}") * factor // 10**digits
    missing = factor // (2 * 10**digits)
    if not digits and unit == 1000:  # drives of whole terabytes hold what is printed: `1 TB` is no 0.5 TB
        missing = min(missing, printed // 100)
    return printed, max(0, printed - missing)


def parse_level(text: str) -> str:
    """`1+0` is SNIA's 10; older tools say `RAID 1`."""
    plain = re.sub(r"^RAID ", "", text, flags=re.IGNORECASE).strip()
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
    said = interface.lower()
    if "nvme" in said or "pcie" in said:
        return DiskType.NVME
    return DiskType.SSD if said.startswith("solid state") else DiskType.HDD


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
        if line.strip().lower().startswith("error:"):
            rest = []
            for more in lines[index:]:
                if not more.strip():
                    break
                rest.append(more.strip())
            return " ".join(rest)
    return ""
