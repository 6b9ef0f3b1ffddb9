"""What `raid.mdadm` plans: arrays that are wanted against arrays that are there. Pure.

An array that is not in the template is left alone unless a word of it says otherwise.
"""

import msgspec

from bootos.drivers.contract import ArrayForecast, Change, Forecast, Planned, Ruling
from bootos.drivers.raid.drives import (
    Resolved,
    data_drives,
    find_differences,
    resolve_arrays,
    round_member,
    tell_waste,
    usable_bytes,
)
from bootos.drivers.storage import md
from bootos.drivers.storage.content import find_on_device, find_on_md
from bootos.drivers.storage.desk import (
    NOTHING_LOST,
    Taking,
    Word,
    find_word,
    join_rulings,
    judge,
    keep_array,
    wipe_word,
)
from bootos.drivers.storage.mark import ARRAY, draw_uuid
from bootos.drivers.storage.own import is_own_array
from bootos.drivers.storage.state import Storage, describe_disk
from bootos.template.model import Raid, Template
from bootos.template.size import format_size, parse_bytes
from bootos.wire.inventory import Disk

CHANGE_S = 5.0  # roughly how long one change takes; a new array is built in the background


class Create(msgspec.Struct, frozen=True, kw_only=True):
    """`device` is the array's name in plans; `member_bytes` is how much of each drive it has, None: all."""

    name: str
    device: str
    level: int
    drives: tuple[str, ...]
    hotspares: tuple[str, ...] = ()
    chunk_bytes: int | None = None
    member_bytes: int | None = None
    mark: str = ""


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """`running`: it must be stopped; `members` lose their superblocks."""

    name: str
    device: str
    running: bool
    members: tuple[str, ...]


class Add(msgspec.Struct, frozen=True, kw_only=True):
    """A drive that an array lacks."""

    device: str
    drive: str


class Remove(msgspec.Struct, frozen=True, kw_only=True):
    """A hot spare that an array shall not have."""

    device: str
    drive: str


def plan_raid(state: Storage, template: Template, raid: Raid, forecast: Forecast, planned: Planned) -> None:
    """Actions and problems for all arrays go to `planned`, what they will be to `forecast`."""
    resolved = resolve_arrays(state, template, raid, planned)
    for item in resolved:
        for disk in item.disks:
            forecast.taken.setdefault(disk.path, item.at)
    kept, doomed = _sort_out(state, raid, resolved, planned)
    for array, word in doomed:
        _plan_delete(state, array, word, forecast, planned)
    for item in resolved:
        existing = kept.get(item.at)
        if existing is not None:
            _plan_repair(state, item, existing, forecast, planned)
        elif item.sound:
            _plan_create(state, item, forecast, planned)


def _sort_out(
    state: Storage, raid: Raid, resolved: list[Resolved], planned: Planned
) -> tuple[dict[str, md.Array], list[tuple[md.Array, Word]]]:
    """(existing arrays that are what is wanted, by its place; existing arrays that must go, by which word)."""
    kept: dict[str, md.Array] = {}
    doomed: list[tuple[md.Array, Word]] = []
    wiping = [(item.at, item.paths) for item in resolved if item.wanted.wipe]
    matched: set[str] = set()
    for item in resolved:
        same = next((array for array in state.arrays if array.name == item.wanted.name), None)
        if same is None:
            continue
        differences = find_differences(state, item.wanted, item.paths, len(item.drives), same)
        if not differences:
            kept[item.at] = same
            matched.add(same.device)
        elif item.sound:
            planned.notes.append(f"array {same.name!r} exists and is not as wanted: {'; '.join(differences)}")
    for array in state.arrays:
        if array.device in matched:
            continue
        word = find_word(raid.clear, array.nodes, wiping)
        if word.is_given or is_own_array(state, array):
            doomed.append((array, word))
            continue
        in_way = [item for item in resolved if item.wanted.name == array.name or item.paths & _disks(array)]
        for item in in_way:
            planned.problems.append(keep_array(array.name, array.level, sorted(array.nodes), item.at))
            item.blocked = True
        if not in_way:
            planned.notes.append(f"array {array.name!r} is not in the template and is left alone")
    return kept, doomed


def _disks(array: md.Array) -> set[str]:
    return {member.node for member in array.members}


def _plan_delete(state: Storage, array: md.Array, word: Word, forecast: Forecast, planned: Planned) -> None:
    half = is_own_array(state, array)
    at = word.path.removesuffix(".wipe")
    ruling = judge(
        Taking(title=f"array {array.name!r}", path=word.path, cannot="cannot be deleted"),
        find_on_md(state, array),
        word,
        is_own=half,
    )
    members = tuple(sorted(member.node for member in array.members))
    where = ", ".join(members)
    if planned.take(ruling):
        planned.act(
            f"raid.mdadm:delete:{array.name}",
            f"delete {'half-made ' if half else ''}array {array.name} (RAID {array.level} on {where})",
            Delete(name=array.name, device=array.device, running=bool(array.node), members=members),
            at,
            Change(what=f"array {array.name}", before=f"RAID {array.level} on {where}"),
            ruling=ruling,
            estimate_s=CHANGE_S,
        )
    forecast.arrays.pop(array.name, None)
    forecast.freed |= {array.device, *members}


