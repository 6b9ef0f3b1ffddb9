"""The FRU inventory and the sensor record a lab BMC holds: bytes, built from the machine's identity.

Pure; `bmc.Bmc` writes them to files that `ipmi_sim` loads. Formats: IPMI Platform Management FRU Information
Storage Definition 1.3; IPMI 2.0 section 43.1 (full sensor record).
"""

from bootos.lab.spec import Identity

FRU_BYTES = 512
TEMPERATURE_SENSOR = 1


def build_fru(identity: Identity) -> bytes:
    """Common header, chassis, board and product area, padded to FRU_BYTES."""
    chassis = _area(bytes((1, 0, 0x17)), [identity.sku, identity.chassis_serial or identity.serial])
    board = _area(
        bytes((1, 0, 25, 0, 0, 0)),
        [
            identity.board_vendor or identity.vendor,
            identity.board_product or identity.product,
            identity.board_serial or identity.serial,
            identity.board_version,
            "",
        ],
    )
    product = _area(
        bytes((1, 0, 25)),
        [
            identity.vendor,
            identity.product,
            identity.sku,
            identity.version,
            identity.serial,
            identity.asset_tag,
            "",
        ],
    )
    offsets = [8, 8 + len(chassis), 8 + len(chassis) + len(board)]
    header = bytes((1, 0, *(offset // 8 for offset in offsets), 0, 0))
    content = header + bytes((-sum(header) & 0xFF,)) + chassis + board + product
    return content.ljust(FRU_BYTES, b"\0")


def _area(head: bytes, fields: list[str]) -> bytes:
    """An area: head with its length in the second byte, typed strings, end mark, padding, checksum."""
    body = bytearray(head)
    for text in fields:
        raw = text.encode("latin-1", errors="replace")[:63]
        # A field of one character would begin with 0xC1, which is the end of the fields: so it gets a blank.
        raw = raw + b" " if len(raw) == 1 else raw
        body += bytes((0xC0 | len(raw),)) + raw if raw else b"\0"
    body += b"\xc1"
    body += bytes(-(len(body) + 1) % 8)
    body[1] = (len(body) + 1) // 8
    return bytes(body) + bytes((-sum(body) & 0xFF,))


def build_temperature_record() -> bytes:
    """A full sensor record for the one temperature sensor, in whole degrees Celsius."""
    name = b"Inlet Temp"
    body = bytes((0x20, 0x00, TEMPERATURE_SENSOR))  # owner, LUN, number
    body += bytes((0x07, 0x01))  # entity: system board 1
    body += bytes((0x7F, 0x68, 0x01, 0x01))  # initialisation, capabilities, temperature, threshold
    body += bytes((0x00, 0x00, 0x00, 0x00, 0x38, 0x38))  # event and threshold masks
    body += bytes((0x00, 0x01, 0x00))  # units: unsigned, degrees C
    body += bytes((0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00))  # linear, M=1, B=0, accuracy, exponents
    body += bytes((0x07, 23, 35, 10, 0xFF, 0x00))  # nominal, normal max and min, sensor max and min
    body += bytes((60, 50, 45, 0, 0, 0))  # upper and lower thresholds
    body += bytes((1, 1, 0, 0, 0, 0xC0 | len(name))) + name
    return bytes((0, 0, 0x51, 0x01, len(body))) + body
