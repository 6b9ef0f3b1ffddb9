"""Plans a template on a machine: every driver is read and asked, every problem is found, nothing is changed.

`apply` carries the plan out. A plan with problems is shown, and never carried out.
"""

import logging
from typing import Any

import msgspec

from bootos.drivers.contract import Action, Forecast, Planned
from bootos.engine.expectation import find_differences
from bootos.engine.guard import find_forbidden
from bootos.engine.run import Run
from bootos.errors import Problem
from bootos.template.model import Template
from bootos.template.placeholder import find_secret_words
from bootos.wire.v2 import ActionView

log = logging.getLogger(__name__)


class DriverPlan(msgspec.Struct, kw_only=True):
    """What one driver will do, and why it was chosen."""

    driver: Any  # a `Driver`, which is a protocol, and msgspec cannot check it
    reason: str
    planned: Planned


class JobPlan(msgspec.Struct, kw_only=True):
    """The plan of a whole template. With `problems`, nothing may be applied. `approved`: the ids of the actions that
    an operator approved; then no other one is carried out, whatever is found on the way."""

    template: Template | None
    drivers: list[DriverPlan] = []
    problems: list[Problem] = []
    approved: frozenset[str] | None = None

    @property
    def actions(self) -> list[Action]:
        """The actions of all drivers, in the order in which they are carried out."""
        return [action for part in self.drivers for action in part.planned.actions]

    @property
    def notes(self) -> list[str]:
        """The notes of all drivers."""
        return [note for part in self.drivers for note in part.planned.notes]


def plan_job(run: Run) -> JobPlan:
    """Plan a template as it was written. Every problem is found, those of the document and those of the machine.

    Raises DriverError, ToolError when the machine cannot be read.
    """
    template = run.template
    result = JobPlan(template=template, problems=list(run.problems))
    if template is None:
        return result
    if template.expect is not None and run.check_expected:
        result.problems += find_differences(template.expect, run.inventory)
    chosen, unmatched = run.choose(run.inventory, template)
    result.problems += unmatched
    result.problems += find_missing_secrets(template, run.secrets)
    forecast = Forecast()
    with run.machine.looking():
        for choice in chosen:
            log.info("%s: reading the machine (%s)", choice.driver.name, choice.reason)
            planned = run.ask(choice.driver, forecast)
            result.drivers.append(DriverPlan(driver=choice.driver, reason=choice.reason, planned=planned))
            result.problems += planned.problems
            result.problems += find_forbidden(planned.actions)
    result.problems = list(dict.fromkeys(result.problems))
    return result


def find_missing_secrets(template: Template, secrets: dict[str, str]) -> list[Problem]:
    """A problem for each script that asks for a secret without a value; drivers tell those of their own sections."""
    return [
        Problem(
            path=f"scripts[{g}].scripts[{s}].script",
            message=f"the secret {name!r} has no value",
            hint=f"bootos secret set {name}, or --secrets FILE by hand",
        )
        for g, group in enumerate(template.scripts)
        for s, script in enumerate(group.scripts)
        for name in sorted(find_secret_words(script.script) - secrets.keys())
    ]


def view_action(action: Action) -> ActionView:
    """An action as the operator sees it."""
    return ActionView(
        id=action.id,
        driver=action.driver,
        summary=action.summary,
        changes=list(action.changes),
        destroys=list(action.destroys),
        reboot=action.reboot,
        estimate_s=action.estimate_s,
    )
