"""What `arcconf GETCONFIG n AL` and `arcconf GETSTATUS n` print, as values. Pure but for `read_configs`.

Used by the inventory (`raidtool.py`) and by the driver `raid.adaptec`. There are two families of controllers, which
print different things: those of aacraid (series 2 to 8) and SmartRAID and SmartHBA (smartpqi), which have arrays that
logical devices lie on. Keys are lower case: their spelling differs from release to release.
"""

import re
from collections.abc import Sequence

import msgspec

from bootos.hardware.pciids import parse_pci_address
from bootos.hardware.program import TIMEOUT_S
from bootos.hardware.remark import Remark
from bootos.process import Runner, ToolError

PROGRAMS = (
    "arcconf",
    "/usr/Arcconf/arcconf",
    "/usr/sbin/arcconf",
    "/usr/local/sbin/arcconf",
    "/usr/StorMan/arcconf",
    "/opt/arcconf/arcconf",
)

_FOUND = re.compile(r"^Controllers found *: *(\d+)", re.MULTILINE | re.IGNORECASE)
_RULE = re.compile(r"^-{5,}$")
_SECTION = re.compile(
    r"^(controller|array|logical device|logical drive|physical device|maxcache) information$", re.I
)
# A section of any other name, like `maxCache 3.0 information`: what is in it belongs to nothing that is read.
_OTHER_SECTION = re.compile(r"^\w[\w .,/()-]{0,60} information$", re.IGNORECASE)
# The parts of a section whose keys are read with it. Others (batteries, sensors, PHYs) have keys of their own.
_OWN_PART = re.compile(r"^([\w ]+ (version|segment) information|RAID properties)$", re.IGNORECASE)
_VOLUME = re.compile(r"^Logical (?:device|drive) number (\d+)$", re.IGNORECASE)
_ARRAY = re.compile(r"^Array Number (\d+)$", re.IGNORECASE)
_DEVICE = re.compile(r"^Device #(\d+)$", re.IGNORECASE)
_HARD_DRIVE = re.compile(r"^Device is an? (Hard drive|SSD|NVMe.*)$", re.IGNORECASE)
_VALUE = re.compile(r"^(.+?)\s*:(?:\s+(.*))?$")
_SEGMENT = re.compile(r"^(?:Group (\d+), ?)?(?:Segment|Device) (\d+)$", re.IGNORECASE)
# ServeRAID 7 and 8 print the drives of an array in this way.
_PLACES = re.compile(r"^(?:drive\(s\)|stripe order) \(channel,device\)$", re.IGNORECASE)
_PAIRS = re.compile(r"^\d+,\d+(?:\s+\d+,\d+)*$")
_MEMBER = re.compile(r"^(\w[\w /-]*?)(?:\s*\((.*?)\)\s*(.*))?$")
_LOCATION = re.compile(r"Enclosure\s*:?\s*(\d+|Direct Attached),\s*Slot\s*:?\s*(\d+)", re.IGNORECASE)
_PORT = re.compile(r"Connector\s*:?\s*(?:CN)?(\d+),\s*Device\s*:?\s*(\d+)", re.IGNORECASE)
_CHANNEL = re.compile(r"^(\d+),\s*(\d+)")
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*(KB|MB|GB|TB|KiB|MiB|GiB|TiB)\b", re.IGNORECASE)
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}


class ArcMember(msgspec.Struct, frozen=True, kw_only=True):
    """A segment of a logical device. `state` is the tool's word: Present, Missing, Rebuilding, Inconsistent."""

    state: str
    group: int = 0
    place: str = ""
    serial: str = ""


class ArcVolume(msgspec.Struct, kw_only=True):
    id: str
    values: dict[str, str] = {}
    members: list[ArcMember] = []
    hotspares: list[str] = []  # dedicated ones, as `0,10`


class ArcDevice(msgspec.Struct, kw_only=True):
    """A physical drive; `id` is channel and device, as commands want it: `0,4`."""

    id: str
    values: dict[str, str] = {}


