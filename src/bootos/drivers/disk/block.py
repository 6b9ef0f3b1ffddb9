"""What is on the disks and arrays of this machine: sizes, signatures, partition tables, who uses them.

`read_storage` is the common `read` of `raid.mdadm`, `disk.partition` and `disk.filesystem`; it changes nothing
on any disk. `Storage.find_content` tells it in words an operator understands. Parsers are pure.
"""

import json
from collections.abc import Iterator, Set
from typing import Any

import msgspec

from bootos.drivers.contract import ArrayForecast, DriverError, Machine
from bootos.drivers.raid import md
from bootos.wire.inventory import Disk, Inventory

LSBLK_COLUMNS = "NAME,PATH,TYPE,SIZE,RO,LOG-SEC,MOUNTPOINTS"
MD_SIGNATURE = "linux_raid_member"
TABLES = {"gpt": "gpt", "dos": "mbr"}


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """What `wipefs` finds: a file system, a RAID member, a partition table (`gpt`, `dos`), ..."""

    type: str
    label: str = ""
    uuid: str = ""


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A partition as it is. `start` and `sectors` count logical sectors; `type` is a GUID or MBR code."""

    number: int
    device: str
    start: int
    sectors: int
    type: str
    name: str = ""
    bootable: bool = False
    signatures: tuple[Signature, ...] = ()


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """A partition table as it is: `gpt` or `mbr`."""

    table: str
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


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the disk drivers plan on."""

    disks: tuple[Disk, ...] = ()
    blocks: dict[str, Block] = {}
    arrays: tuple[md.Array, ...] = ()
    notes: tuple[str, ...] = ()

    def find_content(self, device: str, *, freed: Set[str] = frozenset()) -> list[str]:
        """Every piece of data on a disk or array, one phrase each; empty: it is blank.

        `freed` are devices whose content an earlier action of the plan removes.
        """
        block = self.blocks.get(device)
        if block is None or device in freed:
            return []
        return list(self._tell(block, freed))

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
            elif signature.type not in (*TABLES, "PMBR", "atari"):
                yield f"{name_signature(signature)} on {device}"

    def _tell_array(self, signature: Signature, device: str, freed: Set[str]) -> Iterator[str]:
        array = self.find_array_of(device)
        name = array.name if array else md.read_name(signature.label)
        yield f'member of md array "{name}" on {device}'
        if array and array.device in self.blocks and array.device not in freed:
            yield from self._tell(self.blocks[array.device], freed)

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


def name_signature(signature: Signature) -> str:
    """`ext4 file system "data"`."""
    label = f' "{signature.label}"' if signature.label else ""
    special = {
        "swap": "swap space",
        "LVM2_member": "LVM physical volume",
        "crypto_LUKS": "LUKS-encrypted volume",
        "zfs_member": "member of ZFS pool",
        "isw_raid_member": "member of an Intel firmware RAID",
        "ddf_raid_member": "member of a DDF firmware RAID",
        "bcache": "bcache device",
        "ceph_bluestore": "Ceph OSD",
        "drbd": "DRBD device",
        "VMFS_volume_member": "VMFS volume",
        "suspend": "hibernation image",
    }
    if signature.type in special:
        return special[signature.type] + label
    if signature.type.endswith(("_member", "_raid_member")):
        return f"{signature.type} signature{label}"
    return f"{signature.type} file system{label}"


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


def parse_wipefs(text: str) -> tuple[Signature, ...]:
    """`wipefs -J`: each kind of signature once (vfat and GPT leave several)."""
    listed = json.loads(text).get("signatures", []) if text.strip() else []
    found: dict[tuple[str, str], Signature] = {}
    for item in listed:
        uuid, label = item.get("uuid") or "", item.get("label") or ""
        found.setdefault((item["type"], uuid), Signature(type=item["type"], label=label, uuid=uuid))
    return tuple(found.values())


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
            )
        )
    return Layout(table=kind, slices=tuple(sorted(slices, key=lambda part: part.number)))


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
    """Read all disks of the inventory and all md arrays. Changes nothing. Raises DriverError, ToolError."""
    listed = _read_lsblk(machine)
    blocks: dict[str, Block] = {}
    notes: list[str] = []
    for disk in inventory.disks:
        item = listed.get(disk.path)
        if item is None:
            notes.append(f"{describe_disk(disk)} was in the inventory and is gone")
            continue
        blocks[disk.path] = _read_block(machine, disk.path, item)
    suspects = list(_find_members(blocks.values()))
    arrays, more = md.read_arrays(machine, suspects)
    if arrays:
        listed = _read_lsblk(machine)
    for array in arrays:
        if array.node in listed:
            blocks[array.device] = _read_block(machine, array.device, listed[array.node])
    return Storage(disks=tuple(inventory.disks), blocks=blocks, arrays=tuple(arrays), notes=(*notes, *more))


