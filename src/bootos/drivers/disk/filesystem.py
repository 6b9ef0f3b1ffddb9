"""`disk.filesystem`: ext4, xfs, btrfs, vfat and swap, on partitions, whole disks and arrays.

Right means: type, and label and UUID where the template gives them, and made to its end. It is not checked with
which options a file system was made: those cannot be read back for every type. Without a UUID in the template, the
job's mark is taken.
"""

from typing import Any

import msgspec

from bootos.drivers.contract import (
    Action,
    Change,
    DriverError,
    Forecast,
    Machine,
    Match,
    Planned,
)
from bootos.drivers.disk.export import export_whole
from bootos.drivers.storage.array import resync_slowed
from bootos.drivers.storage.current import has_or_makes_disks
from bootos.drivers.storage.device import empty_place
from bootos.drivers.storage.mkfs import (
    LEAST_BYTES,
    MKFS_TIMEOUT_S,
    build_mkfs,
    full_filesystem,
    is_own_half,
    is_right,
    mark_filesystem,
)
from bootos.drivers.storage.read import read_storage
from bootos.drivers.storage.selection import reserve_disks, select_targets
from bootos.drivers.storage.signature import name_signature
from bootos.drivers.storage.state import Block, Storage, partition_path
from bootos.drivers.storage.volume import opened, tell_volume
from bootos.errors import Problem
from bootos.template.model import (
    DiskWanted,
    Filesystem,
    LogicalVolume,
    Partition,
    Template,
    VolumeGroup,
)
from bootos.template.size import format_size
from bootos.wire.inventory import Inventory


class Make(msgspec.Struct, frozen=True, kw_only=True):
    """`number` is the partition's; None: the whole device. `volume` is (group, name) of a logical volume: `device` is
    then how plans call it."""

    device: str
    number: int | None
    filesystem: Filesystem
    volume: tuple[str, str] | None = None


class FilesystemDriver:
    name = "disk.filesystem"
    section = "disks.filesystem"
    title = "File systems"
    state_type = Storage

    def match(self, inventory: Inventory) -> Match | None:
        if not has_or_makes_disks(inventory):
            return None
        return Match(reason="every disk can hold a file system")

    def wants(self, template: Template) -> bool:
        return any(
            disk.filesystem is not None or any(wants_plain(part) for part in disk.partitions)
            for disk in template.disks
        ) or any(wants_plain(item) for group in template.volume_groups for item in group.volumes)

    def read(self, machine: Machine, inventory: Inventory) -> Storage:
        return read_storage(machine, inventory)

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
                _plan_partitions(state, wanted, at, forecast, planned)
        for index, group in enumerate(template.volume_groups):
            _plan_volumes(state, group, f"volume_groups[{index}]", forecast, planned)
        return planned

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        if not isinstance(action.detail, Make):
            raise DriverError(f"{self.name} has no action like {action.id}")
        with resync_slowed(machine):
            apply_filesystem(machine, action.detail)

    def export(self, state: Storage) -> dict[str, Any]:
        found = export_whole(state)
        return {"disks": found} if found else {}


def wants_plain(place: Partition | LogicalVolume) -> bool:
    """Whether a file system lies here without encryption: those in containers are `disk.luks`'s."""
    return place.filesystem is not None and place.encryption is None


def _plan_whole(state: Storage, wanted: DiskWanted, at: str, forecast: Forecast, planned: Planned) -> None:
    assert wanted.filesystem is not None
    filesystem = full_filesystem(wanted.filesystem)
    targets, problems = select_targets(wanted.select, at, state, forecast)
    planned.problems += problems
    if len(targets) > 1 and filesystem.uuid is not None:
        message = f"one UUID cannot be on {len(targets)} disks"
        planned.problems.append(Problem(path=f"{at}.filesystem.uuid", message=message))
    for target in targets:
        forecast.taken.setdefault(target.device, at)
        _check_size(filesystem, target.size_bytes, f"{at}.filesystem", planned)
        found = state.blocks.get(target.device)
        fresh = not target.exists or target.device in forecast.freed or found is None
        content: list[str] = []
        if found is not None and not fresh:
            if found.layout is None and is_right(found.signatures, filesystem):
                planned.notes.append(f"{target.title} has its {filesystem.type.value} file system already")
                continue
            _check_users(found, target.title, f"{at}.filesystem", planned)
            if found.layout is not None or not is_own_half(
                state, found.signatures, filesystem, target.device
            ):
                content = state.find_content(target.device, freed=forecast.freed)
        marked = mark_filesystem(state, filesystem, target.device)
        _plan_make(
            filesystem, marked, target.device, None, content, wanted.wipe, f"{at}.filesystem", at, planned
        )
        forecast.freed.add(target.device)


