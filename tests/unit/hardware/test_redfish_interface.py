"""SMBIOS type 42, as DSP0270 lays it out; the values are those of machines whose dmidecode output is public."""

import ipaddress
import struct

from smbios_table import END, build_structure

from bootos.hardware.dmi import Dmi
from bootos.hardware.redfish import parse_interface
from bootos.hardware.smbios import parse_table
from bootos.lab.smbios import build_host_interface as build_lab_interface
from bootos.wire.inventory import RedfishInterface


def build_record(
    *, host: int, address: str, mask: str, service: str, port: int, vlan: int, name: str
) -> bytes:
    def packed(text: str) -> bytes:
        return (ipaddress.IPv4Address(text).packed if text else b"").ljust(16, b"\0")

    service_source = 1 if service else 2
    record = bytes(16) + bytes([host, 1]) + packed(address) + packed(mask)
    record += bytes([service_source, 1]) + packed(service) + packed("255.255.255.0" if service else "")
    return record + struct.pack("<HIB", port, vlan, len(name)) + name.encode()


def build_host_interface(device: bytes, record: bytes) -> Dmi:
    body = bytes([0x40, len(device)]) + device + bytes([1, 4, len(record)]) + record
    kcs = build_structure(42, 0x15, bytes([2, 4, 1, 2, 3, 4, 0]))
    return Dmi(parse_table(kcs + build_structure(42, 0x37, body) + END), (3, 5))


def test_a_dell_whose_host_side_is_dhcp_names_its_service() -> None:
    record = build_record(
        host=2, address="", mask="", service="169.254.2.2", port=443, vlan=0xFFFFFFFF, name="idrac.local"
    )
    device = bytes([2]) + struct.pack("<HHB", 0x413C, 0xA102, 2) + b"\x03\x01"
    assert parse_interface(build_host_interface(device, record)) == RedfishInterface(
        service_address="169.254.2.2",
        service_netmask="255.255.255.0",
        service_port=443,
        host_source="dhcp",
        usb_id="413c:a102",
    )


def test_the_second_usb_version_has_a_mac_and_may_give_out_accounts() -> None:
    record = build_record(
        host=1,
        address="192.168.122.9",
        mask="255.255.255.0",
        service="192.168.122.10",
        port=443,
        vlan=0,
        name="192.168.122.10",
    )
    mac = bytes.fromhex("724577aaf787")
    device = bytes([4, 16]) + struct.pack("<HHB", 0x0D28, 0x0204, 0) + mac + struct.pack("<HH", 1, 0xFFFF)
    assert parse_interface(build_host_interface(device, record)) == RedfishInterface(
        service_address="192.168.122.10",
        service_netmask="255.255.255.0",
        service_port=443,
        host_source="static",
        host_address="192.168.122.9",
        host_netmask="255.255.255.0",
        usb_id="0d28:0204",
        mac="72:45:77:aa:f7:87",
        bootstrap=True,
    )


def test_a_service_that_gets_its_address_by_dhcp_has_none_here() -> None:
    record = build_record(host=2, address="", mask="", service="", port=0, vlan=0, name="bmc.host.interface")
    device = bytes([2]) + struct.pack("<HHB", 0x0B05, 0x1976, 0)
    found = parse_interface(build_host_interface(device, record))
    assert found is not None
    assert (found.service_address, found.service_port, found.usb_id) == (None, None, "0b05:1976")


def test_a_card_on_the_pci_bus_is_found_by_its_place() -> None:
    record = build_record(
        host=1, address="10.1.0.2", mask="255.255.255.0", service="10.1.0.1", port=8443, vlan=7, name=""
    )
    device = bytes([5, 24]) + struct.pack("<HHHH", 0x8086, 0x1533, 0x8086, 1) + bytes.fromhex("0c42a1000001")
    device += struct.pack("<HBBHH", 0, 0x3D, (2 << 3) | 1, 0, 0)
    found = parse_interface(build_host_interface(device, record))
    assert found is not None
    assert (found.pci_address, found.mac, found.vlan) == ("0000:3d:02.1", "0c:42:a1:00:00:01", 7)
    assert not found.bootstrap


def test_a_machine_with_only_a_kcs_host_interface_has_none() -> None:
    kcs = build_structure(42, 0x15, bytes([2, 4, 1, 2, 3, 4, 0]))
    assert parse_interface(Dmi(parse_table(kcs + END), (3, 5))) is None


def test_a_structure_that_is_cut_off_is_passed_over() -> None:
    body = bytes([0x40, 6, 2]) + bytes(5) + bytes([1, 4, 91]) + bytes(20)
    assert parse_interface(Dmi(parse_table(build_structure(42, 1, body) + END), (3, 5))) is None


def test_the_labs_machine_tells_where_its_service_is() -> None:
    table = build_lab_interface("10.0.2.2", 8443) + END
    found = parse_interface(Dmi(parse_table(table), (3, 0)))
    assert found == RedfishInterface(
        service_address="10.0.2.2", service_netmask="255.255.255.0", service_port=8443, host_source="host"
    )
