"""The `disks` section: mistakes that need no machine; tables and file systems are `partitioncheck`'s. Called by
`check.read_template`."""

from typing import Any

from bootos.errors import Problem, Problems
from bootos.template.drivelist import parse_drives
from bootos.template.model import DiskWanted, Partition, Select, Template
from bootos.template.partitioncheck import check_filesystem, check_partitions
from bootos.template.place import Places
from bootos.template.raid import list_sections
from bootos.template.size import parse_bytes, parse_range


def check_disks(template: Template, places: Places, uuids: dict[str, str]) -> list[Problem]:
    """`uuids` collects the UUIDs of file systems."""
    problems = Problems()
    sections = [section for _, section in list_sections(template.raid)]
    is_cleared = bool(sections) and all(section.clear for section in sections)
    arrays = {array.name for section in sections for array in section.arrays}
    arrays |= {item.name for wanted in template.nvme for item in wanted.namespaces if item.name is not None}
    seen_arrays: dict[str, str] = {}
    for index, disk in zip(places.indices(DiskWanted, "disks"), template.disks, strict=False):
        at = f"disks[{index}]"
        problems += check_select(disk.select, at, places.raw("disks", index, "select"))
        name = disk.select.array
        if name is not None:
            if name in seen_arrays:
                message = f"array {name!r} is used by {seen_arrays[name]} already"
                problems.complain(f"{at}.select.array", message)
            seen_arrays.setdefault(name, at)
            if is_cleared and name not in arrays:
                message = f"array {name!r} is not in raid.arrays, and raid.clear deletes all others"
                problems.complain(f"{at}.select.array", message)
        raw_parts = places.raw("disks", index, "partitions")
        asks = disk.partitions or disk.table or disk.filesystem or disk.volume_group
        if not asks and not raw_parts:
            message = "asks for nothing: give partitions, a table, a filesystem or a volume_group"
            problems.complain(at, message)
        if disk.volume_group is not None and (disk.partitions or disk.table or disk.filesystem):
            message = "a whole disk as a physical volume excludes a table, partitions and a file system"
            problems.complain(f"{at}.volume_group", message)
        if disk.align is not None:
            problems += _check_align(disk.align, f"{at}.align")
        if disk.filesystem is not None and (disk.partitions or disk.table is not None):
            message = "a file system on the whole disk excludes a table and partitions"
            problems.complain(f"{at}.filesystem", message)
        if disk.filesystem is not None:
            problems += check_filesystem(disk.filesystem, f"{at}.filesystem", uuids)
        if disk.partitions:
            indices = places.indices(Partition, "disks", index, "partitions")
            problems += check_partitions(disk, at, indices, uuids)
    return problems


def _check_align(text: str, path: str) -> list[Problem]:
    try:
        align_bytes = parse_bytes(text)
    except ValueError as cause:
        return [Problem(path=path, message=str(cause))]
    if align_bytes % 1024**2 or align_bytes > 1024**3:
        message = f"{text!r} is not a whole number of MiB up to 1GiB"
        hint = "1MiB suits every sector size; a RAID controller's full stripe can be larger"
        return [Problem(path=path, message=message, hint=hint)]
    return []


def check_select(select: Select, at: str, raw: Any) -> list[Problem]:
    """One `select`; `at` is its owner's place."""
    problems = Problems()
    given = [field for field in select.__struct_fields__ if getattr(select, field) is not None]
    if not given and not raw:
        hint = "give array, size, type, model, serial, wwn, path or drives"
        problems.complain(f"{at}.select", "is empty", hint)
    if select.array is not None and len(given) > 1:
        others = ", ".join(name for name in given if name != "array")
        problems.complain(f"{at}.select.array", f"an array is selected by its name alone, without {others}")
    if select.size is not None:
        problems.parse(f"{at}.select.size", parse_range, select.size)
    if select.drives is not None:
        problems.parse(f"{at}.select.drives", parse_drives, select.drives)
    return problems
