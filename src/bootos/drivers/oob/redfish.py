"""`oob.redfish`: the BMC's network, accounts, power policy and boot settings, by its Redfish service (DMTF DSP0266).

`redfishplan` decides. A resource is changed with If-Match, as it was read. Whether a password is right is found by
logging on with it, once per account and job: BMCs lock an account, or everybody, after a few failures.
"""

import hashlib
import logging
from typing import Any

import msgspec

from bootos.drivers.contract import Action, DriverError, Forecast, Machine, Match, Planned
from bootos.drivers.oob.bmc import compare_lan
from bootos.drivers.oob.ipmiplan import asks_settings, resolve_password
from bootos.drivers.oob.redfishplan import plan_oob
from bootos.drivers.oob.redfishresource import (
    find_action,
    is_reserved,
    parse_interface,
    read_accounts,
    read_boot,
    read_interface,
    read_power_policy,
)
from bootos.drivers.oob.redfishstate import NAME, Account, ResetManager, SetAccount, SetResource, State
from bootos.drivers.redfish.caller import Caller
from bootos.drivers.redfish.client import ROOT, TIMEOUT_S, Client
from bootos.drivers.redfish.endpoint import Account as Login
from bootos.drivers.redfish.endpoint import Endpoint, find_endpoints
from bootos.drivers.redfish.failure import RedfishError
from bootos.drivers.redfish.reply import read_link, read_texts
from bootos.drivers.redfish.resource import NotShownError, find_manager, find_system
from bootos.drivers.redfish.task import wait_for_task
from bootos.masking import Hidden
from bootos.template.model import Oob, OobNetwork, Template
from bootos.waiting import CLOCK, Clock, find_within
from bootos.wire.inventory import Inventory

log = logging.getLogger(__name__)

SETTLE_DEADLINE_S = 60.0
RESET_DEADLINE_S = 600.0
DOWN_DEADLINE_S = 45.0  # a BMC still answers for a while after it took the reset
TASK_DEADLINE_S = 300.0
# A BMC that locks an account after fewer failures than this is not asked whether a password is right.
_ROOM_FOR_A_QUESTION = 3


