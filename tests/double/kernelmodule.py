"""Kernel module files that depmod and modinfo read as real ones and no kernel loads: everything but the code.

Written after the ELF-64 layout (gABI 4.1), include/linux/module.h and include/linux/module_signature.h.
LABNIC and LABSCSI are the two that most tests need: a library of network drivers and a driver for one PCI device."""

import struct
from collections.abc import Iterable, Mapping, Sequence

RELEASE = "6.12.117+lab-amd64"
VERMAGIC = f"{RELEASE} SMP preempt mod_unload modversions "
PCI_ID = "f1f2:0020"
SIGNER = "Key of the lab"

_PROGBITS, _SYMTAB, _STRTAB = 1, 2, 3
_ALLOCATED = 2
_GLOBAL = 1 << 4
_SHA256 = bytes.fromhex("0609608648016503040201")
_RSA = bytes.fromhex("06092a864886f70d010101")
_DATA, _SIGNED_DATA = (bytes.fromhex("06092a864886f70d0107") + bytes([number]) for number in (1, 2))
_COMMON_NAME = bytes.fromhex("0603550403")
_PKCS7 = 2


def build_module(
    name: str,
    *,
    vermagic: str = VERMAGIC,
    modinfo: Sequence[str] = (),
    versions: Mapping[str, int] | None = None,
    offers: Mapping[str, int] | None = None,
    undefined: Iterable[str] | None = None,
    signer: str = "",
) -> bytes:
    """A module. `modinfo`: further `key=value` strings; `versions` and `offers`: symbol -> version; `undefined`: the
    symbols to come from elsewhere (else those of `versions`); `signer`: the name in an appended signature."""
    versions, offers = versions or {}, offers or {}
    if undefined is None:
        undefined = [symbol for symbol in versions if symbol != "module_layout"]
    strings = [*modinfo, f"name={name}", f"vermagic={vermagic}"]
    sections = {
        ".modinfo": b"".join(item.encode() + b"\0" for item in strings),
        "__versions": b"".join(
            struct.pack("<Q56s", crc, symbol.encode()) for symbol, crc in versions.items()
        ),
        "__ksymtab": bytes(12 * len(offers)),
        "__kcrctab": struct.pack(f"<{len(offers)}I", *offers.values()),
        "__ksymtab_strings": b"".join(symbol.encode() + b"\0" for symbol in offers),
    }
    sections = {section: content for section, content in sections.items() if content}
    numbers = {section: number for number, section in enumerate(sections, start=1)}
    symbols = [("", 0, 0, 0)]
    for place, symbol in enumerate(offers):
        symbols.append((f"__ksymtab_{symbol}", 0, numbers["__ksymtab"], 12 * place))
        symbols.append((f"__crc_{symbol}", 0, numbers["__kcrctab"], 4 * place))
    first_global = len(symbols)
    symbols += [(symbol, _GLOBAL, 0, 0) for symbol in undefined]
    names, table = b"", b""
    for symbol, info, section, value in symbols:
        table += struct.pack("<IBBHQQ", len(names), info, 0, section, value, 0)
        names += symbol.encode() + b"\0"
    data = _build_elf(sections, table, names, first_global)
    return data + _build_signature(signer) if signer else data


def _build_elf(sections: Mapping[str, bytes], table: bytes, names: bytes, first_global: int) -> bytes:
    """The sections, then `.symtab`, `.strtab` and `.shstrtab`, then the section headers."""
    contents = {**sections, ".symtab": table, ".strtab": names, ".shstrtab": b""}
    contents[".shstrtab"] = b"\0" + b"".join(section.encode() + b"\0" for section in contents)
    strtab = len(contents) - 1
    body, headers, named_at = b"", bytes(64), 1
    for section, content in contents.items():
        kind = {".symtab": _SYMTAB, ".strtab": _STRTAB, ".shstrtab": _STRTAB}.get(section, _PROGBITS)
        link, info, step = (strtab, first_global, 24) if kind == _SYMTAB else (0, 0, 0)
        flags = _ALLOCATED if kind == _PROGBITS else 0
        offset = 64 + len(body)
        headers += struct.pack(
            "<IIQQQQIIQQ", named_at, kind, flags, 0, offset, len(content), link, info, 8, step
        )
        named_at += len(section) + 1
        body += content + bytes(-len(content) % 8)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    count = len(contents) + 1
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", ident, 1, 62, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, count, count - 1
    )
    return header + body + headers


def _build_signature(signer: str) -> bytes:
    """CMS SignedData as the kernel's sign-file makes it, except that the signature proper is zeros."""
    common_name = _der(0x30, _COMMON_NAME, _der(0x0C, signer.encode()))
    serial = _der(0x02, b"\x01")
    signer_info = _der(
        0x30,
        serial,  # the version of the format is 1, too
        _der(0x30, _der(0x30, _der(0x31, common_name)), serial),
        _der(0x30, _SHA256),
        _der(0x30, _RSA, b"\x05\x00"),
        _der(0x04, bytes(256)),
    )
    signed = _der(0x30, serial, _der(0x31, _der(0x30, _SHA256)), _der(0x30, _DATA), _der(0x31, signer_info))
    message = _der(0x30, _SIGNED_DATA, _der(0xA0, signed))
    tail = struct.pack(">5B3xI", 0, 0, _PKCS7, 0, 0, len(message))
    return message + tail + b"~Module signature appended~\n"


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


LABNIC = build_module(
    "labnic",
    modinfo=("license=GPL", "srcversion=0123456789ABCDEF0123456", "depends=", "intree=Y"),
    versions={"module_layout": 0x7A11, "kfree": 0xF4EE, "printk": 0x9417},
    offers={"labnic_start": 0x5001, "labnic_restart": 0x5002, "labnic_check_link": 0x5003},
    signer=SIGNER,
)
LABSCSI = build_module(
    "labscsi",
    modinfo=(
        "version=1.00",
        "license=GPL",
        "srcversion=6543210FEDCBA9876543210",
        "alias=pci:v0000F1F2d00000020sv*sd*bc*sc*i*",
        "alias=labscsi-old",
        "depends=labcore,scsi_mod",
        "intree=Y",
    ),
    versions={
        "module_layout": 0x7A11,
        "kfree": 0xF4EE,
        "pci_enable_device": 0x9C1,
        "labcore_register": 0xC0E1,
        "labcore_unregister": 0xC0E2,
    },
    signer=SIGNER,
)
