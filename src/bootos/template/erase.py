"""The `erase` and `nvme` sections: what a drive shall forget, and the namespaces and blocks of an NVMe drive."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bootos.template.disk import Select
from bootos.template.value import Name

Method = Literal[
    "auto",
    "nvme-sanitize",
    "nvme-format",
    "ata-sanitize",
    "ata-security-erase",
    "scsi-sanitize",
    "overwrite",
]


class EraseWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Everything on these drives is lost, and a certificate says how that was done and what reading back found.

    `auto` is the strongest method that the drive has. `passes` count for `overwrite`. `verify` reads sample sectors,
    or all of them.
    """

    select: Select
    confirm: Literal["lose-all-data"]
    method: Method = "auto"
    passes: Annotated[int, Meta(ge=1, le=9)] = 1
    verify: Literal["sample", "full"] = "sample"


class NamespaceWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`size` is a size (`1TiB`, rounded up to what the drive can), a part of the drive (`50%`), or `rest` (the last
    one). `name`: `disks` means this namespace by `select: {array: NAME}`, in the same job, too."""

    size: str
    sector_bytes: Literal[512, 4096] = 512
    name: Name | None = None


class NvmeWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Either the size of the logical blocks of a namespace as it is, or all the namespaces that the drive shall have;
    `wipe: true` lets data be lost."""

    select: Select
    sector_bytes: Literal[512, 4096] | None = None
    namespaces: list[NamespaceWanted] = []
    wipe: bool = False
