"""Which switch port each NIC is plugged into (IEEE 802.1AB), as systemd-networkd heard it.

Called by `inventory.collect_inventory`. Switches announce every 30 s, so at boot there may be none yet.
"""

import json
from typing import Any

from bootos.hardware.tree import Tree
from bootos.process import Runner
from bootos.wire.inventory import LldpNeighbour

TIMEOUT_S = 30.0


def has_networkd(tree: Tree) -> bool:
    """Whether systemd-networkd is there to ask."""
    return tree.exists("run/systemd/netif/io.systemd.Network")


def read_neighbours(run: Runner) -> dict[str, LldpNeighbour]:
    """The neighbour of each interface that has one. Raises ToolError, ValueError."""
    argv = ["networkctl", "lldp", "--json=short", "--no-pager"]
    return parse_networkctl_lldp(run(argv, timeout_s=TIMEOUT_S).stdout)


def parse_networkctl_lldp(text: str) -> dict[str, LldpNeighbour]:
    """`networkctl lldp --json` (systemd 256 and later): per interface the first neighbour."""
    data = json.loads(text) if text.strip() else {}
    found = {}
    for interface in _list_rows(data):
        name, neighbours = interface.get("InterfaceName"), _list_rows(interface)
        if not name or not neighbours:
            continue
        first = neighbours[0]
        found[name] = LldpNeighbour(
            chassis_id=first.get("ChassisID") or None,
            system_name=first.get("SystemName") or None,
            port_id=first.get("PortID") or None,
            port_description=first.get("PortDescription") or None,
            vlan=_read_vlan(first.get("VlanID")),
        )
    return found


def _list_rows(data: Any) -> list[dict[str, Any]]:
    rows = data.get("Neighbors") if isinstance(data, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _read_vlan(value: Any) -> int | None:
    said = str(value)
    return int(said) or None if said.isdigit() else None
