"""Who made the machine: system, board, chassis, BIOS and DIMMs, from SMBIOS (DMTF DSP0134).

`read_dmi` reads the raw table once; the `parse_` functions are pure. Called by `inventory.collect_inventory`;
`virtual.py`, `bmc.py` and `tpm.py` use the same structures. What the firmware left as a placeholder is None.
"""

import uuid
from collections import Counter
from collections.abc import Sequence

from bootos.hardware.smbios import Structure, parse_table, parse_version, split_dump
from bootos.hardware.tree import Tree
from bootos.wire.filler import drop_unset_uuid
from bootos.wire.inventory import Bios, Board, Chassis, Dimm, System

BIOS, SYSTEM, BOARD, CHASSIS, MEMORY_ARRAY, MEMORY_DEVICE, IPMI_DEVICE, TPM_DEVICE = (
    0,
    1,
    2,
    3,
    16,
    17,
    38,
    43,
)

_SYSTEM_MEMORY = 3  # type 16 "use"
_MOTHERBOARD = 10  # type 2 "board type"

# DSP0134 3.7, table 17
CHASSIS_TYPES = (
    "", "Other", "Unknown", "Desktop", "Low Profile Desktop", "Pizza Box", "Mini Tower", "Tower", "Portable",
    "Laptop", "Notebook", "Hand Held", "Docking Station", "All In One", "Sub Notebook", "Space-saving",
    "Lunch Box", "Main Server Chassis", "Expansion Chassis", "Sub Chassis", "Bus Expansion Chassis",
    "Peripheral Chassis", "RAID Chassis", "Rack Mount Chassis", "Sealed-case PC", "Multi-system", "CompactPCI",
    "AdvancedTCA", "Blade", "Blade Enclosing", "Tablet", "Convertible", "Detachable", "IoT Gateway",
    "Embedded PC", "Mini PC", "Stick PC",
)  # fmt: skip

# DSP0134 3.7, table 78. "Other" and "Unknown" are left out.
MEMORY_TYPES = {
    0x03: "DRAM", 0x04: "EDRAM", 0x05: "VRAM", 0x06: "SRAM", 0x07: "RAM", 0x08: "ROM", 0x09: "FLASH",
    0x0F: "SDRAM", 0x12: "DDR", 0x13: "DDR2", 0x14: "DDR2 FB-DIMM", 0x18: "DDR3", 0x19: "FBD2",
    0x1A: "DDR4", 0x1B: "LPDDR", 0x1C: "LPDDR2", 0x1D: "LPDDR3", 0x1E: "LPDDR4",
    0x1F: "Logical non-volatile device", 0x20: "HBM", 0x21: "HBM2", 0x22: "DDR5", 0x23: "LPDDR5", 0x24: "HBM3",
}  # fmt: skip

_NON_VOLATILE = 0x1F
_FLASH = 0x09
_DIMM_FORM = 0x09  # table 76
_UNSAID_TECHNOLOGIES = (None, 0, 1, 2)  # of an older version; Other; Unknown
_PERSISTENT_TECHNOLOGIES = (4, 5, 6, 7)  # NVDIMM-N, NVDIMM-F, NVDIMM-P, Intel Optane

_MIB = 1024 * 1024


class Dmi:
    """The structures of one machine, and the SMBIOS version that says how to read a UUID."""

    def __init__(self, structures: Sequence[Structure], version: tuple[int, int] | None) -> None:
        self.structures = tuple(structures)
        self.version = version

    def find(self, kind: int) -> Structure | None:
        """The first structure of a type."""
        return next((entry for entry in self.structures if entry.type == kind), None)

    def find_all(self, kind: int) -> list[Structure]:
        """All structures of a type, in the table's order."""
        return [entry for entry in self.structures if entry.type == kind]


def read_dmi(tree: Tree) -> Dmi | None:
    """The machine's SMBIOS table; None when the kernel shows none (or we are not root)."""
    table = tree.read_bytes("sys/firmware/dmi/tables/DMI")
    if not table:
        return None
    told, table = split_dump(table)  # what dmidecode dumped may stand in the place of the kernel's table
    entry_point = tree.read_bytes("sys/firmware/dmi/tables/smbios_entry_point") or told
    return Dmi(parse_table(table), parse_version(entry_point))


def parse_dump(dump: bytes) -> Dmi:
    """What `dmidecode --dump-bin` writes."""
    entry_point, table = split_dump(dump)
    return Dmi(parse_table(table), parse_version(entry_point))


def parse_system(dmi: Dmi) -> System:
    """Type 1."""
    entry = dmi.find(SYSTEM)
    if entry is None:
        return System()
    return System(
        vendor=entry.text(0x04),
        product=entry.text(0x05),
        version=entry.text(0x06),
        serial=entry.text(0x07),
        uuid=parse_uuid(entry.data[0x08:0x18], dmi.version),
        sku=entry.text(0x19),
        family=entry.text(0x1A),
    )


def parse_uuid(raw: bytes, version: tuple[int, int] | None) -> str | None:
    """Sixteen bytes as text; None where nobody set it (`wire.filler`)."""
    return drop_unset_uuid(format_uuid(raw, version))


