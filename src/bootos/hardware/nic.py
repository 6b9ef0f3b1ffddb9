"""Physical network interfaces: sysfs, with `ip` and `ethtool` for what sysfs does not tell.

Called by `inventory.collect_inventory`. Bridges, bonds, VLANs and virtual functions are not NICs. The link and
its speed are known only while the interface is up: the agent brings all up before it reads.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from bootos.hardware.pci import find_address_chain
from bootos.hardware.tree import Tree
from bootos.process import Runner, ToolError
from bootos.wire.inventory import Nic

TIMEOUT_S = 30.0
_ETHERNET = "1"  # ARPHRD_ETHER
_PERMANENT = "0"  # addr_assign_type 0 is NET_ADDR_PERM: the address is that of the hardware
_LINK_LOCAL = "link"


def read_nics(tree: Tree) -> list[Nic]:
    """All physical Ethernet interfaces by name (the one that booted is eth0), from sysfs alone."""
    nics = []
    for name in tree.names("sys/class/net"):
        place = f"sys/class/net/{name}"
        mac = tree.read(f"{place}/address")
        if mac is None or not tree.exists(f"{place}/device") or tree.exists(f"{place}/device/physfn"):
            continue
        if tree.read(f"{place}/type") != _ETHERNET:
            continue
        chain = find_address_chain(tree.resolve(f"{place}/device"))
        speed = tree.read_int(f"{place}/speed")
        carrier = tree.read(f"{place}/carrier")
        nics.append(
            Nic(
                name=name,
                mac=mac.lower(),
                permanent_mac=mac.lower() if tree.read(f"{place}/addr_assign_type") == _PERMANENT else None,
                driver=tree.target_name(f"{place}/device/driver/module")
                or tree.target_name(f"{place}/device/driver"),
                speed_mbps=speed if speed is not None and speed > 0 else None,
                link={"0": False, "1": True}.get(carrier or ""),
                pci_address=chain[-1] if chain else None,
            )
        )
    return nics


class Link(NamedTuple):
    """What `ip -d addr` says of one interface. `permanent_mac` None: the same as the present one, or unknown."""

    permanent_mac: str | None
    addresses: list[str]


def read_links(run: Runner) -> dict[str, Link]:
    """All interfaces by name, with one call of `ip`. Raises ToolError, ValueError."""
    return parse_ip_addr(run(["ip", "-j", "-d", "addr", "show"], timeout_s=TIMEOUT_S).stdout)


def parse_ip_addr(text: str) -> dict[str, Link]:
    """`ip -j -d addr`; link-local addresses are left out."""
    links = {}
    for entry in json.loads(text):
        if not entry.get("ifname"):
            continue
        addresses = [
            f"{info['local']}/{info['prefixlen']}"
            for info in entry.get("addr_info", [])
            if info.get("scope") != _LINK_LOCAL and "local" in info
        ]
        permanent = entry.get("permaddr")
        links[entry["ifname"]] = Link(permanent.lower() if permanent else None, addresses)
    return links


def read_firmware(name: str, run: Runner) -> str | None:
    """The NIC's firmware version. Raises ToolError."""
    return parse_ethtool_info(run(["ethtool", "-i", name], timeout_s=TIMEOUT_S).stdout)


def parse_ethtool_info(text: str) -> str | None:
    """`firmware-version` of `ethtool -i`; drivers without one print nothing or N/A."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() == "firmware-version":
            value = value.strip()
            return value if value not in ("", "N/A", "n/a") else None
    return None


def read_permanent_mac(name: str, run: Runner) -> str | None:
    """The MAC in the NIC's own memory. Raises ToolError."""
    try:
        return parse_ethtool_permanent(run(["ethtool", "-P", name], timeout_s=TIMEOUT_S).stdout)
    except ToolError as error:
        if error.completed is not None:  # ethtool ran and failed: the interface has no permanent address
            return None
        raise


def parse_ethtool_permanent(text: str) -> str | None:
    """`Permanent address: 52:54:00:12:34:56`; all zero and `not set` mean none."""
    mac = text.partition("Permanent address:")[2].strip().lower()
    return mac if mac and set(mac) - set("0:") and " " not in mac else None


def mark_pxe(nics: Sequence[Nic], pxe_mac: str | None) -> None:
    """Set `is_pxe` on the interface that booted the machine."""
    wanted = pxe_mac.lower().replace("-", ":") if pxe_mac else None
    for nic in nics:
        nic.is_pxe = wanted is not None and wanted in (nic.mac, nic.permanent_mac)
