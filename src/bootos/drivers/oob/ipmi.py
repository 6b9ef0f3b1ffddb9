"""`oob.ipmi`: the BMC's LAN port and users, by ipmitool over the local interface (KCS, /dev/ipmi0)."""

import logging
import os
from collections.abc import Sequence
from typing import Any

import msgspec

from bootos.drivers.contract import Action, Change, DriverError, Forecast, Machine, Match, Planned
from bootos.drivers.oob.bmc import User, compare_lan, parse_access, parse_enabled, parse_lan, parse_users
from bootos.drivers.oob.cipherchange import change_ciphers
from bootos.drivers.oob.cipherplan import SetCiphers
from bootos.drivers.oob.ipmiplan import (
    NAME,
    ColdReset,
    SetLan,
    SetUser,
    State,
    asks_settings,
    export_oob,
    find_login,
    plan_access,
    plan_lan,
    plan_other_users,
    plan_users,
)
from bootos.drivers.oob.ipmitool import Ipmitool
from bootos.drivers.oob.service import (
    CLEAR_LOG,
    Commands,
    Service,
    parse_boot,
    parse_log,
    parse_sol,
    plan_services,
)
from bootos.hardware.bmc import parse_maker
from bootos.hardware.bmccipher import parse_ciphers
from bootos.template.model import Template
from bootos.waiting import CLOCK, Clock, find_within
from bootos.wire.inventory import Inventory

log = logging.getLogger(__name__)

SETTLE_DEADLINE_S = 30.0
RESET_DEADLINE_S = 300.0
RESET_S = 90.0  # what a cold reset usually takes
RESET_GRACE_S = 5.0  # a BMC still answers for a moment after it accepted a cold reset


