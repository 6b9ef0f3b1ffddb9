"""What lies on the disks and arrays of this machine, as plain data that is saved and planned on offline.

`content` tells it in words an operator understands.
"""

from collections.abc import Set
from typing import Self

import msgspec

from bootos.drivers.contract import ArrayForecast
from bootos.drivers.storage import imsm, md, volume
from bootos.drivers.storage.signature import Signature
from bootos.wire.inventory import Disk


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A partition as it is. `start` and `sectors` count logical sectors; `type` is a GUID or MBR code."""

    number: int
    device: str
    start: int
    sectors: int
    type: str
    name: str = ""
    bootable: bool = False
    attributes: tuple[str, ...] = ()  # GPT attributes by sfdisk's names, without the bootable one
    signatures: tuple[Signature, ...] = ()
    unreadable: bool = False


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """A partition table as it is: `gpt` or `mbr`. `unseen`: the kernel has other partitions, or none."""

    table: str
    id: str = ""
    unseen: bool = False
    slices: tuple[Slice, ...] = ()


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A whole disk or array. `device` is its name in plans, `node` the kernel's device.

    `used_by` says what holds it (or a partition of it) right now: mount points, swap, LVM or LUKS mappings. `strays`
    are partitions that the kernel has and the table does not, as when the table was overwritten meanwhile.
    """

    device: str
    node: str
    size_bytes: int
    sector_bytes: int = 512
    read_only: bool = False
    signatures: tuple[Signature, ...] = ()
    layout: Layout | None = None
    strays: tuple[Slice, ...] = ()
    used_by: tuple[str, ...] = ()
    unreadable: bool = False

    @property
    def parts(self) -> tuple[Slice, ...]:
        """All partitions: those of the table, and those that only the kernel has."""
        return (*(self.layout.slices if self.layout is not None else ()), *self.strays)

    def find_part_node(self, part: Slice) -> str:
        """The kernel's device of a partition."""
        return partition_path(self.node, part.number) if part.number else part.device

    def find_slice(self, number: int) -> Slice | None:
        """The partition of this number."""
        slices = self.layout.slices if self.layout is not None else ()
        return next((part for part in slices if part.number == number), None)

    @property
    def obstacle(self) -> str:
        """Why nothing can be written here, whatever the template allows; empty: it can."""
        if self.read_only:
            return "it is read-only"
        if not self.size_bytes:
            return "it has no medium"
        return "it cannot be read" if self.unreadable else ""


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the disk drivers plan on."""

    disks: tuple[Disk, ...] = ()
    blocks: dict[str, Block] = {}
    arrays: tuple[md.Array, ...] = ()
    containers: tuple[imsm.Container, ...] = ()
    groups: tuple[volume.Group, ...] = ()
    loose: tuple[volume.Member, ...] = ()  # physical volumes without a group
    notes: tuple[str, ...] = ()
    owner: str = ""  # as in `contract.Machine`
    begun: frozenset[str] = frozenset()

    def without(self, freed: Set[str]) -> Self:
        """As it will be without the arrays that lie wholly on `freed` (drives that are erased first)."""
        left = tuple(array for array in self.arrays if not (array.nodes and array.nodes <= freed))
        homes = tuple(home for home in self.containers if not set(home.members) <= freed)
        return msgspec.structs.replace(self, arrays=left, containers=homes)

    def is_freed(self, device: str, freed: Set[str]) -> bool:
        """Whether the content of a disk or partition is removed with one of `freed`."""
        return device in freed or any(
            block.device in freed
            for block in self.blocks.values()
            if device in {part.device for part in block.parts}
        )

    def find_group_of(self, device: str) -> volume.Group | None:
        """The volume group that this disk, array or partition is a physical volume of."""
        return next(
            (group for group in self.groups if device in {item.device for item in group.members}), None
        )

    def find_arrays_of(self, device: str) -> list[md.Array]:
        """The arrays that this disk or partition is a member of: of a container's drive those in the container."""
        return [array for array in self.arrays if device in {member.node for member in array.members}]

    def find_array_of(self, device: str) -> md.Array | None:
        """The first of them."""
        return next(iter(self.find_arrays_of(device)), None)

    def find_container_of(self, device: str) -> imsm.Container | None:
        """The container of Intel's that has this disk."""
        return next((home for home in self.containers if device in (*home.members, *home.failed)), None)

    def find_forecasts(self) -> dict[str, ArrayForecast]:
        """The arrays that run now, as forecasts: what later drivers see when nothing changes them."""
        return {
            array.name: ArrayForecast(
                name=array.name,
                device=array.device,
                size_bytes=self.blocks[array.device].size_bytes,
                exists=True,
                members=tuple(sorted(array.nodes)),
            )
            for array in self.arrays
            if array.device in self.blocks
        }


def describe_disk(disk: Disk) -> str:
    """`/dev/sdb (drive 1, serial WD-1234)`: enough to find it in the rack."""
    serial = f", serial {disk.serial}" if disk.serial else ""
    return f"{disk.path} (drive {disk.index}{serial})"


def partition_path(device: str, number: int) -> str:
    """The kernel's and udev's rule: `p` before the number when the disk's name ends in a digit."""
    return f"{device}p{number}" if device[-1].isdigit() else f"{device}{number}"