class ArcController(msgspec.Struct, kw_only=True):
    """`number` counts from 1, as the tool does. `remarks` are what it does not show."""

    number: int = 1
    values: dict[str, str] = {}
    arrays: dict[str, dict[str, str]] = {}
    volumes: list[ArcVolume] = []
    devices: list[ArcDevice] = []
    remarks: list[Remark] = []

    @property
    def title(self) -> str:
        """`controller 1 (Adaptec 6805Q)`"""
        model = self.values.get("controller model")
        return f"controller {self.number}" + (f" ({model})" if model else "")


class ArcTask(msgspec.Struct, frozen=True, kw_only=True):
    volume: str
    operation: str
    percent: str


def parse_count(text: str) -> int:
    """How many controllers the tool found: the first line of everything it prints. Raises ValueError."""
    found = _FOUND.search(text)
    if found is None:
        first = next((line.strip() for line in text.splitlines() if line.strip()), "nothing")
        raise ValueError(f"it does not print how many controllers there are, but: {first[:200]!r}")
    return int(found[1])


def parse_config(text: str, number: int = 1) -> ArcController:
    """One controller; of one that the tool cannot talk to, a remark is all there is. Raises ValueError for a text
    without one."""
    reader = _Reader(number)
    lines = [line for line in text.splitlines() if line.strip()]
    for place, line in enumerate(lines):
        if not _RULE.match(line.strip()):
            reader.read(line, lines[max(0, place - 3) : place], lines[place + 1 : place + 2])
    return reader.build()


class _Reader:
    """Takes the lines of one controller, in order. A line that it does not know changes nothing."""

    def __init__(self, number: int) -> None:
        self.controller = ArcController(number=number)
        self.section = ""
        self.values: dict[str, str] | None = None  # what the lines belong to; None: nothing that is read
        self.volume: ArcVolume | None = None
        self.is_own = True  # whether the keys of this part of the section are those of `values`
        self.devices: list[tuple[dict[str, str], bool]] = []

    def read(self, raw: str, before: Sequence[str], after: Sequence[str]) -> None:
        """Take one line, with the lines around it."""
        line = raw.strip()
        is_indented = raw[:1].isspace()
        is_ruled = any(_RULE.match(other.strip()) for other in before[-1:])
        if title := _SECTION.match(line):
            self._begin(title[1].lower())
            self.values = self.controller.values if self.section == "controller" else None
        elif not is_indented and _OTHER_SECTION.match(line) and any(_RULE.match(other) for other in before):
            self._begin("")
        elif found := _VOLUME.match(line):
            self._begin("logical device")
            self.volume = ArcVolume(id=found[1])
            self.controller.volumes.append(self.volume)
            self.values = self.volume.values
        elif self.section == "array" and (found := _ARRAY.match(line)):
            self.values, self.is_own = self.controller.arrays.setdefault(found[1], {}), True
        elif self.section == "physical device" and _DEVICE.match(line):
            self.values, self.is_own = {}, True
            self.devices.append((self.values, False))
        elif self.devices and self.values is self.devices[-1][0] and _HARD_DRIVE.match(line):
            self.devices[-1] = (self.values, True)
        elif self.volume is not None and self.values is self.volume.values and _PAIRS.match(line):
            _keep_places(self.volume, line)  # this line continues the line before it
        elif (
            is_indented
            and _OWN_PART.search(line)
            and (is_ruled or any(_RULE.match(o.strip()) for o in after))
        ):
            self.is_own = True
        elif is_indented and is_ruled and not _VALUE.match(line):
            self.is_own = False
        elif self.values is not None and (found := _VALUE.match(line)):
            _keep(self.values, self.volume, found[1], (found[2] or "").strip(), is_own=self.is_own)

    def _begin(self, section: str) -> None:
        self.section, self.values, self.volume, self.is_own = section, None, None, True

    def build(self) -> ArcController:
        """The controller. Raises ValueError when there was none."""
        controller = self.controller
        if not controller.values and not controller.volumes and not self.devices:
            raise ValueError("it prints no controller")
        if not controller.values:
            controller.remarks.append(Remark(text="the tool prints nothing of the controller itself"))
        elif "controller model" not in controller.values:
            status = controller.values.get("controller status", "")
            said = f"Controller Status: {status}" if status else "it prints no model of it"
            controller.remarks.append(Remark(text=f"its state cannot be read: {said}", part="controller"))
        for volume in controller.volumes:
            _drop_incomplete(volume)
        controller.devices = _drop_twins([d for d in map(_build_device, self.devices) if d is not None])
        return controller


