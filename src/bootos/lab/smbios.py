"""SMBIOS is what a machine's firmware says of the machine; here are the tables that QEMU is given. Pure."""

import struct

from bootos.lab.qemu_option import build_option
from bootos.lab.spec import Identity


def build_tables(identity: Identity) -> list[str]:
    """QEMU's words for the tables that tell a machine's identity."""
    tables = [
        build_option(
            "type=0", vendor=identity.bios_vendor, version=identity.bios_version, date=identity.bios_date
        ),
        build_option(
            "type=1",
            manufacturer=identity.vendor,
            product=identity.product,
            version=identity.version,
            serial=identity.serial,
            uuid=identity.told_uuid,
            sku=identity.sku,
            family=identity.family,
        ),
        build_option(
            "type=2",
            manufacturer=identity.board_vendor,
            product=identity.board_product,
            version=identity.board_version,
            serial=identity.board_serial,
            asset=identity.board_asset_tag,
        ),
        build_option(
            "type=3",
            manufacturer=identity.chassis_vendor,
            version=identity.chassis_version,
            serial=identity.chassis_serial,
            asset=identity.asset_tag,
            sku=identity.sku,
        ),
        build_option("type=4", manufacturer=identity.cpu_vendor, version=identity.cpu_version),
        build_option(
            "type=17",
            manufacturer=identity.dimm_vendor,
            part=identity.dimm_part,
            serial=identity.dimm_serial,
            speed=identity.dimm_speed,
        ),
    ]
    return [word for table in tables if "," in table for word in ("-smbios", table)]


def build_host_interface(address: str, port: int) -> bytes:
    """SMBIOS type 42 (DSP0270): Redfish over IP at `address`. It names no network device, so the guest reaches the
    service over its own network; it says nothing about the host's side of the link."""
    packed = bytes(int(part) for part in address.split(".")).ljust(16, b"\0")
    mask = bytes([255, 255, 255, 0]).ljust(16, b"\0")
    record = bytes(16) + bytes([4, 1]) + bytes(32) + bytes([1, 1]) + packed + mask
    record += struct.pack("<HIB", port, 0xFFFFFFFF, 0)
    data = bytes([0x40, 1, 0x80]) + bytes([1, 4, len(record)]) + record  # device type 80h is OEM
    return struct.pack("<BBH", 42, 4 + len(data), 0x2A00) + data + b"\0\0"
