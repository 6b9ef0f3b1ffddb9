"""Empty the data tables of ICU, a third of the compressed root file system that nothing here looks up.

libxml2 (for dnf) and xfsprogs link ICU, so the library must load; its tables serve exotic encodings and xfs_scrub's
check of file names. The data library stays a valid ELF file whose table of contents says "no items".
"""

import struct
from pathlib import Path

from bootos.errors import BootosError

DATA_MAGIC = b"\xda\x27"
"""Third and fourth byte of an ICU data header (icu4c, common/ucmndata.h: `MappedData`)."""


def empty_icu_data(root: Path) -> None:
    """Empty every libicudata of a root file system."""
    for path in sorted((root / "usr/lib").rglob("libicudata.so.*")):
        if not path.is_symlink():
            path.write_bytes(empty_tables(path.read_bytes()))


def empty_tables(library: bytes) -> bytes:
    """The same ELF file, its ICU data reduced to a header with zero items; raises BootosError for anything else."""
    start, size = find_section(library, ".rodata")
    header_size = struct.unpack_from("<H", library, start)[0]
    if library[start + 2 : start + 4] != DATA_MAGIC or header_size + 4 > size:
        raise BootosError(
            "libicudata does not begin with ICU data", hint="set cut.icu_data = false in the recipe"
        )
    data = start + header_size
    return library[:data] + bytes(start + size - data) + library[start + size :]


def find_section(library: bytes, name: str) -> tuple[int, int]:
    """(offset, size) of a section of a 64-bit little-endian ELF file."""
    if library[:6] != b"\x7fELF\x02\x01":
        raise BootosError("not a 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", library, 0x28)
    entry_size, count, names_index = struct.unpack_from("<HHH", library, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", library, table + entry_size * index) for index in range(count)]
    names = sections[names_index][4]
    for name_offset, _, _, _, offset, size in sections:
        end = library.index(b"\0", names + name_offset)
        if library[names + name_offset : end] == name.encode():
            return offset, size
    raise BootosError(f"ELF file without section {name}")
