"""What `oob.redfish` plans: what the Redfish service told against the template. Pure.

Accounts, power policy and boot settings come first, the network last: it may be the way in.
"""

import ipaddress
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from bootos.drivers.contract import Change, Planned
from bootos.drivers.oob.bmc import compare_lan
from bootos.drivers.oob.redfishaccount import plan_other_users, plan_users
from bootos.drivers.oob.redfishstate import NAME, Interface, ResetManager, SetResource, State
from bootos.errors import Problems
from bootos.template.model import Oob, OobNetwork

DEVICES = {"none": "None", "pxe": "Pxe", "disk": "Hdd", "cdrom": "Cd", "bios": "BiosSetup"}
IPMI_ONLY = ("lan", "cipher_suites", "sol", "event_log")


def plan_oob(state: State, oob: Oob, secrets: dict[str, str], was_reset: bool, asks: bool) -> Planned:
    """`asks`: the template asks for more than a reset; `was_reset`: that was done already."""
    planned = Planned(problems=Problems(state.obstacles))
    _refuse_ipmi(oob, planned)
    if state.obstacles:
        return planned
    plan_users(state, oob, secrets, planned)
    if oob.other_users == "disable":
        plan_other_users(state, oob, planned)
    if oob.power_policy is not None:
        _plan_power_policy(state, oob.power_policy, planned)
    if oob.boot_device is not None:
        _plan_boot_device(state, oob.boot_device, planned)
    if oob.boot_order:
        _plan_boot_order(state, oob.boot_order, planned)
    if oob.network is not None:
        _plan_network(state, oob.network, planned)
    planned.notes += state.unread
    if oob.reset and (planned.actions or (not asks and not was_reset)):
        _plan_reset(state, planned)
    return planned


def _refuse_ipmi(oob: Oob, planned: Planned) -> None:
    for key in IPMI_ONLY:
        if getattr(oob, key) is not None:
            message = "is a matter of IPMI, which oob.redfish does not speak"
            planned.complain(f"oob.{key}", message, "leave it out, or use driver: oob.ipmi")


def _plan_power_policy(state: State, wanted: str, planned: Planned) -> None:
    if state.power is None:
        message = "this Redfish service does not offer it"
        planned.complain("oob.power_policy", message, "it may be a BIOS setting: bios.power_restore")
        return
    value = state.power.words[wanted]
    if state.power.value == value:
        planned.notes.append("the power policy is as wanted")
        return
    if state.power.read_only:
        message = f"is {state.power.value} on this machine, and is a setting of its BIOS"
        planned.complain("oob.power_policy", message, f"bios.power_restore: {wanted}")
        return
    planned.act(
        f"{NAME}:power_policy",
        f"set the power policy: {wanted}",
        SetResource(path=state.power.path, body=_nest(state.power.keys, value)),
        "oob.power_policy",
        Change(what="power policy", before=state.power.value, after=value),
    )


def _nest(keys: Sequence[str], value: Any) -> dict[str, Any]:
    body: Any = value
    for key in reversed(keys):
        body = {key: body}
    return dict(body)


def _plan_boot_device(state: State, wanted: str, planned: Planned) -> None:
    device = DEVICES[wanted]
    if not state.boot.override and not state.boot.when:
        planned.complain("oob.boot_device", "this Redfish service has no boot override")
        return
    if state.boot.allowed and device not in state.boot.allowed:
        message = f"this machine cannot be told to boot from {device}"
        planned.complain("oob.boot_device", message, f"it can from {', '.join(state.boot.allowed)}")
        return
    before = state.boot.override if state.boot.when == "Continuous" else "None"
    if state.boot.when == "Once" and state.boot.override not in ("None", ""):
        before = f"{state.boot.override} once"
    if before == device:
        planned.notes.append("the boot device is as wanted")
        return
    when = "Disabled" if wanted == "none" else "Continuous"
    if state.boot.whens and when not in state.boot.whens:
        message = f"this machine cannot be told {when} for its boot device"
        planned.complain("oob.boot_device", message, f"it can be told {', '.join(state.boot.whens)}")
        return
    body: dict[str, Any] = {"BootSourceOverrideEnabled": when}
    if wanted != "none" or "None" in state.boot.allowed:
        body["BootSourceOverrideTarget"] = device
    planned.act(
        f"{NAME}:boot_device",
        f"set the boot device: {wanted}",
        SetResource(path=state.system, body={"Boot": body}),
        "oob.boot_device",
        Change(what="boot device", before=before, after=device),
    )