def _drop_twins(devices: list[ArcDevice]) -> list[ArcDevice]:
    """Each drive once: a drive with two ports is listed for each, with the same place and serial number."""
    found: dict[tuple[str, str], ArcDevice] = {}
    for device in devices:
        found.setdefault((device.id, read_serial(device)), device)
    return list(found.values())


def read_configs(run: Runner, program: str) -> list[ArcController]:
    """All controllers, also those that the tool cannot talk to. Raises ToolError, and ValueError when it neither says
    how many there are nor shows one."""
    text = _read_config(run, program, 1)
    try:
        count = parse_count(text)
    except ValueError:
        if not _is_controller(text):
            raise
        count = 1
    found = []
    for number in range(1, count + 1):
        try:
            found.append(read_config(run, program, number, text if number == 1 else None))
        except (ToolError, ValueError) as cause:
            said = f"its state cannot be read: {cause}"
            found.append(ArcController(number=number, remarks=[Remark(text=said, part="controller")]))
    return found


def _is_controller(text: str) -> bool:
    try:
        parse_config(text)
    except ValueError:
        return False
    return True


def read_config(run: Runner, program: str, number: int, text: str | None = None) -> ArcController:
    """One controller by its number; `text`: what the tool printed of it. What was printed counts, whatever the exit
    code. Raises ToolError, and ValueError, with the tool's words, for what shows no controller."""
    said = _read_config(run, program, number) if text is None else text
    try:
        return parse_config(said, number)
    except ValueError as cause:
        words = parse_error(said)
        raise ValueError(f"{cause}, but: {words[:500]!r}" if words else f"{cause}") from cause


def _read_config(run: Runner, program: str, number: int) -> str:
    done = run([program, "GETCONFIG", str(number), "AL"], timeout_s=TIMEOUT_S, check=False)
    return done.stdout if done.stdout.strip() else done.stderr


def _keep(
    values: dict[str, str], volume: ArcVolume | None, key: str, value: str, *, is_own: bool = True
) -> None:
    segment = _SEGMENT.match(key)
    if volume is not None and segment:
        member = _MEMBER.match(value)
        if member:
            state, place, serial = member.groups()
            volume.members.append(
                ArcMember(
                    state=state, group=int(segment[1] or 0), place=place or "", serial=(serial or "").strip()
                )
            )
    elif volume is not None and _PLACES.match(key):
        _keep_places(volume, value)
    elif volume is not None and key.lower() == "dedicated hot-spare":
        volume.hotspares.append(value)
    elif not is_own:
        return
    elif volume is not None:  # older releases of arcconf say `logical drive`
        values.setdefault(key.lower().replace("logical drive", "logical device"), value)
    else:
        values.setdefault(key.lower(), value)


def _keep_places(volume: ArcVolume, text: str) -> None:
    """The members as older releases print them: `0,0 0,1`. What is written in another way is left out."""
    for place in text.split() if _PAIRS.match(text) else ():
        volume.members.append(ArcMember(state="Present", place=place))


def _drop_incomplete(volume: ArcVolume) -> None:
    """Better no members than a part of them: the drives that are not read here are in use all the same."""
    count = volume.values.get("number of segments", "")
    if count.isdigit() and len(volume.members) != int(count):
        volume.members.clear()


