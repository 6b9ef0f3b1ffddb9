"""What a Redfish service says of its BMC: accounts, network port, how the system boots. For `oob.redfish`."""

from typing import Any

from bootos.drivers.oob.bmc import Lan
from bootos.drivers.oob.redfishstate import Account, Boot, BootEntry, Interface
from bootos.drivers.redfish.client import Client
from bootos.drivers.redfish.reply import read_link
from bootos.wire.inventory import Inventory

FIRST_FREE_SLOT = 2  # iDRAC's account 1 cannot be used
_FORMS = ("DHCPv4", "IPv4StaticAddresses", "VLAN")
_SOURCES = {"static": "static", "dhcp": "dhcp", "bootp": "dhcp"}


def is_reserved(account: Account) -> bool:
    """Whether it is a slot that no account can have."""
    return account.id.isdigit() and int(account.id) < FIRST_FREE_SLOT


def find_action(body: dict[str, Any], name: str) -> dict[str, Any]:
    """An action that a resource offers (`#Manager.Reset`); empty when it does not."""
    actions = body.get("Actions")
    found = actions.get(name) if isinstance(actions, dict) else None
    return found if isinstance(found, dict) else {}


def takes_accounts(client: Client, service: dict[str, Any]) -> bool:
    """Whether accounts can be created; a service that does not say so is taken to. Raises RedfishError."""
    path = read_link(service, "Accounts")
    found = client.find(path) if path else None
    return found is None or not found.allow or "POST" in found.allow


def find_interface(bodies: list[dict[str, Any]], inventory: Inventory) -> Interface | None:
    """The BMC's own port: the one IPMI knows (by MAC, by address), else the one that is up and does not lead into
    this machine."""
    bmc = inventory.bmc
    for key, known in (
        ("MACAddress", bmc.mac if bmc else None),
        ("PermanentMACAddress", bmc.mac if bmc else None),
    ):
        for body in bodies:
            if known is not None and str(body.get(key, "")).lower() == known.lower():
                return parse_interface(body)
    inside = bmc.redfish.service_address if bmc is not None and bmc.redfish is not None else None
    ports = [
        body
        for body in bodies
        if not read_link(body, "Links", "HostInterface")
        and parse_interface(body).lan.address != (inside or "-")
        and not any(word in str(body.get("Id", "")).lower() for word in ("tohost", "usb", "host"))
    ]

    def rank(body: dict[str, Any]) -> tuple[bool, bool, bool]:
        known = bool(bmc and bmc.address) and parse_interface(body).lan.address == (
            bmc.address if bmc else None
        )
        return (
            not known,
            body.get("InterfaceEnabled") is False,
            body.get("LinkStatus") in ("LinkDown", "NoLink"),
        )

    return parse_interface(min(ports, key=rank)) if ports else None


def parse_interface(body: dict[str, Any]) -> Interface:
    """An EthernetInterface as the LAN of a BMC. Link-local addresses stand beside the real one and are passed over."""
    listed = [
        item for item in body.get("IPv4Addresses") or () if isinstance(item, dict) and item.get("Address")
    ]
    listed.sort(key=lambda item: str(item.get("AddressOrigin")) == "IPv4LinkLocal")
    first = listed[0] if listed else {}
    origin = str(first.get("AddressOrigin") or "").lower()
    dhcp = body.get("DHCPv4")
    enabled = dhcp.get("DHCPEnabled") if isinstance(dhcp, dict) else None
    source = _SOURCES.get(origin, "other")
    # DHCPEnabled is what was asked for; the address may still have another origin
    if isinstance(enabled, bool):
        source = "dhcp" if enabled else "static"
    vlan = body.get("VLAN")
    on = isinstance(vlan, dict) and vlan.get("VLANEnable")
    number = vlan.get("VLANId") if isinstance(vlan, dict) else None
    return Interface(
        path=str(body.get("@odata.id", "")),
        name=str(body.get("Id") or body.get("Name") or ""),
        lan=Lan(
            source=source,
            address=str(first.get("Address") or ""),
            netmask=str(first.get("SubnetMask") or ""),
            gateway=str(first.get("Gateway") or ""),
            vlan=number if on and isinstance(number, int) else 0,
        ),
        forms=tuple(key for key in _FORMS if isinstance(body.get(key), (dict, list))),
    )


def read_boot(client: Client, system: dict[str, Any]) -> Boot:
    """How the system boots, with the names of its boot entries. Raises RedfishError."""
    boot = system.get("Boot")
    if not isinstance(boot, dict):
        return Boot()
    options = read_link(boot, "BootOptions")
    entries: list[BootEntry] = []
    if options and boot.get("BootOrder"):
        for body in client.get_members(options):
            reference = str(body.get("BootOptionReference") or body.get("Id") or "")
            entries.append(BootEntry(reference=reference, title=str(body.get("DisplayName") or "")))
    return Boot(
        override=str(boot.get("BootSourceOverrideTarget") or ""),
        when=str(boot.get("BootSourceOverrideEnabled") or ""),
        allowed=tuple(map(str, boot.get("BootSourceOverrideTarget@Redfish.AllowableValues") or ())),
        whens=tuple(map(str, boot.get("BootSourceOverrideEnabled@Redfish.AllowableValues") or ())),
        order=tuple(map(str, boot.get("BootOrder") or ())),
        entries=tuple(entries),
    )


def read_accounts(client: Client, service: dict[str, Any]) -> tuple[list[Account], tuple[str, ...], str]:
    """(accounts and free slots, the names of the roles, the path of the collection). Raises RedfishError."""
    collection, roles = read_link(service, "Accounts"), read_link(service, "Roles")
    names = (
        tuple(str(role.get("RoleId") or role.get("Id")) for role in client.get_members(roles))
        if roles
        else ()
    )
    accounts: list[Account] = []
    for body in client.get_members(collection) if collection else ():
        enabled = body.get("Enabled")
        accounts.append(
            Account(
                path=str(body.get("@odata.id", "")),
                id=str(body.get("Id", "")),
                name=str(body.get("UserName") or ""),
                role=str(body.get("RoleId") or ""),
                enabled=enabled if isinstance(enabled, bool) else None,
            )
        )
    return accounts, names, collection
