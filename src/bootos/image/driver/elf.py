"""Read the sections and symbols of an x86-64 ELF relocatable file, which is what a kernel module is.

Only what `module_file` needs (gABI 4.1: file header, section headers, symbol table). Pure: bytes in, values out.
"""

import struct

import msgspec

from bootos.errors import BootosError

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_MAGIC = b"\x7fELF\x02\x01"  # 64 bit, little endian
DOWNLOAD = "was it downloaded whole?"
RELOCATABLE = 1
X86_64 = 62
_NO_BITS = 8
_UNDEFINED = 0
_FIRST_RESERVED = 0xFF00


class Symbol(msgspec.Struct, frozen=True):
    """One symbol: `section` is None when it is to come from elsewhere, and for absolute values."""

    name: str
    section: int | None
    value: int
    is_undefined: bool
    is_weak: bool


class Elf:
    """One file. Raises BootosError when it is no x86-64 relocatable file, or is cut short or damaged."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        try:
            (magic, kind, machine, *_, start, _flags, _size, _ps, _pn, step, count, names) = (
                _HEADER.unpack_from(data)
            )
            if not magic.startswith(_MAGIC) or kind != RELOCATABLE or machine != X86_64:
                raise BootosError("it is no kernel module for x86-64")
            self._sections = [_SECTION.unpack_from(data, start + number * step) for number in range(count)]
            texts = self._read(names)
            self._names = [_read_text(texts, section[0]) for section in self._sections]
        except (struct.error, IndexError, OverflowError) as cause:
            raise BootosError("it is no kernel module, or one that is cut short", hint=DOWNLOAD) from cause

    @property
    def end(self) -> int:
        """Where the last section ends."""
        return max((s[4] + s[5] for s in self._sections if s[1] != _NO_BITS), default=0)

    def has_section(self, name: str) -> bool:
        """Whether it has a section of that name."""
        return name in self._names

    def find_section(self, name: str) -> bytes:
        """A section's content; empty when there is none of that name."""
        return self._read(self._names.index(name)) if name in self._names else b""

    def read_section(self, number: int) -> bytes:
        """A section's content by its number. Raises BootosError."""
        if number >= len(self._sections):
            raise BootosError("a symbol lies in a section that is not there", hint=DOWNLOAD)
        return self._read(number)

    def collect_symbols(self) -> list[Symbol]:
        """All named symbols of `.symtab`, in its order. Raises BootosError: the table is damaged."""
        if ".symtab" not in self._names:
            return []
        table = self._sections[self._names.index(".symtab")]
        found = []
        try:
            texts = self._read(table[6])
            for name, info, _other, section, value, _size in _SYMBOL.iter_unpack(
                self._read(self._names.index(".symtab"))
            ):
                if name:
                    found.append(
                        Symbol(
                            _read_text(texts, name),
                            section if _UNDEFINED < section < _FIRST_RESERVED else None,
                            value,
                            section == _UNDEFINED,
                            info >> 4 == 2,
                        )
                    )
        except (struct.error, IndexError, OverflowError) as cause:
            raise BootosError("its symbol table is broken", hint=DOWNLOAD) from cause
        return found

    def _read(self, number: int) -> bytes:
        section = self._sections[number]
        if section[1] == _NO_BITS:
            return b""
        content = self._data[section[4] : section[4] + section[5]]
        if len(content) != section[5]:
            raise BootosError("it is cut short", hint=DOWNLOAD)
        return content


def _read_text(table: bytes, offset: int) -> str:
    """A text of a string table, up to its zero. Raises IndexError: there is none, the table is damaged."""
    if not table:
        return ""
    end = table.find(b"\0", offset)
    if end < 0:
        raise IndexError(f"no text at {offset}")
    return table[offset:end].decode(errors="replace")
