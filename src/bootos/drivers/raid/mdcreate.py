"""What `raid.mdadm` plans of an array that is not there yet, and whether a drive may become part of one. Pure."""

from collections.abc import Set

import msgspec

from bootos.drivers.contract import ArrayForecast, Change, Forecast, Planned, Ruling
from bootos.drivers.raid.drives import (
    Resolved,
    data_drives,
    round_member,
    tell_waste,
    usable_bytes,
    usable_in_container,
)
from bootos.drivers.raid.imsmplatform import MdState, check_platform
from bootos.drivers.storage import imsm, md
from bootos.drivers.storage.content import find_on_device
from bootos.drivers.storage.desk import NOTHING_LOST, Taking, join_rulings, judge, wipe_word
from bootos.drivers.storage.mark import ARRAY, draw_uuid
from bootos.drivers.storage.state import Storage, describe_disk
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


def measure_room(state: Storage, item: Resolved, resolved: list[Resolved], kept: dict[str, md.Array]) -> int:
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


def judge_disk(state: Storage, disk: Disk, item: Resolved, forecast: Forecast) -> Ruling:
    """Whether a drive may become part of an array."""
    if item.blocked:
        return NOTHING_LOST  # `mdplan` has reported the array that is in the way, and nothing is planned
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


def plan_create(
    state: MdState, item: Resolved, room: int, lost: Set[str], forecast: Forecast, planned: Planned
) -> None:
    """`room` is what each drive has for it, `lost` the arrays that the plan deletes."""
    wanted, at = item.wanted, item.at
    before = len(planned.problems)
    if wanted.metadata == imsm.METADATA and state.platform is not None:
        check_platform(state.platform, wanted, at, planned)
    home = _find_home(state, item, lost)
    new = [disk for disk in item.disks if home is None or disk.path not in home.members]
    ruling = join_rulings(judge_disk(state, disk, item, forecast) for disk in new)
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
