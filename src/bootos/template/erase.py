"""The `erase` and `nvme` sections: what a drive shall forget, and in which blocks an NVMe drive counts."""

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


class NvmeWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The size of the logical blocks of a namespace; `wipe: true` lets its data be lost."""

    select: Select
    sector_bytes: Literal[512, 4096]
    wipe: bool = False
