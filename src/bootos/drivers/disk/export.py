"""Disks as they are, in the words of a template: what `export` of the disk drivers is made of. Pure.

What a template cannot say is left out: tables with gaps, unnamed GPT partitions, foreign file systems, members of
arrays. Applying the result to the same machine plans nothing; UUIDs are left out, so that it fits others, too.
"""

import re
from typing import Any

from bootos.drivers.storage.mark import UNFINISHED
from bootos.drivers.storage.signature import LUKS_SIGNATURE, Signature
from bootos.drivers.storage.state import Block, Slice, Storage
from bootos.drivers.storage.table import find_difference, place_partitions
from bootos.drivers.storage.volume import Group
from bootos.template.model import Filesystem, FilesystemType, Partition, Table
from bootos.template.partitioncheck import check_filesystem
from bootos.template.parttype import ATTRIBUTES, find_type_name, read_type
from bootos.template.size import parse_range
from bootos.wire.inventory import Disk, DiskType

MIB = 1024**2
# the name of the secret that the operator must store: it cannot be read from a machine
SECRET = "disk-passphrase"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,35}")
_WORDS = {word: name for name, word in ATTRIBUTES.items()}


def export_tables(state: Storage) -> list[dict[str, Any]]:
    """Disks and arrays with a partition table, or that are physical volumes as a whole."""
    found: list[dict[str, Any]] = []
    for block, select in _find_blocks(state):
        entry: dict[str, Any] | None = None
        if block.layout is not None:
            entry = _export_table(state, block)
        else:
            group = state.find_group_of(block.device)
            entry = {"volume_group": group.name} if group is not None and is_exportable(group) else None
        if entry is not None:
            found.append({"select": select, **entry})
    return found


def export_whole(state: Storage) -> list[dict[str, Any]]:
    """Disks and arrays with one file system over all of them."""
    return [
        {"select": select, "filesystem": filesystem}
        for block, select in _find_blocks(state)
        if block.layout is None
        for filesystem in [export_filesystem(block.signatures)]
        if filesystem is not None
    ]


def export_groups(state: Storage) -> list[dict[str, Any]]:
    """Volume groups of which at least one physical volume can be told."""
    told = {part.get("volume_group") for disk in export_tables(state) for part in disk.get("partitions", [])}
    told |= {disk.get("volume_group") for disk in export_tables(state)}
    found: list[dict[str, Any]] = []
    for group in state.groups:
        if group.name not in told or not is_exportable(group):
            continue
        volumes = [
            {"name": volume.name, "size": f"{volume.size_bytes}B", **_export_content(volume.signatures)}
            for volume in group.volumes
            if volume.is_linear and not volume.unfinished and _NAME.fullmatch(volume.name)
        ]
        entry: dict[str, Any] = {"name": group.name, "volumes": volumes}
        if group.extent_bytes != 4 * MIB:
            entry["extent"] = f"{group.extent_bytes}B"
        found.append(entry)
    return found


def is_exportable(group: Group) -> bool:
    """Whether a template can say this volume group: it is whole, not exported, and its name is allowed."""
    return not group.missing and not group.exported and _NAME.fullmatch(group.name) is not None


def export_filesystem(signatures: tuple[Signature, ...]) -> dict[str, str] | None:
    """The file system, when it is one that a template can ask for."""
    if len(signatures) != 1 or signatures[0].half_made:
        return None
    kind, label = signatures[0].type, signatures[0].label
    if kind not in {item.value for item in FilesystemType}:
        return None
    wanted = Filesystem(type=FilesystemType(kind), label=label or None)
    return {"type": kind, **({"label": label} if label and not check_filesystem(wanted, "", {}) else {})}


