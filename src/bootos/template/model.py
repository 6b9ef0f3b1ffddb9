"""The template: what an operator wants a machine to be. Nouns only; how to get there is the drivers' work.

Written as YAML, TOML or JSON. `docs/template.schema.json` is its published JSON Schema. `bootos.template.check`
finds the mistakes that need no machine, drivers those that need one.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,35}$")]


class Table(StrEnum):
    GPT = "gpt"
    MBR = "mbr"


class FilesystemType(StrEnum):
    EXT4 = "ext4"
    XFS = "xfs"
    BTRFS = "btrfs"
    VFAT = "vfat"
    SWAP = "swap"


class Secret(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A reference to a value that lives encrypted on the server."""

    secret: str


class Filesystem(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`options` are extra words for mkfs, as `["-m", "1"]`."""

    type: FilesystemType
    label: str | None = None
    uuid: str | None = None
    options: list[str] = []


class Partition(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`size` and `start` are sizes (`512MiB`, `20GB`, `30%` of the disk) or, size only, `rest`.

    `type` is a name (`linux`, `efi`, `swap`, `raid`, `lvm`, `bios-boot`, ...) or a GPT GUID / MBR hex code.
    """

    name: Annotated[str, Meta(min_length=1, max_length=36)]
    size: str
    start: str | None = None
    type: str = "linux"
    bootable: bool = False
    filesystem: Filesystem | FilesystemType | None = None


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
    """A partition table with partitions, or one file system on the whole disk. `wipe: true` allows data loss."""

    select: Select
    wipe: bool = False
    table: Table | None = None
    partitions: list[Partition] = []
    filesystem: Filesystem | FilesystemType | None = None


class ArrayWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`drives` and `hotspares` are drive lists in the documented form. `wipe: true` lets their data be lost."""

    name: Name
    level: Literal[0, 1, 5, 6, 10]
    drives: str | int
    hotspares: str | int | None = None
    chunk: str | None = None
    size: str | None = None  # per array; the whole drives when left out
    wipe: bool = False


class Raid(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`clear: true` allows existing arrays that are not wanted to be deleted."""

    clear: bool = False
    arrays: list[ArrayWanted] = []
    driver: str | None = None  # `raid.mdadm`: when more than one could


class OobNetwork(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`address` carries its prefix: `10.0.8.21/24`."""

    source: Literal["static", "dhcp"]
    address: str | None = None
    gateway: str | None = None
    vlan: int | None = None


class OobUser(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A BMC account (IPMI v2: names up to 16 bytes, passwords up to 20)."""

    name: Annotated[str, Meta(min_length=1, max_length=16)]
    role: Literal["administrator", "operator", "user", "none"] = "administrator"
    password: Secret | str | None = None
    enabled: bool = True


class Oob(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    network: OobNetwork | None = None
    users: list[OobUser] = []
    reset: bool = False  # cold reset of the BMC after a change


class Script(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`repeatable`: it may be run again when a power cut or a crash ended it halfway."""

    name: str
    script: str
    repeatable: bool = False


class ScriptGroup(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A group of scripts, as Cloudboot's templates have: run with bash, in order; exit code decides."""

    name: str
    scripts: list[Script]


class Template(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The whole document."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    description: str = ""
    firmware: list[dict[str, Any]] = []
    bios: dict[str, Any] | None = None
    oob: Oob | None = None
    raid: Raid | None = None
    disks: list[DiskWanted] = []
    scripts: list[ScriptGroup] = []
