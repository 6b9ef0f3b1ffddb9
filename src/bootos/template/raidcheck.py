"""The `raid` section: mistakes that need no machine. Called by `check.read_template`."""

from collections.abc import Sequence

from bootos.errors import Problem, Problems
from bootos.template.drivelist import DriveList, parse_drives
from bootos.template.imsmcheck import check_containers, check_imsm, find_container
from bootos.template.model import Template
from bootos.template.place import Places, claim_name
from bootos.template.raid import SOFTWARE, ArrayWanted, Drives, DriveSelect, Raid
from bootos.template.size import parse_bytes, parse_range

# The numbers are those of SNIA's definitions. mdadm would also make a RAID 5 of two drives, a RAID 6 of three and a
# RAID 10 of two or three, which is a mistake of the operator. RAID 0 of one drive is allowed, as some controllers can
# show a single drive to the system in no other way.
FEWEST_DRIVES = {0: 1, 1: 2, 5: 3, 6: 4, 10: 4, 50: 6, 60: 8}
FEWEST_PER_SPAN = {10: 2, 50: 3, 60: 4}


def check_raid(template: Template, places: Places) -> list[Problem]:
    """The problems of the section `raid` that show without a machine."""
    names: dict[str, str] = {}
    if not isinstance(template.raid, list):
        return _check_section(template.raid, "raid", ("raid",), places, names) if template.raid else []
    numbers = places.indices(Raid, "raid")
    problems = _check_drivers(template.raid, numbers)
    for number, section in zip(numbers, template.raid, strict=False):
        problems += _check_section(section, f"raid[{number}]", ("raid", number), places, names)
    return problems


def _check_drivers(sections: Sequence[Raid], numbers: Sequence[int]) -> Problems:
    """In a list of several sections each names its driver, and no two the same one."""
    problems = Problems()
    taken: dict[str, int] = {}
    for number, section in zip(numbers, sections, strict=False):
        if section.driver is None and len(sections) > 1:
            hint = "as raid.megaraid; bootos machine show tells the controllers"
            problems.complain(f"raid[{number}].driver", "is required where raid is a list of sections", hint)
        elif section.driver in taken:
            message = f"{section.driver!r} is the driver of raid[{taken[section.driver]}] already"
            hint = "one section may have arrays on several controllers: controller of each array"
            problems.complain(f"raid[{number}].driver", message, hint)
        elif section.driver == SOFTWARE and len(sections) > 1:
            message = (
                f"{SOFTWARE} cannot stand beside another driver: its disks may be another section's arrays"
            )
            problems.complain(f"raid[{number}].driver", message, "give it a template and a job of its own")
        elif section.driver is not None:
            taken[section.driver] = number
    return problems


def _check_section(
    raid: Raid, place: str, keys: tuple[str | int, ...], places: Places, names: dict[str, str]
) -> Problems:
    """One section; `place` is its path, and `keys` lead to it in the document. `names` are those of arrays so far."""
    problems = _check_whole(raid, place)
    used: dict[tuple[str, int], str] = {}
    paths = [f"{place}.arrays[{index}]" for index in places.indices(ArrayWanted, *keys, "arrays")]
    for position, (at, array) in enumerate(zip(paths, raid.arrays, strict=False)):
        claim_name(array.name, at, names, problems)
        drives = _read(array.drives, f"{at}.drives", problems)
        spares = _read(array.hotspares, f"{at}.hotspares", problems)
        problems += _check_shape(array, at, _count(array.drives, drives))
        if array.metadata == "imsm":
            check_imsm(array, at, _count(array.drives, drives), problems)
        if array.level == 0 and array.hotspares is not None:
            problems.complain(f"{at}.hotspares", "RAID 0 cannot use a hot spare")
        if array.hotspare_kind is not None and array.hotspares is None:
            problems.complain(f"{at}.hotspare_kind", "there are no hotspares to be of a kind")
        if _is_open(spares) and _is_open(drives):
            message = "drives and hotspares are both open: one of them must name its drives"
            problems.complain(f"{at}.hotspares", message)
        controller = str(array.controller if array.controller is not None else raid.controller)
        home = paths[find_container(raid.arrays, position)]
        parts = ((f"{home}.drives", drives), (f"{home}.hotspares", spares))
        _claim(parts, controller, used, problems)
        problems += _check_strip(array, at)
        if array.size is not None:
            problems.parse(f"{at}.size", parse_bytes, array.size)
    check_containers(raid.arrays, paths, problems)
    whole = [
        (f"{place}.{key}", _read(value, f"{place}.{key}", problems))
        for key, value in (("hotspares", raid.hotspares), ("jbod", raid.jbod))
    ]
    _claim(whole, str(raid.controller), used, problems)
    return problems


