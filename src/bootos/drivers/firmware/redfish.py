"""`firmware.redfish`: the BMC flashes what it is given, by its UpdateService: pushed to it (MultipartHttpPushUri) or
fetched by it (SimpleUpdate).

In both cases the package is downloaded here first, so that its checksum is known before the BMC is asked. The task is
followed to its end, and then the versions are read again: the task's state alone is no proof.
"""

import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from bootos.drivers.contract import Action, DriverError, Forecast, Machine, Match, Planned
from bootos.drivers.firmware.download import fetched_package
from bootos.drivers.firmware.plan import Hop, Recipe, plan_firmware
from bootos.drivers.firmware.redfishinventory import SINGLE, parse_inventory
from bootos.drivers.firmware.state import FirmwareState, Installed
from bootos.drivers.firmware.version import is_same
from bootos.drivers.redfish.caller import Caller
from bootos.drivers.redfish.client import ROOT, Client
from bootos.drivers.redfish.endpoint import Endpoint, find_endpoints
from bootos.drivers.redfish.failure import RedfishError
from bootos.drivers.redfish.reply import Reply, read_link, read_object, read_texts
from bootos.drivers.redfish.resource import NotShownError, find_manager, find_system
from bootos.drivers.redfish.task import wait_for_task
from bootos.errors import Problem, Problems
from bootos.template.firmware import FirmwareWanted, find_method
from bootos.template.model import Template
from bootos.waiting import find_within
from bootos.wire.inventory import Inventory

log = logging.getLogger(__name__)

NAME = "firmware.redfish"
UPLOAD_S = 1800.0
SETTLE_S = 900.0  # how long a BMC may take to restart with new firmware
LOOK_EVERY_S = 5.0
USUAL_S = {"bios": 600.0, "bmc": 900.0, "raid": 300.0, "nic": 300.0, "drive": 300.0}
MOST_S = 3600.0