def format_uuid(raw: bytes, version: tuple[int, int] | None) -> str | None:
    """Sixteen bytes as text, whatever they say; None when there are not sixteen.

    From SMBIOS 2.6 on the first three fields are little-endian; before that makers differed, and the kernel
    and dmidecode read them big-endian.
    """
    if len(raw) != 16:
        return None
    little = version is None or version >= (2, 6)
    return str(uuid.UUID(bytes_le=raw) if little else uuid.UUID(bytes=raw))


def parse_board(dmi: Dmi) -> Board:
    """Type 2: the motherboard where it is marked as such (blades list several boards), else the first."""
    boards = dmi.find_all(BOARD)
    if not boards:
        return Board()
    entry = next((board for board in boards if board.byte(0x0D) == _MOTHERBOARD), boards[0])
    return Board(
        vendor=entry.text(0x04),
        product=entry.text(0x05),
        version=entry.text(0x06),
        serial=entry.text(0x07),
        asset_tag=entry.text(0x08),
    )


def parse_chassis(dmi: Dmi) -> Chassis:
    """Type 3. Bit 7 of the type byte tells of a lock and is left out."""
    entry = dmi.find(CHASSIS)
    if entry is None:
        return Chassis()
    kind = (entry.byte(0x05) or 0) & 0x7F
    name = CHASSIS_TYPES[kind] if kind < len(CHASSIS_TYPES) else ""
    return Chassis(
        vendor=entry.text(0x04),
        type=name if name not in ("", "Other", "Unknown") else None,
        serial=entry.text(0x07),
        asset_tag=entry.text(0x08),
    )


def parse_bios(dmi: Dmi) -> Bios:
    """Type 0. The date stays as the firmware writes it (month/day/year)."""
    entry = dmi.find(BIOS)
    if entry is None:
        return Bios()
    return Bios(vendor=entry.text(0x04), version=entry.text(0x05), date=entry.text(0x08))


def parse_dimms(dmi: Dmi) -> list[Dimm]:
    """Type 17 of those memory arrays (type 16) that are system memory: a board's flash chips are not, whichever array
    they are put into."""
    uses = {array.handle: array.byte(0x05) for array in dmi.find_all(MEMORY_ARRAY)}
    dimms: list[Dimm] = []
    for entry in dmi.find_all(MEMORY_DEVICE):
        if uses.get(entry.number(0x04, 2) or 0, _SYSTEM_MEMORY) != _SYSTEM_MEMORY:
            continue
        if (
            entry.byte(0x12) == _FLASH and entry.byte(0x0E) != _DIMM_FORM
        ):  # X10SLL-HF: the BIOS's own "SPI ROM"
            continue
        dimms.append(_parse_dimm(entry, f"slot {len(dimms)}"))
    _tell_slots_apart(dimms)
    return dimms


def _tell_slots_apart(dimms: Sequence[Dimm]) -> None:
    """Each channel may have a `DIMM 0`: the bank then stands before it. Names that are still the same get the place
    in the table."""
    times = Counter(dimm.slot for dimm in dimms)
    for dimm in dimms:
        if times[dimm.slot] > 1 and dimm.bank is not None:
            dimm.slot = f"{dimm.bank} {dimm.slot}"
    times = Counter(dimm.slot for dimm in dimms)
    for place, dimm in enumerate(dimms):
        if times[dimm.slot] > 1:
            dimm.slot = f"{dimm.slot} (slot {place})"


def _parse_dimm(entry: Structure, fallback_slot: str) -> Dimm:
    size_bytes = _parse_dimm_size(entry)
    written = entry.raw_text(0x10)
    # A number is a name here, also 0; "NO DIMM" in each empty slot is none.
    slot = written if written and written.isdigit() else entry.text(0x10) or fallback_slot
    bank = entry.text(0x11)
    if size_bytes == 0:
        return Dimm(slot=slot, bank=bank, size_bytes=0)
    return Dimm(
        slot=slot,
        bank=bank,
        size_bytes=size_bytes,
        type=MEMORY_TYPES.get(entry.byte(0x12) or 0),
        persistent=_is_persistent(entry),
        speed_mts=_parse_speed(entry, 0x15, 0x54),
        configured_speed_mts=_parse_speed(entry, 0x20, 0x58),
        ranks=((entry.byte(0x1B) or 0) & 0x0F) or None,
        vendor=entry.text(0x17),
        part=entry.text(0x1A),
        serial=entry.text(0x18),
    )


def _parse_dimm_size(entry: Structure) -> int | None:
    size = entry.number(0x0C, 2)
    if size is None or size == 0xFFFF:
        return None
    if size == 0x7FFF:  # 32 GiB - 1 MiB and more: the extended size, in MiB, which SMBIOS before 2.7 has not
        extended = (entry.number(0x1C, 4) or 0) & 0x7FFFFFFF
        return (extended or size) * _MIB
    if size & 0x8000:
        return (size & 0x7FFF) * 1024
    return size * _MIB


def _is_persistent(entry: Structure) -> bool:
    """Whether the module is no main memory: NVDIMMs and Intel Optane, by the memory technology (SMBIOS 3.2, table 80)
    or the type."""
    technology = entry.byte(0x28)
    if technology in _UNSAID_TECHNOLOGIES:
        return entry.byte(0x12) == _NON_VOLATILE
    return technology in _PERSISTENT_TECHNOLOGIES


def _parse_speed(entry: Structure, offset: int, extended_offset: int) -> int | None:
    speed = entry.number(offset, 2)
    if speed == 0xFFFF:
        speed = entry.number(extended_offset, 4)
    return speed or None