class IpmiDriver:
    """`interface` are ipmitool's words for another way to the BMC than /dev/ipmi0."""

    name = NAME
    section = "oob"
    title = "Out-of-band controller (IPMI)"
    state_type = State

    def __init__(
        self,
        *,
        interface: Sequence[str] = (),
        clock: Clock = CLOCK,
    ) -> None:
        self._interface = tuple(interface)
        self._clock = clock
        self._was_reset = False  # a plan that wants only a reset has nothing that could be read again
        # (slot, password) that this driver set: some BMCs cannot test a password
        self._set_by_us: set[tuple[int, str]] = set()

    def match(self, inventory: Inventory) -> Match | None:
        if inventory.bmc is None or not inventory.bmc.may_speak_ipmi:
            return None
        version = f" {inventory.bmc.ipmi_version}" if inventory.bmc.ipmi_version else ""
        return Match(reason=f"the machine has a BMC that speaks IPMI{version}")

    def wants(self, template: Template) -> bool:
        return template.oob is not None and (template.oob.reset or asks_settings(template.oob))

    def read(self, machine: Machine, inventory: Inventory) -> State:
        tool = Ipmitool(machine, self._interface)
        channel = inventory.bmc.channel if inventory.bmc is not None else None
        if channel is None:
            channel = tool.find_channel()
        info = tool.ask("channel", "info", str(channel))
        lan = tool.ask("lan", "print", str(channel))
        users = parse_users(tool.ask("-c", "user", "list", str(channel)))
        return State(
            channel=channel,
            lan=parse_lan(lan),
            users=tuple(self._read_enabled(tool, channel, user) for user in users),
            access_open=parse_access(info),
            service=self._read_service(tool, channel, lan),
            uefi=inventory.bios.boot_mode == "uefi",
            ask_password=lambda slot, password: self._ask_password(tool, slot, password),
        )

    def plan(self, state: State, template: Template, secrets: dict[str, str], forecast: Forecast) -> Planned:
        planned = Planned()
        if template.oob is None:
            return planned
        if template.oob.network is not None:
            plan_lan(state, template.oob.network, planned)
        plan_users(state, template.oob, secrets, planned)
        if template.oob.other_users == "disable":
            plan_other_users(state, template.oob, planned)
        login = find_login(state, template.oob, secrets)
        plan_services(
            state.service, template.oob, state.channel, uefi=state.uefi, planned=planned, login=login
        )
        if template.oob.lan is not None:  # is last, as the LAN may be the way to this BMC
            plan_access(state, template.oob.lan == "enabled", planned)
        for key, asked in (
            ("power_policy", template.oob.power_policy),
            ("boot_order", template.oob.boot_order),
        ):
            if asked:
                message, hint = "is not a matter of oob.ipmi", "oob: {driver: oob.redfish}"
                planned.complain(f"oob.{key}", message, hint)
        alone = not asks_settings(template.oob)
        if template.oob.reset and (planned.actions or (alone and not self._was_reset)):
            planned.act(
                "oob.ipmi:reset",
                "reset the BMC (cold) and wait until it answers",
                ColdReset(),
                "oob.reset",
                Change(what="BMC", after="cold reset"),
                estimate_s=RESET_S,
            )
        return planned

    def export(self, state: State) -> dict[str, Any]:
        return export_oob(state)

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        tool = Ipmitool(machine, self._interface)
        match action.detail:
            case SetLan():
                self._apply_lan(tool, action.detail)
            case SetUser():
                self._apply_user(tool, action.detail)
            case Commands(commands=commands):
                for command in commands:
                    tool.run(*command)
                if action.id == CLEAR_LOG:
                    self._wait_for_clear_log(tool)
            case SetCiphers():
                command = ("lan", "set", str(action.detail.channel), "cipher_privs")
                change_ciphers(machine, action.detail, lambda levels: tool.run(*command, levels), self._clock)
            case ColdReset():
                self._reset(tool)
                self._was_reset = True
            case _:
                raise DriverError(f"{self.name} has no action like {action.id}")

    def _read_service(self, tool: Ipmitool, channel: int, lan: str) -> Service:
        """What a BMC does not have, it refuses; that is no failure."""

        def ask(*words: str) -> str:
            return tool.run(*words, check=False).stdout

        log_info = ask("sel", "info")
        listed = ask("sel", "list", "last", "5") if log_info else ""
        return Service(
            maker=parse_maker(ask("mc", "info")),
            ciphers=parse_ciphers(lan),
            sol=parse_sol(ask("sol", "info", str(channel))),
            boot=parse_boot(ask("chassis", "bootparam", "get", "5")),
            log=parse_log(log_info, listed),
        )

    def _wait_for_clear_log(self, tool: Ipmitool) -> None:
        """Erasing goes on after the BMC took the request (IPMI 2.0, 31.9)."""

        def is_clear() -> bool:
            info = tool.run("sel", "info").stdout
            found = parse_log(info, tool.run("sel", "list", "last", "5").stdout)
            return found is not None and found.is_clear

        find_within(is_clear, SETTLE_DEADLINE_S, pause_s=1.0, clock=self._clock)

    def _read_enabled(self, tool: Ipmitool, channel: int, user: User) -> User:
        if not user.name:
            return user
        done = tool.run("channel", "getaccess", str(channel), str(user.slot), check=False)
        return msgspec.structs.replace(user, enabled=parse_enabled(done.stdout))

    def _ask_password(self, tool: Ipmitool, slot: int, password: str) -> bool | None:
        """Test Password; first with one that is certainly wrong, since some BMCs say yes to anything."""
        wrong = os.urandom(8).hex()
        if tool.test_password(slot, wrong) is not False:
            return True if (slot, password) in self._set_by_us else None
        return tool.test_password(slot, password)

    def _apply_lan(self, tool: Ipmitool, wanted: SetLan) -> None:
        for command in wanted.commands:
            tool.run(*command)

        def is_there() -> bool:
            found = parse_lan(tool.ask("lan", "print", str(wanted.channel)))
            return not compare_lan(found, wanted.network)

        # Some BMCs show the new address only after seconds.
        find_within(is_there, SETTLE_DEADLINE_S, pause_s=1.0, clock=self._clock)

    def _apply_user(self, tool: Ipmitool, wanted: SetUser) -> None:
        channel, slot = str(wanted.channel), str(wanted.slot)
        if wanted.rename is not None:
            tool.run("user", "set", "name", slot, wanted.rename)
        if wanted.password is not None:
            password = wanted.password.password
            tool.set_password(wanted.slot, password)
            self._set_by_us = {pair for pair in self._set_by_us if pair[0] != wanted.slot}
            self._set_by_us.add((wanted.slot, password))
        words = ["callin=on", "ipmi=on", "link=on", f"privilege={wanted.privilege}"]
        tool.run("channel", "setaccess", channel, slot, *words)
        tool.run("user", "enable" if wanted.enabled else "disable", slot)

    def _reset(self, tool: Ipmitool) -> None:
        def is_back() -> bool:
            try:
                return tool.run("mc", "info", check=False, timeout_s=20).returncode == 0
            except DriverError as cause:
                log.info("the BMC does not answer yet: %s", cause)
                return False

        tool.run("mc", "reset", "cold")
        self._clock.sleep(RESET_GRACE_S)
        if not find_within(is_back, RESET_DEADLINE_S - RESET_GRACE_S, pause_s=2.0, clock=self._clock):
            raise DriverError(
                f"the BMC has not answered for {RESET_DEADLINE_S:g} s since its cold reset",
                hint="it may need its power cord pulled",
            )
