"""Where partitions lie: from the sizes of a template to exact sectors. Pure; the heart of `disk.partition`.

Everything begins on a 1 MiB boundary, which is whole on disks of 512 and 4096 bytes a sector and on every usual
RAID strip, or on the boundary that the template asks for. A size in bytes is kept exactly (up to a whole sector);
percentages are of the whole disk, down to whole MiB; `rest` ends on the last boundary before the table's end.
"""

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from bootos.drivers.storage.state import Layout
from bootos.errors import Problem, Problems
from bootos.template.model import Partition, Table
from bootos.template.parttype import ATTRIBUTES, find_type_name, read_type, wanted_type
from bootos.template.size import format_size, parse_size

ALIGN_BYTES = 1024**2
GPT_ENTRIES_BYTES = 128 * 128
MBR_MOST_SECTORS = 2**32 - 1


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A partition in logical sectors, ready for sfdisk and for comparison with what is there."""

    number: int
    start: int
    sectors: int
    type: str
    name: str
    bootable: bool
    attributes: tuple[str, ...] = ()  # as sfdisk names them


def place_partitions(
    partitions: Sequence[Partition],
    table: Table,
    size_bytes: int,
    sector_bytes: int,
    path: str,
    align_bytes: int = ALIGN_BYTES,
) -> tuple[list[Placed], list[Problem]]:
    """Lay partitions out on a disk; `path` is their owner's place (`disks[0]`). Every problem at once."""
    step = align_bytes // sector_bytes
    end = _find_end(table, size_bytes, sector_bytes)
    problems = Problems()
    placed: list[Placed] = []
    cursor = step
    for index, part in enumerate(partitions):
        here = f"{path}.partitions[{index}]"
        try:
            size, start = parse_size(part.size), parse_size(part.start) if part.start else None
            kind = read_type(wanted_type(part), table)
        except ValueError as cause:
            problems.complain(here, str(cause))
            continue
        begin = cursor
        if start is not None:
            begin = _round_up((start.of(size_bytes) or 0) // sector_bytes, step)
            begin = max(begin, step)
        if size.rest:
            sectors = (end - begin) // step * step
        elif size.share is not None:
            sectors = int(size_bytes * size.share) // align_bytes * step
            if begin + sectors > end and size.share + _share_before(partitions[:index]) == 1:
                # all shares together are 100 %, and the table itself needs room
                sectors = (end - begin) // step * step
        else:
            sectors = -(-(size.size_bytes or 0) // sector_bytes)
        left_bytes = max(0, end - begin) * sector_bytes // ALIGN_BYTES * ALIGN_BYTES
        if sectors <= 0 or begin + sectors > end:
            message = (
                f"{part.size} does not fit: {format_size(left_bytes)} of {format_size(size_bytes)} are left"
            )
            problems.complain(f"{here}.size", message)
            cursor = _round_up(begin + max(0, sectors), step)
            continue
        clash = next((p for p in placed if begin < p.start + p.sectors and p.start < begin + sectors), None)
        if clash is not None:
            problems.complain(here, f"overlaps partition {clash.number} ({clash.name})")
        placed.append(
            Placed(
                number=index + 1,
                start=begin,
                sectors=sectors,
                type=kind,
                name=part.name,
                bootable=part.bootable,
                attributes=tuple(sorted(ATTRIBUTES[word] for word in set(part.attributes))),
            )
        )
        cursor = _round_up(begin + sectors, step)
    return placed, problems


def _find_end(table: Table, size_bytes: int, sector_bytes: int) -> int:
    """The first sector that no partition can have."""
    total = size_bytes // sector_bytes
    if table is Table.GPT:
        # the backup of a GPT is at the end: its entries, then its header
        return total - 1 - GPT_ENTRIES_BYTES // sector_bytes
    return min(total, MBR_MOST_SECTORS)


def _share_before(partitions: Sequence[Partition]) -> Fraction:
    total = Fraction(0)
    for part in partitions:
        try:
            total += parse_size(part.size).share or 0
        except ValueError:
            continue  # this is reported elsewhere
    return total


def _round_up(sectors: int, step: int) -> int:
    return -(-sectors // step) * step


def build_script(placed: Sequence[Placed], table: Table, mark: str = "") -> str:
    """The script for sfdisk: every place explicit, so nothing is left to its defaults. `mark`: the table's UUID."""
    lines = [f"label: {'dos' if table is Table.MBR else 'gpt'}"]
    if mark:
        lines.append(f"label-id: {'0x' + mark[:8] if table is Table.MBR else mark.upper()}")
    lines += ["unit: sectors", ""]
    for part in placed:
        words = [f"start={part.start}", f"size={part.sectors}", f"type={part.type}"]
        if table is Table.GPT:
            words.append(f'name="{part.name}"')
            attributes = [*part.attributes, *(["LegacyBIOSBootable"] if part.bootable else [])]
            if attributes:
                text = " ".join(attributes)
                words.append(f'attrs="{text}"' if len(attributes) > 1 else f"attrs={text}")
        elif part.bootable:
            words.append("bootable")
        lines.append(f"{part.number} : {', '.join(words)}")
    return "\n".join(lines) + "\n"


def parse_attributes(text: str) -> tuple[str, ...]:
    """`RequiredPartition LegacyBIOSBootable GUID:60,63` in single words, sorted, without the bootable one."""
    words: list[str] = []
    for word in text.split():
        kind, _, bits = word.partition(":")
        words += [f"GUID:{bit}" for bit in bits.split(",")] if kind == "GUID" else [word]
    return tuple(sorted(word for word in words if word != "LegacyBIOSBootable"))


def find_difference(layout: Layout | None, table: Table, placed: list[Placed]) -> str | None:
    """What is not as wanted, the first thing only; None: all is right."""
    if layout is None:
        return "there is no partition table"
    if layout.unseen:
        return "the kernel does not see its partitions"
    if layout.table != table.value:
        return f"it is {layout.table.upper()}, not {table.value.upper()}"
    if [part.number for part in layout.slices] != [part.number for part in placed]:
        return f"it has {len(layout.slices)} partitions, not {len(placed)}"
    for has, want in zip(layout.slices, placed, strict=True):
        where = f"partition {want.number}"
        if has.start != want.start:
            return f"{where} begins at sector {has.start}, not {want.start}"
        if has.sectors != want.sectors:
            return f"{where} has {has.sectors} sectors, not {want.sectors}"
        if has.type != want.type:
            return f"{where} has type {find_type_name(has.type)}, not {find_type_name(want.type)}"
        if table is Table.GPT and has.name != want.name:
            return f"{where} is named {has.name!r}, not {want.name!r}"
        if has.bootable != want.bootable:
            return f"{where} is {'' if has.bootable else 'not '}bootable"
        if has.attributes != want.attributes:
            present, asked = (" ".join(words) or "-" for words in (has.attributes, want.attributes))
            return f"{where} has the attributes {present}, not {asked}"
    return None
