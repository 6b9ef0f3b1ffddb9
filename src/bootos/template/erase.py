"""The `erase` and `nvme` sections: what a drive shall forget, and how an NVMe drive is divided."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bootos.template.disk import Select

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
    """`size` is a size, a percentage of the drive, or `rest` (the last one only)."""

    size: str


class NvmeWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The size of the logical blocks, and the namespaces of the drive; `wipe: true` lets its data be lost."""

    select: Select
    sector_bytes: Literal[512, 4096] | None = None
    namespaces: list[NamespaceWanted] = []
    wipe: bool = False
