import uuid

import pytest
from smbios_table import (
    END,
    build_bios,
    build_board,
    build_chassis,
    build_dimm,
    build_memory_array,
    build_structure,
    build_system,
)

from bootos.hardware import dmi
from bootos.hardware.dmi import Dmi
from bootos.hardware.smbios import parse_table, parse_version
from bootos.wire.filler import drop_placeholder

UUID = uuid.UUID("4c4c4544-0039-3010-8048-b7c04f384432")


def read(*structures: bytes, version: tuple[int, int] | None = (3, 0)) -> Dmi:
    return Dmi(parse_table(b"".join(structures) + END), version)


@pytest.mark.parametrize(
    "text",
    [
        "To Be Filled By O.E.M.",
        "to be filled by oem",
        "Not Specified",
        "Default string",
        "System Serial Number",
        "0123456789",
        "1234567890.",
        "0000000000",
        "00:00:00:00",
        "............",
        "XXXXXXXX",
        "FFFFFFFF",
        "   ",
        "None",
        "NO DIMM",
        "SerNum03",
        "Manufacturer12",
        "(null)",
        "(none)",
        "<BAD INDEX>",
        "[Empty]",
        "Not Set",
        "Not Defined",
        "TBD by OEM",
        "Reserved for System Vendor",
        "To be filled on plant",
        "System SKU Number",
        "SYSTEM_FAMILY",
        "OEM Chassis Serial Number",
        "ModulePartNumber00",
        "Type1Sku0",
        "Type1Family",
        "Type1ProductConfigId",
        "Type2 - Board Vendor Name1",
        "Type2 - Board Product Name1",
        "A1_AssetTagNum0",
        "Dimm3_Manufacturer_Name_String",
        "ChannelA_Dimm2_Manufacturer",
        "DimmA3_PartNumber",
        "DIMM_E1_Manufacturer",
        "Array 1 Part Number 10",
        "Part Number not set",
        "NOT SUPPORT",
        "0x0000",
        "SKU=NotProvided;ModelName=PowerEdge R630",
        "12345",
        "01234567",
        "01234567890123456789AB",
        "0123456789ABCDEF",
    ],
)
def test_a_makers_placeholder_says_nothing(text: str) -> None:
    assert drop_placeholder(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "R0",
        "Dell Inc.",
        "A00",
        "7XK2P03",
        "Oracle",
        "10",
        "Family 17h",
        "1234",
        "12346",
        "H12345",
        "Version 1.0",
        "Version 2",
        "System x3650 M5: -[8871AC1]-",
        "SKU=0639;ModelName=PowerEdge R630",
        "BANK 0",
        "P1_DIMMA1",
    ],
)
def test_short_and_odd_values_are_kept(text: str) -> None:
    assert drop_placeholder(text) == text


def test_white_space_that_pads_a_value_is_dropped() -> None:
    assert drop_placeholder("PowerEdge   R740 ") == "PowerEdge R740"


def test_system_board_chassis_and_bios_of_a_rack_server() -> None:
    table = read(
        build_bios("Dell Inc.", "2.3.4", "11/08/2016"),
        build_system("Dell Inc.", "PowerEdge R630", "Not Specified", "790H8D2", UUID.bytes_le),
        build_board("Dell Inc.", "02C2CP", ".790H8D2.CN7475162M0382."),
        build_chassis("Dell Inc.", 23 | 0x80, "790H8D2", "Not Specified"),
    )
    system = dmi.parse_system(table)
    assert (system.vendor, system.product, system.version) == ("Dell Inc.", "PowerEdge R630", None)
    assert (system.serial, system.uuid) == ("790H8D2", str(UUID))
    assert dmi.parse_board(table).serial == ".790H8D2.CN7475162M0382."
    chassis = dmi.parse_chassis(table)
    assert (chassis.type, chassis.asset_tag) == ("Rack Mount Chassis", None)
    bios = dmi.parse_bios(table)
    assert (bios.vendor, bios.version, bios.date) == ("Dell Inc.", "2.3.4", "11/08/2016")


def test_a_uuid_is_read_by_the_byte_order_of_its_smbios_version() -> None:
    assert dmi.parse_uuid(UUID.bytes_le, (2, 6)) == str(UUID)
    assert dmi.parse_uuid(UUID.bytes, (2, 4)) == str(UUID)


@pytest.mark.parametrize(
    "raw",
    [
        bytes(16),
        b"\xff" * 16,
        b"\x11" * 16,
        bytes(range(16)),
        bytes(range(1, 17)),
        uuid.UUID("03000200-0400-0500-0006-000700080009").bytes_le,
        uuid.UUID("4c4c4544-0000-2010-8020-80c04f202020").bytes_le,
    ],
)
def test_a_uuid_that_nobody_set_is_none(raw: bytes) -> None:
    assert dmi.parse_uuid(raw, (3, 0)) is None


