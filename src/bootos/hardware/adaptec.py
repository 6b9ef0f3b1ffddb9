"""What `arcconf GETCONFIG n AL` and `arcconf GETSTATUS n` print, as values. Pure but for `read_configs`.

Used by the inventory (`raidtool.py`) and by the driver `raid.adaptec`. There are two families of controllers, which
print different things: those of aacraid (series 2 to 8) and SmartRAID and SmartHBA (smartpqi), which have arrays that
logical devices lie on. Keys are lower case: their spelling differs from release to release.
"""

import re

import msgspec

from bootos.hardware.adaptectext import PAIRS, Part, parse_parts
from bootos.hardware.keyline import parse_pair
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
_SEGMENT = re.compile(r"^(?:Group (\d+), ?)?(?:Segment|Device) (\d+)$", re.IGNORECASE)
# ServeRAID 7 and 8 print the drives of an array in this way.
_PLACES = re.compile(r"^(?:drive\(s\)|stripe order) \(channel,device\)$", re.IGNORECASE)
_MEMBER = re.compile(r"^(\w[\w /-]*?)(?:\s*\((.*?)\)\s*(.*))?$")
_LOCATION = re.compile(r"Enclosure\s*+:?\s*(\d+|Direct Attached),\s*Slot\s*+:?\s*(\d+)", re.IGNORECASE)
_PORT = re.compile(r"Connector\s*+:?\s*(?:CN)?(\d+),\s*Device\s*+:?\s*(\d+)", re.IGNORECASE)
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
        """`controller 1 of arcconf (Adaptec 6805Q)`: the tool counts from 1, templates from 0."""
        model = self.values.get("controller model")
        return f"controller {self.number} of arcconf" + (f" ({model})" if model else "")


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
    controller, drives = ArcController(number=number), list[ArcDevice]()
    parts = parse_parts(text)
    for part in parts:
        if part.kind == "controller":
            part.keep(controller.values)
        elif part.kind == "array":
            part.keep(controller.arrays.setdefault(part.id, {}))
        elif part.kind == "logical device":
            controller.volumes.append(_build_volume(part))
        elif part.is_drive and (device := _build_device(part)):
            drives.append(device)
    if not controller.values and {part.kind for part in parts} <= {"controller", "array"}:
        raise ValueError("it prints no controller")
    if not controller.values:
        controller.remarks.append(Remark(text="the tool prints nothing of the controller itself"))
    elif "controller model" not in controller.values:
        status = controller.values.get("controller status", "")
        said = f"Controller Status: {status}" if status else "it prints no model of it"
        controller.remarks.append(Remark(text=f"its state cannot be read: {said}", part="controller"))
    controller.devices = _drop_twins(drives)
    return controller


def _build_volume(part: Part) -> ArcVolume:
    volume = ArcVolume(id=part.id)
    for line in part.lines:
        if segment := _SEGMENT.match(line.key):
            if member := _MEMBER.match(line.value):
                state, place, serial = member.groups(default="")
                group = int(segment[1] or 0)
                volume.members.append(ArcMember(state=state, group=group, place=place, serial=serial.strip()))
        elif not line.key or _PLACES.match(line.key):
            _keep_places(volume, line.value)
        elif line.key.lower() == "dedicated hot-spare":
            volume.hotspares.append(line.value)
        elif line.is_own:  # older releases of arcconf say `logical drive`
            volume.values.setdefault(line.key.lower().replace("logical drive", "logical device"), line.value)
    _drop_incomplete(volume)
    return volume


def _build_device(part: Part) -> ArcDevice | None:
    values: dict[str, str] = {}
    part.keep(values)
    place = values.get("reported channel,device", "")
    channel = _CHANNEL.match(values.get("reported channel,device(t:l)", place))
    return ArcDevice(id=f"{channel[1]},{channel[2]}", values=values) if channel is not None else None


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


def _keep_places(volume: ArcVolume, text: str) -> None:
    """The members as older releases print them: `0,0 0,1`. What is written in another way is left out."""
    for place in text.split() if PAIRS.match(text) else ():
        volume.members.append(ArcMember(state="Present", place=place))


def _drop_incomplete(volume: ArcVolume) -> None:
    """Better no members than a part of them: the drives that are not read here are in use all the same."""
    count = volume.values.get("number of segments", "")
    if count.isdigit() and len(volume.members) != int(count):
        volume.members.clear()


def parse_status(text: str) -> list[ArcTask]:
    """The tasks of `GETSTATUS` that run on logical devices."""
    tasks: list[ArcTask] = []
    for block in re.split(r"^Logical device Task:\s*$", text, flags=re.IGNORECASE | re.MULTILINE)[1:]:
        values: dict[str, str] = {}
        for line in block.splitlines():
            if pair := parse_pair(line.strip()):
                values.setdefault(pair[0].lower(), pair[1])
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