def _build_device(found: tuple[dict[str, str], bool]) -> ArcDevice | None:
    values, is_drive = found
    channel = _CHANNEL.match(
        values.get("reported channel,device(t:l)", values.get("reported channel,device", ""))
    )
    if not is_drive or channel is None:
        return None
    return ArcDevice(id=f"{channel[1]},{channel[2]}", values=values)


def parse_status(text: str) -> list[ArcTask]:
    """The tasks of `GETSTATUS` that run on logical devices."""
    tasks: list[ArcTask] = []
    for block in re.split(r"^Logical device Task:\s*$", text, flags=re.IGNORECASE | re.MULTILINE)[1:]:
        values: dict[str, str] = {}
        for line in block.splitlines():
            if found := _VALUE.match(line.strip()):
                values.setdefault(found[1].lower(), (found[2] or "").strip())
        if "logical device" in values:
            tasks.append(
                ArcTask(
                    volume=values["logical device"],
                    operation=values.get("current operation", ""),
                    percent=values.get("percentage complete", ""),
                )
            )
    return tasks


def find_place(device: ArcDevice) -> tuple[str, str]:
    """(enclosure, slot) for people: `("0", "3")`; a drive without an enclosure is known by its connector."""
    said = device.values.get("reported location", "")
    if found := _LOCATION.search(said):
        return ("" if found[1].lower() == "direct attached" else found[1], found[2])
    if found := _PORT.search(said):
        return (f"CN{found[1]}", found[2])
    channel, _, number = device.id.partition(",")
    return (channel, number)


def find_device(controller: ArcController, member: ArcMember) -> ArcDevice | None:
    """The physical drive that a segment is on: by serial number when that is unique, else by its place."""
    same = [device for device in controller.devices if member.serial and read_serial(device) == member.serial]
    if len(same) == 1:
        return same[0]
    if channel := _CHANNEL.match(member.place):
        return next((d for d in controller.devices if d.id == f"{channel[1]},{channel[2]}"), None)
    for pattern in (_LOCATION, _PORT):
        place = pattern.search(member.place)
        for device in controller.devices if place else ():
            own = pattern.search(device.values.get("reported location", ""))
            if own and place and own.groups() == place.groups():
                return device
    if place := _PORT.search(member.place):  # SmartRAID numbers devices over all connectors
        return next((d for d in controller.devices if d.id == f"0,{place[2]}"), None)
    return None


def read_serial(device: ArcDevice) -> str:
    """The serial number of a device as arcconf prints it; empty: it prints none."""
    return device.values.get("serial number", "")


def parse_size(text: str) -> int:
    """`228902 MB` in bytes; the tool counts in units of 1024. Raises ValueError."""
    found = _SIZE.match(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a size")
    return int(float(found[1]) * 1024 ** _POWERS[found[2][0].upper()])


def is_hba(controller: ArcController) -> bool:
    """Whether it makes no arrays: an HBA of the 1000, 1100 or 1200 series."""
    return re.search(r"\bHBA 1[0-2]\d\d", controller.values.get("controller model", "")) is not None


def find_address(controller: ArcController) -> str:
    """Its PCI address (`0000:41:00.0`); empty: the tool does not print it, as of controllers of aacraid."""
    for key, value in controller.values.items():
        if key.startswith("pci address"):
            return parse_pci_address(value)
    return ""


def is_smart(controller: ArcController) -> bool:
    """Whether it is a SmartRAID or SmartHBA (smartpqi), which the tool drives by other words than aacraid's."""
    driver = controller.values.get("driver name", "")
    model = controller.values.get("controller model", "")
    return driver == "smartpqi" or "Smart" in model or re.search(r"\bHBA 1[01]\d\d", model) is not None


def parse_error(text: str) -> str:
    """What the tool says against a command, in one line; empty: it completed."""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    if "command completed successfully." in [line.lower() for line in said]:
        return ""
    return (
        " ".join(
            line for line in said if not line.lower().startswith(("controllers found", "command aborted"))
        )
        or "Command aborted."
    )
