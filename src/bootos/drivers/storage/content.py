"""What lies in a place that a plan would take: in words an operator understands, and who uses it. Pure.

What could not be read is told as content, since what is not known to be free is in use. `desk` alone says whether
any of it may be lost.
"""

from collections.abc import Iterator, Set

import msgspec

from bootos.drivers.storage import md, volume
from bootos.drivers.storage.controller import Array, Drive
from bootos.drivers.storage.mark import draw_uuid, is_same_uuid
from bootos.drivers.storage.signature import LVM_SIGNATURE, MD_SIGNATURE, TABLES, Signature, name_signature
from bootos.drivers.storage.state import Block, Slice, Storage

_PROTECTIVE = "PMBR"  # the protective MBR before a GPT; it is found alone when the GPT is damaged
_ATARI = "atari"  # `blkid` also finds this table in data of other kinds
_NO_CONTENT = (*TABLES, _PROTECTIVE, _ATARI)  # partition tables are told by their partitions
_UNKNOWN = "what nobody can look at: the system shows no disk of it"


class Occupancy(msgspec.Struct, frozen=True, kw_only=True):
    """`content` is every piece of data in a place, one phrase each; empty: it is blank. `users` is what holds it right
    now (mount points, swap, mappings), each to follow "it is"."""

    content: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


def find_on_device(state: Storage, device: str, freed: Set[str] = frozenset()) -> Occupancy:
    """What occupies a whole disk or array. `freed` are devices whose content an earlier action of the plan removes."""
    if device in freed:
        return Occupancy()
    block = state.blocks.get(device)
    if block is None:
        return Occupancy(content=(_UNKNOWN,))
    return Occupancy(
        content=tuple(_tell_block(state, block, freed)),
        users=tuple(dict.fromkeys(_find_users(state, block, freed))),
    )


def find_on_partition(
    state: Storage, disk: str, number: int | None, freed: Set[str] = frozenset()
) -> Occupancy:
    """What occupies one partition of a disk or array; with `number` None, all of it. A user of one part counts as a
    user of the whole disk."""
    if number is None:
        return find_on_device(state, disk, freed)
    if disk in freed:
        return Occupancy()
    block = state.blocks.get(disk)
    part = block.find_slice(number) if block is not None else None
    if block is None or part is None:
        return Occupancy(content=(_UNKNOWN,))
    return Occupancy(
        content=tuple(_tell_slice(state, part, freed, is_alone=True)),
        users=tuple(dict.fromkeys(_find_users(state, block, freed))),
    )


def find_on_volume(group: volume.Group, name: str) -> Occupancy:
    """What occupies a logical volume. A volume that is empty, or was cut off while it was made, holds nothing."""
    found = group.find_volume(name)
    if found is None:
        return Occupancy()
    content = () if found.unfinished or found.is_blank else tuple(volume.tell_volume(group.name, found))
    return Occupancy(content=content, users=("active",) if found.active else ())


def find_on_md(state: Storage, array: md.Array) -> Occupancy:
    """An md array and what is on it, for one who deletes it."""
    where = ", ".join(sorted(member.node for member in array.members))
    lost = f'md array "{array.name}" (RAID {array.level}) on {where}'
    return _find_on_array(state, lost, array.device if array.node else "")


def find_on_array(state: Storage, array: Array, what: str, freed: Set[str] = frozenset()) -> Occupancy:
    """An array of a controller and what is on it, for one who deletes it. `what` is its level and drives in words."""
    return _find_on_array(state, f'array "{array.title}" ({what})', array.device, freed)


def _find_on_array(state: Storage, lost: str, device: str, freed: Set[str] = frozenset()) -> Occupancy:
    if device not in state.blocks:
        return Occupancy(content=(f"{lost}, whose data could not be looked at",))
    found = find_on_device(state, device, freed)
    return Occupancy(content=(lost, *found.content), users=found.users)


def find_on_drive(state: Storage, drive: Drive, freed: Set[str] = frozenset()) -> Occupancy:
    """What occupies a drive that a controller hands to the system. All other drives hold the data of their arrays."""
    return find_on_device(state, drive.device, freed) if drive.state == "jbod" else Occupancy()


