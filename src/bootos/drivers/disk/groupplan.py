"""What `disk.lvm` plans for one volume group: the present one against the template. Pure.

Nothing is shrunk or removed; a group that is not whole is made anew where all of it may be wiped.
"""

from bootos.drivers.contract import Change, Forecast, PartitionForecast, Planned, Ruling
from bootos.drivers.disk.group import (
    CreateGroup,
    ExtendGroup,
    FinishVolume,
    GrowVolume,
    MakeVolume,
    count_wanted,
)
from bootos.drivers.storage import volume
from bootos.drivers.storage.content import find_on_partition
from bootos.drivers.storage.desk import NOTHING_LOST, Taking, join_rulings, judge, wipe_word
from bootos.drivers.storage.mark import draw_uuid
from bootos.drivers.storage.membership import Membership
from bootos.drivers.storage.state import Storage
from bootos.template.model import VolumeGroup
from bootos.template.size import format_size, parse_bytes, parse_size

EXTENT_BYTES = 4 * 1024**2
START_BYTES = 1024**2  # where the extents of a physical volume begin, which is LVM's default


def plan_group(
    state: Storage,
    wanted: VolumeGroup,
    at: str,
    members: list[Membership],
    forecast: Forecast,
    planned: Planned,
) -> None:
    """Actions and problems for one group go to `planned`, its volumes to `forecast`. `members` are where the template
    wants its physical volumes, `at` is its place in the template."""
    devices = {member.device for member in members if not member.fresh}
    named = [
        group for group in state.groups if group.name == wanted.name and not _is_gone(group, state, forecast)
    ]
    ours = next((group for group in named if devices & {item.device for item in group.members}), None)
    before = len(planned.problems)
    if ours is not None and _is_wiped(ours, members, state, forecast):
        named.remove(ours)
        ours = None
    for group in named:
        if group is not ours:
            where = ", ".join(item.device for item in group.members) or "disks that are not there"
            hint = "two groups of one name cannot be used together: rename one, or wipe its disks in this template"
            planned.complain(f"{at}.name", f"another volume group {wanted.name!r} exists on {where}", hint)
    if ours is not None:
        _check_group(ours, wanted, at, state, forecast, planned)
    present = {item.device for item in ours.members} if ours is not None else set()
    missing = [member for member in members if member.fresh or member.device not in present]
    rulings = {member.device: _judge_member(member, state, forecast) for member in missing}
    planned.problems += join_rulings(rulings.values()).problems
    if len(planned.problems) > before:
        _forecast_volumes(wanted, at, ours, {}, forecast)
        return
    extent_bytes = ours.extent_bytes if ours is not None else _read_extent(wanted)
    added = sum(_count_extents(member.size_bytes, extent_bytes) for member in missing)
    if ours is None:
        ruling = join_rulings(rulings.values())
        _plan_create(state, wanted, at, members, extent_bytes, ruling, planned)
    else:
        for member in missing:
            _plan_extend(state, wanted, at, member, rulings[member.device], planned)
        strangers = sorted(present - {member.device for member in members})
        if strangers:
            planned.notes.append(f"{wanted.name} has {', '.join(strangers)} as well, which stay")
    total = (ours.extent_count if ours is not None else 0) + added
    free = (ours.free_count if ours is not None else 0) + added
    _plan_volumes(wanted, at, members, ours, extent_bytes, total, free, forecast, planned)


def _is_gone(group: volume.Group, state: Storage, forecast: Forecast) -> bool:
    """Whether an earlier part of the plan removes all of the group."""
    return bool(group.members) and all(state.is_freed(item.device, forecast.freed) for item in group.members)


def _is_wiped(group: volume.Group, members: list[Membership], state: Storage, forecast: Forecast) -> bool:
    """Whether a group that is not whole, or will not be, lies only where the template allows it to be lost: it is then
    made anew."""
    left = {item.device for item in group.members if not state.is_freed(item.device, forecast.freed)}
    broken = group.missing > 0 or len(left) < len(group.members)
    return broken and left <= {member.device for member in members if member.wipe}


def _check_group(
    group: volume.Group, wanted: VolumeGroup, at: str, state: Storage, forecast: Forecast, planned: Planned
) -> None:
    message = ""
    lost = [item.device for item in group.members if state.is_freed(item.device, forecast.freed)]
    if lost:
        message = f"{group.name!r} loses {', '.join(lost)} to another part of the template"
    elif group.missing:
        message = f"{group.missing} physical volume(s) of {group.name!r} are missing"
    elif group.exported:
        message = f"{group.name!r} is exported"
    elif wanted.extent is not None and parse_bytes(wanted.extent) != group.extent_bytes:
        message = f"{group.name!r} has extents of {format_size(group.extent_bytes)}, not {wanted.extent}"
    if message:
        planned.complain(
            at, message, "it cannot be changed as it is; with wipe: true on all of its disks it is made anew"
        )


def _judge_member(member: Membership, state: Storage, forecast: Forecast) -> Ruling:
    """Whether a physical volume may be made here."""
    if member.fresh:
        return NOTHING_LOST
    return judge(
        Taking(
            title=member.device,
            path=member.path,
            cannot="cannot be a physical volume",
            subject="the disk" if member.number is not None else "it",
        ),
        find_on_partition(state, member.disk, member.number, forecast.freed),
        wipe_word(member.owner, member.wipe),
    )