def _plan_partitions(
    state: Storage, wanted: DiskWanted, at: str, forecast: Forecast, planned: Planned
) -> None:
    for index, part in enumerate(wanted.partitions):
        if part.filesystem is None or part.encryption is not None:
            continue
        filesystem = full_filesystem(part.filesystem)
        here = f"{at}.partitions[{index}]"
        places = [place for place in forecast.partitions if place.path == here]
        if len(places) > 1 and filesystem.uuid is not None:
            message = f"one UUID cannot be on {len(places)} disks"
            planned.problems.append(Problem(path=f"{here}.filesystem.uuid", message=message))
        for place in places:
            if place.size_bytes is not None:
                _check_size(filesystem, place.size_bytes, f"{here}.filesystem", planned)
            content: list[str] = []
            disk = state.blocks.get(place.disk)
            if place.kept and disk is not None and disk.layout is not None:
                signatures = next(
                    (found.signatures for found in disk.layout.slices if found.number == index + 1), ()
                )
                if is_right(signatures, filesystem):
                    planned.notes.append(
                        f"{place.device} has its {filesystem.type.value} file system already"
                    )
                    continue
                _check_users(disk, place.device, f"{here}.filesystem", planned)
                if not is_own_half(state, signatures, filesystem, place.device):
                    content = [f"{name_signature(signature)} on {place.device}" for signature in signatures]
            marked = mark_filesystem(state, filesystem, place.device)
            _plan_make(
                filesystem,
                marked,
                place.disk,
                index + 1,
                content,
                wanted.wipe,
                f"{here}.filesystem",
                at,
                planned,
            )


def _plan_volumes(state: Storage, wanted: VolumeGroup, at: str, forecast: Forecast, planned: Planned) -> None:
    present = next((group for group in state.groups if group.name == wanted.name), None)
    for index, item in enumerate(wanted.volumes):
        if item.filesystem is None or item.encryption is not None:
            continue
        filesystem, here = full_filesystem(item.filesystem), f"{at}.volumes[{index}]"
        for place in forecast.partitions:
            if place.path != here:
                continue
            if place.size_bytes is not None:
                _check_size(filesystem, place.size_bytes, f"{here}.filesystem", planned)
            content: list[str] = []
            volume = present.find_volume(item.name) if present is not None and place.kept else None
            if volume is not None and not volume.unfinished:
                if is_right(volume.signatures, filesystem):
                    planned.notes.append(
                        f"{place.device} has its {filesystem.type.value} file system already"
                    )
                    continue
                if volume.active:
                    message = f"{place.device} cannot get a file system: it is active"
                    planned.problems.append(Problem(path=f"{here}.filesystem", message=message))
                if volume.signatures:  # an empty volume holds nothing
                    content = list(tell_volume(wanted.name, volume))
            _plan_make(
                filesystem,
                mark_filesystem(state, filesystem, place.device),
                place.device,
                None,
                content,
                wanted.wipe,
                f"{here}.filesystem",
                at,
                planned,
                volume=(wanted.name, item.name),
            )


def _check_size(filesystem: Filesystem, size_bytes: int, at: str, planned: Planned) -> None:
    least = LEAST_BYTES[filesystem.type]
    if size_bytes < least:
        message = f"{format_size(size_bytes)} is too small for {filesystem.type.value}: it needs {format_size(least)}"
        planned.problems.append(Problem(path=at, message=message))


def _check_users(found: Block, title: str, at: str, planned: Planned) -> None:
    if found.used_by:
        message = f"{title} cannot get a file system: the disk is {', '.join(found.used_by)}"
        planned.problems.append(Problem(path=at, message=message))


def _plan_make(
    filesystem: Filesystem,
    marked: Filesystem,
    device: str,
    number: int | None,
    content: list[str],
    wipe: bool,
    here: str,
    at: str,
    planned: Planned,
    volume: tuple[str, str] | None = None,
) -> None:
    place = device if number is None else partition_path(device, number)
    if content and not wipe:
        hint = f"{at}.wipe: true allows this data to be lost"
        planned.problems.append(Problem(path=here, message=f"{place} holds {'; '.join(content)}", hint=hint))
        return
    words = [filesystem.type.value]
    words += [f'label "{filesystem.label}"'] if filesystem.label else []
    words += [f"UUID {filesystem.uuid}"] if filesystem.uuid else []
    words += [f"options {' '.join(filesystem.options)}"] if filesystem.options else []
    planned.actions.append(
        Action(
            id=f"disk.filesystem:make:{place}",
            driver=FilesystemDriver.name,
            summary=f"make {', '.join(words)} on {place}",
            changes=(Change(what=place, before="; ".join(content), after=", ".join(words)),),
            destroys=tuple(content),
            allowed=f"{at}.wipe" if wipe else None,
            path=here,
            detail=Make(device=device, number=number, filesystem=marked, volume=volume),
        )
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
