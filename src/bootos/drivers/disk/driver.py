"""What the drivers share that write on disks: chosen alike, read alike, and resyncs are slow meanwhile."""

from typing import Any

from bootos.drivers.contract import Action, DriverError, Machine, Match
from bootos.drivers.storage.array import resync_slowed
from bootos.drivers.storage.current import has_or_makes_disks
from bootos.drivers.storage.read import read_storage
from bootos.drivers.storage.state import Storage
from bootos.wire.inventory import Inventory


class DiskDriver:
    """The base of them. A subclass has `name`, `section`, `title`, what every disk `can`, `plan`, `change`, and the
    types of its actions' `details`."""

    name: str
    section: str
    title: str
    can: str
    details: tuple[type, ...]
    state_type: Any = Storage

    def match(self, inventory: Inventory) -> Match | None:
        """A match where there are disks, or will be."""
        return Match(reason=f"every disk can {self.can}") if has_or_makes_disks(inventory) else None

    def read(self, machine: Machine, inventory: Inventory) -> Storage:
        """What lies on all disks, the same for all of these drivers."""
        return read_storage(machine, inventory)

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        """`change`, when the action is one of this driver's. Raises DriverError, ToolError."""
        if not isinstance(action.detail, self.details):
            raise DriverError(f"{self.name} has no action like {action.id}")
        with resync_slowed(machine):
            self.change(machine, action.detail, secrets)

    def change(self, machine: Machine, detail: Any, secrets: dict[str, str]) -> None:
        """Carry out an action by its detail. Raises DriverError, ToolError."""
        raise NotImplementedError
