"""What an ATA disk says of itself: the IDENTIFY DEVICE data (ACS-4, 7.13) in SCSI's ATA Information page.

libata and SAS controllers answer that page (0x89), and the kernel shows it as `vpd_pg89`: the whole model and
serial, without starting a tool and without waking the disk. Pure. Called by `block.py`.
"""

from typing import NamedTuple

_IDENTIFY_OFFSET = 60  # SAT-4, ATA Information VPD page
_PAGE_BYTES = _IDENTIFY_OFFSET + 512


class Identity(NamedTuple):
    """Words 10-19, 23-26, 27-46 and 108-111 of IDENTIFY DEVICE."""

    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    wwn: str | None = None
    has_logs: bool = False  # General Purpose Logging: the disk keeps statistics that can be read


def parse_identify_page(page: bytes) -> Identity:
    """The page's identity; nothing but None when it is not such a page."""
    if len(page) < _PAGE_BYTES or page[1] != 0x89:
        return Identity()
    data = page[_IDENTIFY_OFFSET:]

    def text(first: int, last: int) -> str | None:
        raw = data[first * 2 : last * 2 + 2]
        swapped = bytes(byte for low, high in zip(raw[::2], raw[1::2], strict=True) for byte in (high, low))
        return swapped.decode("ascii", "replace").strip("\0 ") or None

    def word(number: int) -> int:
        return int.from_bytes(data[number * 2 : number * 2 + 2], "little")

    wwn = None
    # Word 87, bit 8: the disk has a world wide name. Word 87 is valid when its bits 15:14 are 01.
    if word(87) >> 14 == 1 and word(87) & 0x100:
        wwn = "0x" + "".join(f"{word(number):04x}" for number in range(108, 112))
    has_logs = word(87) >> 14 == 1 and bool(word(87) & 0x20)
    return Identity(text(27, 46), text(10, 19), text(23, 26), wwn, has_logs)
