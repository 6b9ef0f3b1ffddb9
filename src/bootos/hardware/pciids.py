"""Names of PCI vendors, devices and classes from the pci.ids file.

The file is 1.5 MB and a machine needs some thirty of its forty thousand lines, so nothing is parsed into
tables: each name is looked up by a byte search within its vendor's block. Called by `pci.py`.
"""

import re
from collections.abc import Collection

from bootos.hardware.tree import Tree

PLACES = ("usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids")

_NEXT_BLOCK = re.compile(rb"\n[0-9a-fC]")
_NEXT_DEVICE = re.compile(rb"\n\t?[0-9a-fC]")


class PciNames:
    """Look-ups in the text of pci.ids. All ids are lower case hexadecimal."""

    def __init__(self, text: bytes) -> None:
        self._text = b"\n" + text
        self._blocks: dict[bytes, bytes] = {}

    def find_vendor(self, vendor_id: str) -> str | None:
        """`8086` -> `Intel Corporation`."""
        return _first_line(self._block(vendor_id.encode()))

    def find_device(self, vendor_id: str, device_id: str) -> str | None:
        """The device's name within its vendor's block."""
        return _find_line(self._block(vendor_id.encode()), f"\n\t{device_id}  ".encode())

    def find_subsystem(
        self, vendor_id: str, device_id: str, sub_vendor_id: str, sub_device_id: str
    ) -> str | None:
        """The name of the card that the device is on."""
        block = self._block(vendor_id.encode())
        start = block.find(f"\n\t{device_id}  ".encode())
        if start < 0:
            return None
        end = _NEXT_DEVICE.search(block, start + 1)
        within = block[start : end.start() if end else len(block)]
        return _find_line(within, f"\n\t\t{sub_vendor_id} {sub_device_id}  ".encode())

    def find_class(self, class_id: str) -> str | None:
        """The name of the subclass, else of the class: `020000` -> `Ethernet controller`."""
        block = self._block(f"C {class_id[:2]}".encode())
        return _find_line(block, f"\n\t{class_id[2:4]}  ".encode()) or _first_line(block)

    def _block(self, head: bytes) -> bytes:
        if head not in self._blocks:
            start = self._text.find(b"\n" + head + b"  ")
            end = _NEXT_BLOCK.search(self._text, start + 1) if start >= 0 else None
            stop = end.start() if end else len(self._text)
            self._blocks[head] = self._text[start:stop] if start >= 0 else b""
        return self._blocks[head]


def read_pci_names(tree: Tree) -> PciNames | None:
    """The names of this image; None when it has no pci.ids."""
    for place in PLACES:
        text = tree.read_bytes(place)
        if text:
            return PciNames(text)
    return None


def keep_names(text: bytes, ids: Collection[tuple[str, str]]) -> bytes:
    """pci.ids with nothing but the blocks of these devices (vendor, device), and all classes."""
    kept: list[bytes] = []
    vendors = {vendor.encode() for vendor, _ in ids} | {b"C"}
    devices = {(vendor.encode(), device.encode()) for vendor, device in ids}
    vendor = device = b""
    for line in text.splitlines(keepends=True):
        if line[:1] not in b"\t#\n":
            vendor, device = line.split(None, 1)[0], b""
            is_kept = vendor in vendors
        elif line.startswith(b"\t") and not line.startswith(b"\t\t"):
            device = line.split(None, 1)[0]
            is_kept = vendor == b"C" or (vendor, device) in devices
        else:
            is_kept = line.startswith(b"\t\t") and (vendor, device) in devices
        if is_kept:
            kept.append(line)
    return b"".join(kept)


def _find_line(block: bytes, head: bytes) -> str | None:
    start = block.find(head)
    if start < 0:
        return None
    start += len(head)
    end = block.find(b"\n", start)
    return block[start : end if end >= 0 else len(block)].decode(errors="replace").strip() or None


def _first_line(block: bytes) -> str | None:
    line = block.lstrip(b"\n").split(b"\n", 1)[0]
    return line.partition(b"  ")[2].decode(errors="replace").strip() or None


def parse_pci_address(text: str) -> str:
    """`00:3b:00:00` (domain, bus, device, function) as `0000:3b:00.0`."""
    parts = text.split(":")
    if len(parts) != 4:
        return ""
    try:
        domain, bus, device, function = (int(part, 16) for part in parts)
    except ValueError:
        return ""
    return f"{domain:04x}:{bus:02x}:{device:02x}.{function:x}"
