"""What `oob.ipmi` plans for the BMC's LAN port and users: the present state against the template. Pure."""

import ipaddress
import re
from typing import Any

import msgspec

from bootos.drivers.contract import Change, Planned
from bootos.drivers.oob.bmc import Lan, User, compare_lan
from bootos.drivers.oob.cipherplan import Login
from bootos.drivers.oob.service import Service, plan_commands
from bootos.errors import Problem
from bootos.masking import Hidden
from bootos.template.model import Oob, OobNetwork, OobUser, Secret
from bootos.template.oobcheck import check_password

NAME = "oob.ipmi"
CHANGE_S = 5.0  # roughly how long one change over KCS takes

# Privilege limits, as numbers (IPMI 2.0, table 22-31) and as ipmitool prints them.
PRIVILEGES = {"user": (2, "USER"), "operator": (3, "OPERATOR"), "administrator": (4, "ADMINISTRATOR")}
PRIVILEGES["none"] = (15, "NO ACCESS")

FIRST_SLOT = 2  # user 1 is the anonymous one by the standard


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`ask_password(slot, password)` asks the BMC: True, False, or None when it cannot tell. It changes nothing;
    it is a question and not a value because it can only be asked with the password in hand. A saved state has none:
    then passwords are not compared."""

    channel: int
    lan: Lan
    users: tuple[User, ...]
    access_open: bool = True
    service: Service = Service()
    uefi: bool = False
    ask_password: Any = None  # Callable[[int, str], bool | None], which msgspec cannot save


class SetLan(msgspec.Struct, frozen=True, kw_only=True):
    channel: int
    commands: tuple[tuple[str, ...], ...]
    network: OobNetwork


class SetUser(msgspec.Struct, frozen=True, kw_only=True):
    channel: int
    slot: int
    rename: str | None
    password: Hidden | None
    privilege: int
    enabled: bool


class ColdReset(msgspec.Struct, frozen=True, kw_only=True):
    pass


def export_oob(state: State) -> dict[str, Any]:
    """The LAN port and the named users, in the words of a template; passwords as secrets that must be stored. A static
    port without an address (0.0.0.0, as BMCs leave the works) is left out: no template may ask for that."""
    oob: dict[str, Any] = {}
    lan = state.lan
    network: dict[str, Any] = {"source": lan.source}
    has_address = lan.source == "static" and lan.address not in ("", "0.0.0.0")
    if has_address:
        interface = ipaddress.IPv4Interface(f"{lan.address}/{lan.netmask}")
        network["address"] = interface.with_prefixlen
        if lan.gateway and ipaddress.IPv4Address(lan.gateway) in interface.network:
            network["gateway"] = lan.gateway
    if lan.vlan:
        network["vlan"] = lan.vlan
    if lan.source == "dhcp" or has_address:
        oob["network"] = network
    roles = {privilege: role for role, (_, privilege) in PRIVILEGES.items()}
    users = []
    for user in state.users:
        role = roles.get(user.privilege.upper())
        if (
            not user.name
            or user.slot < FIRST_SLOT
            or role is None
            or (user.enabled is not False and not user.messaging)
        ):
            continue
        secret = re.sub(r"[^A-Za-z0-9_.-]", "-", f"oob-{user.name}")
        users.append(
            {
                "name": user.name,
                "role": role,
                "password": {"secret": secret},
                "enabled": user.enabled is not False,
            }
        )
    if users:
        oob["users"] = users
    return {"oob": oob} if oob else {}


def plan_users(state: State, oob: Oob, secrets: dict[str, str], planned: Planned) -> None:
    """Plan every user of the template: name, password, privilege, and whether it is enabled. Adds to `planned`."""
    taken: set[int] = set()
    for index, wanted in enumerate(oob.users):
        at = f"oob.users[{index}]"
        password, problems = resolve_password(wanted, secrets, at)
        planned.problems += problems
        present = next((user for user in state.users if user.name == wanted.name), None)
        user = present or _find_free_slot(state, taken)
        if user is None:
            message = f"there is no free slot for {wanted.name!r}: all of the BMC's users are named"
            planned.complain(at, message)
            continue
        if user.slot < FIRST_SLOT:
            message = f"{wanted.name!r} is user 1, which the standard keeps for the anonymous user"
            planned.complain(f"{at}.name", message)
            continue
        taken.add(user.slot)
        if present is None and password is None and wanted.enabled and not problems:
            planned.complain(f"{at}.password", f"{wanted.name!r} is new and needs a password")
        if problems:
            continue
        if present is not None and password is not None and state.ask_password is None:
            planned.notes.append(
                f"BMC user {wanted.name!r}: its password cannot be compared on a saved state"
            )
        changes = _compare_user(user, present is not None, wanted)
        changes += _compare_password(state, user, present is not None, wanted, password)
        if not changes:
            untold = "; whether it is enabled is not told" if user.enabled is None else ""
            planned.notes.append(f"BMC user {wanted.name!r} is as wanted{untold}")
            continue
        new_password = any(change.what.endswith("password") for change in changes)
        planned.act(
            f"oob.ipmi:user:{wanted.name}",
            f"{'change' if present else 'create'} BMC user {wanted.name} (slot {user.slot})",
            SetUser(
                channel=state.channel,
                slot=user.slot,
                rename=None if present else wanted.name,
                password=Hidden(password) if password is not None and new_password else None,
                privilege=PRIVILEGES[wanted.role][0],
                enabled=wanted.enabled,
            ),
            at,
            *changes,
            estimate_s=CHANGE_S,
        )


def plan_lan(state: State, wanted: OobNetwork, planned: Planned) -> None:
    """Plan the LAN port: source, address, gateway, VLAN, and open access. Adds to `planned`."""
    changes = compare_lan(state.lan, wanted)
    if not state.access_open:
        changes.append(Change(what="BMC LAN access", before="off", after="on"))
    if not changes:
        planned.notes.append(f"the BMC's LAN port (channel {state.channel}) is as wanted")
        return
    commands: list[tuple[str, ...]] = []
    base = ("lan", "set", str(state.channel))
    by_what = {change.what.removeprefix("BMC "): change.after for change in changes}
    if "source" in by_what:
        commands.append((*base, "ipsrc", wanted.source))
    if wanted.source == "static" and wanted.address is not None:
        interface = ipaddress.IPv4Interface(wanted.address)
        if {"source", "address", "netmask"} & set(by_what):
            commands.append((*base, "ipaddr", str(interface.ip)))
            commands.append((*base, "netmask", str(interface.netmask)))
        if wanted.gateway is not None and {"source", "gateway"} & set(by_what):
            commands.append((*base, "defgw", "ipaddr", wanted.gateway))
    if "VLAN" in by_what:
        commands.append((*base, "vlan", "id", str(wanted.vlan) if wanted.vlan else "off"))
    if not state.access_open:
        commands.append((*base, "access", "on"))
    planned.act(
        "oob.ipmi:lan",
        f"set the BMC's LAN port (channel {state.channel}): {wanted.address or 'DHCP'}",
        SetLan(channel=state.channel, commands=tuple(commands), network=wanted),
        "oob.network",
        *changes,
        estimate_s=CHANGE_S,
    )


def find_login(state: State, oob: Oob, secrets: dict[str, str]) -> Login | None:
    """An account of the template that can log in over the LAN after its own action, the mightiest first; None: there
    is none, or the BMC has no address that is known."""
    address = state.lan.address
    if oob.network is not None and oob.network.address is not None:
        address = oob.network.address.partition("/")[0]
    elif oob.network is not None and oob.network.source != state.lan.source:
        address = ""  # of a lease that is not there yet
    if address in ("", "0.0.0.0") or not state.access_open or oob.lan == "disabled":
        return None
    roles = ("administrator", "operator", "user")
    users = [user for user in oob.users if user.enabled and user.role in roles]
    for user in sorted(users, key=lambda user: roles.index(user.role)):
        password, problems = resolve_password(user, secrets, "")
        if password is not None and not problems:
            return Login(address=address, user=user.name, password=Hidden(password), role=user.role)
    return None


def asks_settings(oob: Oob) -> bool:
    """Whether the template asks for more than a reset."""
    return msgspec.structs.replace(oob, reset=False, redfish=None, driver=None, cipher_index=None) != Oob()


def plan_access(state: State, wanted: bool, planned: Planned) -> None:
    """Plan that the LAN channel answers, or does not. Adds to `planned`."""
    if state.access_open == wanted or any(action.id == "oob.ipmi:lan" for action in planned.actions):
        return
    words = {True: "on", False: "off"}
    change = Change(what="BMC LAN access", before=words[state.access_open], after=words[wanted])
    summary = f"switch the BMC's LAN access {words[wanted]} (channel {state.channel})"
    command = ("lan", "set", str(state.channel), "access", words[wanted])
    plan_commands(planned, "access", summary, [change], "oob.lan", [command])


def plan_other_users(state: State, oob: Oob, planned: Planned) -> None:
    """Named users that the template does not have lose their access; their slots and passwords stay."""
    kept = {user.name for user in oob.users}
    for user in state.users:
        if not user.name or user.name in kept or user.slot < FIRST_SLOT:
            continue
        if user.enabled is False or (user.privilege == "NO ACCESS" and not user.messaging):
            continue
        channel, slot = str(state.channel), str(user.slot)
        words = ("channel", "setaccess", channel, slot, "callin=off", "ipmi=off", "link=off", "privilege=15")
        change = Change(what=f"BMC user {user.name}", before=user.privilege.lower(), after="disabled")
        id, summary = f"disable:{user.name}", f"disable BMC user {user.name} (slot {slot})"
        commands = (words, ("user", "disable", slot))
        plan_commands(planned, id, summary, [change], "oob.other_users", commands)


def resolve_password(wanted: OobUser, secrets: dict[str, str], at: str) -> tuple[str | None, list[Problem]]:
    """A user's password and the problems with it; None: none is wanted, or its secret has no value."""
    if not isinstance(wanted.password, Secret):
        return wanted.password, []
    value = secrets.get(wanted.password.secret)
    if value is None:
        message = f"the secret {wanted.password.secret!r} has no value"
        hint = "store it on the server, or give it to bootos-agent by hand"
        return None, [Problem(path=f"{at}.password", message=message, hint=hint)]
    return value, check_password(value, f"{at}.password")