def _read_extent(wanted: VolumeGroup) -> int:
    return parse_bytes(wanted.extent) if wanted.extent is not None else EXTENT_BYTES


def _count_extents(size_bytes: int | None, extent_bytes: int) -> int:
    return max(0, (size_bytes or 0) - START_BYTES) // extent_bytes


def _detail(member: Membership, state: Storage) -> tuple[str, int | None, str]:
    return (member.disk, member.number, volume.format_uuid(draw_uuid(state.owner, member.device)))


def _plan_create(
    state: Storage,
    wanted: VolumeGroup,
    at: str,
    members: list[Membership],
    extent_bytes: int,
    ruling: Ruling,
    planned: Planned,
) -> None:
    where = ", ".join(member.device for member in members)
    planned.act(
        f"disk.lvm:create:{wanted.name}",
        f"create volume group {wanted.name} on {where}",
        CreateGroup(
            group=wanted.name,
            extent_bytes=extent_bytes,
            members=tuple(_detail(member, state) for member in members),
        ),
        at,
        Change(what=f"volume group {wanted.name}", after=where),
        ruling=ruling,
    )


def _plan_extend(
    state: Storage, wanted: VolumeGroup, at: str, member: Membership, ruling: Ruling, planned: Planned
) -> None:
    planned.act(
        f"disk.lvm:extend:{wanted.name}:{member.place}",
        f"add {member.device} to volume group {wanted.name}",
        ExtendGroup(group=wanted.name, member=_detail(member, state)),
        at,
        Change(what=f"volume group {wanted.name}", after=f"with {member.device}"),
        ruling=ruling,
    )


def _plan_volumes(
    wanted: VolumeGroup,
    at: str,
    members: list[Membership],
    ours: volume.Group | None,
    extent_bytes: int,
    total: int,
    free: int,
    forecast: Forecast,
    planned: Planned,
) -> None:
    """New volumes and longer ones; the one that takes the rest comes last."""
    sizes: dict[str, int] = {}
    disks = tuple(dict.fromkeys(member.disk for member in members))
    order = sorted(enumerate(wanted.volumes), key=lambda pair: parse_size(pair[1].size).rest)
    for index, item in order:
        here = f"{at}.volumes[{index}]"
        present = ours.find_volume(item.name) if ours is not None else None
        has = present.size_bytes // extent_bytes if present is not None else 0
        if present is not None and not present.is_linear:
            message = f"{item.name!r} exists and is {present.kind}: only linear volumes are made and extended"
            planned.complain(here, message)
            continue
        needs = count_wanted(item.size, total, extent_bytes)
        needs = has + free if needs is None else needs
        sizes[item.name] = needs * extent_bytes
        if needs < has:
            message = f"{item.name!r} has {format_size(has * extent_bytes)}, which is more than {item.size}"
            hint = "a volume is never shrunk: ask for as much, or remove it by hand"
            planned.complain(f"{here}.size", message, hint)
            continue
        if needs - has > free or needs == 0:
            left = format_size(free * extent_bytes)
            message = f"{item.size} does not fit: {left} of {format_size(total * extent_bytes)} are left"
            planned.complain(f"{here}.size", message)
            continue
        free -= needs - has
        place = f"{wanted.name}/{item.name}"
        size = format_size(needs * extent_bytes)
        if present is None:
            change = Change(what=f"logical volume {place}", after=size if ours else f"about {size}")
            detail: MakeVolume = MakeVolume(group=wanted.name, name=item.name, size=item.size, disks=disks)
            planned.act(f"disk.lvm:volume:{place}", f"create logical volume {place}", detail, here, change)
            continue
        if needs > has:
            change = Change(
                what=f"logical volume {place}", before=format_size(present.size_bytes), after=size
            )
            detail = GrowVolume(group=wanted.name, name=item.name, size=item.size, disks=disks)
            planned.act(f"disk.lvm:grow:{place}", f"extend logical volume {place}", detail, here, change)
            planned.notes.append(f"what is on {place} keeps its size: the installed system makes it grow")
        if present.unfinished:
            change = Change(what=f"logical volume {place}", before="half made", after="empty")
            finish = FinishVolume(group=wanted.name, name=item.name)
            planned.act(f"disk.lvm:finish:{place}", f"finish logical volume {place}", finish, here, change)
        if needs == has and not present.unfinished:
            planned.notes.append(f"logical volume {place} is as wanted")
    for other in ours.volumes if ours is not None else ():
        if other.name not in {item.name for item in wanted.volumes}:
            planned.notes.append(
                f"logical volume {wanted.name}/{other.name} is not in the template and stays"
            )
    _forecast_volumes(wanted, at, ours, sizes, forecast)


def _forecast_volumes(
    wanted: VolumeGroup, at: str, ours: volume.Group | None, sizes: dict[str, int], forecast: Forecast
) -> None:
    for index, item in enumerate(wanted.volumes):
        present = ours.find_volume(item.name) if ours is not None else None
        forecast.partitions.append(
            PartitionForecast(
                path=f"{at}.volumes[{index}]",
                disk=f"/dev/{wanted.name}",
                device=volume.volume_device(wanted.name, item.name),
                size_bytes=sizes.get(item.name),
                kept=present is not None and not present.unfinished,
            )
        )