def _check_whole(raid: Raid, place: str) -> Problems:
    problems = Problems()
    if raid.mode == "hba":
        for key, value in (("arrays", raid.arrays), ("hotspares", raid.hotspares)):
            if value:
                message = f"a controller in HBA mode has no {key}"
                problems.complain(f"{place}.{key}", message, "leave them or mode out")
    boots = [array.name for array in raid.arrays if array.boot]
    if len(boots) > 1:
        problems.complain(f"{place}.arrays", f"more than one array is to boot from: {', '.join(boots)}")
    return problems


def _claim(
    parts: Sequence[tuple[str, DriveList | None]],
    controller: str,
    used: dict[tuple[str, int], str],
    problems: Problems,
) -> None:
    for path, listed in parts:
        for number in listed.named if listed else ():
            owner = used.setdefault((controller, number), path)
            if owner != path:
                problems.complain(path, f"drive {number} is used by {owner} already")


def _read(value: Drives | None, path: str, problems: Problems) -> DriveList | None:
    """The list; None for a selection, which is checked here, and for nothing."""
    if not isinstance(value, DriveSelect):
        return problems.parse(path, parse_drives, value) if value is not None else None
    if value == DriveSelect():
        message = "an empty selection means every drive there is"
        problems.complain(path, message, "write all, or give type, size or count")
    if value.count is not None and value.count < 1:
        problems.complain(f"{path}.count", f"{value.count} is not a number of drives")
    if value.size is not None:
        problems.parse(f"{path}.size", parse_range, value.size)
    return None


def _count(value: Drives, listed: DriveList | None) -> int | None:
    """How many drives it means, as far as that can be known without a machine."""
    if isinstance(value, DriveSelect):
        return value.count
    return len(listed.named) if listed is not None and listed.open_from is None else None


def _is_open(listed: DriveList | None) -> bool:
    return listed is not None and listed.open_from is not None


def _check_shape(array: ArrayWanted, at: str, count: int | None) -> list[Problem]:
    """Numbers of drives and spans, as far as they are known here."""
    if array.span is not None and array.level not in FEWEST_PER_SPAN:
        message = f"RAID {array.level} has no spans: only 10, 50 and 60 have"
        return [Problem(path=f"{at}.span", message=message, hint="leave it out")]
    if array.span is not None and array.span < 2:
        return [Problem(path=f"{at}.span", message=f"RAID {array.level} has two spans or more")]
    needs = find_need(array.level, count, array.span) if count is not None else ""
    return [Problem(path=f"{at}.drives", message=f"{needs}, not {count}")] if needs else []


def find_need(level: int, count: int, span: int | None) -> str:
    """What a RAID of this level needs and `count` drives are not; empty: they will do."""
    fewest = FEWEST_DRIVES[level]
    if count < fewest:
        return f"RAID {level} needs at least {fewest} drives"
    if level == 10 and count % 2:
        return "RAID 10 needs an even number of drives"
    if level not in FEWEST_PER_SPAN or (span is None and level == 10):
        return ""
    groups, least = span or 2, FEWEST_PER_SPAN[level]
    if count % groups:
        return f"RAID {level} of {groups} spans needs a multiple of {groups} drives"
    if count // groups < least:
        return f"RAID {level} of {groups} spans needs at least {groups * least} drives"
    return ""


def _check_strip(array: ArrayWanted, at: str) -> list[Problem]:
    if array.strip is None:
        return []
    if array.level == 1:
        return [Problem(path=f"{at}.strip", message="RAID 1 has no strip size", hint="leave it out")]
    try:
        strip_bytes = parse_bytes(array.strip)
    except ValueError as cause:
        return [Problem(path=f"{at}.strip", message=str(cause))]
    if strip_bytes < 4096 or strip_bytes & (strip_bytes - 1):
        message = f"{array.strip!r} is not a power of two from 4KiB on"
        return [Problem(path=f"{at}.strip", message=message, hint="64KiB, 256KiB and 512KiB are usual")]
    return []