def _find_free_slot(state: State, taken: set[int]) -> User | None:
    free = (user for user in state.users if not user.name and user.slot >= FIRST_SLOT)
    return next((user for user in free if user.slot not in taken), None)


def _compare_user(user: User, exists: bool, wanted: OobUser) -> list[Change]:
    privilege = PRIVILEGES[wanted.role][1]
    what = f"BMC user {wanted.name}"
    if not exists:
        return [Change(what=what, after=f"{privilege.lower()}{'' if wanted.enabled else ', disabled'}")]
    changes = []
    if user.privilege.upper() != privilege:
        changes.append(Change(what=f"{what} role", before=user.privilege.lower(), after=privilege.lower()))
    if wanted.enabled and not user.messaging:
        changes.append(Change(what=f"{what} IPMI access", before="off", after="on"))
    if user.enabled is not None and user.enabled != wanted.enabled:
        words = {True: "enabled", False: "disabled"}
        changes.append(Change(what=what, before=words[user.enabled], after=words[wanted.enabled]))
    return changes


def _compare_password(
    state: State, user: User, exists: bool, wanted: OobUser, password: str | None
) -> list[Change]:
    if password is None:
        return []
    what = f"BMC user {wanted.name} password"
    if not exists:
        return [Change(what=what, after="set")]
    if state.ask_password is None:
        return []
    right = state.ask_password(user.slot, password)
    if right is None:
        return [Change(what=what, before="unknown: this BMC cannot confirm one", after="set")]
    return [] if right else [Change(what=what, before="another one", after="set")]
