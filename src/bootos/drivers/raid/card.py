"""What the drivers of hardware RAID controllers share: they are chosen in the same way and planned by
`hardware.plan_controllers`.

A driver of one maker's tool reads the controllers and carries out orders; it decides nothing.
"""

from typing import Any

from bootos.drivers.contract import Action, DriverError, Forecast, Machine, Match, Planned
from bootos.drivers.raid import order
from bootos.drivers.raid.export import export_controllers
from bootos.drivers.raid.hardware import plan_controllers
from bootos.drivers.storage.controller import Controller, ControllerState
from bootos.drivers.storage.device import check_unused
from bootos.drivers.storage.read import read_storage
from bootos.drivers.storage.state import Storage
from bootos.template.model import Template
from bootos.wire.inventory import Inventory

PRIORITY = 10  # above software RAID


class CardDriver:
    """The base of the drivers of hardware controllers. A subclass has `name`, `title`, `read_controllers` and
    `carry_out`."""

    name: str
    section = "raid"
    title: str
    state_type: Any = ControllerState

    def read_controllers(self, machine: Machine, storage: Storage) -> tuple[Controller, ...]:
        """What the tool shows. Raises DriverError, ToolError, also when the tool is not installed."""
        raise NotImplementedError

    def carry_out(self, machine: Machine, detail: order.Order) -> None:
        """One order. Raises DriverError that names the array, ToolError."""
        raise NotImplementedError

    def match(self, inventory: Inventory) -> Match | None:
        found = [entry.model or entry.name for entry in inventory.raid if entry.driver == self.name]
        if not found:
            return None
        return Match(reason=f"the machine has {', '.join(found)}", priority=PRIORITY)

    def wants(self, template: Template) -> bool:
        return template.raid is not None

    def read(self, machine: Machine, inventory: Inventory) -> ControllerState:
        storage = read_storage(machine, inventory)
        controllers = self.read_controllers(machine, storage)
        if not controllers:
            raise DriverError("its tool finds no controller", hint="is its kernel module loaded?")
        return ControllerState(
            controllers=controllers, storage=storage, owner=machine.owner, begun=machine.begun
        )

    def plan(
        self, state: ControllerState, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        return plan_controllers(state, template, forecast, driver=self.name)

    def export(self, state: ControllerState) -> dict[str, Any]:
        return export_controllers(state)

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        if not isinstance(action.detail, order.Order):
            raise DriverError(f"{self.name} has no action like {action.id}")
        if action.detail.device:
            check_unused(machine, action.detail.device)
        self.carry_out(machine, action.detail)
