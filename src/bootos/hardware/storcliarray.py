"""The virtual drives in what storcli and perccli print, wherever they stand in it. Pure; used by `storcli`."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from bootos.hardware.storclidrive import StorDrive, find_members, is_decimal, parse_size
from bootos.hardware.storclireply import Reply, find_part, find_rows, find_text

# Read ahead or not, then the write policy: RWBD, NRWTD, RAWBD (always write back), Ra,WB, RA,AWB. The tool's legend.
_CACHE = re.compile(r"^(NR|R)(?:A?,|A(?=WT))?(AWB|FWB|WB|WT)(?:[DC])?$", re.IGNORECASE)
_ADAPTIVE = re.compile(r"^Ra(?=,|A?W|FW)")


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


def build_arrays(
    data: dict[str, Any], volumes: Reply | None, drives: tuple[StorDrive, ...]
) -> Iterator[StorArray]:
    """Those of the answer about the virtual drives, and those that only the list has."""
    told = volumes.data if volumes is not None else {}
    properties = dict(_find_volume_details(told))
    own = [find_part(entry, "VD Info") or entry for entry in find_rows(told, "Virtual Drives")]
    own += [row for key in told if re.fullmatch(r"/c\d+/v\d+", key) for row in find_rows(told, key)]
    seen: set[int] = set()
    for entry in [*own, *find_rows(data, "VD LIST")]:
        group, _, number = find_text(entry, "DG/VD").partition("/")
        if not number.isdigit() or int(number) in seen or not _is_array(entry):
            continue
        seen.add(int(number))
        more = properties.get(int(number), {})
        yield _build_array(entry, group, int(number), more, data, find_members(told, int(number)), drives)


def _is_array(entry: dict[str, Any]) -> bool:
    """CacheCade's volumes (`Cac0`) are none."""
    return find_text(entry, "TYPE").upper().startswith("RAID")


def _find_volume_details(data: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for key in data:
        found = re.fullmatch(r"VD(\d+) Properties", key)
        if found:
            yield int(found[1]), find_part(data, key)
    for entry in find_rows(data, "Virtual Drives"):
        number = find_text(find_part(entry, "VD Info") or entry, "DG/VD").rpartition("/")[2]
        if number.isdigit():
            yield int(number), find_part(entry, "VD Properties")


def _build_array(
    entry: dict[str, Any],
    group: str,
    number: int,
    more: dict[str, Any],
    data: dict[str, Any],
    listed: list[dict[str, Any]],
    drives: tuple[StorDrive, ...],
) -> StorArray:
    rows = find_rows(data, "TOPOLOGY")
    members = tuple(
        # a missing drive has a dash, which `find_text` leaves out
        find_text(row, "EID:Slot") or "-"
        for row in rows
        if find_text(row, "DG") == group and find_text(row, "Type") == "DRIVE" and find_text(row, "Row")
    )
    if not members:
        members = tuple(filter(None, (find_text(row, "EID:Slt") for row in listed)))
    if not members:
        members = tuple(d.id for d in drives if d.group == group and not d.state.startswith("DHS"))
    words = find_text(entry, "Cache", "DefaultCache")
    cache = _CACHE.match(_ADAPTIVE.sub("R", words))
    blocks = _count(more, "Number of Blocks", 0) * _count(more, "Block Size", 512)
    initial = find_text(more, "Write Cache(initial setting)").replace(" ", "").lower()
    write = {"writethrough": "WT", "writeback": "WB", "alwayswriteback": "AWB"}.get(initial)
    return StorArray(
        number=number,
        group=group,
        name=find_text(entry, "Name"),
        level=find_text(entry, "TYPE").upper().removeprefix("RAID"),
        state=find_text(entry, "State"),
        rows=members,
        hotspares=tuple(
            d.id for d in drives if d.state.startswith("DHS") and group in d.group.replace(" ", "").split(",")
        ),
        spans=_count(more, "Span Depth", 1),
        size_bytes=blocks or parse_size(find_text(entry, "Size"), is_decimal=is_decimal(data)),
        strip_bytes=parse_size(find_text(more, "Strip Size")) or None,
        read_word=("Ra" if _ADAPTIVE.match(words) else cache[1].upper()) if cache else "",
        write_word=write or (cache[2].upper().replace("FWB", "AWB") if cache else ""),
        operation=_find_operation(more),
        naa=find_text(more, "SCSI NAA Id"),
        node=find_text(more, "OS Drive Name"),
    )


def _count(values: dict[str, Any], key: str, otherwise: int) -> int:
    said = find_text(values, key)
    return int(said) if said.isdigit() and int(said) else otherwise


def _find_operation(more: dict[str, Any]) -> str:
    said = find_text(more, "Active Operations", "Active operations")
    return "" if said == "None" else said
