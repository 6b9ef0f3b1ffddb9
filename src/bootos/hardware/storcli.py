"""What Broadcom's storcli and storcli2 (Dell: perccli, perccli2) print, as values. Pure but for `read_controllers`.

Used by the inventory and by `raid.megaraid`. The two generations answer the same questions with other keys; which one
it is, the tool's version says: 007 (and older) is the classic one, 008 the second. "TB" of these
tools is 1024 to the fourth.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from bootos.hardware.storclireply import Reply, find_text, is_nothing, read_reply
from bootos.process import Runner
from bootos.wire.inventory import DiskType

DRIVER = "raid.megaraid"
_NAMES = ("storcli64", "storcli", "perccli64", "perccli", "storcli2", "perccli2")
_OWN_PLACES = ("storcli/storcli64", "perccli/perccli64", "storcli2/storcli2", "perccli2/perccli2")
PROGRAMS = (*_NAMES, *(f"/opt/MegaRAID/{place}" for place in _OWN_PLACES))
_SIZE = re.compile(r"([\d.]+)\s*([KMGTP]?)i?B?")
_SECTORS = re.compile(r"\[0x([0-9a-f]+) Sectors\]", re.IGNORECASE)
_CACHE = re.compile(r"^(NR|Ra|R)[A,]?,?(AWB|FWB|WB|WT)[DC]?$")


class StorDrive(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is the tool's word: Onln, UGood, GHS, ... or `State/Status` of the second generation (`Conf/Online`)."""

    id: str
    state: str
    group: str = "-"
    size_bytes: int = 0
    usable_bytes: int = 0
    sector_bytes: int = 512
    interface: str = ""
    media: str = ""
    model: str = ""
    serial: str = ""
    wwn: str = ""
    firmware: str = ""