def _export_content(signatures: tuple[Signature, ...]) -> dict[str, Any]:
    filesystem = export_filesystem(signatures)
    if filesystem is not None:
        return {"filesystem": filesystem}
    if len(signatures) == 1 and signatures[0].type == LUKS_SIGNATURE and signatures[0].label != UNFINISHED:
        label = signatures[0].label
        return {"encryption": {"passphrase": {"secret": SECRET}, **({"label": label} if label else {})}}
    return {}


def _find_blocks(state: Storage) -> list[tuple[Block, dict[str, Any]]]:
    """Every disk and array that a template can select, with its `select`."""
    found: list[tuple[Block, dict[str, Any]]] = []
    for disk in state.disks:
        block = state.blocks.get(disk.path)
        select = export_select(disk, list(state.disks))
        is_member = state.find_array_of(disk.path) is not None
        if block is not None and select and not is_member and not block.obstacle and not disk.removable:
            found.append((block, select))
    for name, array in state.find_forecasts().items():
        found.append((state.blocks[array.device], {"array": name}))
    return found


def export_select(disk: Disk, disks: list[Disk]) -> dict[str, Any]:
    """Size and type where that means this disk alone, else its serial number, WWN or place. Empty: there is no way."""
    exact = disk.size_bytes >= 100 * 10**9
    size = f"{round(disk.size_bytes / 10**9)}GB" if exact else f"{disk.size_bytes}B"
    held = parse_range(size)
    kind = {} if disk.type is DiskType.UNKNOWN else {"type": disk.type.value}
    alike = [
        other for other in disks if held.holds(other.size_bytes) and (not kind or other.type is disk.type)
    ]
    if alike == [disk]:
        return {"size": size, **kind}
    for key in ("serial", "wwn"):
        value = getattr(disk, key)
        if (
            value
            and not set(value) & set("*?[")
            and sum(getattr(other, key) == value for other in disks) == 1
        ):
            return {key: value}
    return {"path": disk.by_path} if disk.by_path else {}


def _export_table(state: Storage, block: Block) -> dict[str, Any] | None:
    """The table, sizes as they are; None when a template cannot say it."""
    layout = block.layout
    assert layout is not None
    table = Table(layout.table)
    for tight in (False, True):  # first without start sectors; with them when the result would differ
        parts = [_export_part(state, block, part, table, tight) for part in layout.slices]
        try:
            wanted = [
                Partition(
                    name=part["name"],
                    size=part["size"],
                    start=part.get("start"),
                    type=part["type"],
                    bootable=part.get("bootable", False),
                    attributes=part.get("attributes", []),
                )
                for part in parts
            ]
            placed, problems = place_partitions(wanted, table, block.size_bytes, block.sector_bytes, "")
        except KeyError:
            return None  # a template has no name for an attribute of this table
        if not problems and find_difference(layout, table, placed) is None and _has_names(parts):
            return {"table": table.value, **({"partitions": parts} if parts else {})}
    return None


def _has_names(parts: list[dict[str, Any]]) -> bool:
    """Whether a template may write these names, each once."""
    names = [part["name"] for part in parts]
    fitting = all(name and name.isprintable() and not set(name) & set('"\\') for name in names)
    return fitting and len(set(names)) == len(names)


def _export_part(state: Storage, block: Block, part: Slice, table: Table, tight: bool) -> dict[str, Any]:
    name = part.name if table is Table.GPT else f"part{part.number}"
    kind = find_type_name(part.type)
    try:
        kind = kind if read_type(kind, table) == part.type else part.type
    except ValueError:
        kind = part.type
    found: dict[str, Any] = {"name": name, "size": f"{part.sectors * block.sector_bytes}B", "type": kind}
    if tight:
        found["start"] = f"{part.start * block.sector_bytes}B"
    if part.bootable:
        found["bootable"] = True
    if part.attributes:
        found["attributes"] = [_WORDS.get(word, word) for word in part.attributes]
    group = state.find_group_of(part.device)
    if group is not None and is_exportable(group) and kind == "lvm":
        return {**found, "volume_group": group.name}
    return {**found, **_export_content(part.signatures)}