def _plan_repair(
    state: Storage, item: Resolved, array: md.Array, forecast: Forecast, planned: Planned
) -> None:
    """Plan what differs in an array that exists: a missing drive is added, a spare too many is removed."""
    if item.blocked:
        return
    # A disk that is not in the machine was reported before.
    absent = [disk for disk in item.disks if disk.path not in array.nodes and disk.path in state.blocks]
    extra = sorted(array.nodes - item.paths)
    for disk in absent:
        ruling = _judge_disk(state, disk, item, forecast)
        if not planned.take(ruling):
            continue
        planned.act(
            f"raid.mdadm:add:{array.name}:{disk.path}",
            f"add {describe_disk(disk)} to array {array.name}",
            Add(device=array.device, drive=disk.path),
            item.at,
            Change(what=f"array {array.name}", after=f"with {disk.path}"),
            ruling=ruling,
            estimate_s=CHANGE_S,
        )
    for node in extra:
        planned.act(
            f"raid.mdadm:remove:{array.name}:{node}",
            f"take the hot spare {node} out of array {array.name}",
            Remove(device=array.device, drive=node),
            item.at,
            Change(what=f"array {array.name}", before=f"hot spare {node}"),
            estimate_s=CHANGE_S,
        )
    if item.sound and not absent and not extra:
        progress = f" ({array.progress})" if array.progress else ""
        planned.notes.append(f"array {array.name!r} is as wanted: RAID {array.level}{progress}")


def _judge_disk(state: Storage, disk: Disk, item: Resolved, forecast: Forecast) -> Ruling:
    """Whether a drive may become part of an array."""
    if item.blocked:
        return NOTHING_LOST  # `_sort_out` has reported the array that is in the way, and nothing is planned
    return judge(
        Taking(
            title=describe_disk(disk), path=item.at, cannot="cannot be used", content_path=f"{item.at}.drives"
        ),
        find_on_device(state, disk.path, forecast.freed),
        wipe_word(item.at, item.wanted.wipe),
    )


def _plan_create(state: Storage, item: Resolved, forecast: Forecast, planned: Planned) -> None:
    wanted, at = item.wanted, item.at
    before = len(planned.problems)
    ruling = join_rulings(_judge_disk(state, disk, item, forecast) for disk in item.disks)
    planned.take(ruling)
    sizes = [state.blocks[disk.path].size_bytes for disk in item.drives]
    tell_waste(item, sizes, planned)
    member_bytes: int | None = None
    room = usable_bytes(min(sizes))
    size_bytes = room * data_drives(wanted.level, len(item.drives))
    if wanted.size is not None:
        member_bytes = round_member(wanted, len(item.drives), parse_bytes(wanted.size))
        if member_bytes > room:
            message = f"{wanted.size} is too large: these drives give {format_size(size_bytes)}"
            planned.complain(f"{at}.size", message)
        size_bytes = member_bytes * data_drives(wanted.level, len(item.drives))
    for disk in item.hotspares:
        if usable_bytes(state.blocks[disk.path].size_bytes) < (member_bytes or room):
            message = (
                f"{describe_disk(disk)} is too small to stand in for a drive of {format_size(min(sizes))}"
            )
            planned.complain(f"{at}.hotspares", message)
    device = f"/dev/md/{wanted.name}"
    drives = tuple(disk.path for disk in item.drives)
    spares = tuple(disk.path for disk in item.hotspares)
    forecast.arrays[wanted.name] = ArrayForecast(
        name=wanted.name,
        device=device,
        size_bytes=size_bytes,
        exists=False,
        members=(*drives, *spares),
    )
    forecast.freed |= {device, *drives, *spares}
    if item.blocked or len(planned.problems) > before:
        return
    after = f"RAID {wanted.level} on {', '.join(drives)}"
    if spares:
        after += f"; hot spare{'s' if len(spares) > 1 else ''} {', '.join(spares)}"
    planned.act(
        f"{ARRAY}{wanted.name}",
        f"create array {wanted.name}: {after}",
        Create(
            name=wanted.name,
            device=device,
            level=wanted.level,
            drives=drives,
            hotspares=spares,
            chunk_bytes=parse_bytes(wanted.strip) if wanted.strip else None,
            member_bytes=member_bytes,
            mark=draw_uuid(state.owner, device),
        ),
        at,
        Change(what=f"array {wanted.name}", after=after),
        ruling=ruling,
        estimate_s=CHANGE_S,
    )
