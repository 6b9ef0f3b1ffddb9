"""What a Redfish service says of its BMC: accounts, network port, how the system boots. For `oob.redfish`."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from bootos.drivers.oob.bmc import Lan
from bootos.drivers.oob.redfishstate import Account, Boot, BootEntry, Interface, PowerPolicy
from bootos.drivers.redfish.client import ROOT, Client
from bootos.drivers.redfish.reply import read_int, read_link, read_links, read_objects, read_texts
from bootos.wire.inventory import Inventory

FIRST_FREE_SLOT = 2  # iDRAC's account 1 cannot be used
ROLES = {
    "administrator": ("Administrator", "Admin", "admin"),  # those in lower case are Cisco's
    "operator": ("Operator", "user"),
    "user": ("ReadOnly", "ReadOnlyUser", "User", "readonly"),
    "none": ("None", "NoAccess"),
}
_ADMINISTRATORS_ALONE = ("UserConfigPriv", "iLOConfigPriv", "SystemRecoveryConfigPriv")
_FORMS = ("DHCPv4", "IPv4StaticAddresses", "VLAN")
_POLICIES = {"on": "AlwaysOn", "off": "AlwaysOff", "last": "LastState"}
_SOURCES = {"static": "static", "dhcp": "dhcp", "bootp": "dhcp"}


def is_reserved(account: Account) -> bool:
    """Whether it is a slot that no account can have."""
    number = read_int(account.id)
    return number is not None and number < FIRST_FREE_SLOT


def find_action(body: dict[str, Any], name: str) -> dict[str, Any]:
    """An action that a resource offers (`#Manager.Reset`); empty when it does not."""
    actions = body.get("Actions")
    found = actions.get(name) if isinstance(actions, dict) else None
    return found if isinstance(found, dict) else {}


def read_interface(
    client: Client, path: str, inventory: Inventory
) -> tuple[Interface | None, tuple[str, ...]]:
    """The BMC's own port, and those that the service lists and does not show. Raises RedfishError."""
    collection = client.look(path) if path else None
    links = read_links(collection.body.get("Members") if collection is not None else None)
    found = {link: client.look(link) for link in links}
    bodies = [reply.body for reply in found.values() if reply is not None]
    return find_interface(bodies, inventory), tuple(link for link, reply in found.items() if reply is None)


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
                return msgspec.structs.replace(parse_interface(body), is_known=True)
    inside = bmc.redfish.service_address if bmc is not None and bmc.redfish is not None else None
    ports = [
        body
        for body in bodies
        if not read_link(body, "Links", "HostInterface")
        and parse_interface(body).lan.address != (inside or "-")
        and not any(word in str(body.get("Id", "")).lower() for word in ("tohost", "usb", "host"))
    ]

    def is_known(body: dict[str, Any]) -> bool:
        return bool(bmc and bmc.address) and parse_interface(body).lan.address == (
            bmc.address if bmc else None
        )

    def rank(body: dict[str, Any]) -> tuple[bool, bool, bool]:
        return (
            not is_known(body),
            body.get("InterfaceEnabled") is False,
            body.get("LinkStatus") in ("LinkDown", "NoLink"),
        )

    if not ports:
        return None
    own = min(ports, key=rank)
    return msgspec.structs.replace(parse_interface(own), is_known=is_known(own))


def parse_interface(body: dict[str, Any]) -> Interface:
    """An EthernetInterface as the LAN of a BMC. Link-local addresses stand beside the real one and are passed over."""
    listed = [item for item in read_objects(body.get("IPv4Addresses")) if item.get("Address")]
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


def read_power_policy(client: Client, system: dict[str, Any]) -> PowerPolicy | None:
    """Where the service has it: at the system (DSP0268), where an iLO tells it as its own, or at a chassis' power
    supply (Lenovo's XCC). Raises RedfishError."""
    if system.get("PowerRestorePolicy") is not None:
        return PowerPolicy(
            path=str(system.get("@odata.id", "")),
            keys=("PowerRestorePolicy",),
            value=str(system["PowerRestorePolicy"]),
            words=_POLICIES,
        )
    told = system.get("Oem")
    hpe = told.get("Hpe") if isinstance(told, dict) else None
    if isinstance(hpe, dict) and hpe.get("PowerAutoOn") is not None:
        return PowerPolicy(
            path=str(system.get("@odata.id", "")),
            keys=("Oem", "Hpe", "PowerAutoOn"),
            value=str(hpe["PowerAutoOn"]),
            words={"on": "PowerOn", "off": "RemainOff", "last": "Restore"},
            read_only=True,
        )
    for chassis in _list_chassis(client, system):
        found = client.look(chassis)
        for key in ("Power", "PowerSubsystem"):
            path = read_link(found.body, key) if found is not None else ""
            power = client.look(path) if path else None
            policy = _find_own_policy(path, power.body) if power is not None else None
            if policy is not None:
                return policy
    return None


