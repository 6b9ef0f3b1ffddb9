"""Which disk a `select` means on this machine. Pure; used by `disk.partition` and `disk.filesystem`.

All given keys must hold. Except with `drives`, which names its disks one by one, exactly one must be left:
none or several is a problem that lists the candidates. Removable disks and those that the template uses elsewhere
(members of its arrays) are passed over, or a problem when they are named (`serial`, `wwn`, `path`, by number).
"""

from collections.abc import Callable
from fnmatch import fnmatchcase

import msgspec

from bootos.drivers.contract import Forecast
from bootos.drivers.storage.state import Storage, describe_disk
from bootos.errors import Problem, Problems
from bootos.template.drivelist import parse_drives
from bootos.template.model import Select, Template
from bootos.template.size import format_size, parse_range
from bootos.wire.inventory import Disk

NAMING = ("serial", "wwn", "path")  # keys that name one disk; the others describe disks
MOST_LISTED = 8


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A disk or array to write on. `exists` False: an earlier action of the plan makes it, and `size_bytes`
    is a lower bound. `place` is what ids of actions call it, the same before it exists and after."""

    device: str
    place: str
    size_bytes: int
    sector_bytes: int
    exists: bool
    title: str


def select_targets(
    select: Select, path: str, storage: Storage, forecast: Forecast
) -> tuple[list[Target], list[Problem]]:
    """The disks or arrays that `select` means; `path` is its owner's place (`disks[0]`)."""
    if select.array is not None:
        return _select_array(select.array, path, storage, forecast)
    at = f"{path}.select"
    tests, problems = _build_tests(select, at, storage)
    if problems:
        return [], problems
    fitting = [disk for disk in storage.disks if all(test(disk) for test in tests)]
    numbers = _read_named(select)
    named = any(getattr(select, key) is not None for key in NAMING)
    why_not = {disk.path: _find_obstacle(disk, path, storage, forecast) for disk in fitting}
    free = [disk for disk in fitting if not why_not[disk.path]]
    for disk in fitting:
        if why_not[disk.path] and (named or disk.index in numbers):
            problems.complain(at, f"{describe_disk(disk)} cannot be used: {why_not[disk.path]}")
    if problems:
        return [], problems
    if not free:
        return [], [_tell_none(at, storage, fitting, why_not)]
    if len(free) > 1 and select.drives is None:
        listed = "; ".join(_tell(disk) for disk in free[:MOST_LISTED])
        more = f"; and {len(free) - MOST_LISTED} more" if len(free) > MOST_LISTED else ""
        hint = "add serial, wwn, path or drives to mean one of them"
        return [], [Problem(path=at, message=f"means {len(free)} disks: {listed}{more}", hint=hint)]
    return [_build_target(disk, storage) for disk in free], []


def reserve_disks(template: Template, storage: Storage, forecast: Forecast) -> None:
    """Note the disks that parts of the template have for sure, before others look for theirs: members of arrays
    that it writes on, and drives that it names by number alone."""
    arrays = {**storage.find_forecasts(), **forecast.arrays}
    for index, wanted in enumerate(template.disks):
        name = wanted.select.array
        for node in arrays[name].members if name in arrays else ():
            forecast.taken.setdefault(node, f"disks[{index}] through array {name!r}")
    for index, wanted in enumerate(template.disks):
        if wanted.select != Select(drives=wanted.select.drives):
            continue
        named = _read_named(wanted.select)
        for disk in storage.disks:
            if disk.index in named:
                forecast.taken.setdefault(disk.path, f"disks[{index}]")


def _read_named(select: Select) -> frozenset[int]:
    """The drives that `drives` gives by number; those of an open form are not."""
    try:
        return frozenset(parse_drives(select.drives).named) if select.drives is not None else frozenset()
    except ValueError:
        return frozenset()  # this is reported elsewhere


def _build_target(disk: Disk, storage: Storage) -> Target:
    block = storage.blocks[disk.path]
    return Target(
        device=disk.path,
        place=disk.path,
        size_bytes=block.size_bytes,
        sector_bytes=block.sector_bytes,
        exists=True,
        title=describe_disk(disk),
    )


