"""The `raid` section: mistakes that need no machine. Called by `check.read_template`."""

from bootos.errors import Problem
from bootos.template.drivelist import DriveList, parse_drives
from bootos.template.model import ArrayWanted, Template
from bootos.template.place import Places
from bootos.template.size import parse_bytes

# mdadm itself takes a RAID 5 of two and a RAID 6 of three drives (and an "even" RAID 10 of two or three):
# no operator means that; what SNIA calls the level needs these.
FEWEST_DRIVES = {0: 2, 1: 2, 5: 3, 6: 4, 10: 4}


def read_drives(value: str | int, path: str, problems: list[Problem]) -> DriveList | None:
    try:
        return parse_drives(value)
    except ValueError as cause:
        problems.append(Problem(path=path, message=str(cause)))
        return None


def check_raid(template: Template, places: Places) -> list[Problem]:
    problems: list[Problem] = []
    if template.raid is None:
        return problems
    names: dict[str, str] = {}
    used: dict[int, str] = {}
    for index, array in zip(
        places.indices(ArrayWanted, "raid", "arrays"), template.raid.arrays, strict=False
    ):
        at = f"raid.arrays[{index}]"
        if array.name in names:
            problems.append(
                Problem(path=f"{at}.name", message=f"{array.name!r} is {names[array.name]} already")
            )
        names.setdefault(array.name, at)
        drives = read_drives(array.drives, f"{at}.drives", problems)
        spares = None
        if array.hotspares is not None:
            spares = read_drives(array.hotspares, f"{at}.hotspares", problems)
        fewest = FEWEST_DRIVES[array.level]
        if drives is not None and drives.open_from is None and len(drives.named) < fewest:
            message = f"RAID {array.level} needs at least {fewest} drives, not {len(drives.named)}"
            problems.append(Problem(path=f"{at}.drives", message=message))
        if array.level == 10 and drives is not None and drives.open_from is None and len(drives.named) % 2:
            message = f"RAID 10 needs an even number of drives, not {len(drives.named)}"
            problems.append(Problem(path=f"{at}.drives", message=message))
        if array.level == 0 and spares is not None:
            problems.append(Problem(path=f"{at}.hotspares", message="RAID 0 cannot use a hot spare"))
        if (
            spares is not None
            and spares.open_from is not None
            and drives is not None
            and drives.open_from is not None
        ):
            message = "drives and hotspares are both open: one of them must name its drives"
            problems.append(Problem(path=f"{at}.hotspares", message=message))
        for part, listed in (("drives", drives), ("hotspares", spares)):
            for number in listed.named if listed else ():
                if number in used:
                    message = f"drive {number} is used by {used[number]} already"
                    problems.append(Problem(path=f"{at}.{part}", message=message))
                used.setdefault(number, f"{at}.{part}")
        problems += _check_chunk(array, at)
        if array.size is not None:
            try:
                parse_bytes(array.size)
            except ValueError as cause:
                problems.append(Problem(path=f"{at}.size", message=str(cause)))
    return problems


def _check_chunk(array: ArrayWanted, at: str) -> list[Problem]:
    if array.chunk is None:
        return []
    if array.level == 1:
        return [Problem(path=f"{at}.chunk", message="RAID 1 has no chunk size", hint="leave it out")]
    try:
        chunk_bytes = parse_bytes(array.chunk)
    except ValueError as cause:
        return [Problem(path=f"{at}.chunk", message=str(cause))]
    if chunk_bytes < 4096 or chunk_bytes & (chunk_bytes - 1):
        message = f"{array.chunk!r} is not a power of two from 4KiB on"
        return [Problem(path=f"{at}.chunk", message=message, hint="64KiB, 256KiB and 512KiB are usual")]
    return []
