"""The `disks` section: mistakes that need no machine; tables and file systems are `partitioncheck`'s. Called by
`check.read_template`."""

from typing import Any

from bootos.errors import Problem
from bootos.template.model import DiskWanted, Partition, Template
from bootos.template.partitioncheck import check_filesystem, check_partitions
from bootos.template.place import Places
from bootos.template.raidcheck import read_drives
from bootos.template.size import parse_range


def check_disks(template: Template, places: Places) -> list[Problem]:
    problems: list[Problem] = []
    arrays = {array.name for array in template.raid.arrays} if template.raid else set()
    seen_arrays: dict[str, str] = {}
    uuids: dict[str, str] = {}
    for index, disk in zip(places.indices(DiskWanted, "disks"), template.disks, strict=False):
        at = f"disks[{index}]"
        problems += _check_select(disk, at, places.raw("disks", index, "select"))
        name = disk.select.array
        if name is not None:
            if name in seen_arrays:
                message = f"array {name!r} is used by {seen_arrays[name]} already"
                problems.append(Problem(path=f"{at}.select.array", message=message))
            seen_arrays.setdefault(name, at)
            if template.raid is not None and template.raid.clear and name not in arrays:
                message = f"array {name!r} is not in raid.arrays, and raid.clear deletes all others"
                problems.append(Problem(path=f"{at}.select.array", message=message))
        raw_parts = places.raw("disks", index, "partitions")
        if not disk.partitions and disk.table is None and disk.filesystem is None and not raw_parts:
            message = "asks for nothing: give partitions, a table or a filesystem"
            problems.append(Problem(path=at, message=message))
        if disk.filesystem is not None and (disk.partitions or disk.table is not None):
            message = "a file system on the whole disk excludes a table and partitions"
            problems.append(Problem(path=f"{at}.filesystem", message=message))
        if disk.filesystem is not None:
            problems += check_filesystem(disk.filesystem, f"{at}.filesystem", uuids)
        if disk.partitions:
            indices = places.indices(Partition, "disks", index, "partitions")
            problems += check_partitions(disk, at, indices, uuids)
    return problems


def _check_select(disk: DiskWanted, at: str, raw: Any) -> list[Problem]:
    problems: list[Problem] = []
    select = disk.select
    given = [field for field in select.__struct_fields__ if getattr(select, field) is not None]
    if not given and not raw:
        hint = "give array, size, type, model, serial, wwn, path or drives"
        problems.append(Problem(path=f"{at}.select", message="is empty", hint=hint))
    if select.array is not None and len(given) > 1:
        others = ", ".join(name for name in given if name != "array")
        message = f"an array is selected by its name alone, without {others}"
        problems.append(Problem(path=f"{at}.select.array", message=message))
    if select.size is not None:
        try:
            parse_range(select.size)
        except ValueError as cause:
            problems.append(Problem(path=f"{at}.select.size", message=str(cause)))
    if select.drives is not None:
        read_drives(select.drives, f"{at}.select.drives", problems)
    return problems