def _plan_boot_order(state: State, wanted: list[str], planned: Planned) -> None:
    titles = {entry.reference: entry.title for entry in state.boot.entries}
    if not state.boot.is_order_whole:
        message = "this Redfish service shows a boot order with entries that are no names"
        planned.complain("oob.boot_order", message, "a new order would lose them; bios.vendor may have it")
        return
    if not state.boot.order:
        message = "this Redfish service does not tell the boot order"
        planned.complain("oob.boot_order", message, "it may be a BIOS setting: bios.vendor")
        return
    first: list[str] = []
    for index, pattern in enumerate(wanted):
        low = pattern.lower()
        fitting = [
            reference
            for reference in state.boot.order
            if fnmatchcase(reference.lower(), low) or fnmatchcase(titles.get(reference, "").lower(), low)
        ]
        if not fitting:
            has = "; ".join(f"{ref} {titles.get(ref, '')}".strip() for ref in state.boot.order)
            message = f"no boot entry is like {pattern!r}"
            planned.complain(f"oob.boot_order[{index}]", message, f"there are: {has}")
        first += [reference for reference in fitting if reference not in first]
    if any(problem.path.startswith("oob.boot_order") for problem in planned.problems):
        return
    order = [*first, *(reference for reference in state.boot.order if reference not in first)]
    if tuple(order) == state.boot.order:
        planned.notes.append("the boot order is as wanted")
        return
    planned.act(
        f"{NAME}:boot_order",
        "set the boot order",
        SetResource(path=state.system, body={"Boot": {"BootOrder": order}}),
        "oob.boot_order",
        Change(what="boot order", before=", ".join(state.boot.order), after=", ".join(order)),
    )


def _plan_network(state: State, wanted: OobNetwork, planned: Planned) -> None:
    found = state.interface
    if found is None:
        planned.complain("oob.network", "this Redfish service shows no network interface of the BMC")
        return
    if state.unread_interfaces and not found.is_known:
        unread = ", ".join(state.unread_interfaces)
        message = f"which of its interfaces is the BMC's own cannot be told: {unread} cannot be read"
        planned.complain("oob.network", message)
        return
    if wanted.vlan is not None and "VLAN" not in found.forms:
        message = f"the BMC's interface {found.name} has no VLAN setting in this Redfish service"
        planned.complain("oob.network.vlan", message)
    changes = compare_lan(found.lan, wanted)
    if not changes:
        planned.notes.append(f"the BMC's interface {found.name} is as wanted")
        return
    planned.act(
        f"{NAME}:lan",
        f"set the BMC's interface {found.name}: {wanted.address or 'DHCP'}",
        SetResource(path=found.path, body=build_network(found, wanted), network=wanted),
        "oob.network",
        *changes,
    )


def build_network(found: Interface, wanted: OobNetwork) -> dict[str, Any]:
    """The PATCH: DHCPv4 and IPv4StaticAddresses where the service has them, else the older IPv4Addresses."""
    body: dict[str, Any] = {}
    static = wanted.source == "static" and wanted.address is not None
    if "DHCPv4" in found.forms:
        body["DHCPv4"] = {"DHCPEnabled": not static}
    if static and wanted.address is not None:
        interface = ipaddress.IPv4Interface(wanted.address)
        address = {"Address": str(interface.ip), "SubnetMask": str(interface.netmask)}
        gateway = wanted.gateway or (found.lan.gateway if found.lan.gateway != "0.0.0.0" else "")
        if gateway and _is_inside(gateway, interface.network):
            address["Gateway"] = gateway
        if "IPv4StaticAddresses" in found.forms:
            body["IPv4StaticAddresses"] = [address]
        else:
            body["IPv4Addresses"] = [{**address, "AddressOrigin": "Static"}]
    elif "DHCPv4" not in found.forms:
        body["IPv4Addresses"] = [{"AddressOrigin": "DHCP"}]
    if wanted.vlan is not None:
        body["VLAN"] = {"VLANEnable": True, "VLANId": wanted.vlan} if wanted.vlan else {"VLANEnable": False}
    return body


def _is_inside(gateway: str, network: ipaddress.IPv4Network) -> bool:
    """What the service shows for a gateway need not be an address."""
    try:
        return ipaddress.IPv4Address(gateway) in network
    except ValueError:
        return False


def _plan_reset(state: State, planned: Planned) -> None:
    kinds = [kind for kind in ("GracefulRestart", "ForceRestart") if kind in state.reset_types]
    if not state.manager_reset or (state.reset_types and not kinds):
        planned.complain("oob.reset", "this Redfish service cannot reset the BMC")
        return
    planned.act(
        f"{NAME}:reset",
        "reset the BMC and wait until its Redfish service answers",
        ResetManager(target=state.manager_reset, kind=kinds[0] if kinds else "GracefulRestart"),
        "oob.reset",
        Change(what="BMC", after="reset"),
    )
