"""One template on one machine: what every part of the engine needs, in one hand.

A job of the agent, a file by hand, a call of a vendor script and a check on a saved state each make a `Run`; then
`plan.plan_job`, `apply.apply_job` and `script.run_scripts` work on it.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from bootos.drivers.calling import naming_failures, read_state
from bootos.drivers.contract import Driver, DriverError, Forecast, Machine, Planned
from bootos.drivers.registry import Chosen, choose_drivers
from bootos.engine.watcher import Watcher
from bootos.errors import Problem, Problems
from bootos.template.check import read_template
from bootos.template.model import Template
from bootos.wire.inventory import Inventory
from bootos.wire.v2 import StepState

MOST_TOLD = 2000  # characters of a note, a problem, a hint: what a machine calls its parts has any length

Chooser = Callable[[Inventory, Template], tuple[list[Chosen], list[Problem]]]


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier attempts of the job did: their steps and actions by id, and whether the machine has started anew
    since."""

    actions: dict[str, StepState] = {}
    rebooted: bool = False

    def find(self, state: StepState) -> frozenset[str]:
        """The ids of the actions and steps that stood so."""
        return frozenset(id for id, last in self.actions.items() if last is state)


NO_PAST = Past()


class Run:
    """`document` is the template as it was written; `template` is what was understood of it, or None, and `problems` is
    what was not.

    `secrets` go into the machine, and from there to every driver: as `Machine.secrets` while it reads, as the argument
    of `plan` and `apply` that the contract of drivers has. `choose` gives the drivers for a template; without it they
    are the installed ones. `check_expected`: not for a job that goes on after it changed what the template expected.
    """

    def __init__(
        self,
        document: Any,
        machine: Machine,
        inventory: Inventory,
        secrets: dict[str, str] | None = None,
        *,
        watcher: Watcher | None = None,
        past: Past = NO_PAST,
        choose: Chooser = choose_drivers,
        check_expected: bool = True,
    ) -> None:
        self.template, self.problems = read_template(document)
        self.machine = machine
        self.inventory = inventory
        self.watcher = watcher or Watcher()
        self.past = past
        self.choose = choose
        self.check_expected = check_expected
        machine.template, machine.secrets = self.template, secrets or {}

    @property
    def secrets(self) -> dict[str, str]:
        """The values of the template's secrets, by name."""
        return self.machine.secrets

    def ask(self, driver: Driver, forecast: Forecast) -> Planned:
        """What the driver plans on what it reads now, with notes and problems of MOST_TOLD characters at most; its work
        is added to `forecast`. An action is left whole: an approval holds for what it says.

        Raises DriverError, ToolError when the machine cannot be read, or says what is not understood, and when the
        driver itself fails."""
        if self.template is None:
            raise DriverError("a document that is no template asks nothing of a driver")
        with naming_failures(driver):
            state = read_state(driver, self.machine, self.inventory)
            planned = driver.plan(state, self.template, self.secrets, forecast)
        planned.notes = [_cut(note) for note in planned.notes]
        planned.problems = Problems(
            msgspec.structs.replace(problem, message=_cut(problem.message), hint=_cut(problem.hint))
            for problem in planned.problems
        )
        return planned


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TOLD else f"{text[:MOST_TOLD]}..."
