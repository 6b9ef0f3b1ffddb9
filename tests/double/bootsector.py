"""What a BIOS boots, as small as can be: it writes a line to the serial port and stops; on a disk or a CD."""

_SECTOR_BYTES = 2048


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
