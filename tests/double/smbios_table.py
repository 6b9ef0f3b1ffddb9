"""Builds SMBIOS tables (DSP0134) from facts, for machines of which there is no raw table to keep."""

import struct

END = bytes([127, 4, 0, 0]) + b"\0\0"


def build_structure(kind: int, handle: int, body: bytes, *strings: str) -> bytes:
    """One structure: header, `body` from offset 4 on, strings."""
    text = b"".join(string.encode() + b"\0" for string in strings) or b"\0"
    return struct.pack("<BBH", kind, 4 + len(body), handle) + body + text + b"\0"


def build_bios(vendor: str, version: str, date: str) -> bytes:
    return build_structure(0, 0, bytes([1, 2, 0, 0xF0, 3, 0xFF]) + bytes(14), vendor, version, date)


def build_system(vendor: str, product: str, version: str, serial: str, uuid: bytes = bytes(16)) -> bytes:
    strings = (vendor, product, version, serial)
    return build_structure(1, 1, bytes([1, 2, 3, 4]) + uuid + bytes([6, 0, 0]), *strings)


def build_board(vendor: str, product: str, serial: str, *, kind: int = 10, handle: int = 2) -> bytes:
    body = bytes([1, 2, 0, 3, 0, 9, 0]) + struct.pack("<H", 3) + bytes([kind, 0])
    return build_structure(2, handle, body, vendor, product, serial)


def build_chassis(vendor: str, kind: int, serial: str, asset_tag: str) -> bytes:
    return build_structure(3, 3, bytes([1, kind, 0, 2, 3]) + bytes(12), vendor, serial, asset_tag)


def build_memory_array(handle: int, use: int = 3) -> bytes:
    return build_structure(16, handle, bytes([3, use, 6]) + bytes(8))


def build_dimm(
    array: int,
    handle: int,
    size: int,
    locator: str,
    bank: str,
    *,
    extended_mib: int = 0,
    speed: int = 0,
    configured: int = 0,
    kind: int = 0x1A,
    ranks: int = 0,
    vendor: str = "Not Specified",
    serial: str = "Not Specified",
    part: str = "Not Specified",
) -> bytes:
    body = struct.pack("<HHHHH", array, 0xFFFE, 72, 64, size) + bytes([9, 0, 1, 2, kind])
    body += struct.pack("<HH", 0x80, speed) + bytes([3, 4, 0, 5, ranks])
    body += struct.pack("<IH", extended_mib, configured) + bytes(6)
    return build_structure(17, handle, body, locator, bank, vendor, serial, part)
