"""Partition types by name: what a template writes, and the GPT GUID or MBR code it means.

GUIDs: UEFI specification and the Discoverable Partitions Specification; codes: the usual MBR ids.
"""

import re
import uuid

from bootos.template.model import Partition, Table

# Each name, with (GPT GUID, MBR code or None).
TYPES: dict[str, tuple[str, str | None]] = {
    "linux": ("0FC63DAF-8483-4772-8E79-3D69D8477DE4", "83"),
    "efi": ("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "ef"),
    "swap": ("0657FD6D-A4AB-43C4-84E5-0933C84B4F4F", "82"),
    "raid": ("A19D880F-05FC-4D3B-A006-743F0F84911E", "fd"),
    "lvm": ("E6D6D379-F507-44C2-A23C-238F2A3DF928", "8e"),
    "bios-boot": ("21686148-6449-6E6F-744E-656564454649", None),
    "boot": ("BC13C2FF-59E6-4262-A352-B275FD6F7172", "ea"),
    "root-x86-64": ("4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", None),
    "root-arm64": ("B921B045-1DF0-41C3-AF44-4C6F280D3FAE", None),
    "home": ("933AC7E1-2EB4-4F13-B844-0E14E2AEF915", None),
    "srv": ("3B8F8425-20E0-4F3B-907F-1A25A76F98E8", None),
    "var": ("4D21B016-B534-45C2-A9FB-5C16E091FD2D", None),
    "windows": ("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "07"),
    "windows-reserved": ("E3C9E316-0B5C-4DB8-817D-F92DF00215AE", None),
    "fat32": ("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "0c"),
    "vmware": ("AA31E02A-400F-11DB-9590-000C2911D1B8", "fb"),
    "prep": ("9E1A2D38-C612-4316-AA26-8B49521E5A8B", "41"),
}

# Each name, with sfdisk's word (UEFI 2.10, table 5.8; bits 60 to 63 of Microsoft's basic data partitions).
ATTRIBUTES = {
    "required": "RequiredPartition",
    "no-block-io": "NoBlockIOProtocol",
    "read-only": "GUID:60",
    "hidden": "GUID:62",
    "no-automount": "GUID:63",
}

EXTENDED = {"05", "0f", "85"}

_CODE = re.compile(r"^(?:0x)?([0-9A-Fa-f]{1,2})$")


def wanted_type(part: Partition) -> str:
    """The type that a partition of a template has, as its name."""
    return part.type or ("lvm" if part.volume_group is not None else "linux")


def read_type(text: str, table: Table) -> str:
    """The GUID (upper case) or two-digit code (lower case) that `text` means. Raises ValueError."""
    known = TYPES.get(text.lower())
    if table is Table.GPT:
        if known:
            return known[0]
        try:
            return str(uuid.UUID(text)).upper()
        except ValueError:
            names = ", ".join(TYPES)
            raise ValueError(f"{text!r} is not a partition type: use a GUID or one of {names}") from None
    if known:
        if known[1] is None:
            raise ValueError(f"{text!r} exists in GPT only")
        return known[1]
    code = _CODE.match(text)
    if not code:
        names = ", ".join(name for name, (_, mbr) in TYPES.items() if mbr)
        raise ValueError(f"{text!r} is not an MBR type: use a code like 83 or one of {names}")
    digits = code.group(1).lower().zfill(2)
    if digits in EXTENDED:
        raise ValueError("extended and logical partitions are not made: use table: gpt for more than four")
    if digits == "00":
        raise ValueError("type 00 means an empty slot")
    return digits


def find_type_name(value: str) -> str:
    """The name for a GUID or code, for messages; the value itself when it has none."""
    for name, (guid, code) in TYPES.items():
        if value.upper() == guid or value.lower() == code:
            return name
    return value
