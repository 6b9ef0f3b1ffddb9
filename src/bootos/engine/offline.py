"""Plans where the machine is not: on what its drivers read when its state was saved (`savedstate`).

Called by `bootos template check --inventory`. Nothing is run, and nothing of the host is read but its programs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bootos.drivers.contract import Driver, DriverError, Machine, Match
from bootos.drivers.registry import Chosen, choose_drivers, load_drivers
from bootos.engine.run import Run
from bootos.errors import Problem
from bootos.template.model import Template
from bootos.wire.inventory import Inventory
from bootos.wire.saved import SavedState

PRIORITY_SAVED = 1000  # above that of any driver


class SavedDriver:
    """A driver that reads what it read when the state was saved. With a saved state it took the machine then, whatever
    the host it is planned on has; without one it matches by what that host has: programs, sysfs."""

    def __init__(self, driver: Driver, saved: SavedState) -> None:
        self._driver = driver
        self._saved = saved

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def match(self, inventory: Inventory) -> Match | None:
        """A match when a state of the driver was saved; else what the driver itself says."""
        if self._driver.name not in self._saved.states:
            return self._driver.match(inventory)
        return Match(reason="it read the machine when the state was saved", priority=PRIORITY_SAVED)

    def read(self, machine: Machine, inventory: Inventory) -> Any:
        """The saved state. Raises DriverError when there is none, or one of another version."""
        name = self._driver.name
        if name not in self._saved.states:
            reason = self._saved.unread.get(name, "it is not in the file")
            raise DriverError(
                f"the saved state has nothing of {name}: {reason}",
                hint="take a capture on the machine, which has all (bootos-agent capture), and plan on that",
            )
        try:
            # It was JSON, where every key is a text: a number that is a key is one again.
            return msgspec.convert(self._saved.states[name], self._driver.state_type, str_keys=True)
        except msgspec.ValidationError as cause:
            raise DriverError(
                f"the saved state of {name} is of another version: {cause}", hint="save it again"
            ) from cause


def build_offline_run(
    document: Any, saved: SavedState, secrets: dict[str, str], drivers: Sequence[Driver] | None = None
) -> Run:
    """The template on the machine as it was saved, to be planned as the agent would have at that moment. `drivers`
    replaces the installed ones."""

    def choose(inventory: Inventory, template: Template) -> tuple[list[Chosen], list[Problem]]:
        wrapped: list[Any] = [SavedDriver(driver, saved) for driver in drivers or load_drivers()]
        return choose_drivers(inventory, template, wrapped)

    nowhere = Machine(run=refuse_to_run, root=Path("/nonexistent"))
    return Run(document, nowhere, saved.inventory, secrets, choose=choose)


def refuse_to_run(argv: Sequence[Any], **options: Any) -> Any:
    """Raise: offline nothing is run. A driver that runs something here has a `plan` that is not pure."""
    raise DriverError(f"there is no machine here to run {argv[0]} on")
