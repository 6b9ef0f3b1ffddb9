"""What `oob.redfish` plans: what the Redfish service told against the template. Pure.

Accounts, power policy and boot settings come first, the network last: it may be the way in.
"""

import ipaddress
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from bootos.drivers.contract import Action, Change, Planned
from bootos.drivers.oob.bmc import Lan, compare_lan
from bootos.drivers.oob.ipmiplan import resolve_password
from bootos.drivers.redfish.endpoint import Endpoint
from bootos.errors import Problem
from bootos.masking import Hidden
from bootos.template.model import Oob, OobNetwork, OobUser

NAME = "oob.redfish"
ROLES = {
    "administrator": ("Administrator", "Admin"),
    "operator": ("Operator",),
    "user": ("ReadOnly", "ReadOnlyUser", "User"),
    "none": ("None", "NoAccess"),
}
POLICIES = {"on": "AlwaysOn", "off": "AlwaysOff", "last": "LastState"}
DEVICES = {"none": "None", "pxe": "Pxe", "disk": "Hdd", "cdrom": "Cd", "bios": "BiosSetup"}
IPMI_ONLY = ("lan", "cipher_suites", "sol", "event_log")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account, or a free slot when `name` is empty (iDRAC, XCC: a fixed number of them). `right`: whether the
    password of the template logs on; None: not asked, or the service cannot tell."""

    path: str
    id: str
    name: str
    role: str
    enabled: bool | None = None
    right: bool | None = None


class BootEntry(msgspec.Struct, frozen=True, kw_only=True):
    reference: str
    title: str = ""


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """`override` as Redfish names it (None, Pxe, Hdd, ...); `when`: Disabled, Once, Continuous."""

    override: str = ""
    when: str = ""
    allowed: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    entries: tuple[BootEntry, ...] = ()


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """The manager's network interface. `forms`: which of the properties that Redfish had over the years it has."""

    path: str
    name: str
    lan: Lan
    forms: tuple[str, ...] = ()


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`obstacle`: what the template must say before anything can be read; then the rest is empty."""

    endpoints: tuple[Endpoint, ...] = ()
    obstacles: tuple[Problem, ...] = ()
    system: str = ""
    manager: str = ""
    manager_reset: str = ""  # the action's target
    reset_types: tuple[str, ...] = ()
    account_collection: str = ""
    accounts: tuple[Account, ...] = ()
    roles: tuple[str, ...] = ()
    fixed_slots: bool = False
    vendor: str = ""  # the key of the service's Oem part: Dell, Hpe, Lenovo, ...
    logged_on_as: str = ""
    interface: Interface | None = None
    power_policy: str | None = None
    boot: Boot = Boot()


class SetResource(msgspec.Struct, frozen=True, kw_only=True):
    """A PATCH of `path`. `network`: what the interface must then show."""

    path: str
    body: dict[str, Any]
    network: OobNetwork | None = None


class SetAccount(msgspec.Struct, frozen=True, kw_only=True):
    """`create`: POST to the collection `path`; else PATCH of the account or free slot `path`."""

    path: str
    create: bool
    body: dict[str, Any]
    password: Hidden | None = None


class ResetManager(msgspec.Struct, frozen=True, kw_only=True):
    target: str
    kind: str


def plan_oob(state: State, oob: Oob, secrets: dict[str, str], was_reset: bool, asks: bool) -> Planned:
    """`asks`: the template asks for more than a reset; `was_reset`: that was done already."""
    planned = Planned(problems=list(state.obstacles))
    _refuse_ipmi(oob, planned)
    if state.obstacles:
        return planned
    _plan_users(state, oob, secrets, planned)
    if oob.other_users == "disable":
        _plan_other_users(state, oob, planned)
    if oob.power_policy is not None:
        _plan_power_policy(state, oob.power_policy, planned)
    if oob.boot_device is not None:
        _plan_boot_device(state, oob.boot_device, planned)
    if oob.boot_order:
        _plan_boot_order(state, oob.boot_order, planned)
    if oob.network is not None:
        _plan_network(state, oob.network, planned)
    if oob.reset and (planned.actions or (not asks and not was_reset)):
        _plan_reset(state, planned)
    return planned


def _refuse_ipmi(oob: Oob, planned: Planned) -> None:
    for key in IPMI_ONLY:
        if getattr(oob, key) is not None:
            message = "is a matter of IPMI, which oob.redfish does not speak"
            hint = "leave it out, or use driver: oob.ipmi"
            planned.problems.append(Problem(path=f"oob.{key}", message=message, hint=hint))


def _plan_users(state: State, oob: Oob, secrets: dict[str, str], planned: Planned) -> None:
    free = [account for account in state.accounts if not account.name]
    for index, wanted in enumerate(oob.users):
        at = f"oob.users[{index}]"
        password, problems = resolve_password(wanted, secrets, at)
        role = next((name for name in ROLES[wanted.role] if not state.roles or name in state.roles), None)
        if role is None:
            message = f"this service has no role for {wanted.role!r}: it has {', '.join(state.roles)}"
            problems.append(Problem(path=f"{at}.role", message=message))
        present = next((account for account in state.accounts if account.name == wanted.name), None)
        if present is None and password is None and not problems:
            message = f"{wanted.name!r} is new and needs a password"
            problems.append(Problem(path=f"{at}.password", message=message))
        if present is None and state.fixed_slots and not free:
            message = f"there is no free slot for {wanted.name!r}: all of the BMC's accounts are named"
            problems.append(Problem(path=at, message=message))
        planned.problems += problems
        if problems or role is None:
            continue
        changes = _compare_account(present, wanted, role, password is not None)
        if not changes:
            planned.notes.append(f"BMC user {wanted.name!r} is as wanted")
            continue
        slot = present or (free.pop(0) if state.fixed_slots else None)
        new_password = any(change.what.endswith("password") for change in changes)
        planned.actions.append(
            Action(
                id=f"{NAME}:user:{wanted.name}",
                driver=NAME,
                summary=f"{'change' if present else 'create'} BMC user {wanted.name}"
                + (f" (account {slot.id})" if slot else ""),
                changes=tuple(changes),
                path=at,
                detail=_build_account(state, slot, present, wanted, role, password if new_password else None),
            )
        )


def _compare_account(present: Account | None, wanted: OobUser, role: str, has_password: bool) -> list[Change]:
    what = f"BMC user {wanted.name}"
    if present is None:
        state = "" if wanted.enabled else ", disabled"
        return [Change(what=what, after=f"{role}{state}"), Change(what=f"{what} password", after="set")]
    changes: list[Change] = []
    if present.role != role:
        changes.append(Change(what=f"{what} role", before=present.role, after=role))
    if present.enabled is not None and present.enabled != wanted.enabled:
        words = {True: "enabled", False: "disabled"}
        changes.append(Change(what=what, before=words[present.enabled], after=words[wanted.enabled]))
    # a disabled account cannot log on, so nobody can tell whether its password is right
    if has_password and wanted.enabled and present.right is not True:
        before = "another one" if present.right is False else "unknown: it was not asked"
        changes.append(Change(what=f"{what} password", before=before, after="set"))
    return changes


def _build_account(
    state: State,
    slot: Account | None,
    present: Account | None,
    wanted: OobUser,
    role: str,
    password: str | None,
) -> SetAccount:
    body: dict[str, Any] = {"RoleId": role}
    if present is None:
        body["UserName"] = wanted.name
    if slot is not None or not wanted.enabled:  # a new account is enabled, and some refuse to be told so
        body["Enabled"] = wanted.enabled
    if slot is None and state.vendor == "Hpe":
        body["Oem"] = {"Hpe": {"LoginName": wanted.name}}  # iLO: the account's display name, required
    return SetAccount(
        path=slot.path if slot is not None else state.account_collection,
        create=slot is None,
        body=body,
        password=Hidden(password) if password is not None else None,
    )


def _plan_other_users(state: State, oob: Oob, planned: Planned) -> None:
    kept = {user.name for user in oob.users}
    for account in state.accounts:
        if not account.name or account.name in kept or account.enabled is False:
            continue
        if account.name == state.logged_on_as:
            message = f"would disable {account.name!r}, the account that this job is logged on with"
            hint = "list it in oob.users, or log on with one that is listed"
            planned.problems.append(Problem(path="oob.other_users", message=message, hint=hint))
            continue
        if account.enabled is None:
            message = f"this service cannot disable accounts: {account.name!r}"
            planned.problems.append(Problem(path="oob.other_users", message=message))
            continue
        planned.actions.append(
            Action(
                id=f"{NAME}:disable:{account.name}",
                driver=NAME,
                summary=f"disable BMC user {account.name} (account {account.id})",
                changes=(Change(what=f"BMC user {account.name}", before="enabled", after="disabled"),),
                path="oob.other_users",
                detail=SetAccount(path=account.path, create=False, body={"Enabled": False}),
            )
        )


def _plan_power_policy(state: State, wanted: str, planned: Planned) -> None:
    if state.power_policy is None:
        message = "this Redfish service does not offer it"
        planned.problems.append(
            Problem(
                path="oob.power_policy", message=message, hint="it may be a BIOS setting: bios.power_restore"
            )
        )
        return
    value = POLICIES[wanted]
    if state.power_policy == value:
        planned.notes.append("the power policy is as wanted")
        return
    planned.actions.append(
        Action(
            id=f"{NAME}:power_policy",
            driver=NAME,
            summary=f"set the power policy: {wanted}",
            changes=(Change(what="power policy", before=state.power_policy, after=value),),
            path="oob.power_policy",
            detail=SetResource(path=state.system, body={"PowerRestorePolicy": value}),
        )
    )


def _plan_boot_device(state: State, wanted: str, planned: Planned) -> None:
    device = DEVICES[wanted]
    if not state.boot.override and not state.boot.when:
        message = "this Redfish service has no boot override"
        planned.problems.append(Problem(path="oob.boot_device", message=message))
        return
    if state.boot.allowed and device not in state.boot.allowed:
        message = f"this machine cannot be told to boot from {device}"
        hint = f"it can from {', '.join(state.boot.allowed)}"
        planned.problems.append(Problem(path="oob.boot_device", message=message, hint=hint))
        return
    before = state.boot.override if state.boot.when == "Continuous" else "None"
    if state.boot.when == "Once" and state.boot.override not in ("None", ""):
        before = f"{state.boot.override} once"
    if before == device:
        planned.notes.append("the boot device is as wanted")
        return
    when = "Disabled" if wanted == "none" else "Continuous"
    body: dict[str, Any] = {"BootSourceOverrideEnabled": when}
    if wanted != "none" or "None" in state.boot.allowed:
        body["BootSourceOverrideTarget"] = device
    planned.actions.append(
        Action(
            id=f"{NAME}:boot_device",
            driver=NAME,
            summary=f"set the boot device: {wanted}",
            changes=(Change(what="boot device", before=before, after=device),),
            path="oob.boot_device",
            detail=SetResource(path=state.system, body={"Boot": body}),
        )
    )


def _plan_boot_order(state: State, wanted: list[str], planned: Planned) -> None:
    titles = {entry.reference: entry.title for entry in state.boot.entries}
    if not state.boot.order:
        message = "this Redfish service does not tell the boot order"
        hint = "it may be a BIOS setting: bios.vendor"
        planned.problems.append(Problem(path="oob.boot_order", message=message, hint=hint))
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
            planned.problems.append(
                Problem(path=f"oob.boot_order[{index}]", message=message, hint=f"there are: {has}")
            )
        first += [reference for reference in fitting if reference not in first]
    order = [*first, *(reference for reference in state.boot.order if reference not in first)]
    if tuple(order) == state.boot.order:
        planned.notes.append("the boot order is as wanted")
        return
    planned.actions.append(
        Action(
            id=f"{NAME}:boot_order",
            driver=NAME,
            summary="set the boot order",
            changes=(Change(what="boot order", before=", ".join(state.boot.order), after=", ".join(order)),),
            path="oob.boot_order",
            detail=SetResource(path=state.system, body={"Boot": {"BootOrder": order}}),
        )
    )


def _plan_network(state: State, wanted: OobNetwork, planned: Planned) -> None:
    found = state.interface
    if found is None:
        message = "this Redfish service shows no network interface of the BMC"
        planned.problems.append(Problem(path="oob.network", message=message))
        return
    if wanted.vlan is not None and "VLAN" not in found.forms:
        message = f"the BMC's interface {found.name} has no VLAN setting in this Redfish service"
        planned.problems.append(Problem(path="oob.network.vlan", message=message))
    changes = compare_lan(found.lan, wanted)
    if not changes:
        planned.notes.append(f"the BMC's interface {found.name} is as wanted")
        return
    planned.actions.append(
        Action(
            id=f"{NAME}:lan",
            driver=NAME,
            summary=f"set the BMC's interface {found.name}: {wanted.address or 'DHCP'}",
            changes=tuple(changes),
            path="oob.network",
            detail=SetResource(path=found.path, body=build_network(found, wanted), network=wanted),
        )
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
        if gateway and ipaddress.IPv4Address(gateway) in interface.network:
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


def _plan_reset(state: State, planned: Planned) -> None:
    kinds = [kind for kind in ("GracefulRestart", "ForceRestart") if kind in state.reset_types]
    if not state.manager_reset or (state.reset_types and not kinds):
        planned.problems.append(
            Problem(path="oob.reset", message="this Redfish service cannot reset the BMC")
        )
        return
    planned.actions.append(
        Action(
            id=f"{NAME}:reset",
            driver=NAME,
            summary="reset the BMC and wait until its Redfish service answers",
            changes=(Change(what="BMC", after="reset"),),
            path="oob.reset",
            detail=ResetManager(target=state.manager_reset, kind=kinds[0] if kinds else "GracefulRestart"),
        )
    )
