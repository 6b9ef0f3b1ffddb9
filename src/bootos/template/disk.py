"""The `disks` section: which disk, and what shall be on it. Nouns only; drivers know how."""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bootos.template.value import Name, Secret


class Table(StrEnum):
    GPT = "gpt"
    MBR = "mbr"


class FilesystemType(StrEnum):
    EXT4 = "ext4"
    XFS = "xfs"
    BTRFS = "btrfs"
    VFAT = "vfat"
    SWAP = "swap"


class Filesystem(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`options` are extra words for mkfs, as `["-m", "1"]`."""

    type: FilesystemType
    label: str | None = None
    uuid: str | None = None
    options: list[str] = []


class Encryption(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The file system lies in an encrypted container; `label` is the container's."""

    passphrase: Secret
    type: Literal["luks2"] = "luks2"
    label: str | None = None


class Partition(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`size` and `start` are sizes (`512MiB`, `20GB`, `30%` of the disk) or, size only, `rest`.

    `type` is a name (`linux`, `efi`, `swap`, `raid`, `lvm`, `bios-boot`, ...) or a GPT GUID / MBR hex code; left out,
    it is `lvm` for a physical volume, else `linux`. `attributes` are GPT's, as `required`, `no-automount`.
    """

    name: Annotated[str, Meta(min_length=1, max_length=36)]
    size: str
    start: str | None = None
    type: str | None = None
    bootable: bool = False
    attributes: list[str] = []
    filesystem: Filesystem | FilesystemType | None = None
    encryption: Encryption | None = None
    volume_group: Name | None = None


class Select(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which disk: every given key must hold, and exactly one disk must be left (`drives` may
    mean several: each gets the same).

    `size` is a size (`480GB`, within 5 %) or a range (`>=1TB`, `<2TiB`, `400GB-500GB`);
    `model` may hold wildcards; `drives` is a drive list (`0`, `1,2`, `3-5`, `6-`, `all`).
    """

    array: str | None = None
    size: str | None = None
    type: Literal["hdd", "ssd", "nvme", "virtual"] | None = None
    model: str | None = None
    serial: str | None = None
    wwn: str | None = None
    path: str | None = None  # /dev/..., or a by-path name with wildcards
    drives: str | int | None = None


class DiskWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A partition table with partitions, or one file system on the whole disk, or the whole disk as a physical volume
    of `volume_group`. `wipe: true` allows data loss. Partitions begin on multiples of `align` (1 MiB)."""

    select: Select
    wipe: bool = False
    table: Table | None = None
    partitions: list[Partition] = []
    filesystem: Filesystem | FilesystemType | None = None
    volume_group: Name | None = None
    align: str | None = None


class LogicalVolume(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`size` is a size (rounded up to whole extents), a percentage of the group, or `rest` (one per group)."""

    name: Name
    size: str
    filesystem: Filesystem | FilesystemType | None = None
    encryption: Encryption | None = None


class VolumeGroup(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """LVM: a group over the partitions and disks that say `volume_group: NAME`. Logical volumes that are not in the
    list stay; `wipe: true` lets the content of those in the list be lost. `extent`: 4 MiB when left out."""

    name: Name
    volumes: list[LogicalVolume] = []
    extent: str | None = None
    wipe: bool = False
