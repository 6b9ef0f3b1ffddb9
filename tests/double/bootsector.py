"""What a BIOS boots, as small as can be: it writes a line to the serial port and stops; on a disk or a CD."""

_SECTOR_BYTES = 2048
_SETUP_BYTES = 512  # the size of each part of a kernel: its first sector, and the sector with the code


def build_boot_sector(text: bytes) -> bytes:
    """16-bit code: no interrupts (SeaBIOS would write between), `text` to port 0x3f8 byte by byte, halt for ever."""
    code = bytes.fromhex("fa 31c0 8ed8 be1a7c baf803 ac 84c0 7403 ee ebf8 fa f4 ebfd")
    return (code.ljust(0x1A, b"\x90") + text + b"\0").ljust(510, b"\0") + b"\x55\xaa"


def build_boot_cd(text: bytes) -> bytes:
    """An ISO without files: descriptors from sector 16 on, the boot catalog in sector 19, the boot sector in 20."""
    catalog, image = 19, 20
    boot_record = b"\0CD001\1" + b"EL TORITO SPECIFICATION".ljust(64, b"\0") + catalog.to_bytes(4, "little")
    validation = b"\1".ljust(28, b"\0") + (0x10000 - 0xAA55 - 1).to_bytes(2, "little") + b"\x55\xaa"
    entry = b"\x88".ljust(6, b"\0") + (4).to_bytes(2, "little") + image.to_bytes(4, "little")
    sectors = [b"\1CD001\1", boot_record, b"\xffCD001\1", validation + entry, build_boot_sector(text)]
    return bytes(16 * _SECTOR_BYTES) + b"".join(sector.ljust(_SECTOR_BYTES, b"\0") for sector in sectors)


def build_kernel(text: bytes) -> bytes:
    """What QEMU's `-kernel` takes for a Linux kernel (Documentation/arch/x86/boot.rst, protocol 2.0): its real-mode
    part writes `text` to the serial port and stops, and it has no other part."""
    header = bytearray(2 * _SETUP_BYTES)
    header[0x1F1] = 1  # how many sectors with code follow the first one
    header[0x1FE:0x200] = b"\x55\xaa"
    header[0x202:0x206], header[0x206:0x208] = b"HdrS", (0x200).to_bytes(2, "little")
    header[0x211] = 1  # LOADED_HIGH: the kernel is loaded at 1 MiB
    # CS:0 is the start of the second sector
    code = bytes.fromhex("fa 0e 1f be9000 baf803 ac 84c0 7403 ee ebf8 f4 ebfd")
    header[0x200:0x202] = b"\xeb\x6e"
    header[0x270 : 0x270 + len(code)] = code
    header[0x290 : 0x290 + len(text) + 1] = text + b"\0"
    return bytes(header) + bytes(4096)
