"""SMBIOS structures (DMTF DSP0134) out of the raw table that the kernel shows in /sys/firmware/dmi/tables.

`parse_table` cuts the table into structures; `dmi.py` gives them their meaning. Pure: no file is read here.
Reading the table itself takes a millisecond where starting dmidecode and parsing its text takes a hundred.
"""

from collections.abc import Iterator
from typing import NamedTuple

from bootos.wire.filler import drop_placeholder

END_OF_TABLE = 127


class Structure(NamedTuple):
    """One structure: `data` is the formatted area with its four header bytes, `strings` what follows it."""

    type: int
    handle: int
    data: bytes
    strings: tuple[str, ...]

    def byte(self, offset: int) -> int | None:
        """One byte; None when the structure (of an older SMBIOS version) ends before it."""
        return self.data[offset] if offset < len(self.data) else None

    def number(self, offset: int, size_bytes: int) -> int | None:
        """A little-endian number; None when the structure ends before it."""
        if offset + size_bytes > len(self.data):
            return None
        return int.from_bytes(self.data[offset : offset + size_bytes], "little")

    def raw_text(self, offset: int) -> str | None:
        """The string that the byte at `offset` points to, as the firmware wrote it."""
        index = self.byte(offset)
        if not index or index > len(self.strings):
            return None
        return self.strings[index - 1].strip() or None

    def text(self, offset: int) -> str | None:
        """As `raw_text`, but a maker's placeholder is None."""
        return drop_placeholder(self.raw_text(offset))


def parse_table(table: bytes) -> list[Structure]:
    """All structures up to the end-of-table one. A table that is cut off gives what is whole."""
    return list(_structures(table))


def _structures(table: bytes) -> Iterator[Structure]:
    position = 0
    while position + 4 <= len(table):
        kind, length = table[position], table[position + 1]
        if length < 4 or position + length > len(table):
            return
        handle = int.from_bytes(table[position + 2 : position + 4], "little")
        end = table.find(b"\0\0", position + length)
        if end < 0:
            return
        body = table[position + length : end]
        strings = tuple(part.decode("utf-8", "replace") for part in body.split(b"\0")) if body else ()
        yield Structure(kind, handle, table[position : position + length], strings)
        if kind == END_OF_TABLE:
            return
        position = end + 2


def split_dump(dump: bytes) -> tuple[bytes, bytes]:
    """Entry point and table of what `dmidecode --dump-bin` writes: the entry point says where in the file the table
    begins. Without an entry point all is the table."""
    place = {b"_SM3_": (0x10, 8), b"_SM_": (0x18, 4)}
    for anchor, (offset, size_bytes) in place.items():
        if dump.startswith(anchor):
            begin = int.from_bytes(dump[offset : offset + size_bytes], "little")
            begin = begin if 0x18 <= begin < len(dump) else 0x20  # where dmidecode puts it
            return dump[:begin], dump[begin:]
    return b"", dump


def parse_version(entry_point: bytes) -> tuple[int, int] | None:
    """The SMBIOS version of an entry point (`_SM3_` 64-bit or `_SM_` 32-bit); None when it is neither."""
    if entry_point.startswith(b"_SM3_") and len(entry_point) >= 9:
        return entry_point[7], entry_point[8]
    if entry_point.startswith(b"_SM_") and len(entry_point) >= 8:
        return entry_point[6], entry_point[7]
    return None
