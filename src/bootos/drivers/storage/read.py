"""What is on the disks and arrays of this machine: sizes, signatures, partition tables, who uses them.

`read_storage` is the common `read` of `raid.mdadm`, `disk.partition` and `disk.filesystem`; it changes nothing
on any disk. `Storage.find_content` tells it in words an operator understands. Parsers are pure.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Set
from typing import Any

import msgspec

from bootos.drivers.contract import ArrayForecast, DriverError, Look, Machine
from bootos.drivers.storage import md, volume
from bootos.drivers.storage.completeness import find_doubted, is_complete
from bootos.drivers.storage.current import find_current_disks
from bootos.drivers.storage.mark import draw_uuid, is_same_uuid
from bootos.drivers.storage.signature import Signature, name_signature
from bootos.drivers.storage.table import parse_attributes
from bootos.wire.inventory import Disk, Inventory

log = logging.getLogger(__name__)

LSBLK_COLUMNS = "NAME,PATH,TYPE,SIZE,RO,LOG-SEC,MOUNTPOINTS"
MD_SIGNATURE = "linux_raid_member"
TABLES = {"gpt": "gpt", "dos": "mbr"}


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
            elif signature.type == volume.SIGNATURE:
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


def parse_lsblk(text: str) -> dict[str, dict[str, Any]]:
    """`lsblk -J -b`: every device by path, children kept inside."""
    found: dict[str, dict[str, Any]] = {}

    def walk(items: list[dict[str, Any]]) -> None:
        for item in items:
            found.setdefault(item["path"], item)
            walk(item.get("children", []))

    walk(json.loads(text or "{}").get("blockdevices", []))
    return found


def parse_wipefs(text: str) -> dict[str, tuple[Signature, ...]]:
    """`wipefs --json DEVICE...` by the kernel's name; each kind of signature once (vfat and GPT leave several)."""
    listed = json.loads(text).get("signatures", []) if text.strip() else []
    found: dict[str, dict[tuple[str, str], Signature]] = {}
    for item in listed:
        uuid, label = item.get("uuid") or "", item.get("label") or ""
        kinds = found.setdefault(item["device"].replace("!", "/"), {})
        kinds.setdefault((item["type"], uuid), Signature(type=item["type"], label=label, uuid=uuid))
    return {device: tuple(kinds.values()) for device, kinds in found.items()}


def parse_sfdisk(text: str, device: str) -> Layout | None:
    """`sfdisk -J`; `device` is the disk's name in plans. None: a table that is neither GPT nor MBR."""
    table = json.loads(text)["partitiontable"]
    kind = TABLES.get(table.get("label", ""))
    if kind is None:
        return None
    base = table["device"]
    slices = []
    for item in table.get("partitions", []):
        number = int(item["node"].removeprefix(base).removeprefix("p"))
        guid = kind == "gpt"
        slices.append(
            Slice(
                number=number,
                device=partition_path(device, number),
                start=item["start"],
                sectors=item["size"],
                type=item["type"].upper() if guid else item["type"].lower().zfill(2),
                name=item.get("name", ""),
                bootable="LegacyBIOSBootable" in item.get("attrs", "")
                if guid
                else bool(item.get("bootable")),
                attributes=parse_attributes(item.get("attrs", "")) if guid else (),
            )
        )
    return Layout(
        table=kind, id=table.get("id", ""), slices=tuple(sorted(slices, key=lambda part: part.number))
    )


def find_users(item: dict[str, Any]) -> list[str]:
    """Mount points, swap and mappings (LVM, LUKS) on a device of `lsblk` or anything above it, but not what
    is on md arrays: those are blocks of their own."""
    users = [f"mounted on {point}" for point in item.get("mountpoints") or [] if point and point != "[SWAP]"]
    if "[SWAP]" in (item.get("mountpoints") or []):
        users.append("in use as swap")
    for child in item.get("children", []):
        if child["type"].startswith("raid") or child["type"] == "md":
            continue
        if child["type"] != "part":
            users.append(f"in use by {child['path']} ({child['type']})")
        users += find_users(child)
    return users