def _find_members(blocks: Any) -> Iterator[str]:
    for block in blocks:
        if any(signature.type == MD_SIGNATURE for signature in block.signatures):
            yield block.device
        for part in block.layout.slices if block.layout else ():
            if any(signature.type == MD_SIGNATURE for signature in part.signatures):
                yield part.device


def _read_lsblk(machine: Machine) -> dict[str, dict[str, Any]]:
    return parse_lsblk(machine.run(["lsblk", "-J", "-b", "-o", LSBLK_COLUMNS]).stdout)


def read_signatures(machine: Machine, node: str) -> tuple[Signature, ...]:
    """`wipefs` without `--all` only looks."""
    return parse_wipefs(machine.run(["wipefs", "--json", node]).stdout)


def _read_block(machine: Machine, device: str, item: dict[str, Any]) -> Block:
    node = item["path"]
    size_bytes = int(item["size"] or 0)
    signatures: tuple[Signature, ...] = ()
    layout: Layout | None = None
    if size_bytes:
        signatures = read_signatures(machine, node)
    if any(signature.type in TABLES for signature in signatures):
        done = machine.run(["sfdisk", "--json", node], check=False)
        layout = parse_sfdisk(done.stdout, device) if done.returncode == 0 else None
    if layout is not None:
        nodes = {child["path"] for child in item.get("children", [])}
        parts = []
        for part in layout.slices:
            part_node = partition_path(node, part.number)
            found = read_signatures(machine, part_node) if part_node in nodes else ()
            parts.append(msgspec.structs.replace(part, signatures=found))
        layout = msgspec.structs.replace(layout, slices=tuple(parts))
    return Block(
        device=device,
        node=node,
        size_bytes=size_bytes,
        sector_bytes=int(item.get("log-sec") or 512),
        read_only=bool(item.get("ro")),
        signatures=signatures,
        layout=layout,
        used_by=tuple(dict.fromkeys(find_users(item))),
    )


def find_node(machine: Machine, device: str) -> str:
    """The kernel's device of a disk or array of the plan. Raises DriverError when it is not there."""
    if not device.startswith("/dev/md"):
        return device
    node = md.find_array_node(machine, device)
    if node is None:
        raise DriverError(f"the array {device} is not there", hint="`cat /proc/mdstat` shows what runs")
    return node


def release(machine: Machine, node: str) -> None:
    """Stop md arrays that have `node` or one of its partitions as a member, so that it can be written."""
    item = _read_lsblk(machine).get(node)
    if item is None:
        raise DriverError(f"{node} is not there", hint="the disk may have failed or been pulled")
    parts = [child["path"] for child in item.get("children", []) if child["type"] == "part"]
    md.stop_arrays_on(machine, [node, *parts])


def wipe(machine: Machine, node: str) -> None:
    """Remove every signature from the partitions of `node`, then from `node` itself (tables included)."""
    item = _read_lsblk(machine).get(node)
    if item is None:
        raise DriverError(f"{node} is not there", hint="the disk may have failed or been pulled")
    for child in item.get("children", []):
        if child["type"] == "part":
            machine.run(["wipefs", "--all", "--force", "--quiet", child["path"]])
    machine.run(["wipefs", "--all", "--force", "--quiet", node])
    md.settle(machine)


def read_size(machine: Machine, node: str) -> tuple[int, int]:
    """(bytes, bytes of a logical sector) of a device as the kernel has it now."""
    item = _read_lsblk(machine).get(node)
    if item is None:
        raise DriverError(f"{node} is not there", hint="the disk may have failed or been pulled")
    return int(item["size"] or 0), int(item.get("log-sec") or 512)


def check_partitions(machine: Machine, node: str, numbers: list[int]) -> None:
    """Raises DriverError unless the kernel has exactly these partitions of `node`; asks it to look once more."""
    expected = {partition_path(node, number) for number in numbers}
    if _read_partitions(machine, node) == expected:
        return
    machine.run(["blockdev", "--rereadpt", node], check=False)
    md.settle(machine)
    found = _read_partitions(machine, node)
    if found != expected:
        listed = ", ".join(sorted(found)) or "none"
        raise DriverError(
            f"the kernel does not see the new partitions of {node}: it has {listed}",
            hint="something uses the disk",
        )


def _read_partitions(machine: Machine, node: str) -> set[str]:
    item = _read_lsblk(machine).get(node, {})
    return {child["path"] for child in item.get("children", []) if child["type"] == "part"}
