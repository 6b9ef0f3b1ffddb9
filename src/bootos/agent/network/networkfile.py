"""Files for systemd-networkd (systemd.network(5), systemd.netdev(5)) from the command line's words. Pure.

A *port* is an interface that the server may be reached through: a card, or a VLAN on it. Called by `uplink`.
"""

from collections.abc import Sequence

import msgspec

from bootos.agent.network.addressing import Addressing, Words

PREFIX = "10-bootos-"
FIRST_METRIC = 100
METRIC_STEP = 10
SPARE_METRIC = 2000  # the route metric of ports that were not chosen


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """An interface that gets an address: on the card `card` itself, or on a VLAN of it."""

    name: str
    card: str
    addressing: Addressing
    vlan_id: int | None = None


def plan_ports(cards: Sequence[str], words: Words) -> list[Port]:
    """The ports of these cards, in order. A card with VLANs has an address of its own only if an `ip=` names it."""
    ports = []
    for card in cards:
        vlans = [item for item in words.vlans if item.parent in (None, card)]
        named = any(item.interface == card for item in words.addressing)
        if not vlans or named:
            ports.append(Port(name=card, card=card, addressing=find_addressing(card, words)))
        for vlan in vlans:
            name = vlan.name or f"{card}.{vlan.id}"
            ports.append(Port(name=name, card=card, addressing=find_addressing(name, words), vlan_id=vlan.id))
    return ports


def find_addressing(name: str, words: Words) -> Addressing:
    """What the words say of this interface: by its name, else for any, else DHCP. The last word counts."""
    for wanted in (name, None):
        for item in reversed(words.addressing):
            if item.interface == wanted:
                return item
    return Addressing()


def find_named_cards(words: Words) -> set[str]:
    """Cards that the words name, by themselves or as the place of a VLAN: they are tried first."""
    vlans = {item.name: item.parent for item in words.vlans if item.name and item.parent}
    named = {item.interface for item in words.addressing if item.interface}
    cards = {vlans.get(name, name.partition(".")[0]) for name in named}
    return cards | {item.parent for item in words.vlans if item.parent}


def plan_files(ports: Sequence[Port], chosen: str | None = None) -> dict[str, str]:
    """Name -> text of networkd's files. With `chosen`, the other ports get no routes beyond their own network, and
    its file stays as it was, so that networkd leaves it alone."""
    files = {}
    for card in dict.fromkeys(port.card for port in ports):
        vlans = [port.name for port in ports if port.card == card and port.vlan_id is not None]
        own = next((port for port in ports if port.name == card), None)
        position = ports.index(own) if own is not None else 0
        files[f"{PREFIX}{card}.network"] = build_network(card, own, position, chosen, vlans)
    for position, port in enumerate(ports):
        if port.vlan_id is not None:
            files[f"{PREFIX}{port.name}.netdev"] = build_vlan(port.name, port.vlan_id)
            files[f"{PREFIX}{port.name}.network"] = build_network(port.name, port, position, chosen, ())
    return files


def build_vlan(name: str, vlan_id: int) -> str:
    """Text of a `.netdev` file that makes the VLAN interface `name` (systemd.netdev(5))."""
    return f"[NetDev]\nName={name}\nKind=vlan\n\n[VLAN]\nId={vlan_id}\n"


def build_network(
    name: str, port: Port | None, position: int, chosen: str | None, vlans: Sequence[str]
) -> str:
    """One .network file. Without `port` the interface only carries VLANs. LLDP tells the switch port."""
    spare = chosen is not None and chosen != name
    metric = (SPARE_METRIC if spare else FIRST_METRIC) + METRIC_STEP * position
    addressing = port.addressing if port is not None else None
    lines = ["[Match]", f"Name={name}", ""]
    if addressing is not None and addressing.mtu:
        lines += ["[Link]", f"MTUBytes={addressing.mtu}", ""]
    lines += ["[Network]", "LLDP=yes", "LinkLocalAddressing=no", "IPv6AcceptRA=no"]
    lines += [f"VLAN={vlan}" for vlan in vlans]
    if addressing is None:
        lines += ["DHCP=no"]
    elif addressing.address is None:
        # The DHCP client id is the MAC, by which the server knows the machine. With another id the DHCP server would
        # give out a second address.
        lines += ["DHCP=ipv4", "", "[DHCPv4]", "ClientIdentifier=mac", f"RouteMetric={metric}"]
        lines += ["UseRoutes=no", "UseGateway=no"] if spare else ["UseDomains=yes"]
    elif spare:
        lines += ["DHCP=no"]  # a static address was tried on all cards, and stays on the chosen one only
    else:
        lines += ["DHCP=no", "", "[Address]", f"Address={addressing.address}", f"RouteMetric={metric}"]
        if addressing.gateway:
            lines += ["", "[Route]", f"Gateway={addressing.gateway}", "GatewayOnLink=yes", f"Metric={metric}"]
    return "\n".join(lines) + "\n"


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """Where names are looked up."""

    nameservers: tuple[str, ...] = ()
    search: str = ""


def parse_lease(lease: str) -> Names:
    """The name servers of a lease file of systemd-networkd (`DNS=`, `DOMAINNAME=`)."""
    values = dict(line.split("=", 1) for line in lease.splitlines() if "=" in line)
    return Names(nameservers=tuple(values.get("DNS", "").split()), search=values.get("DOMAINNAME", ""))


def merge_names(words: Words, port: Port, leased: Names) -> Names:
    """The command line's name servers before those of the lease."""
    found = (*words.nameservers, *port.addressing.nameservers, *leased.nameservers)
    return Names(nameservers=tuple(dict.fromkeys(found)), search=leased.search)


def build_resolv_conf(names: Names) -> str:
    """Text of /etc/resolv.conf (resolv.conf(5)): the search domains and at most three name servers."""
    lines = [f"search {names.search}"] if names.search else []
    # the resolver reads at most three
    lines += [f"nameserver {address}" for address in names.nameservers[:3]]
    return "".join(f"{line}\n" for line in lines)
