"""SMBIOS structures (DMTF DSP0134) out of the raw table that the kernel shows in /sys/firmware/dmi/tables.

`parse_table` cuts the table into structures; `dmi.py` gives them their meaning. Pure: no file is read here.
Reading the table itself takes a millisecond where starting dmidecode and parsing its text takes a hundred.
"""

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

END_OF_TABLE = 127

# What makers of firmware leave in a string that they did not fill in. Compared in lower case, without brackets around
# it, with blanks for underscores.
_PLACEHOLDERS = frozenset(
    """
    none|null|nil|n/a|na|not specified|not available|not applicable|not provided|not present|not settable|unspecified
    not set|not defined|not used|not assigned|tbd|default string|default|o.e.m.|oem|undefined|unknown|unknow|invalid
    empty|no dimm|no module|system manufacturer|system name|base board|baseboard|sku|family|manufacturer|vendor
    asset tag|asset-1234567890|asset tag#|no asset tag|no asset information|partnum|sernum|part number|serial number
    bad index|sku=notprovided|modelname|not support|not supported|memundefined|empty/no dimm
    """.replace("\n", "|").split("|")
)
_PLACEHOLDER_WORDS = frozenset(word.strip() for word in _PLACEHOLDERS if word.strip())
# "To be filled by O.E.M.", "To be filled on plant", "TBD by OEM", "Reserved for System Vendor"
_PROMISE = re.compile(r"(to be (filled|set|defined)|tbd|fill(ed)? by|reserved for|sku=notprovided)\b.*")
# Names of fields, with or without a number and what they are a field of: "Type2 - Board Vendor Name1", "Type1Sku0",
# "Base Board Serial Number", "A1_AssetTagNum0", "ModulePartNumber00"
_FIELD = re.compile(
    r"((type|a|b|array) ?\d+ ?-? ?)?(channel ?[a-z]\d? )?(dimm ?[a-z]?\d* )?"
    r"((oem|default|system|base|board|baseboard|motherboard|chassis|enclosure|module|dimm|product|vendor) ?)*"
    r"(serial ?(number|num|no)?|ser ?num|part ?(number|num)|asset( ?tag( ?(number|num))?)?|sku( ?number)?|family"
    r"|version|manufacturer?( ?id)?|vendor( ?name)?|product ?name|name|chassis ?location|product ?config ?id|string)"
    r"( name)?( string)?( not set)? ?\d{0,3}"
)
_FIELD_WORD = re.compile(r"[a-z]+")


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
    """None for what says nothing: "To Be Filled By O.E.M.", "(null)", "Not Specified", zeros, dots; else the text."""
    if text is None:
        return None
    text = " ".join(text.split())
    return None if _says_nothing(text) else text


def _says_nothing(text: str) -> bool:
    # A text of one repeated character (0000000000, ........, XXXXXXXX, ----) is no value, and neither is "0".
    letters = set(text.lower()) - set(" -._:/")
    if (
        not letters
        or re.fullmatch(r"0x0+|(\\x20)+", text, re.IGNORECASE)
        or (len(letters) == 1 and (letters <= set("0x?*#") or (len(text) >= 8 and letters <= set("f"))))
    ):
        return True
    bare = text.strip("()[]<>{}\"'").replace("_", " ")
    low = " ".join(bare.lower().split())
    if low in _PLACEHOLDER_WORDS or low.rstrip(".") in _PLACEHOLDER_WORDS or _PROMISE.fullmatch(low):
        return True
    if _is_counted(low.rstrip(".")):
        return True
    spaced = " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", bare).lower().split())
    if _FIELD.fullmatch(spaced) is None:
        return False
    # One word alone may be a value ("Version 2"); nobody is called Manufacturer.
    return len(_FIELD_WORD.findall(spaced)) > 1 or spaced.startswith("manufacturer")


def _is_counted(text: str) -> bool:
    """Whether it is a run of digits in their order, five at least, as a maker types who has no number."""
    digits = re.match(r"\d*", text)
    assert digits is not None
    run, rest = digits[0], text[len(digits[0]) :]
    return (
        len(run) >= 5
        and run[0] in "01"
        and all((int(before) + 1) % 10 == int(after) for before, after in itertools.pairwise(run))
        and "abcdef".startswith(rest)
    )


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
