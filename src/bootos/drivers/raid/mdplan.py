"""What `raid.mdadm` plans: arrays that are wanted against arrays that are there. Pure.

An array that is not in the template is left alone unless a word of it says otherwise.
"""

from collections.abc import Set

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
    usable_in_container,
)
from bootos.drivers.raid.imsmplatform import MdState, check_platform
from bootos.drivers.storage import imsm, md
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
    metadata: str = "1.2"


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """`running`: it must be stopped; `members` lose their superblocks, unless arrays in the same container stay:
    `keeps` are their UUIDs."""

    name: str
    device: str
    running: bool
    members: tuple[str, ...]
    metadata: str = "1.2"
    keeps: tuple[str, ...] = ()


class Add(msgspec.Struct, frozen=True, kw_only=True):
    """A drive that an array lacks."""

    device: str
    drive: str


class Remove(msgspec.Struct, frozen=True, kw_only=True):
    """A hot spare that an array shall not have."""

    device: str
    drive: str


def plan_raid(state: MdState, template: Template, raid: Raid, forecast: Forecast, planned: Planned) -> None:
    """Actions and problems for all arrays go to `planned`, what they will be to `forecast`."""
    resolved = resolve_arrays(state, template, raid, planned)
    for item in resolved:
        for disk in item.disks:
            forecast.taken.setdefault(disk.path, item.at)
    kept, doomed = _sort_out(state, raid, resolved, planned)
    lost = {array.device for array, _ in doomed}
    for array, word in doomed:
        left = [other for other in find_siblings(state, array) if other.device not in lost]
        _plan_delete(state, array, word, left, forecast, planned)
    rooms = {item.at: _measure_room(state, item, resolved, kept) for item in resolved if item.drives}
    for item in resolved:
        existing = kept.get(item.at)
        if existing is not None:
            _plan_repair(state, item, existing, forecast, planned)
        elif item.sound:
            _plan_create(state, item, rooms[item.at], frozenset(lost), forecast, planned)


def find_siblings(state: Storage, array: md.Array) -> list[md.Array]:
    """The other arrays in its container."""
    same = (other for other in state.arrays if array.container and other.container == array.container)
    return [other for other in same if other.device != array.device]


def _measure_room(state: Storage, item: Resolved, resolved: list[Resolved], kept: dict[str, md.Array]) -> int:
    """A lower bound of what each drive has for this array."""
    least = min(
        (state.blocks[disk.path].size_bytes for disk in item.drives if disk.path in state.blocks), default=0
    )
    if item.wanted.metadata != imsm.METADATA:
        return usable_bytes(least)
    used_bytes = 0
    for other in resolved:
        if other.home != item.home or other is item or other.wanted.size is None:
            continue
        part = round_member(other.wanted, len(other.drives), parse_bytes(other.wanted.size), imsm.METADATA)
        existing = kept.get(other.at)
        if existing is not None or resolved.index(other) < resolved.index(item):
            used_bytes += part + 4 * 1024**2
    return usable_in_container(least, used_bytes)


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


def _plan_delete(
    state: Storage, array: md.Array, word: Word, left: list[md.Array], forecast: Forecast, planned: Planned
) -> None:
    """`left` are arrays in its container that stay: then only it goes, and the drives stay members."""
    half = is_own_array(state, array)
    at = word.path.removesuffix(".wipe")
    for other in left:
        users = find_on_md(state, other).users
        if not array.node or users:
            why = f"{other.name!r} is {', '.join(users)}" if users else "it cannot be started"
            message = (
                f"array {array.name!r} cannot be deleted while {other.name!r} stays in its container: {why}"
            )
            planned.complain(word.path, message)
            return
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
            Delete(
                name=array.name,
                device=array.device,
                running=bool(array.node),
                members=members,
                metadata=array.metadata,
                keeps=tuple(other.uuid for other in left),
            ),
            at,
            Change(what=f"array {array.name}", before=f"RAID {array.level} on {where}"),
            ruling=ruling,
            estimate_s=CHANGE_S,
        )
    forecast.arrays.pop(array.name, None)
    forecast.freed |= {array.device, *(() if left else members)}


def _plan_repair(
    state: Storage, item: Resolved, array: md.Array, forecast: Forecast, planned: Planned
) -> None:
    """Plan what differs in an array that exists: a missing drive is added, a spare too many is removed."""
    if item.blocked:
        return
    # A disk that is not in the machine was reported before.
    absent = [disk for disk in item.disks if disk.path not in array.nodes and disk.path in state.blocks]
    extra = sorted(array.nodes - item.paths)
    # the drives of a container are those of all arrays in it, and come and go once
    done = {action.detail.drive for action in planned.actions if isinstance(action.detail, Add | Remove)}
    for disk in absent:
        if array.container and disk.path in done:
            continue
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
        if array.container and node in done:
            continue
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
        is_own=_is_own_spare(state, disk, item),
    )


def _is_own_spare(state: Storage, disk: Disk, item: Resolved) -> bool:
    """Whether this job put the drive into a container and was cut off before there was a volume in it."""
    home = state.find_container_of(disk.path)
    if home is None or any(array.container == home.uuid != "" for array in state.arrays):
        return False
    return f"{ARRAY}{item.wanted.name}" in state.begun


def _find_home(state: Storage, item: Resolved, lost: Set[str]) -> imsm.Container | None:
    """The container that runs on just the wanted drives, and holds no array that is not wanted or goes; None: there is
    none, and a new one is made."""
    homes = [state.find_container_of(disk.path) for disk in item.drives]
    home = homes[0]
    if item.wanted.metadata != imsm.METADATA or home is None or not home.node or set(homes) != {home}:
        return None
    inside = [array for array in state.arrays if array.container == home.uuid]
    is_gone = bool(inside) and all(array.device in lost for array in inside)
    return home if set(home.members) <= item.paths and not is_gone else None


def _plan_create(
    state: MdState, item: Resolved, room: int, lost: Set[str], forecast: Forecast, planned: Planned
) -> None:
    """`room` is what each drive has for it, `lost` the arrays that the plan deletes."""
    wanted, at = item.wanted, item.at
    before = len(planned.problems)
    if wanted.metadata == imsm.METADATA and state.platform is not None:
        check_platform(state.platform, wanted, at, planned)
    home = _find_home(state, item, lost)
    new = [disk for disk in item.disks if home is None or disk.path not in home.members]
    ruling = join_rulings(_judge_disk(state, disk, item, forecast) for disk in new)
    planned.take(ruling)
    sizes = [state.blocks[disk.path].size_bytes for disk in item.drives]
    tell_waste(item, sizes, planned)
    member_bytes: int | None = None
    size_bytes = room * data_drives(wanted.level, len(item.drives))
    if wanted.size is not None:
        member_bytes = round_member(wanted, len(item.drives), parse_bytes(wanted.size), wanted.metadata)
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
    if wanted.metadata == imsm.METADATA:
        after = f"{after} (Intel's metadata)"
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
            metadata=wanted.metadata or "1.2",
        ),
        at,
        Change(what=f"array {wanted.name}", after=after),
        ruling=ruling,
        estimate_s=CHANGE_S,
    )
