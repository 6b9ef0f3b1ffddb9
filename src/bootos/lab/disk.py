"""Read a machine's disks from outside: on the host, from the image files, with no help of the guest or of a kernel.

`read_partition_table` and `read_filesystem` look into an image, or into the plain file that `md_array` makes of an md
array. `fingerprint_disk` tells whether a disk was touched. Nothing here writes to a disk image.
"""

import hashlib
import json
import os
import re
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.process import run

SECTOR_BYTES = 512
BLOCK_BYTES = 1024 * 1024


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """One partition of a table, in the order of the table."""

    number: int
    start_bytes: int
    size_bytes: int
    type: str
    name: str = ""
    uuid: str = ""


class PartitionTable(msgspec.Struct, frozen=True, kw_only=True):
    """`label` is gpt or dos."""

    label: str
    id: str
    partitions: tuple[Partition, ...]


class Filesystem(msgspec.Struct, frozen=True, kw_only=True):
    """What blkid found: `type` as ext4, xfs, swap, LVM2_member, linux_raid_member."""

    type: str
    label: str = ""
    uuid: str = ""


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a disk: its size and a digest of each block of BLOCK_BYTES that is not all zero."""

    size_bytes: int
    blocks: dict[int, str]

    @property
    def digest(self) -> str:
        """One digest for all; the same for the same content, however sparse the file is."""
        text = json.dumps([self.size_bytes, sorted(self.blocks.items())])
        return hashlib.sha256(text.encode()).hexdigest()


def read_partition_table(path: Path) -> PartitionTable | None:
    """The partition table of an image or an array's view; None when there is none."""
    done = run(["sfdisk", "--json", path], check=False, env={"LC_ALL": "C"})
    if done.returncode != 0:
        return None
    return parse_partition_table(done.stdout)


def parse_partition_table(text: str) -> PartitionTable:
    """Parse `sfdisk --json`."""
    table = json.loads(text)["partitiontable"]
    sector_bytes = int(table.get("sectorsize", SECTOR_BYTES))
    partitions = []
    for entry in table.get("partitions", []):
        found = re.search(r"(?<!\d)(\d+)$", entry["node"])
        partitions.append(
            Partition(
                number=int(found[1]) if found else 0,
                start_bytes=entry["start"] * sector_bytes,
                size_bytes=entry["size"] * sector_bytes,
                type=entry["type"],
                name=entry.get("name", ""),
                uuid=entry.get("uuid", ""),
            )
        )
    return PartitionTable(label=table["label"], id=table.get("id", ""), partitions=tuple(partitions))


def read_filesystem(path: Path, *, offset_bytes: int = 0, size_bytes: int | None = None) -> Filesystem | None:
    """What blkid finds at a place of an image: a file system, swap, or a member of an array or volume group."""
    argv: list[str | Path] = ["blkid", "-p", "-o", "export", "-O", str(offset_bytes)]
    if size_bytes is not None:
        argv += ["-S", str(size_bytes)]
    done = run([*argv, path], check=False)
    facts = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if "TYPE" not in facts:
        return None
    return Filesystem(type=facts["TYPE"], label=_unescape(facts.get("LABEL", "")), uuid=facts.get("UUID", ""))


def _unescape(text: str) -> str:
    """blkid's export format puts a backslash before blanks and quotes."""
    return re.sub(r"\\(.)", r"\1", text)


def read_partition_filesystems(path: Path) -> list[tuple[Partition, Filesystem | None]]:
    """Every partition of an image or view, with what is in it; empty when there is no table."""
    table = read_partition_table(path)
    return [
        (part, read_filesystem(path, offset_bytes=part.start_bytes, size_bytes=part.size_bytes))
        for part in (table.partitions if table is not None else ())
    ]


def fingerprint_disk(path: Path) -> Fingerprint:
    """Read a raw image, skipping its holes. Raises BootosError."""
    blocks: dict[int, str] = {}
    try:
        with path.open("rb") as disk:
            size_bytes = disk.seek(0, os.SEEK_END)
            for number in sorted(_find_data_blocks(disk.fileno(), size_bytes)):
                content = os.pread(disk.fileno(), BLOCK_BYTES, number * BLOCK_BYTES)
                if content != bytes(len(content)):
                    blocks[number] = hashlib.sha256(content).hexdigest()
    except OSError as cause:
        raise BootosError(f"{path} cannot be read: {cause.strerror}") from cause
    return Fingerprint(size_bytes=size_bytes, blocks=blocks)


def _find_data_blocks(file: int, size_bytes: int) -> set[int]:
    """The numbers of the blocks that are not wholly in a hole."""
    blocks: set[int] = set()
    end = 0
    while end < size_bytes:
        try:
            begin = os.lseek(file, end, os.SEEK_DATA)
        except OSError:
            break  # ENXIO: nothing but a hole is left
        end = os.lseek(file, begin, os.SEEK_HOLE)
        blocks.update(range(begin // BLOCK_BYTES, (end - 1) // BLOCK_BYTES + 1))
    return blocks


def find_changed_offsets(before: Fingerprint, after: Fingerprint) -> list[int]:
    """Where, in bytes, the blocks of BLOCK_BYTES that differ begin."""
    numbers = {*before.blocks, *after.blocks}
    changed = [number for number in numbers if before.blocks.get(number) != after.blocks.get(number)]
    return [number * BLOCK_BYTES for number in sorted(changed)]
