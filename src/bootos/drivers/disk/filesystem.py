"""`disk.filesystem`: ext4, xfs, btrfs, vfat and swap, on partitions, whole disks and arrays.

Right means: type, and label and UUID where the template gives them, and made to its end. It is not checked with
which options a file system was made: those cannot be read back for every type. Without a UUID in the template, the
job's mark is taken.
"""

from typing import Any

import msgspec

from bootos.drivers.contract import Change, Forecast, Machine, PartitionForecast, Planned
from bootos.drivers.disk.driver import DiskDriver
from bootos.drivers.disk.export import export_whole
from bootos.drivers.storage.completeness import keep_doubts
from bootos.drivers.storage.content import Occupancy, find_on_device
from bootos.drivers.storage.desk import Taking, judge, wipe_word
from bootos.drivers.storage.device import empty_place
from bootos.drivers.storage.mark import FILESYSTEM
from bootos.drivers.storage.mkfs import (
    LEAST_BYTES,
    MKFS_TIMEOUT_S,
    build_mkfs,
    full_filesystem,
    is_right,
    mark_filesystem,
)
from bootos.drivers.storage.own import is_own_filesystem
from bootos.drivers.storage.place import Place, find_places, find_present, list_partitions, list_volumes
from bootos.drivers.storage.selection import reserve_disks, select_targets
from bootos.drivers.storage.signature import Signature
from bootos.drivers.storage.state import Storage
from bootos.drivers.storage.volume import opened
from bootos.template.model import (
    DiskWanted,
    Filesystem,
    FilesystemType,
    LogicalVolume,
    Partition,
    Template,
)
from bootos.template.size import format_size


class Make(msgspec.Struct, frozen=True, kw_only=True):
    """`number` is the partition's; None: the whole device. `volume` is (group, name) of a logical volume: `device` is
    then how plans call it."""

    device: str
    number: int | None
    filesystem: Filesystem
    volume: tuple[str, str] | None = None