def read_storage(machine: Machine, inventory: Inventory) -> Storage:
    """The storage in the look of this moment, else as it is read now. Raises DriverError, ToolError."""
    look = machine.look or Look(machine.root)
    return look.take("storage", inventory, lambda: _read_storage(machine, inventory))


def _read_storage(machine: Machine, inventory: Inventory) -> Storage:
    listed = _read_all(machine)
    disks = find_current_disks(machine, inventory)
    notes = [
        f"{describe_disk(disk)} was in the inventory and is gone" for disk in disks if disk.path not in listed
    ]
    blocks = _read_blocks(machine, {d.path: listed[d.path] for d in disks if d.path in listed})
    arrays, more, started = md.read_arrays(
        machine, _find_members_by_node(blocks.values(), MD_SIGNATURE).values()
    )
    if started:
        listed = _read_all(machine)
    blocks |= _read_blocks(machine, {a.device: listed[a.node] for a in arrays if a.node in listed})
    names = _find_members_by_node(blocks.values(), volume.SIGNATURE)
    groups, loose = volume.read_groups(machine, names) if names else ((), ())
    return Storage(
        disks=tuple(disks),
        blocks=blocks,
        arrays=tuple(arrays),
        groups=groups,
        loose=loose,
        notes=(*notes, *more),
        owner=machine.owner,
        begun=machine.begun,
    )


def _find_members_by_node(blocks: Iterable[Block], kind: str) -> dict[str, str]:
    """The name in plans of each disk, array and partition with this signature, by the kernel's device."""
    found: dict[str, str] = {}
    for block in blocks:
        if any(signature.type == kind for signature in block.signatures):
            found[block.node] = block.device
        for part in block.layout.slices if block.layout else ():
            if any(signature.type == kind for signature in part.signatures):
                found[partition_path(block.node, part.number)] = part.device
    return found


def _read_all(machine: Machine) -> dict[str, dict[str, Any]]:
    return parse_lsblk(machine.run(["lsblk", "-J", "-b", "-o", LSBLK_COLUMNS]).stdout)


def _read_lsblk(machine: Machine, node: str) -> dict[str, Any]:
    """One device with what is on it. Raises DriverError when it is not there."""
    done = machine.run(["lsblk", "-J", "-b", "-o", LSBLK_COLUMNS, node], check=False)
    item = parse_lsblk(done.stdout).get(node) if done.returncode == 0 else None
    if item is None:
        raise DriverError(f"{node} is not there", hint="the disk may have failed or been pulled")
    return item


def _read_signatures(machine: Machine, nodes: list[str]) -> tuple[dict[str, tuple[Signature, ...]], set[str]]:
    """(signatures by device, devices that cannot be read). `wipefs` without `--all` only looks."""
    if not nodes:
        return {}, set()
    done = machine.run(["wipefs", "--json", *nodes], check=False)
    if done.returncode == 0:
        named = parse_wipefs(done.stdout)
        return {node: named.get(node.removeprefix("/dev/"), ()) for node in nodes}, set()
    found: dict[str, tuple[Signature, ...]] = {}
    unreadable: set[str] = set()
    for node in nodes:
        done = machine.run(["wipefs", "--json", node], check=False)
        if done.returncode != 0:
            log.warning("%s cannot be read: %s", node, done.stderr.strip())
            unreadable.add(node)
        else:
            found[node] = parse_wipefs(done.stdout).get(node.removeprefix("/dev/"), ())
    return found, unreadable


def _read_blocks(machine: Machine, items: dict[str, dict[str, Any]]) -> dict[str, Block]:
    """Blocks by their name in plans; `items` are their entries of `lsblk`."""
    nodes = [item["path"] for item in items.values() if item["size"]]
    nodes += [part["path"] for item in items.values() for part in _find_parts(item) if part["size"]]
    signatures, unreadable = _read_signatures(machine, nodes)
    return {
        device: _build_block(machine, device, item, signatures, unreadable) for device, item in items.items()
    }


