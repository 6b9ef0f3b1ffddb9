"""What `raid.mdadm` plans: arrays that are wanted against arrays that are there. Pure.

An array that is not in the template is left alone unless a word of it says otherwise.
"""

import msgspec

from bootos.drivers.contract import Change, Forecast, Planned
from bootos.drivers.raid.drives import Resolved, find_differences, resolve_arrays
from bootos.drivers.raid.imsmplatform import MdState
from bootos.drivers.raid.mdcreate import CHANGE_S, judge_disk, measure_room, plan_create
from bootos.drivers.storage import md
from bootos.drivers.storage.content import find_on_md
from bootos.drivers.storage.desk import Taking, Word, find_word, judge, keep_array
from bootos.drivers.storage.own import is_own_array
from bootos.drivers.storage.state import Storage, describe_disk
from bootos.template.model import Raid, Template


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
    rooms = {item.at: measure_room(state, item, resolved, kept) for item in resolved if item.drives}
    for item in resolved:
        existing = kept.get(item.at)
        if existing is not None:
            _plan_repair(state, item, existing, forecast, planned)
        elif item.sound:
            plan_create(state, item, rooms[item.at], frozenset(lost), forecast, planned)


def find_siblings(state: Storage, array: md.Array) -> list[md.Array]:
    """The other arrays in its container."""
    same = (other for other in state.arrays if array.container and other.container == array.container)
    return [other for other in same if other.device != array.device]


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
        ruling = judge_disk(state, disk, item, forecast)
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
