"""The kernel command line's words about addresses: `ip=`, `nameserver=`, `vlan=` and `VLAN=`. Pure.

The syntax is the kernel's and dracut's (Documentation/admin-guide/nfs/nfsroot.rst; dracut.cmdline(7)), as far as it
is about IPv4. A word that cannot be used is a problem that names it, and is then left out. Called by `cmdline`.
"""

import ipaddress
import re
from collections.abc import Iterable

import msgspec

from bootos.errors import Problems

DHCP = frozenset({"dhcp", "on", "any"})
STATIC = frozenset({"", "none", "off", "static"})
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")
FORM = "ip=ADDRESS::GATEWAY:NETMASK::INTERFACE:none[:DNS[:DNS]]"


class Addressing(msgspec.Struct, frozen=True, kw_only=True):
    """How an interface gets its address; `interface` None: any. `address` None: by DHCP."""

    interface: str | None = None
    address: str | None = None  # 10.0.2.15/24
    gateway: str | None = None
    nameservers: tuple[str, ...] = ()
    mtu: int | None = None


class Vlan(msgspec.Struct, frozen=True, kw_only=True):
    """A tagged network; `parent` None: on every card that is tried. `name` None: `<card>.<id>`."""

    id: int
    parent: str | None = None
    name: str | None = None


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """All that the command line says about addresses."""

    addressing: tuple[Addressing, ...] = ()
    nameservers: tuple[str, ...] = ()
    vlans: tuple[Vlan, ...] = ()


class _WrongWord(Exception):
    """What is wrong with a word."""


def parse_words(words: Iterable[tuple[str, str]], problems: Problems) -> Words:
    """Read every word about addresses; what cannot be used is added to `problems`."""
    addressing: list[Addressing] = []
    nameservers: list[str] = []
    vlans: list[Vlan] = []
    for key, value in words:
        try:
            if key == "ip":
                addressing.append(_parse_ip(value))
            elif key == "nameserver":
                nameservers.append(_parse_address(value, "the name server"))
            elif key == "vlan":
                vlans.append(_parse_vlan(value))
            elif key == "VLAN":
                vlans.append(Vlan(id=_parse_vlan_id(value)))
        except _WrongWord as wrong:
            problems.complain(key, f"{key}={value}: {wrong}; the word is left out")
    return Words(addressing=tuple(addressing), nameservers=tuple(nameservers), vlans=tuple(vlans))


def _parse_ip(value: str) -> Addressing:
    if "[" in value or "dhcp6" in value or "auto6" in value:
        raise _WrongWord("only IPv4 is supported")
    fields = value.split(":")
    if len(fields) == 1 and value in DHCP:
        return Addressing()
    if len(fields) == 2 and fields[1] in DHCP:
        return Addressing(interface=_parse_name(fields[0]))
    if len(fields) == 1 and value in STATIC:
        raise _WrongWord(f"it gives no address; give {FORM}, or ip=dhcp")
    fields += [""] * (9 - len(fields))
    client, _peer, gateway, netmask, _hostname, name, method = fields[:7]
    interface = _parse_name(name) if name else None
    if method in DHCP:
        return Addressing(interface=interface)
    if method not in STATIC:
        raise _WrongWord(f"{method!r} is no way to get an address (dhcp, none)")
    if not client:
        raise _WrongWord(f"it gives no address; the form is {FORM}")
    address = _parse_address(client, "the address")
    nameservers, mtu = [], None
    if fields[7].isdigit():  # dracut's form has MTU and MAC here, other forms have name servers
        mtu = int(fields[7])
    else:
        nameservers = [_parse_address(text, "a name server") for text in fields[7:9] if text]
    return Addressing(
        interface=interface,
        address=f"{address}/{_parse_netmask(netmask)}",
        gateway=_parse_address(gateway, "the gateway") if gateway else None,
        nameservers=tuple(nameservers),
        mtu=mtu,
    )


def _parse_address(text: str, what: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise _WrongWord(f"{what} {text!r} is not an IPv4 address") from None


def _parse_netmask(text: str) -> int:
    """The length of the prefix, from 255.255.255.0 or 24."""
    if not text:
        raise _WrongWord(f"it gives no netmask; the form is {FORM}")
    try:
        network = ipaddress.IPv4Network(f"0.0.0.0/{text}")
    except ValueError:
        raise _WrongWord(f"the netmask {text!r} is not one") from None
    if "." in text and str(network.netmask) != text:  # ipaddress would read 0.0.0.255 as a host mask
        raise _WrongWord(f"the netmask {text!r} is not one")
    return network.prefixlen


def _parse_name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise _WrongWord(f"{text!r} is not the name of an interface")
    return text


def _parse_vlan(value: str) -> Vlan:
    """dracut's `vlan=NAME:CARD`: eth0.100, vlan100, vlan0100."""
    name, colon, parent = value.partition(":")
    digits = re.search(r"(?<!\d)(\d+)$", name)
    if not colon or digits is None:
        raise _WrongWord("the form is vlan=eth0.100:eth0")
    return Vlan(id=_parse_vlan_id(digits[1]), parent=_parse_name(parent), name=_parse_name(name))


def _parse_vlan_id(text: str) -> int:
    if not re.fullmatch(r"\d{1,4}", text) or not 1 <= int(text) <= 4094:
        raise _WrongWord(f"{text!r} is not a VLAN number (1 to 4094)")
    return int(text)
