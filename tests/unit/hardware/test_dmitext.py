"""dmidecode's text as a table."""

from pathlib import Path

import pytest

from bootos.hardware.dmi import Dmi, parse_bios, parse_dimms, parse_dump, parse_system
from bootos.hardware.dmitext import build_table
from bootos.hardware.smbios import Structure, parse_table

TABLES = sorted((Path(__file__).parents[2] / "golden/hardware/smbios").glob("*.dmi"))
TEXT = """\
# dmidecode 3.3
Getting SMBIOS data from sysfs.
SMBIOS 2.8 present.

Handle 0x0001, DMI type 1, 27 bytes
System Information
	Manufacturer: Supermicro
	Product Name: SYS-1
	Version: 0123456789
	Serial Number: S1
	UUID: 00112233-4455-6677-8899-aabbccddeeff
	Wake-up Type: Power Switch
	SKU Number: To be filled by O.E.M.
	Family: Not Specified

Handle 0x0024, DMI type 16, 23 bytes
Physical Memory Array
	Location: System Board Or Motherboard
	Use: System Memory

Handle 0x0026, DMI type 17, 84 bytes
Memory Device
	Array Handle: 0x0024
	Size: 64 GB
	Form Factor: DIMM
	Locator: P1-DIMMA1
	Bank Locator: P0_Node0_Channel0_Dimm0
	Type: DDR4
	Type Detail: Synchronous Registered (Buffered)
	Speed: 3200 MT/s
	Manufacturer: Samsung
	Serial Number: 1234ABCD
	Part Number: M393A8G40AB2-CWE
	Rank: 2
	Configured Memory Speed: 2933 MT/s
	Memory Technology: DRAM

Handle 0x0027, DMI type 17, 27 bytes
Memory Device
	Array Handle: 0x0024
	Size: 32767 MB
	Locator: P1-DIMMB1
	Type: DDR3

Handle 0x0028, DMI type 17, 84 bytes
Memory Device
	Array Handle: 0x0024
	Size: No Module Installed
	Locator: P1-DIMMC1

Handle 0x0029, DMI type 17, 84 bytes
Memory Device
	Array Handle: 0x0024
	Size: 126 GB
	Locator: P1-DIMMD1
	Type: Logical non-volatile device
	Memory Technology: Intel Optane DC persistent memory
"""


def read(text: str) -> Dmi:
    return Dmi(parse_table(build_table(text)), None)


def test_a_text_says_the_same_as_its_table() -> None:
    table = read(TEXT)
    system = parse_system(table)
    assert (system.vendor, system.product, system.serial) == ("Supermicro", "SYS-1", "S1")
    assert system.uuid == "00112233-4455-6677-8899-aabbccddeeff"
    assert (system.version, system.sku, system.family) == (None, None, None)
    first, short, empty, optane = parse_dimms(table)
    assert (first.slot, first.bank, first.size_bytes) == ("P1-DIMMA1", "P0_Node0_Channel0_Dimm0", 64 << 30)
    assert (first.type, first.speed_mts, first.configured_speed_mts, first.ranks) == ("DDR4", 3200, 2933, 2)
    assert (first.vendor, first.part, first.serial) == ("Samsung", "M393A8G40AB2-CWE", "1234ABCD")
    assert short.size_bytes == 32767 << 20
    assert empty.size_bytes == 0
    assert (optane.persistent, optane.size_bytes) == (True, 126 << 30)


def write_raw(table: bytes) -> str:
    """As `dmidecode -u` prints it."""
    parts = []
    for entry in parse_table(table):
        strings = [
            f"\t\t{(text.encode() + bytes(1)).hex(' ').upper()}\n\t\t{text}\n" for text in entry.strings
        ]
        parts.append(
            f"Handle 0x{entry.handle:04X}, DMI type {entry.type}, {len(entry.data)} bytes\n"
            f"\tHeader and Data:\n\t\t{entry.data.hex(' ').upper()}\n"
            + (f"\tStrings:\n{''.join(strings)}" if strings else "")
        )
    return "\n".join(parts)


@pytest.mark.parametrize("file", TABLES, ids=lambda file: file.stem)
def test_bytes_in_a_text_are_taken_as_they_are(file: Path) -> None:
    whole = parse_dump(file.read_bytes())
    again = read(write_raw(b"".join(_write(entry) for entry in whole.structures)))
    assert parse_dimms(again) == parse_dimms(whole)
    assert parse_bios(again) == parse_bios(whole)


def _write(entry: Structure) -> bytes:
    return entry.data + (b"".join(text.encode() + bytes(1) for text in entry.strings) or bytes(1)) + bytes(1)


def test_what_is_no_text_of_dmidecode_is_no_table() -> None:
    assert build_table("Handle with care") == b""
    assert parse_dimms(read("Handle 0x0001, DMI type 17, 999 bytes\n\tSize: 99999999999999999999 TB\n"))


def test_a_copied_text_with_blanks_for_tabs_says_the_same() -> None:
    for blanks in ("    ", "        "):
        table = read(TEXT.replace("\t", blanks))
        assert parse_system(table) == parse_system(read(TEXT))
        assert parse_dimms(table) == parse_dimms(read(TEXT))


def test_a_text_that_lost_its_indentation_says_the_same() -> None:
    table = read(TEXT.replace("\t", ""))
    assert parse_system(table) == parse_system(read(TEXT))
    assert parse_dimms(table) == parse_dimms(read(TEXT))
    for file in TABLES:
        whole = parse_dump(file.read_bytes())
        again = read(write_raw(b"".join(_write(entry) for entry in whole.structures)).replace("\t", ""))
        assert (parse_dimms(again), parse_bios(again)) == (parse_dimms(whole), parse_bios(whole)), file.stem


def test_the_text_of_an_older_dmidecode_says_the_same() -> None:
    """2.2 writes the type into a line of its own, and all deeper."""
    lines = []
    for line in TEXT.splitlines():
        head, _, rest = line.partition(", ")
        lines.append(f"{head}\n\t{rest}." if line.startswith("Handle") else f"\t{line}")
    table = read("\n".join(lines))
    assert parse_system(table) == parse_system(read(TEXT))
    assert parse_dimms(table) == parse_dimms(read(TEXT))
    assert build_table("Handle 0x0000\n\tDMI type 0, 20 bytes.\n\tBIOS Information Block\n") == b""  # of 1.x


def test_strings_of_a_makers_own_structure_that_read_as_bytes_do_not_end_the_table() -> None:
    """linuxhw/DMI, HPE ProLiant DL360 Gen10 Plus: texts of type 230 and 39 are such."""
    own = (
        "Handle 0x00A8, DMI type 230, 11 bytes\nOEM-specific Type\n\tHeader and Data:\n"
        "\t\tE6 0B A8 00 A8 00 01 02 02 07 B0\n\tStrings:\n\t\tB1\n\t\tA0 00 00 0B\n\n"
    )
    assert parse_dimms(read(own + TEXT)) == parse_dimms(read(TEXT))


def test_the_chip_of_the_bios_is_no_dimm() -> None:
    """linuxhw/DMI, Supermicro X10SLL-HF: a memory device in the array of the system memory."""
    chip = (
        "Handle 0x004A, DMI type 17, 34 bytes\nMemory Device\n\tArray Handle: 0x0024\n\tSize: 16 MB\n"
        "\tForm Factor: {}\n\tLocator: SPI ROM\n\tType: Flash\n\n"
    )
    assert len(parse_dimms(read(chip.format("<OUT OF SPEC>") + TEXT))) == 4
    assert len(parse_dimms(read(chip.format("DIMM") + TEXT))) == 5
