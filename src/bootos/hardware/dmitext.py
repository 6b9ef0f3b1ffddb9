"""dmidecode's text as the SMBIOS table that it was made of: as far as `dmi` reads it. Pure.

A machine reads its table from the kernel, so this is for what somebody sends. `dmidecode -u` prints the bytes, which
are taken as they are; what it prints without is put back into the places of DSP0134.
"""

import re
import uuid
from collections.abc import Callable, Iterator

from bootos.hardware.dmi import (
    BIOS,
    BOARD,
    CHASSIS,
    CHASSIS_TYPES,
    MEMORY_ARRAY,
    MEMORY_DEVICE,
    MEMORY_TYPES,
    SYSTEM,
)
from bootos.hardware.smbios import END_OF_TABLE

_HEAD = re.compile(  # dmidecode before 2.7 begins a new line after the handle
    r"^Handle (0x[0-9A-Fa-f]{1,4})(?:, |\s*\n\s+)DMI type (\d{1,3})(?:, (\d{1,3}) bytes)?", re.MULTILINE
)
_FIRST_TEXTS = re.compile(r"Information Block\s*$", re.MULTILINE)  # dmidecode 1: other names, and no sizes
_VALUE = re.compile(r"^(\s*)(\S[^:]*):\s*(.*)$")
_HEX = re.compile(r"^\s*((?:[0-9A-F]{2}\s+)*[0-9A-F]{2})\s*$")
_SIZE = re.compile(r"^(\d+)\s*([KMGT]?)i?B$|^(\d+)\s*bytes$", re.IGNORECASE)
_LONGEST, _SHORTEST = 255, 4
_USES = {"System Memory": 3, "Video Memory": 4, "Flash Memory": 5, "Non-volatile RAM": 6, "Cache Memory": 7}
_TECHNOLOGIES = {"DRAM": 3, "NVDIMM-N": 4, "NVDIMM-F": 5, "NVDIMM-P": 6}
_MOTHERBOARD, _DIMM_FORM = 10, 9
_TEXTS = {
    BIOS: {0x04: "Vendor", 0x05: "Version", 0x08: "Release Date"},
    SYSTEM: {
        0x04: "Manufacturer", 0x05: "Product Name", 0x06: "Version", 0x07: "Serial Number", 0x19: "SKU Number",
        0x1A: "Family",
    },
    BOARD: {0x04: "Manufacturer", 0x05: "Product Name", 0x06: "Version", 0x07: "Serial Number", 0x08: "Asset Tag"},
    CHASSIS: {0x04: "Manufacturer", 0x06: "Version", 0x07: "Serial Number", 0x08: "Asset Tag"},
    MEMORY_DEVICE: {
        0x10: "Locator", 0x11: "Bank Locator", 0x17: "Manufacturer", 0x18: "Serial Number", 0x19: "Asset Tag",
        0x1A: "Part Number",
    },
}  # fmt: skip
_LENGTHS = {BIOS: 24, SYSTEM: 27, BOARD: 15, CHASSIS: 22, MEMORY_ARRAY: 23, MEMORY_DEVICE: 92}


def build_table(text: str) -> bytes:
    """The table, without an entry point; empty: it is no text of dmidecode."""
    heads = [] if _FIRST_TEXTS.search(text) else list(_HEAD.finditer(text))
    ends = [*(head.start() for head in heads[1:]), len(text)]
    table = bytearray()
    for head, end in zip(heads, ends, strict=False):
        kind, handle = int(head[2]), int(head[1], 16)
        if kind > _LONGEST:
            continue
        length = int(head[3]) if head[3] else _LENGTHS.get(kind, _SHORTEST)
        body = text[head.end() : end]
        table += _take_bytes(body) or _build(kind, handle, max(_SHORTEST, min(length, _LONGEST)), body)
    return bytes(table)


def _take_bytes(body: str) -> bytes:
    """The structure as `dmidecode -u` prints it; empty: it does not."""
    parts = re.split(r"^[ \t]*(Header and Data|Strings):[ \t]*$", body, flags=re.MULTILINE)
    told = dict(zip(parts[1::2], parts[2::2], strict=False))
    data = bytes.fromhex("".join(_list_hex(told.get("Header and Data", ""))))
    if len(data) < _SHORTEST or data[1] != len(data):
        return b""
    strings = bytes.fromhex("".join(_list_hex(told.get("Strings", ""))))
    if not strings.endswith(b"\0") or b"\0\0" in strings:
        strings = b"\0"  # none, or strings that are printed as texts: of a maker's own structure, and one reads `B1`
    return data + strings + b"\0"


