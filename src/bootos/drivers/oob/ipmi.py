"""`oob.ipmi`: the BMC's LAN port and users, by ipmitool over the local interface (KCS, /dev/ipmi0).

Passwords go to ipmitool as bytes of a raw command on its standard input, so they are in no process list and in
no log. Whether a password is right is asked of the BMC (Test Password, IPMI 2.0, 22.30), never read.
"""

import ipaddress
import logging
import os
import re
import time
from collections.abc import Callable, Sequence

import msgspec

from bootos.drivers.contract import Action, Change, DriverError, Forecast, Machine, Match, Planned
from bootos.drivers.oob.bmc import (
    LONG_BYTES,
    SHORT_BYTES,
    Lan,
    User,
    build_password_request,
    compare_lan,
    parse_access,
    parse_enabled,
    parse_lan,
    parse_users,
)
from bootos.errors import Problem
from bootos.process import Completed, ToolError
from bootos.template.model import Oob, OobNetwork, OobUser, Secret, Template
from bootos.template.oobcheck import check_password
from bootos.wire.inventory import Inventory

log = logging.getLogger(__name__)

# IPMI 2.0, table 22-31: privilege limits, as numbers and as ipmitool prints them
PRIVILEGES = {"user": (2, "USER"), "operator": (3, "OPERATOR"), "administrator": (4, "ADMINISTRATOR")}
PRIVILEGES["none"] = (15, "NO ACCESS")