class FilesystemDriver(DiskDriver):
    name = "disk.filesystem"
    section = "disks.filesystem"
    title = "File systems"
    can = "hold a file system"
    details = (Make,)

    def wants(self, template: Template) -> bool:
        return any(disk.filesystem is not None for disk in template.disks) or any(
            wants_plain(place.wanted) for place in find_places(template)
        )

    def plan(
        self, state: Storage, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        planned = Planned()
        reserve_disks(template, state, forecast)
        for index, wanted in enumerate(template.disks):
            at = f"disks[{index}]"
            if wanted.filesystem is not None and not wanted.partitions and wanted.table is None:
                _plan_whole(state, wanted, at, forecast, planned)
            else:
                for place in list_partitions(wanted, at):
                    _plan_place(state, place, forecast, planned)
        for index, group in enumerate(template.volume_groups):
            for place in list_volumes(group, f"volume_groups[{index}]"):
                _plan_place(state, place, forecast, planned)
        return planned

    def change(self, machine: Machine, detail: Make, secrets: dict[str, str]) -> None:
        apply_filesystem(machine, detail)

    def export(self, state: Storage) -> dict[str, Any]:
        found = export_whole(state)
        return {"disks": found} if found else {}


def wants_plain(place: Partition | LogicalVolume) -> bool:
    """Whether a file system lies here without encryption: those in containers are `disk.luks`'s."""
    return place.filesystem is not None and place.encryption is None


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """A place that wants a file system. `device` is how plans call it, `place` how ids of actions do, `base` and
    `number` are the disk and the partition for `apply`; `owner` is the place of the template whose `wipe` counts.
    `present` and `signatures` are what is there now."""

    title: str
    device: str
    place: str
    base: str
    path: str
    owner: str
    wipe: bool
    size_bytes: int | None
    number: int | None = None
    volume: tuple[str, str] | None = None
    has_table: bool = False
    present: Occupancy = Occupancy()
    signatures: tuple[Signature, ...] = ()


def _plan_whole(state: Storage, wanted: DiskWanted, at: str, forecast: Forecast, planned: Planned) -> None:
    assert wanted.filesystem is not None
    targets, problems = select_targets(wanted.select, at, state, forecast)
    planned.problems += problems
    spots = []
    for target in targets:
        forecast.taken.setdefault(target.device, at)
        is_kept = target.exists and target.device not in forecast.freed
        found = state.blocks.get(target.device) if is_kept else None
        spots.append(
            Spot(
                title=target.title,
                device=target.device,
                place=target.place,
                base=target.device,
                path=f"{at}.filesystem",
                owner=at,
                wipe=wanted.wipe,
                size_bytes=target.size_bytes,
                has_table=found is not None and found.layout is not None,
                present=find_on_device(state, target.device, forecast.freed) if is_kept else Occupancy(),
                signatures=found.signatures if found is not None else (),
            )
        )
    forecast.freed |= {spot.device for spot in _plan_spots(state, spots, wanted.filesystem, planned)}


def _plan_place(state: Storage, place: Place, forecast: Forecast, planned: Planned) -> None:
    if place.wanted.filesystem is not None and wants_plain(place.wanted):
        targets = [target for target in forecast.partitions if target.path == place.path]
        spots = [_build_spot(state, place, target, forecast) for target in targets]
        _plan_spots(state, spots, place.wanted.filesystem, planned)


def _build_spot(state: Storage, place: Place, target: PartitionForecast, forecast: Forecast) -> Spot:
    signatures, present = find_present(state, place, target, forecast.freed)
    return Spot(
        title=target.device,
        device=target.device,
        place=target.place or target.device,
        base=target.device if place.volume else target.disk,
        path=f"{place.path}.filesystem",
        owner=place.owner,
        wipe=place.wipe,
        size_bytes=target.size_bytes,
        number=place.number,
        volume=place.volume,
        present=present,
        signatures=signatures,
    )


def _plan_spots(
    state: Storage, spots: list[Spot], wanted: Filesystem | FilesystemType, planned: Planned
) -> list[Spot]:
    """The same file system in each of these places. Returns the places that do not have it yet."""
    filesystem = full_filesystem(wanted)
    missing = []
    if len(spots) > 1 and filesystem.uuid is not None:
        planned.complain(f"{spots[0].path}.uuid", f"one UUID cannot be on {len(spots)} disks")
    for spot in spots:
        least = LEAST_BYTES[filesystem.type]
        if spot.size_bytes is not None and spot.size_bytes < least:
            has, needs = format_size(spot.size_bytes), format_size(least)
            planned.complain(spot.path, f"{has} is too small for {filesystem.type.value}: it needs {needs}")
        signatures = keep_doubts(state, spot.place, spot.device, spot.signatures)
        spot = msgspec.structs.replace(spot, signatures=signatures)
        if not spot.has_table and is_right(spot.signatures, filesystem):
            planned.notes.append(f"{spot.title} has its {filesystem.type.value} file system already")
            continue
        missing.append(spot)
        _plan_make(state, spot, filesystem, planned)
    return missing


def _plan_make(state: Storage, spot: Spot, filesystem: Filesystem, planned: Planned) -> None:
    is_own = not spot.has_table and is_own_filesystem(state, spot.signatures, filesystem, spot.device)
    ruling = judge(
        Taking(
            title=spot.title,
            path=spot.path,
            cannot="cannot get a file system",
            subject="the disk" if spot.number is not None else "it",
        ),
        spot.present,
        wipe_word(spot.owner, spot.wipe),
        is_own=is_own,
    )
    if not planned.take(ruling):
        return
    words = [filesystem.type.value]
    words += [f'label "{filesystem.label}"'] if filesystem.label else []
    words += [f"UUID {filesystem.uuid}"] if filesystem.uuid else []
    words += [f"options {' '.join(filesystem.options)}"] if filesystem.options else []
    planned.act(
        f"{FILESYSTEM}{spot.place}",
        f"make {', '.join(words)} on {spot.device}",
        Make(
            device=spot.base,
            number=spot.number,
            filesystem=mark_filesystem(state, filesystem, spot.device),
            volume=spot.volume,
        ),
        spot.path,
        Change(what=spot.device, before="; ".join(ruling.destroys), after=", ".join(words)),
        ruling=ruling,
    )


def apply_filesystem(machine: Machine, wanted: Make) -> None:
    """Wipe the old signatures and make the file system."""
    if wanted.volume is not None:
        with opened(machine, *wanted.volume) as node:
            machine.run(["wipefs", "--all", "--force", "--quiet", node])
            machine.run(build_mkfs(wanted.filesystem, node), timeout_s=MKFS_TIMEOUT_S)
        return
    node = empty_place(machine, wanted.device, wanted.number)
    machine.run(build_mkfs(wanted.filesystem, node), timeout_s=MKFS_TIMEOUT_S)
