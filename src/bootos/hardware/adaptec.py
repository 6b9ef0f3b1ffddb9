"""What `arcconf GETCONFIG n AL` and `arcconf GETSTATUS n` print, as values. Pure.

Used by the inventory (`raidtool.py`) and by the driver `raid.adaptec`. There are two families of controllers, which
print different things: those of aacraid (series 2 to 8) and SmartRAID and SmartHBA (smartpqi), which have arrays that
logical devices lie on. Keys are lower case: their spelling differs from release to release.
"""

import re

import msgspec

PROGRAMS = (
    "arcconf",
    "/usr/Arcconf/arcconf",
    "/usr/sbin/arcconf",
    "/usr/local/sbin/arcconf",
    "/usr/StorMan/arcconf",
    "/opt/arcconf/arcconf",
)

_FOUND = re.compile(r"^Controllers found: (\d+)", re.MULTILINE)
_RULE = re.compile(r"^-{5,}$")
_SECTION = re.compile(
    r"^(controller|array|logical device|logical drive|physical device|maxcache) information$", re.I
)
_VOLUME = re.compile(r"^Logical (?:device|drive) number (\d+)$", re.IGNORECASE)
_ARRAY = re.compile(r"^Array Number (\d+)$", re.IGNORECASE)
_DEVICE = re.compile(r"^Device #(\d+)$")
_HARD_DRIVE = re.compile(r"^Device is an? (Hard drive|SSD|NVMe.*)$", re.IGNORECASE)
_VALUE = re.compile(r"^(.+?)\s*:(?:\s+(.*))?$")
_SEGMENT = re.compile(r"^(?:Group (\d+), )?(?:Segment|Device) (\d+)$", re.IGNORECASE)
# ServeRAID 7 and 8 print the drives of an array in this way.
_PLACES = re.compile(r"^(?:drive\(s\)|stripe order) \(channel,device\)$", re.IGNORECASE)
_PAIRS = re.compile(r"^\d+,\d+(?:\s+\d+,\d+)*$")
_MEMBER = re.compile(r"^(\w[\w /-]*?)(?:\s*\((.*?)\)\s*(.*))?$")
_LOCATION = re.compile(r"Enclosure\s*:?\s*(\d+|Direct Attached),\s*Slot\s*:?\s*(\d+)", re.IGNORECASE)
_PORT = re.compile(r"Connector\s*:?\s*(?:CN)?(\d+),\s*Device\s*:?\s*(\d+)", re.IGNORECASE)
_CHANNEL = re.compile(r"^(\d+),\s*(\d+)")
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*(KB|MB|GB|TB|KiB|MiB|GiB|TiB)\b")
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
    values: dict[str, str] = {}
    arrays: dict[str, dict[str, str]] = {}
    volumes: list[ArcVolume] = []
    devices: list[ArcDevice] = []


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


def parse_config(text: str) -> ArcController:
    """One controller. Raises ValueError for a text without one."""
    controller = ArcController()
    section = ""
    values: dict[str, str] | None = None
    volume: ArcVolume | None = None
    found_devices: list[tuple[dict[str, str], bool]] = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or _RULE.match(line):
            continue
        if title := _SECTION.match(line):
            section = title[1].lower()
            values, volume = controller.values if section == "controller" else None, None
        elif found := _VOLUME.match(line):
            section = "logical device"
            volume = ArcVolume(id=found[1])
            controller.volumes.append(volume)
            values = volume.values
        elif section == "array" and (found := _ARRAY.match(line)):
            values = controller.arrays.setdefault(found[1], {})
        elif section == "physical device" and _DEVICE.match(line):
            values = {}
            found_devices.append((values, False))
        elif found_devices and values is found_devices[-1][0] and _HARD_DRIVE.match(line):
            found_devices[-1] = (values, True)
        elif volume is not None and values is volume.values and _PAIRS.match(line):
            _keep_places(volume, line)  # this line continues the line before it
        elif values is not None and (found := _VALUE.match(line)):
            _keep(values, volume, found[1], (found[2] or "").strip())
    if "controller model" not in controller.values:
        raise ValueError("it prints no controller")
    for read in controller.volumes:
        _drop_incomplete(read)
    controller.devices = [device for device in map(_build_device, found_devices) if device is not None]
    return controller


def _keep(values: dict[str, str], volume: ArcVolume | None, key: str, value: str) -> None:
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
    return int(float(found[1]) * 1024 ** _POWERS[found[2][0]])


def is_smart(controller: ArcController) -> bool:
    """Whether it is a SmartRAID or SmartHBA (smartpqi), which the tool drives by other words than aacraid's."""
    driver = controller.values.get("driver name", "")
    model = controller.values.get("controller model", "")
    return driver == "smartpqi" or "Smart" in model or re.search(r"\bHBA 1[01]\d\d", model) is not None


def parse_error(text: str) -> str:
    """What the tool says against a command, in one line; empty: it completed."""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    if "Command completed successfully." in said:
        return ""
    return (
        " ".join(line for line in said if not line.startswith(("Controllers found", "Command aborted")))
        or "Command aborted."
    )
