"""The LBA formats of NVMe: what `nvme id-ns` lists, and which of them is taken. Pure; used by `disk.nvme`."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

PERFORMANCE = ("best", "better", "good", "degraded")


class LbaFormat(msgspec.Struct, frozen=True, kw_only=True):
    """`performance`: 0 is the best of this drive (RP in NVM Express)."""

    index: int
    sector_bytes: int
    metadata_bytes: int
    performance: int


def parse_formats(identity: dict[str, Any]) -> tuple[LbaFormat, ...]:
    """From `nvme id-ns -o json`; a format without a size is not there."""
    return tuple(
        LbaFormat(
            index=index,
            sector_bytes=1 << int(item["ds"]),
            metadata_bytes=int(item["ms"]),
            performance=int(item["rp"]),
        )
        for index, item in enumerate(identity["lbafs"])
        if int(item["ds"])
    )


def parse_current(identity: dict[str, Any]) -> int:
    """The index in use. FLBAS: bits 0 to 3, and 5 to 6 above them."""
    flbas = int(identity["flbas"])
    return flbas & 15 | (flbas >> 5 & 3) << 4


def build_flbas(index: int) -> int:
    """The FLBAS field for a format: bits 0 to 3 and 5 to 6 of the byte (NVM Express, Identify Namespace)."""
    return index & 15 | (index >> 4) << 5


def find_format(formats: Iterable[LbaFormat], index: int) -> LbaFormat | None:
    """The format with this index; None: the drive does not have it."""
    return next((item for item in formats if item.index == index), None)


def choose_format(
    formats: Sequence[LbaFormat], sector_bytes: int, present: LbaFormat | None = None
) -> LbaFormat | None:
    """The fastest format with this sector size and without metadata; the present one when it is such."""
    fitting = [item for item in formats if item.sector_bytes == sector_bytes and item.metadata_bytes == 0]
    return present if present in fitting else min(fitting, key=lambda item: item.performance, default=None)


def tell_formats(formats: Iterable[LbaFormat]) -> str:
    """`512, 4096+8`: the second with 8 bytes of metadata for each block."""
    return ", ".join(
        f"{item.sector_bytes}" + (f"+{item.metadata_bytes}" if item.metadata_bytes else "")
        for item in formats
    )
