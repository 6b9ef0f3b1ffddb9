"""Disks that hold somebody's data: image files with an md array, LVM, swap or ext4 on them, made on the host.

For tests that boot a machine with such disks and compare every disk before and after. Needs no md in the host's
kernel: the array's superblocks are written here (md.4 and linux/raid/md_p.h, version 1.2), `mdadm --examine`
accepts them and a kernel assembles them. Only LVM needs root, for a loop device.
"""

import os
import struct
import uuid
from collections.abc import Sequence
from pathlib import Path

from bootos.lab.disk import SECTOR_BYTES
from bootos.process import run

_MD_MAGIC = 0xA92B4EFC
_MD_SUPER_SECTORS = 8  # where a superblock of version 1.2 is: 4 KiB after the start of the disk
_MD_DATA_SECTORS = 2048
_MD_SPARE_ROLE = 0xFFFF


def make_empty_disk(path: Path, size_mib: int) -> Path:
    """A new sparse image; an old one is replaced."""
    with path.open("wb") as disk:
        disk.truncate(size_mib * 1024**2)
    return path


def make_ext4_disk(path: Path, size_mib: int = 128, *, label: str = "precious") -> Path:
    """A disk with an ext4 file system and no partition table."""
    make_empty_disk(path, size_mib)
    run(["mkfs.ext4", "-q", "-F", "-L", label, path])
    return path


def make_swap_disk(path: Path, size_mib: int = 128) -> Path:
    """A disk that is a swap area: what a careless system switches on by itself."""
    make_empty_disk(path, size_mib)
    run(["mkswap", path])
    return path


def make_partitioned_disk(path: Path, size_mib: int = 256, *, label: str = "precious") -> Path:
    """A disk with GPT, an ext4 partition and a swap partition."""
    make_empty_disk(path, size_mib)
    run(
        ["sfdisk", "--quiet", path],
        input="label: gpt\nsize=128MiB,type=linux,name=data\ntype=swap,name=swap\n",
    )
    data, swap = path.with_suffix(".data"), path.with_suffix(".swap")
    make_ext4_disk(data, 128, label=label)
    make_swap_disk(swap, size_mib - 128 - 2)
    _copy_sparse(data, path, offset=1024**2)
    _copy_sparse(swap, path, offset=129 * 1024**2)
    data.unlink()
    swap.unlink()
    return path


def make_lvm_disk(path: Path, size_mib: int = 128, *, group: str = "precious", volume: str = "data") -> Path:
    """A disk that is a physical volume with a volume group and a volume, not activated here. Needs root."""
    make_empty_disk(path, size_mib)
    device = run(["losetup", "--find", "--show", path]).stdout.strip()
    try:
        # LVM looks at this device only, and does without device-mapper, which the host's kernel may not have.
        only = [
            "--driverloaded",
            "n",
            "--config",
            f'devices {{ filter=["a|^{device}$|","r|.*|"] use_devicesfile=0 }}',
        ]
        run(["pvcreate", *only, "-y", device])
        run(["vgcreate", *only, group, device])
        size = ["-l", "50%FREE"]
        run(["lvcreate", *only, "-an", "-Zn", "-Wn", *size, "-n", volume, group])
    finally:
        run(["losetup", "--detach", device])
    return path


def make_md_disks(
    paths: Sequence[Path],
    size_mib: int = 128,
    *,
    name: str = "precious",
    label: str = "precious",
    spares: int = 0,
) -> list[Path]:
    """A RAID 1 over these disks (the last `spares` of them as hot spares) with an ext4 file system in it."""
    data_sectors = size_mib * 1024**2 // SECTOR_BYTES - _MD_DATA_SECTORS
    active = len(paths) - spares
    array = uuid.uuid4().bytes
    content = paths[0].with_suffix(".content")
    make_ext4_disk(content, size_mib - 1, label=label)
    for number, path in enumerate(paths):
        make_empty_disk(path, size_mib)
        if number < active:
            _copy_sparse(content, path, offset=_MD_DATA_SECTORS * SECTOR_BYTES)
        block = _build_md_superblock(
            array, name, number=number, active=active, devices=len(paths), data_sectors=data_sectors
        )
        with path.open("r+b") as disk:
            disk.seek(_MD_SUPER_SECTORS * SECTOR_BYTES)
            disk.write(block)
    content.unlink()
    return list(paths)


def _build_md_superblock(
    array: bytes, name: str, *, number: int, active: int, devices: int, data_sectors: int
) -> bytes:
    """A version 1.2 superblock of a clean RAID 1; `struct mdp_superblock_1`."""
    roles = [*range(active), *[_MD_SPARE_ROLE] * (devices - active)]
    head = struct.pack("<IIII16s32s", _MD_MAGIC, 1, 0, 0, array, f"elsewhere:{name}".encode()[:32])
    head += struct.pack("<QiIQIII", 1_700_000_000, 1, 0, data_sectors, 0, active, 0)
    head += struct.pack("<IQIIII", 0, 0, 0, 0, 0, 0)
    head += struct.pack("<QQQQ", _MD_DATA_SECTORS, data_sectors, _MD_SUPER_SECTORS, 0)
    head += struct.pack("<II16sBBHI", number, 0, uuid.uuid4().bytes, 0, 0, 0, 0)
    head += struct.pack("<QQQ", 1_700_000_000, 10, 0xFFFFFFFFFFFFFFFF)
    tail = struct.pack("<I32x", len(roles)) + struct.pack(f"<{len(roles)}H", *roles)
    without = head + bytes(4) + tail
    return head + struct.pack("<I", _sum_md_words(without)) + tail


def _sum_md_words(block: bytes) -> int:
    """The superblock's checksum: 32-bit words added in 64 bits, then folded."""
    whole = len(block) // 4 * 4
    total = sum(struct.unpack(f"<{whole // 4}I", block[:whole]))
    if len(block) > whole:
        total += struct.unpack("<H", block[whole : whole + 2])[0]
    folded: int = ((total & 0xFFFFFFFF) + (total >> 32)) & 0xFFFFFFFF
    return folded


def _copy_sparse(source: Path, target: Path, *, offset: int) -> None:
    block_bytes = 1024 * 1024
    with source.open("rb") as read, target.open("r+b") as write:
        for position in range(0, os.fstat(read.fileno()).st_size, block_bytes):
            block = read.read(block_bytes)
            if block != bytes(len(block)):
                write.seek(offset + position)
                write.write(block)