def _list_chassis(client: Client, system: dict[str, Any]) -> list[str]:
    """Those that the system is in, else all."""
    links = system.get("Links")
    own = read_links(links.get("Chassis")) if isinstance(links, dict) else []
    collection = read_link(client.get(ROOT).body, "Chassis") if not own else ""
    listed = client.look(collection) if collection else None
    return own or read_links(listed.body.get("Members") if listed is not None else None)


def _find_own_policy(path: str, power: dict[str, Any]) -> PowerPolicy | None:
    """A maker's own property of a power supply: Lenovo's, at `Power` and at its successor."""
    oem = power.get("Oem")
    for maker, part in oem.items() if isinstance(oem, dict) else ():
        if isinstance(part, dict) and part.get("PowerRestorePolicy") is not None:
            return PowerPolicy(
                path=path,
                keys=("Oem", maker, "PowerRestorePolicy"),
                value=str(part["PowerRestorePolicy"]),
                words=_POLICIES | {"last": "Restore"},
            )
    return None


def read_boot(client: Client, system: dict[str, Any]) -> Boot:
    """How the system boots, with the names of its boot entries. Raises RedfishError."""
    boot = system.get("Boot")
    if not isinstance(boot, dict):
        return Boot()
    options, listed = read_link(boot, "BootOptions"), boot.get("BootOrder")
    order = read_texts(listed)
    entries: list[BootEntry] = []
    if options and listed:
        for body in client.get_members(options):
            reference = str(body.get("BootOptionReference") or body.get("Id") or "")
            entries.append(BootEntry(reference=reference, title=str(body.get("DisplayName") or "")))
    return Boot(
        override=str(boot.get("BootSourceOverrideTarget") or ""),
        when=str(boot.get("BootSourceOverrideEnabled") or ""),
        allowed=read_texts(boot.get("BootSourceOverrideTarget@Redfish.AllowableValues")),
        whens=read_texts(boot.get("BootSourceOverrideEnabled@Redfish.AllowableValues")),
        order=order,
        is_order_whole=not isinstance(listed, list) or len(order) == len(listed),
        entries=tuple(entries),
    )


class Accounts(NamedTuple):
    """Accounts and free slots, those that the service listed and did not show, the names of the roles, and the path of
    the collection, which is empty where the service has none or does not show it. `takes_more`: whether accounts can be
    created; a service that does not say so is taken to."""

    accounts: list[Account]
    unread: tuple[str, ...]
    roles: tuple[str, ...]
    path: str
    takes_more: bool = True


def read_accounts(client: Client, service: dict[str, Any]) -> Accounts:
    """What the account service shows. Raises RedfishError."""
    path, roles = read_link(service, "Accounts"), read_link(service, "Roles")
    collection = client.look(path) if path else None
    if collection is None:
        return Accounts([], (), (), "")
    listed = client.look(roles) if roles else None
    names = [client.look(link) for link in read_links(listed.body.get("Members"))] if listed else []
    accounts: list[Account] = []
    unread: list[str] = []
    for link in read_links(collection.body.get("Members")):
        found = client.look(link)
        if found is None:
            unread.append(link)
        else:
            accounts.append(parse_account(found.body))
    shown = tuple(str(role.body.get("RoleId") or role.body.get("Id")) for role in names if role is not None)
    takes_more = not collection.allow or "POST" in collection.allow
    return Accounts(accounts, tuple(unread), shown, path, takes_more)


def parse_account(body: dict[str, Any]) -> Account:
    """A ManagerAccount. An early iLO 5 shows no role, but iLO's own privileges; they are told as the role that has
    them, else as `custom`."""
    enabled = body.get("Enabled")
    role = str(body.get("RoleId") or "") or read_link(body, "Links", "Role").rstrip("/").rpartition("/")[2]
    key, privileges = _find_privileges(body) if not role else ("", {})
    if privileges:
        role = next((name for name in ROLES if build_privileges(name, privileges) == privileges), "custom")
        role = ROLES[role][0] if role in ROLES else role
    return Account(
        path=str(body.get("@odata.id", "")),
        id=str(body.get("Id", "")),
        name=str(body.get("UserName") or ""),
        role=role,
        tells_role=bool(role) or "RoleId" in body,
        enabled=enabled if isinstance(enabled, bool) else None,
        privileges=privileges,
        oem=key,
    )


def _find_privileges(body: dict[str, Any]) -> tuple[str, dict[str, bool]]:
    oem = body.get("Oem")
    for key, part in oem.items() if isinstance(oem, dict) else ():
        listed = part.get("Privileges") if isinstance(part, dict) else None
        if isinstance(listed, dict):
            return key, {name: value for name, value in listed.items() if isinstance(value, bool)}
    return "", {}


def build_privileges(role: str, known: Iterable[str]) -> dict[str, bool]:
    """iLO's privileges (`known` are those there are) that a role of the template stands for: those of iLO's own roles
    of these names."""

    def has(privilege: str) -> bool:
        match role:
            case "administrator":
                return True
            case "operator":
                return privilege not in _ADMINISTRATORS_ALONE
            case "user":
                return privilege == "LoginPriv"
        return False

    return {privilege: has(privilege) for privilege in known}