def _select_array(
    name: str, path: str, storage: Storage, forecast: Forecast
) -> tuple[list[Target], list[Problem]]:
    at = f"{path}.select.array"
    arrays = {
        key: array
        for key, array in {**storage.find_forecasts(), **forecast.arrays}.items()
        if not (array.exists and array.device in forecast.freed)
    }
    array = arrays.get(name)
    if array is None:
        has = f"this machine has {', '.join(sorted(arrays))}" if arrays else "this machine has none"
        message = f"there is no array {name!r}, neither in raid.arrays nor on the machine"
        return [], [Problem(path=at, message=message, hint=has)]
    if array.device in forecast.taken and forecast.taken[array.device] != path:
        message = f"array {name!r} is used by {forecast.taken[array.device]} already"
        return [], [Problem(path=at, message=message)]
    block = storage.blocks.get(array.device) if array.exists else None
    target = Target(
        device=array.device,
        place=array.place or array.device,
        size_bytes=array.size_bytes,
        sector_bytes=block.sector_bytes if block else _find_sector(array.members, storage),
        exists=array.exists,
        title=f'array "{name}" ({array.device})',
    )
    return [target], []


def _find_sector(members: tuple[str, ...], storage: Storage) -> int:
    """md has the largest logical sector of its members."""
    return max((storage.blocks[node].sector_bytes for node in members if node in storage.blocks), default=512)


def _find_obstacle(disk: Disk, path: str, storage: Storage, forecast: Forecast) -> str:
    """Why this disk is not to be had; empty: it is."""
    block = storage.blocks.get(disk.path)
    if block is None:
        return "it is gone since the inventory was read"
    owner = forecast.taken.get(disk.path)
    if owner is not None and owner != path:
        return f"it is used by {owner}"
    if disk.removable:
        return "it is removable"
    if disk.read_only:
        return "it is read-only"
    if block.obstacle and not (block.unreadable and disk.path in forecast.freed):
        return block.obstacle  # a disk that is being sanitized can be read again when that has ended
    return ""


def _build_tests(select: Select, at: str, storage: Storage) -> tuple[list[Callable[[Disk], bool]], Problems]:
    tests: list[Callable[[Disk], bool]] = []
    problems = Problems()
    if select.size is not None:
        wanted = problems.parse(f"{at}.size", parse_range, select.size)
        if wanted is not None:
            tests.append(lambda disk: wanted.holds(disk.size_bytes))
    if select.drives is not None:
        listed = problems.parse(f"{at}.drives", parse_drives, select.drives)
        if listed is not None:
            count = max((disk.index for disk in storage.disks), default=-1) + 1
            there, missing = listed.resolve(count)
            for n in missing:
                problems.complain(f"{at}.drives", f"drive {n} is not there: this machine has {count} disks")
            tests.append(lambda disk: disk.index in there)
    if select.type is not None:
        tests.append(lambda disk: disk.type.value == select.type)
    if select.model is not None:
        tests.append(lambda disk: _is_like(disk.model, select.model))
    if select.serial is not None:
        tests.append(lambda disk: _is_like(disk.serial, select.serial))
    if select.wwn is not None:
        tests.append(lambda disk: _plain_wwn(disk.wwn) == _plain_wwn(select.wwn))
    if select.path is not None:
        pattern = select.path.removeprefix("/dev/disk/by-path/")
        tests.append(lambda disk: fnmatchcase(disk.path, pattern) or fnmatchcase(disk.by_path or "", pattern))
    return tests, problems


def _is_like(value: str | None, pattern: str | None) -> bool:
    """Wildcards, upper and lower case alike: makers do not write their own names the same way twice."""
    return value is not None and pattern is not None and fnmatchcase(value.lower(), pattern.lower())


def _plain_wwn(text: str | None) -> str:
    plain = (text or "").lower()
    for prefix in ("0x", "naa.", "eui.", "nvme.", "wwn-0x"):
        plain = plain.removeprefix(prefix)
    return plain


def _tell(disk: Disk) -> str:
    model = f"{disk.model}, " if disk.model else ""
    return f"{describe_disk(disk)}: {model}{format_size(disk.size_bytes)}, {disk.type.value}"


def _tell_none(at: str, storage: Storage, fitting: list[Disk], why_not: dict[str, str]) -> Problem:
    if fitting:
        listed = "; ".join(f"{describe_disk(disk)}: {why_not[disk.path]}" for disk in fitting[:MOST_LISTED])
        return Problem(path=at, message=f"no disk that fits is free: {listed}")
    listed = "; ".join(_tell(disk) for disk in storage.disks[:MOST_LISTED]) or "none"
    return Problem(path=at, message="no disk fits", hint=f"this machine has {listed}")