def _find_parts(item: dict[str, Any]) -> list[dict[str, Any]]:
    return [child for child in item.get("children", []) if child["type"] == "part"]


def _build_block(
    machine: Machine,
    device: str,
    item: dict[str, Any],
    signatures: dict[str, tuple[Signature, ...]],
    unreadable: set[str],
) -> Block:
    node = item["path"]
    own = _check_signatures(machine, device, node, signatures.get(node, ()))
    layout: Layout | None = None
    if any(signature.type in TABLES for signature in own):
        done = machine.run(["sfdisk", "--json", node], check=False)
        layout = parse_sfdisk(done.stdout, device) if done.returncode == 0 else None
    if layout is not None:
        parts = tuple(
            msgspec.structs.replace(part, signatures=_check_signatures(machine, part.device, path, found))
            for part in layout.slices
            for path in [partition_path(node, part.number)]
            for found in [signatures.get(path, ())]
        )
        seen = {part["path"] for part in _find_parts(item)}
        unseen = seen != {partition_path(node, part.number) for part in parts}
        layout = msgspec.structs.replace(layout, slices=parts, unseen=unseen)
    return Block(
        device=device,
        node=node,
        size_bytes=int(item["size"] or 0),
        sector_bytes=int(item.get("log-sec") or 512),
        read_only=bool(item.get("ro")),
        signatures=own,
        layout=layout,
        used_by=tuple(dict.fromkeys(find_users(item))),
        unreadable=node in unreadable,
    )


def _check_signatures(
    machine: Machine, device: str, node: str, signatures: tuple[Signature, ...]
) -> tuple[Signature, ...]:
    """Mark the file system that an earlier attempt began to make here and did not finish."""
    if device not in find_doubted(machine.begun) or len(signatures) != 1:
        return signatures
    if is_complete(machine, signatures[0].type, node):
        return signatures
    return (msgspec.structs.replace(signatures[0], half_made=True),)


def find_node(machine: Machine, device: str) -> str:
    """The kernel's device of a disk or array of the plan. Raises DriverError when it is not there."""
    if not device.startswith("/dev/md"):
        return device
    node = md.find_array_node(machine, device)
    if node is None:
        raise DriverError(f"the array {device} is not there", hint="`cat /proc/mdstat` shows what runs")
    return node


def clear_device(machine: Machine, node: str) -> None:
    """Stop md arrays that have `node` or one of its partitions as a member, then remove every signature from the
    partitions and from `node` itself (tables included). Raises DriverError, ToolError."""
    item = _read_lsblk(machine, node)
    parts = [child["path"] for child in _find_parts(item)]
    md.stop_arrays_on(machine, [node, *parts])
    machine.run(["wipefs", "--all", "--force", "--quiet", *parts, node])


def read_size(machine: Machine, node: str) -> tuple[int, int]:
    """(bytes, bytes of a logical sector) of a device as the kernel has it now."""
    item = _read_lsblk(machine, node)
    return int(item["size"] or 0), int(item.get("log-sec") or 512)


def check_partitions(machine: Machine, node: str, numbers: list[int]) -> None:
    """Raises DriverError unless the kernel has exactly these partitions of `node`; asks it to look once more."""
    expected = {partition_path(node, number) for number in numbers}
    if {part["path"] for part in _find_parts(_read_lsblk(machine, node))} == expected:
        return
    machine.run(["blockdev", "--rereadpt", node], check=False)
    md.settle(machine)
    found = {part["path"] for part in _find_parts(_read_lsblk(machine, node))}
    if found != expected:
        listed = ", ".join(sorted(found)) or "none"
        raise DriverError(
            f"the kernel does not see the new partitions of {node}: it has {listed}",
            hint="something uses the disk",
        )