class RedfishDriver(Caller):
    name = NAME
    section = "oob"
    title = "Out-of-band controller (Redfish)"
    state_type = State

    def __init__(self, *, timeout_s: float = TIMEOUT_S, clock: Clock = CLOCK) -> None:
        super().__init__(timeout_s=timeout_s, clock=clock)
        self._was_reset = False
        self._wrong: set[tuple[str, str]] = set()  # (account, digest of a password) that did not log on
        self._endpoints: tuple[Endpoint, ...] = ()

    def match(self, inventory: Inventory) -> Match | None:
        bmc = inventory.bmc
        if bmc is None:
            return None
        if bmc.redfish is not None:
            where = bmc.redfish.service_address or "an address from DHCP"
            reason = f"SMBIOS lists a Redfish host interface ({where})"
        elif bmc.address is not None:
            reason = f"the BMC has the LAN address {bmc.address}, where a Redfish service may be"
        else:
            reason = "the machine has a BMC, whose address the template may say"
        return Match(reason=f"{reason}; IPMI, which needs no account, goes first", priority=-10)

    def wants(self, template: Template) -> bool:
        return template.oob is not None and (template.oob.reset or asks_settings(template.oob))

    def read(self, machine: Machine, inventory: Inventory) -> State:
        endpoints, problems = find_endpoints(machine.template, inventory)
        if problems:
            return State(obstacles=tuple(problems))
        oob = machine.template.oob if machine.template is not None else None
        with self._open(machine, tuple(endpoints)) as client:
            try:
                return self._read(client, machine, inventory, oob or Oob(), tuple(endpoints))
            except NotShownError as cause:
                return State(obstacles=(cause.build_problem("oob"),))

    def plan(self, state: State, template: Template, secrets: dict[str, str], forecast: Forecast) -> Planned:
        if template.oob is None:
            return Planned()
        self._endpoints = state.endpoints
        return plan_oob(state, template.oob, secrets, self._was_reset, asks_settings(template.oob))

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        with self._open(machine, self._endpoints) as client:
            match action.detail:
                case SetResource():
                    self._apply_resource(client, action, action.detail)
                case SetAccount():
                    self._apply_account(client, action, action.detail)
                case ResetManager(target=target, kind=kind):
                    client.post(target, {"ResetType": kind}, what=action.summary)
                case _:
                    raise DriverError(f"{self.name} has no action like {action.id}")
        if isinstance(action.detail, ResetManager):
            self._wait_for_service(machine)
            self._was_reset = True
        elif isinstance(action.detail, SetResource) and action.detail.network is not None:
            self._wait_for_network(machine, action.detail.path, action.detail.network)

    def _read(
        self,
        client: Client,
        machine: Machine,
        inventory: Inventory,
        oob: Oob,
        endpoints: tuple[Endpoint, ...],
    ) -> State:
        root = client.get(ROOT).body
        system = find_system(client, inventory)
        manager = find_manager(client, system)
        reset = find_action(manager, "#Manager.Reset")
        accounts_at = read_link(root, "AccountService")
        service = client.look(accounts_at) if accounts_at else None
        shown = read_accounts(client, service.body if service else {})
        everybody = shown.accounts
        accounts = [account for account in everybody if account.name or not is_reserved(account)]
        oem = manager.get("Oem")
        asked = self._ask_passwords(client, machine, oob, accounts, service.body if service else {})
        interface, hidden = read_interface(client, read_link(manager, "EthernetInterfaces"), inventory)
        state = State(
            endpoints=endpoints,
            system=str(system.get("@odata.id") or ""),
            manager_reset=str(reset.get("target") or ""),
            reset_types=read_texts(reset.get("ResetType@Redfish.AllowableValues")),
            account_collection=shown.path,
            accounts=asked,
            unread_accounts=shown.unread,
            roles=shown.roles,
            fixed_slots=any(not account.name for account in everybody),
            vendor=next((key for key in oem if "@" not in key), "") if isinstance(oem, dict) else "",
            logged_on_as=client.user,
            interface=interface,
            unread_interfaces=hidden,
            power=read_power_policy(client, system) if oob.power_policy is not None else None,
            boot=read_boot(client, system),
            takes_accounts=shown.takes_more,
        )
        return msgspec.structs.replace(state, unread=tuple(client.unread))

    def _ask_passwords(
        self, client: Client, machine: Machine, oob: Oob, accounts: list[Account], service: dict[str, Any]
    ) -> tuple[Account, ...]:
        """Log on with each wanted account that is there and may log on."""
        threshold = service.get("AccountLockoutThreshold")
        risky = isinstance(threshold, int) and 0 < threshold < _ROOM_FOR_A_QUESTION
        wanted = {user.name: user for user in oob.users if user.enabled}
        asked: list[Account] = []
        for account in accounts:
            right = None
            user = wanted.get(account.name)
            password = resolve_password(user, machine.secrets, "")[0] if user is not None else None
            if password and account.enabled is not False and not risky:
                right = self._ask_password(client.endpoint, account, password)
            asked.append(msgspec.structs.replace(account, right=right))
        return tuple(asked)

    def _ask_password(self, endpoint: Endpoint, account: Account, password: str) -> bool | None:
        key = (account.path, hashlib.sha256(password.encode()).hexdigest())
        if key in self._wrong:
            return False
        login = Login(user=account.name, password=Hidden(password))
        try:
            with Client(endpoint, login, timeout_s=self._timeout_s) as client:
                client.get(account.path)  # with basic authentication nothing was asked before
        except RedfishError as cause:
            if cause.status == 403:
                return True  # known, but not allowed to see accounts
            if cause.status != 401:
                return None
            self._wrong.add(key)
            return False
        return True

    def _apply_resource(self, client: Client, action: Action, wanted: SetResource) -> None:
        body = client.get(wanted.path).body
        # DSP0266, 7.8: what cannot change at once has a settings resource
        path = read_link(body, "@Redfish.Settings", "SettingsObject") or wanted.path
        if wanted.network is None and path != wanted.path:
            pending = client.get(path).body
            path = path if all(key in pending for key in wanted.body) else wanted.path
        reply = client.patch(path, wanted.body, what=action.summary)
        wait_for_task(client, reply, what=action.summary, deadline_s=TASK_DEADLINE_S)

    def _apply_account(self, client: Client, action: Action, wanted: SetAccount) -> None:
        body = dict(wanted.body)
        if wanted.password is not None:
            body["Password"] = wanted.password.password
            self._wrong = {pair for pair in self._wrong if pair[0] != wanted.path}
        if wanted.create:
            reply = client.post(wanted.path, body, what=action.summary)
        else:
            reply = client.patch(wanted.path, body, what=action.summary)
        wait_for_task(client, reply, what=action.summary, deadline_s=TASK_DEADLINE_S)

    def _wait_for_network(self, machine: Machine, path: str, wanted: OobNetwork) -> None:
        """Some BMCs take the address over seconds later, and are then elsewhere; what is there after the deadline is
        compared by reading again."""

        def is_there() -> bool:
            try:
                with self._open(machine, self._endpoints) as client:
                    return not compare_lan(parse_interface(client.get(path).body).lan, wanted)
            except RedfishError as cause:
                log.info("the Redfish service does not answer yet: %s", cause)
                return False

        find_within(is_there, SETTLE_DEADLINE_S, pause_s=1.0, clock=self._clock)

    def _wait_for_service(self, machine: Machine) -> None:
        """First until it is gone, then until it answers again."""
        began = self._clock.now()
        was_gone = False

        def is_back() -> bool:
            nonlocal was_gone
            try:
                with self._open(machine, self._endpoints, 20.0):
                    return was_gone or self._clock.now() > began + DOWN_DEADLINE_S
            except RedfishError as cause:
                if not was_gone:
                    log.info("the Redfish service is gone: %s", cause)
                was_gone = True
                return False

        if not find_within(is_back, RESET_DEADLINE_S, pause_s=1.0, clock=self._clock):
            raise DriverError(
                f"the Redfish service has not answered for {RESET_DEADLINE_S:g} s since the BMC's reset",
                hint="it may have another address now: oob.redfish.address",
            )