class RedfishFirmwareState(FirmwareState, kw_only=True):
    """`obstacles`: what the template must say before anything can be read."""

    endpoints: tuple[Endpoint, ...] = ()
    obstacles: tuple[Problem, ...] = ()
    push: str = ""
    simple: str = ""
    apply_times: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()  # items that the service lists and does not show, in its words


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How packages reach the service."""

    endpoints: tuple[Endpoint, ...]
    push: str
    simple: str
    on_reset: bool


class FirmwareRedfishDriver(Caller):
    name = NAME
    section = NAME
    title = "Firmware by the BMC's Redfish service"
    state_type = RedfishFirmwareState
    reboot_after_each = True

    def match(self, inventory: Inventory) -> Match | None:
        if inventory.bmc is None:
            return None
        return Match(reason="the machine has a BMC, which may have a Redfish service")

    def wants(self, template: Template) -> bool:
        return any(find_method(item) == "redfish" for item in template.firmware)

    def read(self, machine: Machine, inventory: Inventory) -> RedfishFirmwareState:
        begun = sorted(id for id in machine.begun if id.startswith(f"{self.name}:"))
        endpoints, problems = find_endpoints(machine.template, inventory)
        if problems:
            return RedfishFirmwareState(begun=begun, obstacles=tuple(problems))
        with self._open(machine, endpoints) as client:
            try:
                system = find_system(client, inventory)
            except NotShownError as cause:
                return RedfishFirmwareState(begun=begun, obstacles=(cause.build_problem("firmware"),))
            path = read_link(client.get(ROOT).body, "UpdateService")
            update = client.look(path) if path else None  # it may be linked, and not there
            service = update.body if update is not None else {}
            times = service.get("MultipartHttpPushUri@Redfish.OperationApplyTimeSupport")
            simple = read_object(read_object(service.get("Actions")).get("#UpdateService.SimpleUpdate"))
            found = RedfishFirmwareState(
                installed=_read_installed(client, service, system),
                vendor=inventory.system.vendor,
                begun=begun,
                endpoints=tuple(endpoints),
                push=str(service.get("MultipartHttpPushUri") or ""),
                simple=str(simple.get("target") or ""),
                apply_times=read_texts(read_object(times).get("SupportedValues")),
            )
            found.unread = tuple(client.unread)
        if service.get("ServiceEnabled") is False:
            found.obstacle, found.hint = (
                "the BMC's update service is switched off",
                "UpdateService.ServiceEnabled",
            )
        elif not found.push and not found.simple:
            found.obstacle = "the BMC's Redfish service takes no firmware"
            found.hint = "another method: package, fwupd"
        return found

    def plan(
        self, state: RedfishFirmwareState, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        if state.obstacles:
            return Planned(problems=Problems(state.obstacles))

        def prepare(item: FirmwareWanted, parts: Sequence[Installed]) -> Recipe | Problem:
            fixed = [part.title for part in parts if not part.target and part.component not in SINGLE]
            if fixed:
                message = f"the Redfish service says that it cannot update {', '.join(fixed)}"
                return Problem(path="", message=message, hint="select others, or another method")
            way = Way(
                endpoints=state.endpoints,
                push=state.push,
                simple=state.simple,
                on_reset="OnReset" in state.apply_times,
            )
            return Recipe(
                reboot=item.reboot if item.reboot is not None else item.component != "bmc",
                estimate_s=USUAL_S[item.component],
                timeout_s=float(item.timeout_s or MOST_S),
                data=way,
            )

        planned = plan_firmware(self.name, "redfish", state, template.firmware, prepare)
        planned.notes += state.unread
        return planned

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        hop: Hop = action.detail
        way: Way = hop.recipe.data
        what = f"{hop.title} to {hop.package.version}"
        with fetched_package(machine, hop.package) as file:
            try:
                with self._open(machine, way.endpoints) as client:
                    reply = self._send(client, hop, way, str(hop.package.package), file, what)
                    waits = wait_for_task(client, reply, what=what, deadline_s=hop.recipe.timeout_s)
            except RedfishError as cause:
                if hop.component != "bmc" or cause.status not in (0, 401, 503):
                    raise
                log.info("%s: the BMC is away, probably to start its new firmware: %s", what, cause)
                waits = False
        if waits and not hop.recipe.reboot:
            raise DriverError(
                f"{what}: it waits for a restart, which the plan does not hold", hint="reboot: true"
            )
        if not hop.recipe.reboot:
            self._wait_for_version(machine, hop, way, what)

    def _send(self, client: Client, hop: Hop, way: Way, url: str, file: Any, what: str) -> Reply:
        targets = [part.target for part in hop.parts if part.target] if hop.component not in SINGLE else []
        if way.push:
            parameters: dict[str, Any] = {"Targets": targets}
            if way.on_reset and hop.recipe.reboot:
                parameters["@Redfish.OperationApplyTime"] = "OnReset"
            return client.upload(way.push, file, parameters, what=what, timeout_s=UPLOAD_S)
        protocol = "HTTPS" if url.startswith("https:") else "HTTP"
        request: dict[str, Any] = {"ImageURI": url, "TransferProtocol": protocol}
        if targets:
            request["Targets"] = targets
        return client.post(way.simple, request, what=what, timeout_s=UPLOAD_S)

    def _wait_for_version(self, machine: Machine, hop: Hop, way: Way, what: str) -> None:
        """What takes effect at once is looked at before the next hop builds on it; a BMC is away for a while."""
        has = ""

        def is_there() -> bool:
            nonlocal has
            try:
                with self._open(machine, way.endpoints) as client:
                    versions = [_read_version(client.get(part.target or "").body) for part in hop.parts]
            except RedfishError as cause:
                has = str(cause)
                return False
            has = f"{hop.title} has {', '.join(versions)}"
            return all(is_same(version, hop.package.version, hop.component) for version in versions)

        if not find_within(is_there, SETTLE_S, pause_s=LOOK_EVERY_S, clock=self._clock):
            message = f"{what}: the Redfish service reported success, but {has}"
            raise DriverError(message, hint="reboot: true, if it takes effect with a restart only")


def _read_installed(client: Client, service: dict[str, Any], system: dict[str, Any]) -> list[Installed]:
    path = read_link(service, "FirmwareInventory")
    items = list(client.get_members(path)) if path else []
    manager = find_manager(client, system)
    bios = read_link(system, "Bios")
    setup = client.look(bios) if bios else None
    bodies = [manager, setup.body if setup is not None else {}]
    running = [read_link(body, "Links", "ActiveSoftwareImage") for body in bodies]
    versions = {
        "bios": str(system.get("BiosVersion") or ""),
        "bmc": str(manager.get("FirmwareVersion") or ""),
    }
    found = parse_inventory(items, running=running, versions=versions)
    known = {part.component for part in found}
    for component, body in (("bios", system), ("bmc", manager)):
        if component not in known and versions[component]:
            found.append(
                Installed(
                    component=component,  # type: ignore[arg-type]
                    id=component,
                    title=component.upper(),
                    version=versions[component],
                    target=str(body.get("@odata.id") or ""),
                )
            )
    return found


def _read_version(body: dict[str, Any]) -> str:
    """Of an inventory item; of the system or the manager where there is no inventory."""
    return str(body.get("Version") or body.get("BiosVersion") or body.get("FirmwareVersion"))