def test_the_motherboard_is_taken_among_several_boards() -> None:
    table = read(
        build_board("Maker", "Riser", "R1", kind=5, handle=2), build_board("Maker", "Main", "M1", handle=3)
    )
    assert dmi.parse_board(table).product == "Main"


def test_dimms_have_sizes_in_bytes_and_empty_slots_have_zero() -> None:
    table = read(
        build_memory_array(0x1000),
        build_dimm(0x1000, 0x1100, 16384, "A1", "Not Specified", speed=2400, configured=1866, ranks=2,
                   vendor="002C00B3002C", serial="12BDC045", part="18ASF2G72PDZ-2G3B1"),
        build_dimm(0x1000, 0x1101, 0, "A2", "Not Specified"),
        build_dimm(0x1000, 0x1102, 0x7FFF, "A3", "Not Specified", extended_mib=65536, speed=3200),
        build_dimm(0x1000, 0x1103, 0x8000 | 512, "A4", "Not Specified"),
        build_dimm(0x1000, 0x1104, 0xFFFF, "A5", "Not Specified"),
    )  # fmt: skip
    first, empty, large, small, unknown = dmi.parse_dimms(table)
    assert (first.size_bytes, first.type, first.speed_mts, first.configured_speed_mts) == (
        16 << 30, "DDR4", 2400, 1866,
    )  # fmt: skip
    assert (first.ranks, first.serial, first.part) == (2, "12BDC045", "18ASF2G72PDZ-2G3B1")
    assert (empty.slot, empty.size_bytes, empty.type) == ("A2", 0, None)
    assert large.size_bytes == 64 << 30
    assert small.size_bytes == 512 << 10
    assert unknown.size_bytes is None


def test_slots_of_the_same_name_are_told_apart_by_their_bank() -> None:
    table = read(
        build_memory_array(1),
        build_dimm(1, 2, 32768 - 2, "DIMM 0", "P0 CHANNEL A"),
        build_dimm(1, 3, 0, "DIMM 0", "P0 CHANNEL B"),
    )
    assert [dimm.slot for dimm in dmi.parse_dimms(table)] == ["P0 CHANNEL A DIMM 0", "P0 CHANNEL B DIMM 0"]


def test_flash_chips_are_not_dimms() -> None:
    table = read(
        build_memory_array(1, use=3), build_memory_array(2, use=5), build_dimm(1, 10, 8192, "A1", "x"),
        build_dimm(2, 11, 0x8000 | 16384, "SYSTEM ROM", "x", kind=9),
    )  # fmt: skip
    assert [dimm.slot for dimm in dmi.parse_dimms(table)] == ["A1"]


def test_a_table_that_is_cut_off_gives_what_is_whole() -> None:
    whole = build_bios("A", "1", "d") + build_system("Maker", "Product", "1", "S1")
    structures = parse_table(whole + build_board("Maker", "Board", "B1")[:12])
    assert [entry.type for entry in structures] == [0, 1]


def test_nothing_after_the_end_of_the_table_is_read() -> None:
    structures = parse_table(END + build_bios("A", "1", "d"))
    assert [entry.type for entry in structures] == [127]


def test_a_structure_of_an_older_version_lacks_its_last_fields() -> None:
    table = read(build_structure(1, 1, bytes([1, 2, 0, 0]), "Maker", "Product"))
    system = dmi.parse_system(table)
    assert (system.product, system.uuid, system.sku, system.family) == ("Product", None, None, None)


def test_the_version_is_read_from_both_kinds_of_entry_point() -> None:
    assert parse_version(b"_SM3_\0\x18\x03\x05\0\0\0") == (3, 5)
    assert parse_version(b"_SM_\0\x1f\x02\x08\0\0") == (2, 8)
    assert parse_version(b"") is None


def test_modules_that_are_no_main_memory_are_known_by_their_technology() -> None:
    """NVDIMM-N is DDR4 by its type; a table of SMBIOS before 3.2 has the type alone."""
    body = build_dimm(1, 2, 8192, "A1", "x")
    nvdimm = bytes([17, 0x54]) + body[2:0x28] + bytes([4]) + bytes(0x54 - 0x29) + body[0x28:]
    plain = build_dimm(1, 3, 8192, "A2", "x")
    old_optane = build_dimm(1, 4, 8192, "A3", "x", kind=0x1F)
    table = read(build_memory_array(1), nvdimm, plain, old_optane)
    assert [dimm.persistent for dimm in dmi.parse_dimms(table)] == [True, False, True]


def test_slots_that_no_bank_tells_apart_get_their_place() -> None:
    table = read(
        build_memory_array(1),
        build_dimm(1, 2, 0, "DIMM", "Not Specified"),
        build_dimm(1, 3, 0, "DIMM", "Not Specified"),
        build_dimm(1, 4, 0, "0", "Not Specified"),
    )
    assert [dimm.slot for dimm in dmi.parse_dimms(table)] == ["DIMM (slot 0)", "DIMM (slot 1)", "0"]
