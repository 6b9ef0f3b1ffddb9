"""`oob.ipmi`: the BMC's LAN port and users, by ipmitool over the local interface (KCS, /dev/ipmi0).

Passwords go to ipmitool as bytes of a raw command on its standard input, so they are in no process list and in
no log. Whether a password is right is asked of the BMC (Test Password, IPMI 2.0, 22.30), never read.
"""

import logging
import os
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from bootos.drivers.contract import Action, Change, DriverError, Forecast, Machine, Match, Planned
from bootos.drivers.oob.bmc import (
    LONG_BYTES,
    SHORT_BYTES,
    User,
    build_password_request,
    compare_lan,
    parse_access,
    parse_enabled,
    parse_lan,
    parse_users,
)
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
from bootos.process import Completed, ToolError
from bootos.template.model import Template
from bootos.waiting import CLOCK, Clock, find_within
from bootos.wire.inventory import Inventory

log = logging.getLogger(__name__)

LAN_CHANNELS = range(1, 12)
MISMATCH_CODES = ("rsp=0x80", "rsp=0x81")  # the password differs; its stored size differs
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
        channel = inventory.bmc.channel if inventory.bmc is not None else None
        if channel is None:
            channel = self._find_channel(machine)
        info = self._ask(machine, "channel", "info", str(channel))
        lan = self._ask(machine, "lan", "print", str(channel))
        users = parse_users(self._ask(machine, "-c", "user", "list", str(channel)))
        return State(
            channel=channel,
            lan=parse_lan(lan),
            users=tuple(self._read_enabled(machine, channel, user) for user in users),
            access_open=parse_access(info),
            service=self._read_service(machine, channel, lan),
            uefi=inventory.bios.boot_mode == "uefi",
            ask_password=lambda slot, password: self._ask_password(machine, slot, password),
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
        match action.detail:
            case SetLan():
                self._apply_lan(machine, action.detail)
            case SetUser():
                self._apply_user(machine, action.detail)
            case Commands(commands=commands):
                for command in commands:
                    self._run(machine, *command)
                if action.id == CLEAR_LOG:
                    self._wait_for_clear_log(machine)
            case SetCiphers():
                command = ("lan", "set", str(action.detail.channel), "cipher_privs")
                change_ciphers(
                    machine, action.detail, lambda levels: self._run(machine, *command, levels), self._clock
                )
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

    def _ask(self, machine: Machine, *words: str) -> str:
        """What a command printed, whatever status it ended with: a BMC that does not tell one thing (an address
        source of 0.0.0.0) makes ipmitool fail after it printed all the others. Raises DriverError for one that printed
        nothing."""
        done = self._run(machine, *words, check=False)
        if done.returncode != 0 and not done.stdout.strip():
            said = " ".join(done.stderr.split())[-300:]
            message = f"the BMC did not do `{' '.join(words)}`" + (f": {said}" if said else "")
            raise DriverError(message, hint="see whether /dev/ipmi0 is there")
        if done.returncode != 0:
            log.info("`%s` ended with %s; what it printed is used", " ".join(words), done.returncode)
        return done.stdout

    def _run_raw(self, machine: Machine, data: Sequence[int]) -> Completed:
        """A raw command on standard input: what it holds must not be seen in the list of processes."""
        text = " ".join(f"0x{byte:02x}" for byte in data)
        argv = ["ipmitool", *self._interface, "exec", "/dev/stdin"]
        return machine.run(argv, input=f"raw {text}\n", check=False, secrets=[text])

    def _read_service(self, machine: Machine, channel: int, lan: str) -> Service:
        """What a BMC does not have, it refuses; that is no failure."""

        def ask(*words: str) -> str:
            return self._run(machine, *words, check=False).stdout

        log_info = ask("sel", "info")
        listed = ask("sel", "list", "last", "5") if log_info else ""
        return Service(
            maker=parse_maker(ask("mc", "info")),
            ciphers=parse_ciphers(lan),
            sol=parse_sol(ask("sol", "info", str(channel))),
            boot=parse_boot(ask("chassis", "bootparam", "get", "5")),
            log=parse_log(log_info, listed),
        )

    def _wait_for_clear_log(self, machine: Machine) -> None:
        """Erasing goes on after the BMC took the request (IPMI 2.0, 31.9)."""

        def is_clear() -> bool:
            info = self._run(machine, "sel", "info").stdout
            found = parse_log(info, self._run(machine, "sel", "list", "last", "5").stdout)
            return found is not None and found.is_clear

        find_within(is_clear, SETTLE_DEADLINE_S, pause_s=1.0, clock=self._clock)

    def _find_channel(self, machine: Machine) -> int:
        for channel in LAN_CHANNELS:
            done = self._run(machine, "channel", "info", str(channel), check=False)
            if "802.3 LAN" in done.stdout:
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

    def _apply_lan(self, machine: Machine, wanted: SetLan) -> None:
        for command in wanted.commands:
            self._run(machine, *command)

        def is_there() -> bool:
            found = parse_lan(self._ask(machine, "lan", "print", str(wanted.channel)))
            return not compare_lan(found, wanted.network)

        # Some BMCs show the new address only after seconds.
        find_within(is_there, SETTLE_DEADLINE_S, pause_s=1.0, clock=self._clock)

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
        def is_back() -> bool:
            try:
                return self._run(machine, "mc", "info", check=False, timeout_s=20).returncode == 0
            except DriverError as cause:
                log.info("the BMC does not answer yet: %s", cause)
                return False

        self._run(machine, "mc", "reset", "cold")
        self._clock.sleep(RESET_GRACE_S)
        if not find_within(is_back, RESET_DEADLINE_S - RESET_GRACE_S, pause_s=2.0, clock=self._clock):
            raise DriverError(
                f"the BMC has not answered for {RESET_DEADLINE_S:g} s since its cold reset",
                hint="it may need its power cord pulled",
            )
