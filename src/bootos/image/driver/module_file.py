"""What a kernel module's file says of itself: for which kernel, which symbols it needs and offers, its PCI ids.

The same as `modinfo` and `modprobe --dump-modversions` print, read directly, so that a thousand modules take a second
and the module need not fit this host. Pure; `check` decides with it, `listing` shows it.
"""

import re
import struct

import msgspec

from bootos.errors import BootosError
from bootos.image.driver.elf import Elf, Symbol

SIGNATURE_MARK = b"~Module signature appended~\n"
_VERSION_BYTES = 64  # struct modversion_info on 64 bit: unsigned long crc, char name[56]
_PCI_ALIAS = re.compile(
    r"pci:v(?P<vendor>[0-9A-F]{8}|\*)d(?P<device>[0-9A-F]{8}|\*)sv(?:[0-9A-F]{8}|\*)sd(?:[0-9A-F]{8}|\*)"
    r"bc(?:[0-9A-F]{2}|\*)sc(?:[0-9A-F]{2}|\*)i(?:[0-9A-F]{2}|\*)"
)


class ModuleFile(msgspec.Struct, frozen=True, kw_only=True):
    """One module. `needs`: symbol -> its version (0: this module was built without versions); `offers` likewise."""

    name: str
    vermagic: str
    version: str = ""
    srcversion: str = ""
    license: str = ""
    aliases: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    firmware: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    is_in_tree: bool = False
    signed_by: str = ""
    has_versions: bool = False
    needs: dict[str, int] = {}
    weak: frozenset[str] = frozenset()
    offers: dict[str, int] = {}

    @property
    def kernel_release(self) -> str:
        """The first word of vermagic."""
        return self.vermagic.partition(" ")[0]

    @property
    def label(self) -> str:
        """The version its makers gave it, else the hash over its source."""
        return self.version or self.srcversion

    @property
    def pci_ids(self) -> tuple[str, ...]:
        """`8086:10d3`, of the aliases that name both vendor and device; sorted, each once."""
        found = {parse_pci_alias(alias) for alias in self.aliases}
        return tuple(sorted(item for item in found if item is not None))


def parse_pci_alias(alias: str) -> str | None:
    """`pci:v00008086d000010D3sv*sd*bc*sc*i*` -> `8086:10d3`; None when it names no single device."""
    match = _PCI_ALIAS.fullmatch(alias)
    if match is None or "*" in (match["vendor"], match["device"]):
        return None
    return f"{match['vendor'][4:]}:{match['device'][4:]}".lower()


def parse_module(data: bytes, name: str, *, symbols: bool = True) -> ModuleFile:
    """Parse an uncompressed module; `name` is the file's, used when the module does not name itself. Without `symbols`
    its symbol table is left alone, which is most of the work: `offers` is empty then. Raises BootosError: it is no
    kernel module for x86-64, or damaged."""
    elf = Elf(data)
    fields = parse_modinfo(elf.find_section(".modinfo"))
    if "vermagic" not in fields:
        raise BootosError(f"{name} is no kernel module: it does not say for which kernel it is")
    table = elf.collect_symbols() if symbols else []
    versions = parse_versions(elf.find_section("__versions"))
    undefined = {symbol.name: 0 for symbol in table if symbol.is_undefined}
    return ModuleFile(
        name=_first(fields, "name") or re.sub(r"\.ko$", "", name).replace("-", "_"),
        vermagic=_first(fields, "vermagic").strip(),
        version=_first(fields, "version"),
        srcversion=_first(fields, "srcversion"),
        license=_first(fields, "license"),
        aliases=tuple(fields.get("alias", ())),
        depends=tuple(item for item in _first(fields, "depends").split(",") if item),
        firmware=tuple(fields.get("firmware", ())),
        namespaces=tuple(fields.get("import_ns", ())),
        is_in_tree=_first(fields, "intree") == "Y",
        signed_by=find_signer(data),
        has_versions=elf.has_section("__versions"),
        needs={**undefined, **versions},
        weak=frozenset(symbol.name for symbol in table if symbol.is_undefined and symbol.is_weak),
        offers=collect_offers(elf, table),
    )


def parse_modinfo(section: bytes) -> dict[str, list[str]]:
    """`key=value` strings, each ended by a zero."""
    fields: dict[str, list[str]] = {}
    for item in section.split(b"\0"):
        key, separator, value = item.decode(errors="replace").partition("=")
        if separator:
            fields.setdefault(key, []).append(value)
    return fields


def parse_versions(section: bytes) -> dict[str, int]:
    """Symbol -> version as the module was built against it (include/linux/module.h, struct modversion_info)."""
    versions = {}
    for start in range(0, len(section) - _VERSION_BYTES + 1, _VERSION_BYTES):
        (version,) = struct.unpack_from("<Q", section, start)
        name = section[start + 8 : start + _VERSION_BYTES].split(b"\0")[0].decode(errors="replace")
        if name:
            versions[name] = version
    return versions


def collect_offers(elf: Elf, symbols: list[Symbol]) -> dict[str, int]:
    """What the module exports: symbol -> version (0 when it was built without)."""
    offers = {
        symbol.name.removeprefix("__ksymtab_"): 0
        for symbol in symbols
        if symbol.name.startswith("__ksymtab_") and symbol.section is not None
    }
    for symbol in symbols:
        if symbol.name.startswith("__crc_") and symbol.section is not None:
            content = elf.read_section(symbol.section)
            if symbol.value + 4 <= len(content):
                (version,) = struct.unpack_from("<I", content, symbol.value)
                offers[symbol.name.removeprefix("__crc_")] = version
    return offers


def find_signer(data: bytes) -> str:
    """Who signed the module ("someone" where the signature does not name its signer in plain); empty: nobody.

    The signature is PKCS #7 data behind the ELF file (kernel: include/linux/module_signature.h).
    """
    if not data.endswith(SIGNATURE_MARK):
        return ""
    (length,) = struct.unpack_from(">I", data, len(data) - len(SIGNATURE_MARK) - 4)
    end = len(data) - len(SIGNATURE_MARK) - 12
    names = re.findall(rb"\x06\x03\x55\x04\x03[\x0c\x13](.)", data[end - length : end], re.DOTALL)
    if not names:
        return "someone"
    place = data.index(b"\x06\x03\x55\x04\x03", end - length)
    size = data[place + 6]
    return data[place + 7 : place + 7 + size].decode(errors="replace")


def _first(fields: dict[str, list[str]], key: str) -> str:
    return fields.get(key, [""])[0]
