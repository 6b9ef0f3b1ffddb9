"""What lies on the disks and arrays of this machine, as plain data that is saved and planned on offline.

`Storage.find_content` tells it in words an operator understands. Pure.
"""

from collections.abc import Iterator, Set

import msgspec

from bootos.drivers.contract import ArrayForecast
from bootos.drivers.storage import md, volume
from bootos.drivers.storage.mark import draw_uuid, is_same_uuid
from bootos.drivers.storage.signature import LVM_SIGNATURE, MD_SIGNATURE, TABLES, Signature, name_signature
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
    attributes: tuple[str, ...] = ()  # of GPT, as sfdisk names them, but for the bootable one
    signatures: tuple[Signature, ...] = ()


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """A partition table as it is: `gpt` or `mbr`. `unseen`: the kernel has other partitions, or none."""

    table: str
    id: str = ""
    unseen: bool = False
    slices: tuple[Slice, ...] = ()


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A whole disk or array. `device` is its name in plans, `node` the kernel's device.

    `used_by` says what holds it (or a partition of it) right now: mount points, swap, LVM or LUKS mappings.
    """

    device: str
    node: str
    size_bytes: int
    sector_bytes: int = 512
    read_only: bool = False
    signatures: tuple[Signature, ...] = ()
    layout: Layout | None = None
    used_by: tuple[str, ...] = ()
    unreadable: bool = False

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
    groups: tuple[volume.Group, ...] = ()
    loose: tuple[volume.Member, ...] = ()  # physical volumes without a group
    notes: tuple[str, ...] = ()
    owner: str = ""  # as in `contract.Machine`
    begun: frozenset[str] = frozenset()

    def find_content(self, device: str, *, freed: Set[str] = frozenset()) -> list[str]:
        """Every piece of data on a disk or array, one phrase each; empty: it is blank.

        `freed` are devices whose content an earlier action of the plan removes.
        """
        block = self.blocks.get(device)
        if block is None or device in freed:
            return []
        return list(self._tell(block, freed))

    def find_content_at(self, device: str, number: int | None) -> list[str]:
        """The same of one partition of a disk; `number` None: of all of it."""
        if number is None:
            return self.find_content(device)
        block = self.blocks.get(device)
        slices = block.layout.slices if block is not None and block.layout is not None else ()
        return [
            text
            for part in slices
            if part.number == number
            for text in self._tell_signatures(part.signatures, part.device, frozenset())
        ]

    def without(self, freed: Set[str]) -> "Storage":
        """As it will be without the arrays that lie wholly on `freed` (drives that are erased first)."""
        left = tuple(array for array in self.arrays if not (array.nodes and array.nodes <= freed))
        return msgspec.structs.replace(self, arrays=left)

    def is_freed(self, device: str, freed: Set[str]) -> bool:
        """Whether the content of a disk or partition is removed with one of `freed`."""
        return device in freed or any(
            block.device in freed
            for block in self.blocks.values()
            if block.layout is not None and device in {part.device for part in block.layout.slices}
        )

    def _tell(self, block: Block, freed: Set[str]) -> Iterator[str]:
        yield from self._tell_signatures(block.signatures, block.device, freed)
        slices = block.layout.slices if block.layout else ()
        if block.layout and slices:
            count = f"{len(slices)} partition{'s' if len(slices) > 1 else ''}"
            yield f"{block.layout.table.upper()} partition table with {count} on {block.device}"
        for part in slices:
            yield from self._tell_signatures(part.signatures, part.device, freed)

    def _tell_signatures(
        self, signatures: tuple[Signature, ...], device: str, freed: Set[str]
    ) -> Iterator[str]:
        if device in freed:
            return
        for signature in signatures:
            if signature.type == MD_SIGNATURE:
                yield from self._tell_array(signature, device, freed)
            elif signature.type == LVM_SIGNATURE:
                yield from self._tell_member(device)
            elif signature.type not in (*TABLES, "PMBR", "atari"):
                yield f"{name_signature(signature)} on {device}"

    def _tell_array(self, signature: Signature, device: str, freed: Set[str]) -> Iterator[str]:
        array = self.find_array_of(device)
        name = array.name if array else md.read_name(signature.label)
        yield f'member of md array "{name}" on {device}'
        if array and array.device in self.blocks and array.device not in freed:
            yield from self._tell(self.blocks[array.device], freed)

    def _tell_member(self, device: str) -> Iterator[str]:
        group = self.find_group_of(device)
        if group is not None:
            yield from volume.tell_group(group, device)
        elif not self._is_own_loose(device):
            yield f"LVM physical volume on {device}"

    def _is_own_loose(self, device: str) -> bool:
        """Whether this job made the physical volume and was cut off before it had a group: it holds nothing."""
        own = volume.format_uuid(draw_uuid(self.owner, device))
        return any(item.device == device and is_same_uuid(item.uuid, own) for item in self.loose)

    def find_group_of(self, device: str) -> volume.Group | None:
        """The volume group that this disk, array or partition is a physical volume of."""
        return next(
            (group for group in self.groups if device in {item.device for item in group.members}), None
        )

    def find_array_of(self, device: str) -> md.Array | None:
        """The array that this disk or partition is a member of."""
        return next((array for array in self.arrays if device in {m.node for m in array.members}), None)

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