class StorArray(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual drive. `number` is its VD number; `rows` are the places of its group, with `-` for a missing drive."""

    number: int
    group: str
    name: str
    level: str
    state: str
    rows: tuple[str, ...] = ()
    hotspares: tuple[str, ...] = ()
    spans: int = 1
    size_bytes: int = 0
    strip_bytes: int | None = None
    read_word: str = ""  # NR, R, Ra
    write_word: str = ""  # WT, WB, AWB
    operation: str = ""
    naa: str = ""
    node: str = ""


class StorController(msgspec.Struct, frozen=True, kw_only=True):
    """`data` is the answer to `show all`, for what only the driver needs."""

    number: int
    version: str
    model: str
    serial: str
    firmware: str
    pci_address: str
    data: dict[str, Any]
    drives: tuple[StorDrive, ...] = ()
    arrays: tuple[StorArray, ...] = ()
    hotspares: tuple[str, ...] = ()
    foreign: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (title, drives)


def is_second(version: str) -> bool:
    """Whether it is a tool of the second generation."""
    return version.startswith("008")


def parse_size(text: str) -> int:
    """`16.370 TB`, `9.094 TiB`, `256 KB`: all of 1024. 0 for what is no size."""
    found = _SIZE.match(text.strip())
    if not found or not found[1].strip("."):
        return 0
    return int(float(found[1]) * 1024 ** " KMGTP".index(found[2] or " "))


def _parse_exact(text: str, sector_bytes: int) -> int:
    """`16.371 TB [0x82f800000 Sectors]`: the sectors, in the unit that gives the size."""
    about, found = parse_size(text), _SECTORS.search(text)
    if not found:
        return about
    sectors = int(found[1], 16)
    return min((sectors * 512, sectors * sector_bytes), key=lambda size: abs(size - about))


def find_type(drive: StorDrive) -> DiskType:
    """The kind of drive, from the interface and the medium that storcli prints."""
    if drive.interface.startswith("NVMe"):
        return DiskType.NVME
    return {"SSD": DiskType.SSD, "HDD": DiskType.HDD}.get(drive.media, DiskType.UNKNOWN)


def build_controller(
    main: Reply, volumes: Reply | None, drives: Sequence[Reply], foreign: Reply | None
) -> StorController:
    """One controller from the answers to `show all` of itself, of its virtual drives, its drives and `fall`."""
    data = main.data
    basics, version = data.get("Basics", {}), data.get("Version", {})
    details = {id: entry for reply in drives for id, entry in _find_drive_details(reply.data)}
    known = tuple(_build_drive(entry, details) for entry in data.get("PD LIST", []))
    address = find_text(basics, "PCI Address") or find_text(data.get("HostInterface", {}), "PCI Address")
    rows = data.get("TOPOLOGY", [])
    properties = dict(_find_volume_details(volumes.data)) if volumes is not None else {}
    return StorController(
        number=main.controller,
        version=main.version,
        model=find_text(basics, "Model", "Product Name"),
        serial=find_text(basics, "Serial Number"),
        firmware=find_text(version, "Firmware Package Build", "Package Version", "Firmware Version"),
        pci_address=parse_pci_address(address),
        data=data,
        drives=known,
        arrays=tuple(_build_array(entry, properties, rows, known) for entry in _list_volumes(data, volumes)),
        hotspares=tuple(d.id for d in known if d.state.startswith("GHS")),
        foreign=tuple(_find_foreign(foreign.data)) if foreign is not None and not foreign.error else (),
    )


def parse_pci_address(text: str) -> str:
    """`00:3b:00:00` (domain, bus, device, function) as `0000:3b:00.0`."""
    parts = text.split(":")
    if len(parts) != 4:
        return ""
    try:
        domain, bus, device, function = (int(part, 16) for part in parts)
    except ValueError:
        return ""
    return f"{domain:04x}:{bus:02x}:{device:02x}.{function:x}"


def _state(entry: dict[str, Any]) -> str:
    """The second generation has two words."""
    state = str(entry.get("State", "")).strip()
    return f"{state}/{str(entry['Status']).strip()}" if "Status" in entry else state


def _find_drive_details(data: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(EID:Slt, attributes)."""
    for item in data.get("Drives List", []):
        yield item["Drive Information"]["EID:Slt"].strip(), item.get("Drive Detailed Information", {})
    for key, value in data.items():
        if not key.endswith(" - Detailed Information"):
            continue
        head = data.get(key.removesuffix(" - Detailed Information"))
        if head:
            merged: dict[str, Any] = {}
            for part in value.values():
                merged |= part if isinstance(part, dict) else {}
            yield head[0]["EID:Slt"].strip(), merged


def _build_drive(entry: dict[str, Any], details: dict[str, dict[str, Any]]) -> StorDrive:
    id = entry["EID:Slt"].strip()
    more = details.get(id, {})
    sector_bytes = parse_size(find_text(more, "Logical Sector Size") or find_text(entry, "SeSz")) or 512
    about = parse_size(str(entry.get("Size", "")))
    raw, coerced = find_text(more, "Raw size"), find_text(more, "Coerced size")
    return StorDrive(
        id=id,
        state=_state(entry),
        group=str(entry.get("DG", "-")).strip(),
        size_bytes=_parse_exact(raw, sector_bytes) or about,
        usable_bytes=_parse_exact(coerced, sector_bytes) or about,
        sector_bytes=sector_bytes,
        interface=find_text(entry, "Intf"),
        media=find_text(entry, "Med"),
        model=find_text(entry, "Model"),
        serial=find_text(more, "SN", "Serial Number"),
        wwn=find_text(more, "WWN"),
        firmware=find_text(more, "Firmware Revision", "Firmware Revision Level"),
    )


def _list_volumes(data: dict[str, Any], volumes: Reply | None) -> list[dict[str, Any]]:
    if volumes is not None and "Virtual Drives" in volumes.data:
        return [entry["VD Info"] for entry in volumes.data["Virtual Drives"]]
    return [entry for entry in data.get("VD LIST", []) if str(entry.get("TYPE", "")).startswith("RAID")]


def _find_volume_details(data: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for key, value in data.items():
        found = re.fullmatch(r"VD(\d+) Properties", key)
        if found:
            yield int(found[1]), value
    for entry in data.get("Virtual Drives", []) if isinstance(data.get("Virtual Drives"), list) else []:
        yield int(entry["VD Info"]["DG/VD"].rpartition("/")[2]), entry.get("VD Properties", {})


def _build_array(
    entry: dict[str, Any],
    properties: dict[int, dict[str, Any]],
    rows: list[dict[str, Any]],
    drives: tuple[StorDrive, ...],
) -> StorArray:
    group, _, number = str(entry["DG/VD"]).partition("/")
    more = properties.get(int(number), {})
    own = [
        row
        for row in rows
        if str(row.get("DG")) == group and row.get("Type") == "DRIVE" and str(row.get("Row")) != "-"
    ]
    members = tuple(str(row["EID:Slot"]).strip() for row in own)
    if not members:
        members = tuple(d.id for d in drives if d.group == group and not d.state.startswith("DHS"))
    cache = _CACHE.match(find_text(entry, "Cache", "DefaultCache"))
    blocks = int(more.get("Number of Blocks", 0) or 0) * int(more.get("Block Size", 512) or 512)
    initial = find_text(more, "Write Cache(initial setting)").replace(" ", "").lower()
    write = {"writethrough": "WT", "writeback": "WB", "alwayswriteback": "AWB"}.get(initial)
    return StorArray(
        number=int(number),
        group=group,
        name=str(entry.get("Name", "")).strip(),
        level=str(entry.get("TYPE", "")).removeprefix("RAID"),
        state=str(entry.get("State", "")).strip(),
        rows=members,
        hotspares=tuple(
            d.id for d in drives if d.state.startswith("DHS") and group in d.group.replace(" ", "").split(",")
        ),
        spans=int(more.get("Span Depth", 1) or 1),
        size_bytes=blocks or parse_size(str(entry.get("Size", ""))),
        strip_bytes=parse_size(find_text(more, "Strip Size")) or None,
        read_word=cache[1] if cache else "",
        write_word=write or (cache[2].replace("FWB", "AWB") if cache else ""),
        operation=_find_operation(more),
        naa=find_text(more, "SCSI NAA Id"),
        node=find_text(more, "OS Drive Name"),
    )


def _find_operation(more: dict[str, Any]) -> str:
    said = find_text(more, "Active Operations", "Active operations")
    return "" if said == "None" else said


def _find_foreign(data: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    drives = data.get("FOREIGN PD LIST", [])
    for entry in data.get("FOREIGN DG LIST", []) or data.get("FOREIGN CONFIGURATION", []):
        group = str(entry.get("DG"))
        own = tuple(d["EID:Slt"].strip() for d in drives if str(d.get("DG")) == group)
        kind = str(entry.get("Type", "RAID")).replace("RAID", "RAID ")
        yield f"{kind} of {len(own)} drives ({find_text(entry, 'Size')})", own


def read_controllers(run: Runner, program: str) -> list[StorController]:
    """All controllers that the tool sees. Raises ToolError, ValueError."""
    found = []
    for main in read_reply(run, program, ["/call", "show", "all"]):
        if main.error:
            if is_nothing(main.error):
                continue
            raise ValueError(f"{program} /call show all: {main.error}")
        at = f"/c{main.controller}"
        volumes = _read_one(run, program, f"{at}/vall")
        drives = [_read_one(run, program, f"{at}/eall/sall")]
        if any(entry["EID:Slt"].strip().startswith(":") for entry in main.data.get("PD LIST", [])):
            drives.append(_read_one(run, program, f"{at}/sall"))
        foreign = _read_one(run, program, f"{at}/fall")
        found.append(build_controller(main, volumes, [d for d in drives if d is not None], foreign))
    return found


def _read_one(run: Runner, program: str, place: str) -> Reply | None:
    """What is there; None when there is nothing. Raises ValueError for a refusal."""
    for reply in read_reply(run, program, [place, "show", "all"]):
        if not reply.error:
            return reply
        if not is_nothing(reply.error) and not place.endswith("/fall"):
            raise ValueError(f"{program} {place} show all: {reply.error}")
    return None
