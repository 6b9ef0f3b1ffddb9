"""SMBIOS structures (DMTF DSP0134) out of the raw table that the kernel shows in /sys/firmware/dmi/tables.

`parse_table` cuts the table into structures; `dmi.py` gives them their meaning. Pure: no file is read here.
Reading the table itself takes a millisecond where starting dmidecode and parsing its text takes a hundred.
"""

from collections.abc import Iterator
from typing import NamedTuple

END_OF_TABLE = 127

# What makers of firmware leave in a string that they did not fill in. Compared in lower case.
_PLACEHOLDERS = frozenset(
    """
    none|null|n/a|na|not specified|not available|not applicable|not provided|not present|not settable|unspecified
    to be filled by o.e.m.|to be filled by o.e.m|to be filled by oem|to be filled|to be set by oem|fill by oem
    default string|default|o.e.m.|oem|oem default string|undefined|unknown|invalid|empty|[empty]|no dimm|no module
    system manufacturer|system product name|system version|system serial number|system name|system sku
    base board manufacturer|base board product name|base board version|base board serial number
    baseboard serial number|board serial number|board version|board manufacturer|type2 - board serial number
    chassis manufacturer|chassis manufacture|chassis version|chassis serial number|chassis asset tag
    asset tag|asset-1234567890|asset tag#|no asset tag|no asset information|sku|sku number|family|serial number
    123456789|1234567890|0123456789|part number|partnum|sernum|manufacturer|unknow|bad index
    module manufacturer id|module serial number|module part number|dimm manufacturer
    """.replace("\n", "|").split("|")
)
_PLACEHOLDER_WORDS = frozenset(word.strip() for word in _PLACEHOLDERS if word.strip())
_NUMBERED_PLACEHOLDERS = ("sernum", "partnum", "assettagnum", "manufacturer", "array1_partnumber")


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


def drop_placeholder(text: str | None) -> str | None:
    """None for what says nothing: "To Be Filled By O.E.M.", "Not Specified", zeros, dots; else the text."""
    if text is None:
        return None
    text = " ".join(text.split())
    low = text.lower()
    if low.rstrip(".") in _PLACEHOLDER_WORDS or low in _PLACEHOLDER_WORDS:
        return None
    # A text of one repeated character (0000000000, ........, XXXXXXXX, ----) is no value, and neither is "0".
    letters = set(low) - set(" -._:/")
    if not letters or (
        len(letters) == 1 and (letters <= set("0x?*#") or (len(low) >= 8 and letters <= set("f")))
    ):
        return None
    for word in _NUMBERED_PLACEHOLDERS:
        if low.startswith(word) and low[len(word) :].isdigit():
            return None
    return text


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


def parse_version(entry_point: bytes) -> tuple[int, int] | None:
    """The SMBIOS version of an entry point (`_SM3_` 64-bit or `_SM_` 32-bit); None when it is neither."""
    if entry_point.startswith(b"_SM3_") and len(entry_point) >= 9:
        return entry_point[7], entry_point[8]
    if entry_point.startswith(b"_SM_") and len(entry_point) >= 8:
        return entry_point[6], entry_point[7]
    return None
