"""The partitions and logical volumes of a template, and what is on them now. Pure; for the drivers that fill them."""

from collections.abc import Iterator, Set

import msgspec

from bootos.drivers.contract import PartitionForecast
from bootos.drivers.storage.content import Occupancy, find_on_partition, find_on_volume
from bootos.drivers.storage.signature import Signature
from bootos.drivers.storage.state import Storage
from bootos.template.model import DiskWanted, LogicalVolume, Partition, Template, VolumeGroup


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """`path` is its place in the template, `owner` the one whose `wipe` counts. `number` is a partition's, `group` the
    volume group of a logical volume; the other one is empty."""

    wanted: Partition | LogicalVolume
    path: str
    owner: str
    wipe: bool
    number: int | None = None
    group: str = ""

    @property
    def volume(self) -> tuple[str, str] | None:
        """(group, name) of a logical volume."""
        return (self.group, self.wanted.name) if self.group else None


def find_places(template: Template) -> Iterator[Place]:
    """Every partition and logical volume, in the order of the template."""
    for index, disk in enumerate(template.disks):
        yield from list_partitions(disk, f"disks[{index}]")
    for index, group in enumerate(template.volume_groups):
        yield from list_volumes(group, f"volume_groups[{index}]")


def list_partitions(disk: DiskWanted, at: str) -> Iterator[Place]:
    """The partitions of one entry of `disks`, which is at `at`."""
    for index, part in enumerate(disk.partitions):
        yield Place(wanted=part, path=f"{at}.partitions[{index}]", owner=at, wipe=disk.wipe, number=index + 1)


def list_volumes(group: VolumeGroup, at: str) -> Iterator[Place]:
    """The volumes of one entry of `volume_groups`, which is at `at`."""
    for index, item in enumerate(group.volumes):
        yield Place(wanted=item, path=f"{at}.volumes[{index}]", owner=at, wipe=group.wipe, group=group.name)


def find_present(
    state: Storage, place: Place, target: PartitionForecast, freed: Set[str]
) -> tuple[tuple[Signature, ...], Occupancy]:
    """What is in a place on `target` now: (signatures, the same in words). `freed` are devices whose content an earlier
    action of the plan removes."""
    if not target.kept:
        return (), Occupancy()
    if place.number is not None:
        block = state.blocks.get(target.disk)
        part = block.find_slice(place.number) if block is not None else None
        present = find_on_partition(state, target.disk, place.number, freed)
        return part.signatures if part is not None else (), present
    group = next((group for group in state.groups if group.name == place.group), None)
    volume = group.find_volume(place.wanted.name) if group is not None else None
    if group is None or volume is None:
        return (), Occupancy()
    return volume.signatures, find_on_volume(group, volume.name)
