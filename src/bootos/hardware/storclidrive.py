"""The drives in what storcli and perccli print, wherever they stand in it. Pure; used by `storcli`.

"TB" of these tools is 1024 to the fourth, unless the same answer has "TiB" for that (HPE's MR controllers).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from bootos.hardware.storclireply import Reply, find_part, find_rows, find_text
from bootos.wire.inventory import DiskType

_SIZE = re.compile(r"([\d.]+)\s*([KMGTP]?)(i?)B?", re.IGNORECASE)
_BINARY = re.compile(r"\d\s*[KMGTP]iB", re.IGNORECASE)
_SECTORS = re.compile(r"\[0x([0-9a-f]+) Sectors\]", re.IGNORECASE)
_DETAILS = " - Detailed Information"
_PLACE = re.compile(r"^/c\d+(?:/e(\d+))?/s(\d+)$", re.IGNORECASE)


class StorDrive(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is the tool's word: Onln, UGood, GHS, ... or `State/Status` of the second generation (`Conf/Online`);
    empty: the tool names the drive and says nothing of it."""

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
    is_failing: bool = False  # it says so itself, by S.M.A.R.T.


def parse_size(text: str, *, is_decimal: bool = False) -> int:
    """`16.370 TB`, `9.094 TiB`, `256 KB`: all of 1024. 0 for what is no size. `is_decimal`: TB is of 1000."""
    found = _SIZE.match(text.strip())
    if not found or not found[1].strip(".") or found[1].count(".") > 1:
        return 0
    unit = 1000 if is_decimal and not found[3] else 1024
    return int(float(found[1]) * unit ** " KMGTP".index((found[2] or " ").upper()))


def is_decimal(data: dict[str, Any]) -> bool:
    """Whether the answer to `show all` of a controller has sizes in units of 1024 that are called so: then the others
    are of 1000. `800.00 GB` of drives beside `744.687 GiB` of arrays."""
    rows = [row for key in ("VD LIST", "TOPOLOGY") for row in find_rows(data, key)]
    return any(_BINARY.search(find_text(row, "Size")) for row in rows)


def _parse_exact(text: str, sector_bytes: int) -> int:
    """`16.371 TB [0x82f800000 Sectors]`: the sectors, in the unit that gives the size."""
    about, found = parse_size(text), _SECTORS.search(text)
    if not found:
        return about
    sectors = int(found[1], 16)
    return min((sectors * 512, sectors * sector_bytes), key=lambda size: abs(size - about))


def find_type(drive: StorDrive) -> DiskType:
    """The kind of drive, from the interface and the medium that storcli prints."""
    if drive.interface.upper().startswith("NVME"):
        return DiskType.NVME
    return {"SSD": DiskType.SSD, "HDD": DiskType.HDD}.get(drive.media.upper(), DiskType.UNKNOWN)


def build_drives(data: dict[str, Any], replies: Sequence[Reply]) -> tuple[StorDrive, ...]:
    """The drives of a controller: of its list, of `Physical Device Information` (HBAs have no list), and those that
    only the answers about the drives name. `data` is the answer to `show all`."""
    places = [data, find_part(data, "Physical Device Information"), *(reply.data for reply in replies)]
    rows: dict[str, dict[str, Any]] = {}
    details: dict[str, dict[str, Any]] = {}
    for row in find_rows(data, "PD LIST"):
        rows.setdefault(find_text(row, "EID:Slt"), row)
    for place in places:
        for row, more in _find_details(place):
            rows.setdefault(find_text(row, "EID:Slt"), row)
            if more:
                details.setdefault(find_text(row, "EID:Slt"), more)
    for reply in replies:
        for refusal in reply.refusals:
            rows.setdefault(name_drive(refusal.place), {})
    rows.pop("", None)
    decimal = is_decimal(data)
    return tuple(_build_drive(id, row, details.get(id, {}), is_decimal=decimal) for id, row in rows.items())


def find_members(volumes: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """The rows of the drives of an array, in the answer about the arrays."""
    for entry in find_rows(volumes, "Virtual Drives"):
        if find_text(find_part(entry, "VD Info"), "DG/VD").rpartition("/")[2] == str(number):
            return find_rows(entry, "PDs")
    return find_rows(volumes, f"PDs for VD {number}")


def name_drive(place: str) -> str:
    """`/c0/e8/s14` as the tool names the drive elsewhere: `8:14`. Empty: it is the place of no drive."""
    found = _PLACE.match(place)
    return f"{found[1] or ''}:{found[2]}" if found else ""


def _find_details(data: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(row, attributes) of every drive; a plain `show`, and the answers about arrays, have rows alone."""
    lists = [key for key in data if key == "Drive Information" or key.startswith("PDs for VD ")]
    yield from ((row, {}) for key in lists for row in find_rows(data, key))
    yield from ((row, {}) for entry in find_rows(data, "Virtual Drives") for row in find_rows(entry, "PDs"))
    for item in find_rows(data, "Drives List"):
        yield find_part(item, "Drive Information"), find_part(item, "Drive Detailed Information")
    for key in data:
        if not key.startswith("Drive /") or key.endswith(_DETAILS):
            continue
        merged: dict[str, Any] = {}
        for part in find_part(data, key + _DETAILS).values():
            merged |= part if isinstance(part, dict) else {}
        for row in [row for row in find_rows(data, key) if find_text(row, "EID:Slt")][:1]:
            yield row, merged


def _find_state(row: dict[str, Any]) -> str:
    """The second generation has two words."""
    state = find_text(row, "State")
    return f"{state}/{find_text(row, 'Status')}" if "Status" in row else state


def _build_drive(id: str, row: dict[str, Any], more: dict[str, Any], *, is_decimal: bool) -> StorDrive:
    sector_bytes = parse_size(find_text(more, "Logical Sector Size") or find_text(row, "SeSz")) or 512
    about = parse_size(find_text(row, "Size"), is_decimal=is_decimal)
    raw, coerced = find_text(more, "Raw size"), find_text(more, "Coerced size")
    return StorDrive(
        id=id,
        state=_find_state(row),
        group=find_text(row, "DG") or "-",
        size_bytes=_parse_exact(raw, sector_bytes) or about,
        usable_bytes=_parse_exact(coerced, sector_bytes) or about,
        sector_bytes=sector_bytes,
        interface=find_text(row, "Intf"),
        media=find_text(row, "Med"),
        model=find_text(row, "Model"),
        serial=find_text(more, "SN", "Serial Number"),
        wwn=find_text(more, "WWN"),
        firmware=find_text(more, "Firmware Revision", "Firmware Revision Level"),
        is_failing=find_text(more, "S.M.A.R.T alert flagged by drive").lower() == "yes",
    )
