"""What the NICs of an inventory may say of themselves: MACs that are MACs, addresses that are addresses. Pure.

An inventory comes in without a login, and these values go on into files that shells, boot loaders and installers
read. Called by `inventory` for every one, whichever protocol brought it.
"""

import ipaddress
import re
from collections.abc import Iterator

import msgspec

from bootos.server.netboot.pxe_file import parse_mac
from bootos.wire.inventory import Inventory, Nic

SHOWN = 60  # how many characters of a wrong value the note repeats
ADDRESS = re.compile(r"[0-9A-Fa-f:./]{2,64}")


def is_address(text: str, *, with_prefix: bool = True) -> bool:
    """Whether this is an IPv4 or IPv6 address; `with_prefix`: `10.0.0.5/24` is one, too. A scope (`fe80::1%eth0`, RFC
    4007) is none: it may hold any character, and means something on the machine itself only."""
    try:
        return bool(
            ADDRESS.fullmatch(text)
            and (ipaddress.ip_interface(text) if with_prefix else ipaddress.ip_address(text))
        )
    except ValueError:
        return False


def drop_unsound_addresses(inventory: Inventory) -> Inventory:
    """The inventory as it may be stored: every NIC of it, each with the MACs and addresses that are such, in lower case
    with colons; for each value that was left out there is a note that names the NIC and the value."""
    nics, notes = list[Nic](), list(inventory.notes)
    for nic in inventory.nics:
        notes += describe_unsound(nic)
        permanent = parse_mac(nic.permanent_mac) if nic.permanent_mac else None
        addresses = [text for text in nic.addresses if is_address(text)]
        mac = parse_mac(nic.mac) or ""
        nics.append(msgspec.structs.replace(nic, mac=mac, permanent_mac=permanent, addresses=addresses))
    return msgspec.structs.replace(inventory, nics=nics, notes=notes)


def describe_unsound(nic: Nic) -> Iterator[str]:
    """A sentence for each value of the NIC that is not what it should be."""
    where = f"NIC {cut(nic.name)}"
    if nic.mac and parse_mac(nic.mac) is None:
        yield f"{where}: {cut(nic.mac)} is not the MAC address of a NIC and was left out"
    if nic.permanent_mac and parse_mac(nic.permanent_mac) is None:
        yield f"{where}: {cut(nic.permanent_mac)} is not the permanent MAC address of a NIC and was left out"
    for text in nic.addresses:
        if not is_address(text):
            yield f"{where}: {cut(text)} is not an address and was left out"


def cut(text: str) -> str:
    """The value in quotation marks, control characters escaped, not longer than a line takes."""
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "...")