def _list_hex(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if found := _HEX.match(line):
            yield found[1]


def _build(kind: int, handle: int, length: int, body: str) -> bytes:
    values = _list_values(body)
    data = bytearray(length)
    data[:4] = bytes([kind, length, *handle.to_bytes(2, "little")])
    strings: list[bytes] = []
    for offset, key in _TEXTS.get(kind, {}).items():
        said = values.get(key, "").replace("\0", "").encode()
        if said.strip(b"-") and said != b"Not Specified" and offset < length:
            strings.append(said)
            data[offset] = len(strings)
    for offset, raw in _list_numbers(kind, values):
        if offset + len(raw) <= length:
            data[offset : offset + len(raw)] = raw
    return bytes(data) + (b"".join(said + b"\0" for said in strings) or b"\0") + b"\0"


def _list_values(body: str) -> dict[str, str]:
    """What stands as deep as the first value; deeper are the words of a list. Copied texts have blanks for tabs, or
    lost the indentation."""
    found = [match for line in body.splitlines() if (match := _VALUE.match(line))]
    found = [match for match in found if match[1]] or found
    values: dict[str, str] = {}
    for match in found:
        if match[1] == found[0][1]:
            values.setdefault(match[2].strip(), match[3].strip())
    return values


def _list_numbers(kind: int, values: dict[str, str]) -> Iterator[tuple[int, bytes]]:
    """What is no text, at its offset."""
    if kind == SYSTEM and "UUID" in values:
        try:
            yield 0x08, uuid.UUID(values["UUID"]).bytes_le
        except ValueError:
            return  # "Not Settable", "Not Present"
    elif kind == BOARD:
        yield 0x0D, bytes([_MOTHERBOARD if values.get("Type") == "Motherboard" else 1])
    elif kind == CHASSIS and values.get("Type") in CHASSIS_TYPES:
        yield 0x05, bytes([CHASSIS_TYPES.index(values["Type"])])
    elif kind == MEMORY_ARRAY:
        yield 0x05, bytes([_USES.get(values.get("Use", ""), 1)])
    elif kind == MEMORY_DEVICE:
        yield from _list_dimm(values)
    elif kind == END_OF_TABLE:
        return


def _list_dimm(values: dict[str, str]) -> Iterator[tuple[int, bytes]]:
    array = values.get("Array Handle", "")
    if re.fullmatch(r"0x[0-9A-Fa-f]{1,4}", array):
        yield 0x04, int(array, 16).to_bytes(2, "little")
    mib = _read_mib(values.get("Size", ""))
    if mib is None:
        yield 0x0C, b"\xff\xff"
    elif mib >= 0x7FFF:
        yield 0x0C, b"\xff\x7f"
        yield 0x1C, min(mib, 0x7FFFFFFF).to_bytes(4, "little")
    else:
        yield 0x0C, mib.to_bytes(2, "little")
    if values.get("Form Factor", "").endswith("DIMM"):
        yield 0x0E, bytes([_DIMM_FORM])
    types = {name.lower(): code for code, name in MEMORY_TYPES.items()}
    yield 0x12, bytes([types.get(values.get("Type", "").lower(), 2)])
    speeds = (
        values.get("Speed", ""),
        values.get("Configured Memory Speed") or values.get("Configured Clock Speed", ""),
    )
    for offset, extended, said in zip((0x15, 0x20), (0x54, 0x58), speeds, strict=True):
        speed = _read_number(said)
        yield offset, min(speed, 0xFFFF).to_bytes(2, "little")
        if speed >= 0xFFFF:
            yield extended, min(speed, 0x7FFFFFFF).to_bytes(4, "little")
    yield 0x1B, bytes([min(_read_number(values.get("Rank", "")), 15)])
    technology = values.get("Memory Technology", "")
    known = _TECHNOLOGIES.get(technology, 7 if "persistent memory" in technology else 2)
    yield 0x28, bytes([known])


def _read_mib(text: str) -> int | None:
    """`16384 MB`, `32 GB`; 0: `No Module Installed`; None: it is not known."""
    if text == "No Module Installed":
        return 0
    found = _SIZE.match(text)
    if found is None:
        return None
    factors: dict[str, Callable[[int], int]] = {
        "": lambda number: number >> 20,
        "K": lambda number: number >> 10,
        "M": lambda number: number,
        "G": lambda number: number << 10,
        "T": lambda number: number << 20,
    }
    return factors[(found[2] or "").upper()](int((found[1] or found[3])[:15]))


def _read_number(text: str) -> int:
    found = re.match(r"\d{1,9}", text)
    return int(found[0]) if found else 0