FIRST_SLOT = 2  # user 1 is the anonymous one by the standard
LAN_CHANNELS = range(1, 12)
MISMATCH_CODES = ("rsp=0x80", "rsp=0x81")  # password differs; differs in stored size
SETTLE_DEADLINE_S = 30.0
RESET_DEADLINE_S = 300.0
RESET_GRACE_S = 5.0  # a BMC still answers for a moment after it accepted a cold reset


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`ask_password(slot, password)` asks the BMC: True, False, or None when it cannot tell. It changes nothing;
    it is a question and not a value because it can only be asked with the password in hand."""

    channel: int
    lan: Lan
    users: tuple[User, ...]
    access_open: bool = True
    ask_password: Callable[[int, str], bool | None]


class Hidden:
    """A password on its way to `apply`: it does not show in logs or tracebacks."""

    def __init__(self, password: str) -> None:
        self.password = password

    def __repr__(self) -> str:
        return "Hidden(********)"


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


class IpmiDriver:
    """`interface` are ipmitool's words for another way to the BMC than /dev/ipmi0; `sleep` is the clock's."""

    name = "oob.ipmi"
    section = "oob"
    title = "Out-of-band controller (IPMI)"
    state_type = State

    def __init__(
        self,
        *,
        interface: Sequence[str] = (),
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interface = tuple(interface)
        self._sleep = sleep
        self._now = now
        self._was_reset = False  # a reset that is all that is asked for leaves nothing to compare
        self._set_by_us: set[tuple[int, str]] = set()  # (slot, password): for BMCs that cannot confirm one

    def match(self, inventory: Inventory) -> Match | None:
        if inventory.bmc is None:
            return None
        version = f" {inventory.bmc.ipmi_version}" if inventory.bmc.ipmi_version else ""
        return Match(reason=f"the machine has a BMC that speaks IPMI{version}")

    def wants(self, template: Template) -> bool:
        oob = template.oob
        return oob is not None and (oob.network is not None or bool(oob.users) or oob.reset)

    def read(self, machine: Machine, inventory: Inventory) -> State:
        channel = inventory.bmc.channel if inventory.bmc is not None else None
        if channel is None:
            channel = self._find_channel(machine)
        info = self._run(machine, "channel", "info", str(channel)).stdout
        users = parse_users(self._run(machine, "-c", "user", "list", str(channel)).stdout)
        return State(
            channel=channel,
            lan=parse_lan(self._run(machine, "lan", "print", str(channel)).stdout),
            users=tuple(self._read_enabled(machine, channel, user) for user in users),
            access_open=parse_access(info),
            ask_password=lambda slot, password: self._ask_password(machine, slot, password),
        )

    def plan(self, state: State, template: Template, secrets: dict[str, str], forecast: Forecast) -> Planned:
        planned = Planned()
        if template.oob is None:
            return planned
        if template.oob.network is not None:
            _plan_lan(state, template.oob.network, planned)
        self._plan_users(state, template.oob, secrets, planned)
        alone = template.oob.network is None and not template.oob.users
        if template.oob.reset and (planned.actions or (alone and not self._was_reset)):
            planned.actions.append(
                Action(
                    id="oob.ipmi:reset",
                    driver=self.name,
                    summary="reset the BMC (cold) and wait until it answers",
                    changes=(Change(what="BMC", after="cold reset"),),
                    path="oob.reset",
                    detail=ColdReset(),
                )
            )
        return planned

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        match action.detail:
            case SetLan():
                self._apply_lan(machine, action.detail)
            case SetUser():
                self._apply_user(machine, action.detail)
            case ColdReset():
                self._reset(machine)
                self._was_reset = True
            case _:
                raise DriverError(f"{self.name} has no action like {action.id}")

    def _run(self, machine: Machine, *words: str, check: bool = True, timeout_s: float = 60.0) -> Completed:
        try:
            return machine.run(["ipmitool", *self._interface, *words], check=check, timeout_s=timeout_s)
        except ToolError as cause:
            raise DriverError(
                f"the BMC did not do `{' '.join(words)}`", hint="see whether /dev/ipmi0 is there"
            ) from cause

    def _run_raw(self, machine: Machine, data: Sequence[int]) -> Completed:
        """A raw command on standard input: what it holds must not be seen in the list of processes."""
        text = " ".join(f"0x{byte:02x}" for byte in data)
        argv = ["ipmitool", *self._interface, "exec", "/dev/stdin"]
        return machine.run(argv, input=f"raw {text}\n", check=False, secrets=[text])

    def _find_channel(self, machine: Machine) -> int:
        for channel in LAN_CHANNELS:
            done = self._run(machine, "channel", "info", str(channel), check=False)
            if done.returncode == 0 and "802.3 LAN" in done.stdout:
                return channel
        raise DriverError("the BMC has no LAN channel", hint="`ipmitool channel info 1` shows what it has")

    def _read_enabled(self, machine: Machine, channel: int, user: User) -> User:
        if not user.name:
            return user
        done = self._run(machine, "channel", "getaccess", str(channel), str(user.slot), check=False)
        return msgspec.structs.replace(user, enabled=parse_enabled(done.stdout))

    def _ask_password(self, machine: Machine, slot: int, password: str) -> bool | None:
        """Test Password; first with one that is certainly wrong, since some BMCs say yes to anything."""
        wrong = os.urandom(8).hex()
        if self._test_password(machine, slot, wrong) is not False:
            return True if (slot, password) in self._set_by_us else None
        return self._test_password(machine, slot, password)

    def _test_password(self, machine: Machine, slot: int, password: str) -> bool | None:
        sizes = [LONG_BYTES] if len(password.encode()) > SHORT_BYTES else [SHORT_BYTES, LONG_BYTES]
        for size in sizes:
            done = self._run_raw(machine, build_password_request(slot, 3, password, size))
            if done.returncode == 0:
                return True
            if not any(code in done.stdout + done.stderr for code in MISMATCH_CODES):
                return None
        return False

    def _plan_users(self, state: State, oob: Oob, secrets: dict[str, str], planned: Planned) -> None:
        taken: set[int] = set()
        for index, wanted in enumerate(oob.users):
            at = f"oob.users[{index}]"
            password, problems = _resolve_password(wanted, secrets, at)
            planned.problems += problems
            present = next((user for user in state.users if user.name == wanted.name), None)
            user = present or _find_free_slot(state, taken)
            if user is None:
                message = f"there is no free slot for {wanted.name!r}: all of the BMC's users are named"
                planned.problems.append(Problem(path=at, message=message))
                continue
            if user.slot < FIRST_SLOT:
                message = f"{wanted.name!r} is user 1, which the standard keeps for the anonymous user"
                planned.problems.append(Problem(path=f"{at}.name", message=message))
                continue
            taken.add(user.slot)
            if present is None and password is None and wanted.enabled and not problems:
                message = f"{wanted.name!r} is new and needs a password"
                planned.problems.append(Problem(path=f"{at}.password", message=message))
            if problems:
                continue
            changes = _compare_user(user, present is not None, wanted)
            changes += _compare_password(state, user, present is not None, wanted, password)
            if not changes:
                planned.notes.append(f"BMC user {wanted.name!r} is as wanted")
                continue
            new_password = any(change.what.endswith("password") for change in changes)
            planned.actions.append(
                Action(
                    id=f"oob.ipmi:user:{wanted.name}",
                    driver=self.name,
                    summary=f"{'change' if present else 'create'} BMC user {wanted.name} (slot {user.slot})",
                    changes=tuple(changes),
                    path=at,
                    detail=SetUser(
                        channel=state.channel,
                        slot=user.slot,
                        rename=None if present else wanted.name,
                        password=Hidden(password) if password is not None and new_password else None,
                        privilege=PRIVILEGES[wanted.role][0],
                        enabled=wanted.enabled,
                    ),
                )
            )

    def _apply_lan(self, machine: Machine, wanted: SetLan) -> None:
        for command in wanted.commands:
            self._run(machine, *command)
        until = self._now() + SETTLE_DEADLINE_S
        while self._now() < until:  # some BMCs take the address over seconds later
            found = parse_lan(self._run(machine, "lan", "print", str(wanted.channel)).stdout)
            if not compare_lan(found, wanted.network):
                return
            self._sleep(1.0)

    def _apply_user(self, machine: Machine, wanted: SetUser) -> None:
        channel, slot = str(wanted.channel), str(wanted.slot)
        if wanted.rename is not None:
            self._run(machine, "user", "set", "name", slot, wanted.rename)
        if wanted.password is not None:
            password = wanted.password.password
            size = LONG_BYTES if len(password.encode()) > SHORT_BYTES else SHORT_BYTES
            done = self._run_raw(machine, build_password_request(wanted.slot, 2, password, size))
            if done.returncode != 0:
                code = re.search(r"rsp=0x[0-9a-f]+", done.stdout + done.stderr)
                reason = code.group(0) if code else f"exit code {done.returncode}"
                raise DriverError(
                    f"the BMC refused the password for user {slot} ({reason})",
                    hint="it may have rules for length or characters",
                )
            self._set_by_us = {pair for pair in self._set_by_us if pair[0] != wanted.slot}
            self._set_by_us.add((wanted.slot, password))
        words = ["callin=on", "ipmi=on", "link=on", f"privilege={wanted.privilege}"]
        self._run(machine, "channel", "setaccess", channel, slot, *words)
        self._run(machine, "user", "enable" if wanted.enabled else "disable", slot)

    def _reset(self, machine: Machine) -> None:
        self._run(machine, "mc", "reset", "cold")
        until = self._now() + RESET_DEADLINE_S
        self._sleep(RESET_GRACE_S)
        while True:
            try:
                if self._run(machine, "mc", "info", check=False, timeout_s=20).returncode == 0:
                    return
            except DriverError as cause:
                log.info("the BMC does not answer yet: %s", cause)
            if self._now() > until:
                raise DriverError(
                    f"the BMC has not answered for {RESET_DEADLINE_S:g} s since its cold reset",
                    hint="it may need its power cord pulled",
                )
            self._sleep(2.0)


def _plan_lan(state: State, wanted: OobNetwork, planned: Planned) -> None:
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
    planned.actions.append(
        Action(
            id="oob.ipmi:lan",
            driver=IpmiDriver.name,
            summary=f"set the BMC's LAN port (channel {state.channel}): {wanted.address or 'DHCP'}",
            changes=tuple(changes),
            path="oob.network",
            detail=SetLan(channel=state.channel, commands=tuple(commands), network=wanted),
        )
    )


def _resolve_password(wanted: OobUser, secrets: dict[str, str], at: str) -> tuple[str | None, list[Problem]]:
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
    right = state.ask_password(user.slot, password)
    if right is None:
        return [Change(what=what, before="unknown: this BMC cannot confirm one", after="set")]
    return [] if right else [Change(what=what, before="another one", after="set")]
