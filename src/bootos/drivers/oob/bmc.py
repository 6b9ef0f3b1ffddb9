"""What a BMC says, by ipmitool, as values; and what of it differs from the template. Pure; used by `ipmi`."""

import ipaddress

import msgspec

from bootos.drivers.contract import Change
from bootos.template.model import OobNetwork

SHORT_BYTES, LONG_BYTES = 16, 20  # sizes of a stored password; 20 bytes exist since IPMI 2.0


class Lan(msgspec.Struct, frozen=True, kw_only=True):
    """What `ipmitool lan print` tells. `source`: static, dhcp, bios, other. `vlan` 0: none."""

    source: str = ""
    address: str = ""
    netmask: str = ""
    gateway: str = ""
    vlan: int = 0


class User(msgspec.Struct, frozen=True, kw_only=True):
    """One user slot. `enabled` None: the BMC does not tell."""

    slot: int
    name: str
    messaging: bool
    privilege: str
    enabled: bool | None = None


def build_password_request(slot: int, operation: int, password: str, size: int) -> list[int]:
    """Set User Password (IPMI 2.0, 22.30): `operation` 2 sets, 3 tests; bit 7 of the slot asks for 20 bytes."""
    padded = password.encode().ljust(size, b"\0")
    return [0x06, 0x47, slot | (0x80 if size == LONG_BYTES else 0), operation, *padded]


def parse_fields(text: str) -> dict[str, str]:
    """`Name : value` lines, names in lower case; lines that go on (an empty name) are left out."""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    fields: dict[str, str] = {}
    for key, value in pairs:
        if key.strip():
            fields.setdefault(key.strip().lower(), value.strip())
    return fields


def parse_lan(text: str) -> Lan:
    """`ipmitool lan print`."""
    fields = parse_fields(text)
    source = fields.get("ip address source", "").lower()
    words = {"static": "static", "dhcp": "dhcp", "bios": "bios"}
    vlan = fields.get("802.1q vlan id", "")
    return Lan(
        source=next((value for word, value in words.items() if word in source), "other"),
        address=fields.get("ip address", ""),
        netmask=fields.get("subnet mask", ""),
        gateway=fields.get("default gateway ip", ""),
        vlan=int(vlan) if vlan.isdigit() else 0,
    )


def parse_access(text: str) -> bool:
    """Whether `ipmitool channel info` says that the channel takes sessions while the system runs."""
    return parse_fields(text).get("access mode", "always available") in ("always available", "shared")


def parse_users(text: str) -> list[User]:
    """`ipmitool -c user list`: id, name, callin, link, messaging, privilege. A name may hold a comma."""
    users: list[User] = []
    for line in text.splitlines():
        head, *rest = line.rsplit(",", 4)
        slot, comma, name = head.partition(",")
        if len(rest) != 4 or not comma or not slot.strip().isdigit():
            continue
        name = "" if name.strip().lower() in ("(empty user)", "(empty)", "empty") else name.strip()
        users.append(User(slot=int(slot), name=name, messaging=rest[2] == "true", privilege=rest[3].strip()))
    return users


def parse_enabled(text: str) -> bool | None:
    """`ipmitool channel getaccess CHANNEL USER`."""
    return {"enabled": True, "disabled": False}.get(parse_fields(text).get("enable status", ""))


def compare_lan(found: Lan, wanted: OobNetwork) -> list[Change]:
    """What differs; with DHCP the address is not ours to compare."""
    pairs: list[tuple[str, str, str]] = [("source", found.source, wanted.source)]
    if wanted.source == "static" and wanted.address is not None:
        interface = ipaddress.IPv4Interface(wanted.address)
        pairs.append(("address", found.address, str(interface.ip)))
        pairs.append(("netmask", found.netmask, str(interface.netmask)))
        if wanted.gateway is not None:
            pairs.append(("gateway", found.gateway, wanted.gateway))
    if wanted.vlan is not None:
        pairs.append(("VLAN", str(found.vlan or "none"), str(wanted.vlan or "none")))
    return [
        Change(what=f"BMC {what}", before=before, after=after)
        for what, before, after in pairs
        if before != after
    ]
