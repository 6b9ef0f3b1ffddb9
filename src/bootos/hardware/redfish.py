"""The Redfish host interface that SMBIOS lists (type 42), by DMTF's DSP0270 1.3.

`parse_interface` is pure; `inventory.collect_inventory` calls it. Nothing is asked of the service here.
"""

import ipaddress
from typing import Literal

from bootos.hardware.dmi import Dmi
from bootos.hardware.smbios import Structure
from bootos.wire.inventory import RedfishInterface

HOST_INTERFACE = 42
_NETWORK, _REDFISH_OVER_IP = 0x40, 0x04
_USB, _PCI, _USB_V2, _PCI_V2 = 0x02, 0x03, 0x04, 0x05
_NO_VLAN = (0, 0xFFFFFFFF)  # 0 or, as iDRAC writes it, all ones: no VLAN
_IPV4 = 1
_RECORD_BYTES = 91  # the size of a "Redfish over IP" record up to the length of the host name
_SOURCES: dict[int, Literal["static", "dhcp", "auto", "host"]] = {
    1: "static",
    2: "dhcp",
    3: "auto",
    4: "host",
}


def parse_interface(dmi: Dmi) -> RedfishInterface | None:
    """The first network host interface that speaks Redfish over IPv4. Others (KCS, makers' own) are passed over."""
    for entry in dmi.find_all(HOST_INTERFACE):
        if entry.byte(0x04) != _NETWORK:
            continue
        length = entry.byte(0x05) or 0
        found = _parse_protocols(entry, 0x06 + length)
        if found is not None:
            _add_device(found, entry.data[0x06 : 0x06 + length])
            return found
    return None


def _parse_protocols(entry: Structure, offset: int) -> RedfishInterface | None:
    at = offset + 1
    for _ in range(entry.byte(offset) or 0):
        kind, size = entry.byte(at), entry.byte(at + 1)
        if kind is None or size is None:
            return None
        record = entry.data[at + 2 : at + 2 + size]
        at += 2 + size
        if kind == _REDFISH_OVER_IP and len(record) >= _RECORD_BYTES - 1:
            return _parse_record(record)
    return None


def _parse_record(record: bytes) -> RedfishInterface | None:
    """UUID 16, then the host: source, format, address 16, mask 16; then the service: the same, port 2, VLAN 4."""
    if record[51] != _IPV4:
        return None
    vlan = int.from_bytes(record[86:90], "little")
    return RedfishInterface(
        service_address=_address(record[52:56]),
        service_netmask=_address(record[68:72]),
        service_port=int.from_bytes(record[84:86], "little") or None,
        vlan=vlan if vlan not in _NO_VLAN and vlan < 4095 else None,
        host_source=_SOURCES.get(record[16]),
        host_address=_address(record[18:22]) if record[17] == _IPV4 else None,
        host_netmask=_address(record[34:38]) if record[17] == _IPV4 else None,
    )


def _add_device(found: RedfishInterface, data: bytes) -> None:
    """Which of the machine's network interfaces it is: USB ids or a place on the PCI bus, from version 2 on a MAC."""
    kind = data[0] if data else 0

    def number(offset: int) -> int:
        return int.from_bytes(data[offset : offset + 2], "little")

    if kind == _USB and len(data) >= 5:
        found.usb_id = f"{number(1):04x}:{number(3):04x}"
    elif kind == _USB_V2 and len(data) >= 13:
        found.usb_id = f"{number(2):04x}:{number(4):04x}"
        found.mac = _mac(data[7:13])
        found.bootstrap = len(data) >= 17 and bool(number(13) & 1)
    elif kind == _PCI_V2 and len(data) >= 20:
        found.mac = _mac(data[10:16])
        place = data[19] if len(data) > 19 else 0
        found.pci_address = f"{number(16):04x}:{data[18]:02x}:{place >> 3:02x}.{place & 7}"
        found.bootstrap = len(data) >= 24 and bool(number(20) & 1)


def _mac(raw: bytes) -> str | None:
    return ":".join(f"{byte:02x}" for byte in raw) if any(raw) else None


def _address(raw: bytes) -> str | None:
    return str(ipaddress.IPv4Address(raw)) if any(raw) else None
