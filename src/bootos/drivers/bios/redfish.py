"""`bios.redfish`: BIOS settings by the BMC's Redfish service: the Bios resource, its settings object and registry.

All changes go in one PATCH of the settings object (DSP0266, 9.10); the BIOS takes them over at the next start. A
service that says yes and stages nothing is found out before the reboot.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bootos.drivers.bios.attribute_registry import parse_settings
from bootos.drivers.bios.driver import BiosDriver
from bootos.drivers.bios.ilorest import find_registry_path
from bootos.drivers.bios.namefile import GENERIC, find_vendor
from bootos.drivers.bios.section import PRIORITY_REDFISH, BiosState
from bootos.drivers.bios.setting import SetDetail, Setting
from bootos.drivers.bios.vendor_tool import check_taken
from bootos.drivers.contract import DriverError, Forecast, Machine, Match, Planned
from bootos.drivers.redfish.caller import Caller
from bootos.drivers.redfish.client import ROOT, TIMEOUT_S, Client
from bootos.drivers.redfish.endpoint import Endpoint, find_endpoints
from bootos.drivers.redfish.reply import Reply, read_link, read_links, read_object, read_texts
from bootos.drivers.redfish.resource import NotShownError, find_system
from bootos.drivers.redfish.task import wait_for_task
from bootos.errors import Problem, Problems
from bootos.template.model import Template
from bootos.wire.inventory import Inventory

NAME = "bios.redfish"
_UNNAMED_REGISTRY = "BiosAttributeRegistry"
TASK_DEADLINE_S = 600.0
PRIORITY_LAN_ONLY = 5  # a BMC with an address may have no Redfish service


class RedfishBiosState(BiosState, frozen=True, kw_only=True):
    """`obstacles`: what the template must say before anything can be read."""

    endpoints: tuple[Endpoint, ...] = ()
    obstacles: tuple[Problem, ...] = ()
    bios: str = ""  # the path of the Bios resource
    unread: tuple[str, ...] = ()  # what the service links and does not show, in its words
    on_reset: bool = False  # a request must say that settings are applied on reset


class BiosRedfishDriver(BiosDriver, Caller):
    name = NAME
    title = "BIOS settings (Redfish)"
    state_type = RedfishBiosState

    def __init__(self, *, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__(timeout_s=timeout_s)
        self._state: RedfishBiosState | None = None

    def match(self, inventory: Inventory) -> Match | None:
        bmc = inventory.bmc
        if bmc is None:
            return None
        if bmc.redfish is not None:
            return Match(reason="SMBIOS lists a Redfish host interface", priority=PRIORITY_REDFISH)
        where = f"at {bmc.address}" if bmc.address is not None else "at an address the template may say"
        return Match(reason=f"the BMC {where} may have a Redfish service", priority=PRIORITY_LAN_ONLY)

    def read(self, machine: Machine, inventory: Inventory) -> RedfishBiosState:
        vendor = find_vendor(inventory.system.vendor)
        endpoints, problems = find_endpoints(machine.template, inventory)
        if problems:
            return RedfishBiosState(vendor=vendor, settings=[], obstacles=tuple(problems))
        with self._open(machine, endpoints) as client:
            try:
                system = find_system(client, inventory)
                bios = _find_bios(client, system)
            except NotShownError as cause:
                problems = [cause.build_problem("bios")]
                return RedfishBiosState(vendor=vendor, settings=[], obstacles=tuple(problems))
            if vendor == GENERIC:
                vendor = find_vendor(str(system.get("Manufacturer") or ""))
            pending = client.look(find_pending_path(bios))
            gone = "what the Redfish service changes BIOS settings by cannot be read"
            problems = (
                [] if pending else [Problem(path="bios", message=f"{gone}: {'; '.join(client.unread)}")]
            )
            times = read_object(bios.get("@Redfish.Settings")).get("SupportedApplyTimes")
            shown = _read_settings(client, bios, pending)
            return RedfishBiosState(
                vendor=vendor,
                settings=shown,
                unread=tuple(client.unread),
                endpoints=tuple(endpoints),
                obstacles=tuple(problems),
                bios=str(bios["@odata.id"]),
                on_reset="OnReset" in read_texts(times),
            )

    def plan(
        self, state: RedfishBiosState, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        if state.obstacles:
            return Planned(problems=Problems(state.obstacles))
        self._state = state
        planned = super().plan(state, template, secrets, forecast)
        planned.notes += state.unread
        if template.bios is not None and template.bios.password is not None and planned.actions:
            message = "Redfish has no way to open a setup that has a password"
            planned.complain("bios.password", message, "the vendor's tool may have: bios.driver")
        return planned

    def set(self, machine: Machine, details: Sequence[SetDetail], password: str | None) -> None:
        if self._state is None:
            raise DriverError(f"{self.name}: apply without a plan")
        new = {detail.name: detail.value for detail in details if not detail.staged}
        if not new:
            return
        what = f"set {', '.join(new)}"
        body: dict[str, Any] = {"Attributes": new}
        if self._state.on_reset:
            body["@Redfish.SettingsApplyTime"] = {"ApplyTime": "OnReset"}
        with self._open(machine, self._state.endpoints) as client:
            bios = client.get(self._state.bios).body
            reply = client.patch(find_pending_path(bios), body, what=what)
            wait_for_task(client, reply, what=what, deadline_s=TASK_DEADLINE_S)
            bios = client.get(self._state.bios).body
            settings = _read_settings(client, bios, client.find(find_pending_path(bios)))
        check_taken(settings, details, "the Redfish service")


def _find_bios(client: Client, system: Mapping[str, Any]) -> dict[str, Any]:
    """The Bios resource of this machine. Raises NotShownError."""
    path = read_link(system, "Bios")
    found = client.find(path) if path else None
    if found is None:
        said = [said for said in client.unread if path and path in said]
        reason = f": {'; '.join(said)}" if said else ""
        raise NotShownError(f"the Redfish service of this machine shows no BIOS settings{reason}")
    return {"@odata.id": path, **found.body}


def find_pending_path(bios: Mapping[str, Any]) -> str:
    """Where settings are changed: the settings object; without one the Bios resource itself."""
    return read_link(bios, "@Redfish.Settings", "SettingsObject") or str(bios["@odata.id"])


def _read_settings(client: Client, bios: dict[str, Any], pending: Reply | None) -> list[Setting]:
    registry = _read_registry(client, str(bios.get("AttributeRegistry") or ""))
    later = pending.body.get("Attributes") if pending is not None else None
    return parse_settings(read_object(bios.get("Attributes")), read_object(later), registry)


def _read_registry(client: Client, name: str) -> dict[str, Any] | None:
    """Types, allowed values and dependencies, where the service has them. Versions are not always in both names, and
    OpenBMC lists a registry that its Bios resource does not name."""
    collection = read_link(client.get(ROOT).body, "Registries")
    if not collection:
        return None
    found = client.look(collection)
    members = read_links(found.body.get("Members")) if found is not None else []
    if not members and name:
        members = [
            f"{collection.rstrip('/')}/{name}"
        ]  # a collection that cannot be read has members all the same
    plain = (name or _UNNAMED_REGISTRY).partition(".v")[0].lower()
    for path in sorted(members, key=lambda path: _read_id(path) != name):
        if _read_id(path).partition(".v")[0].lower() != plain:
            continue
        described = client.look(path)
        place = find_registry_path(described.body) if described is not None else None
        registry = client.look(place) if place else None
        if registry is not None:
            return registry.body
    return None


def _read_id(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
