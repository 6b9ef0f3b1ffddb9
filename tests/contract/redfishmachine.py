"""A lab machine's Redfish service in process, over real HTTP on the loopback, and a driver's way to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from carrying import apply, build_run, plan

from bootos.drivers.contract import Action, Driver, Machine
from bootos.engine.plan import JobPlan
from bootos.engine.run import Run
from bootos.lab.redfish import RedfishService
from bootos.lab.vendor_tools.redfish import RedfishTool
from bootos.lab.vendor_tools.redfish_spec import RedfishSpec
from bootos.lab.vendor_tools.redfish_state import find_state, start_redfish
from bootos.lab.vendor_tools.silicon import Knob, Silicon, SiliconSpec
from bootos.wire.inventory import Bmc, Inventory, System

ADMIN = {"user": "labadmin", "password": {"secret": "oob-admin"}}


class RedfishMachine:
    """`machine` is what a driver gets, `state` what the service remembers."""

    def __init__(self, spec: RedfishSpec, silicon: Silicon, service: RedfishService) -> None:
        self.spec = spec
        self.silicon = silicon
        self.service = service
        self.machine = Machine()
        self.secrets = {"oob-admin": spec.password, "oob-ops": "s3cret-Enough"}
        system = System(vendor=spec.vendor, product=spec.product, serial=spec.serial, uuid=spec.uuid)
        self.inventory = Inventory(collected_at="2024-01-01T00:00:00Z", system=system, bmc=Bmc())

    @property
    def state(self) -> dict[str, Any]:
        return find_state(self.silicon)

    @property
    def tree(self) -> dict[str, dict[str, Any]]:
        tree: dict[str, dict[str, Any]] = self.state["tree"]
        return tree

    def misbehave(self, kind: str, when: str, times: int | None = None) -> None:
        self.silicon.knobs.append(Knob(tool="redfish", kind=kind, when=when, times=times))  # type: ignore[arg-type]

    def build(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document, with the way to the service in it."""
        access = {
            "address": f"{self.service.scheme}://127.0.0.1:{self.service.port}",
            "fingerprint": self.service.fingerprint or None,
            **ADMIN,
        }
        oob = document.get("oob", {})
        return {"name": "t", **document, "oob": {**oob, "redfish": {**access, **oob.get("redfish", {})}}}

    def plan(self, driver: Driver, document: dict[str, Any]) -> JobPlan:
        return plan(document, self.machine, self.inventory, self.secrets, drivers=[driver])

    def apply(self, driver: Driver, document: dict[str, Any]) -> list[Action]:
        return apply(document, self.machine, self.inventory, self.secrets, drivers=[driver])

    def build_run(self, driver: Driver, document: dict[str, Any], **more: Any) -> Run:
        return build_run(document, self.machine, self.inventory, self.secrets, drivers=[driver], **more)


@contextmanager
def serve(spec: RedfishSpec | None = None) -> Iterator[RedfishMachine]:
    spec = spec or RedfishSpec()
    silicon = Silicon(SiliconSpec(), tools=[RedfishTool()])
    start_redfish(silicon, spec)
    service = RedfishService(silicon, tls=spec.tls)
    try:
        yield RedfishMachine(spec, silicon, service)
    finally:
        service.close()
