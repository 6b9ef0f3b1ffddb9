"""Network interfaces as the kernel has them, and the eth0 rule: the NIC that PXE used is called eth0.

`uplink.Network` calls this to name interfaces; which one is used to reach the server is decided there. Deciding
(`plan_renames`) is pure.
"""

import itertools
import json
import re
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.process import Runner

PXE_NAME = "eth0"
SWAP_NAME = "bootos-swap"


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """An Ethernet interface as the kernel has it now. `physical`: a card's own, not a VLAN or the like."""

    name: str
    mac: str
    carrier: bool
    address: str | None = None  # 10.0.2.15/24
    index: int = 0
    physical: bool = True


def read_interfaces(run: Runner, root: Path = Path("/")) -> list[Interface]:
    """All Ethernet interfaces by name; virtual functions of a card are left out. Raises ToolError, ValueError."""
    shown = json.loads(run(["ip", "-j", "addr", "show"], timeout_s=10).stdout or "[]")
    found = []
    for link in shown:
        name = link.get("ifname", "")
        device = root / "sys/class/net" / name / "device"
        if link.get("link_type") != "ether" or (device / "physfn").exists():
            continue
        addresses = [
            f"{item['local']}/{item['prefixlen']}"
            for item in link.get("addr_info", [])
            if item.get("family") == "inet" and item.get("scope") == "global"
        ]
        found.append(
            Interface(
                name=name,
                mac=link.get("address", "").lower(),
                carrier="LOWER_UP" in link.get("flags", []),
                address=addresses[0] if addresses else None,
                index=link.get("ifindex", 0),
                physical=device.exists(),
            )
        )
    return sorted(found, key=lambda item: natural_key(item.name))


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sort eth2 before eth10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def plan_renames(interfaces: list[Interface], pxe_mac: str) -> list[tuple[str, str]]:
    """(old, new) pairs, in order, that make the interface with `pxe_mac` eth0; the others keep their order. Renames
    that were begun and not ended are taken up where they are.

    Raises BootosError when no interface has that address.
    """
    chosen = next((item for item in interfaces if item.mac == pxe_mac), None)
    if chosen is None:
        listed = ", ".join(f"{item.name} {item.mac}" for item in interfaces) or "none"
        raise BootosError(f"no network interface has the PXE address {pxe_mac} (there are: {listed})")
    names = {item.name for item in interfaces}
    renames = []
    if chosen.name != PXE_NAME:
        if PXE_NAME in names:
            renames.append((PXE_NAME, SWAP_NAME))
            names.add(SWAP_NAME)
        renames.append((chosen.name, PXE_NAME))
        names = names - {chosen.name} | {PXE_NAME}
    if SWAP_NAME in names:
        free = (f"eth{number}" for number in itertools.count() if f"eth{number}" not in names)
        renames.append((SWAP_NAME, chosen.name if chosen.name != PXE_NAME else next(free)))
    return renames


def apply_renames(run: Runner, renames: list[tuple[str, str]]) -> None:
    """Rename interfaces; each is taken down first, as the kernel asks."""
    for old, new in renames:
        run(["ip", "link", "set", "dev", old, "down"], timeout_s=10)
        run(["ip", "link", "set", "dev", old, "name", new], timeout_s=10)