def _find_users(state: Storage, block: Block, freed: Set[str]) -> Iterator[str]:
    """Of a disk or array, and of the arrays and volume groups that lie on it."""
    yield from block.used_by
    for device in _find_members(block):
        for array in state.find_arrays_of(device):
            if array.device in state.blocks and array.device not in freed:
                yield from _find_users(state, state.blocks[array.device], freed)
        group = state.find_group_of(device)
        if group is None or any("(lvm)" in user for user in block.used_by):
            continue  # an active volume here was already reported as a user
        for item in group.volumes:
            if item.active:
                yield f"in use by {volume.volume_device(group.name, item.name)} (lvm)"


def _find_members(block: Block) -> list[str]:
    """The device and its partitions."""
    return [block.device, *(part.device for part in block.parts)]


def _tell_block(state: Storage, block: Block, freed: Set[str]) -> Iterator[str]:
    if block.unreadable:
        yield f"what cannot be read on {block.device}"
    yield from _tell_signatures(state, block.signatures, block.device, freed)
    slices = block.layout.slices if block.layout else ()
    if block.layout and slices:
        count = f"{len(slices)} partition{'s' if len(slices) > 1 else ''}"
        yield f"{block.layout.table.upper()} partition table with {count} on {block.device}"
    if block.layout is None:
        yield from _tell_tables(block.signatures, block.device, " that cannot be read")
    for part in block.parts:
        yield from _tell_slice(state, part, freed)


def _tell_slice(state: Storage, part: Slice, freed: Set[str], *, is_alone: bool = False) -> Iterator[str]:
    if part.unreadable and part.device not in freed:
        yield f"what cannot be read on {part.device}"
    yield from _tell_signatures(state, part.signatures, part.device, freed)
    # a partition with a partition table in it, as of a virtual machine's disk
    if is_alone and part.device not in freed:
        yield from _tell_tables(part.signatures, part.device, "")
        if any(signature.type == _ATARI for signature in part.signatures):
            yield f"ATARI partition table on {part.device}"


def _tell_tables(signatures: tuple[Signature, ...], device: str, more: str) -> Iterator[str]:
    kinds = dict.fromkeys(
        TABLES.get(item.type, "gpt") for item in signatures if item.type in (*TABLES, _PROTECTIVE)
    )
    for kind in kinds:
        yield f"{kind.upper()} partition table{more} on {device}"


def _tell_signatures(
    state: Storage, signatures: tuple[Signature, ...], device: str, freed: Set[str]
) -> Iterator[str]:
    if device in freed:
        return
    for signature in signatures:
        if signature.type == MD_SIGNATURE:
            yield from _tell_md(state, signature, device, freed)
        elif signature.type == LVM_SIGNATURE:
            yield from _tell_member(state, device)
        elif signature.type not in _NO_CONTENT:
            yield f"{name_signature(signature)} on {device}"
    if any(signature.type == MD_SIGNATURE for signature in signatures):
        return
    for array in state.find_arrays_of(device):
        if array.node and device in array.nodes:
            yield from _tell_member_of(
                state, array, device, freed
            )  # it runs, and the kernel knows its members


def _tell_md(state: Storage, signature: Signature, device: str, freed: Set[str]) -> Iterator[str]:
    array = state.find_array_of(device)
    if array is None:
        yield f'member of md array "{md.read_name(signature.label)}" on {device}'
    else:
        yield from _tell_member_of(state, array, device, freed)


def _tell_member_of(state: Storage, array: md.Array, device: str, freed: Set[str]) -> Iterator[str]:
    yield f'member of md array "{array.name}" on {device}'
    if array.device in state.blocks and array.device not in freed:
        yield from _tell_block(state, state.blocks[array.device], freed)


def _tell_member(state: Storage, device: str) -> Iterator[str]:
    group = state.find_group_of(device)
    if group is not None:
        yield from volume.tell_group(group, device)
    elif not _is_own_loose(state, device):
        yield f"LVM physical volume on {device}"


def _is_own_loose(state: Storage, device: str) -> bool:
    """Whether this job made the physical volume and was cut off before it had a group: it holds nothing."""
    own = volume.format_uuid(draw_uuid(state.owner, device))
    return any(item.device == device and is_same_uuid(item.uuid, own) for item in state.loose)
