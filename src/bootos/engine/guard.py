"""The last look before anything is changed: what destroys data must be allowed by a word of the template."""

from collections.abc import Iterable

from bootos.drivers.contract import Action
from bootos.errors import BootosError, Problem


class GuardError(BootosError):
    """An action would destroy what the order does not allow to be destroyed."""


def find_forbidden(actions: Iterable[Action]) -> list[Problem]:
    """A problem for each action that destroys something without a word of the template that allows it."""
    return [
        Problem(
            path=action.path,
            message=f"{action.summary} would destroy {'; '.join(action.destroys)}",
            hint="add wipe: true (or raid.clear: true) there if that data may be lost",
        )
        for action in actions
        if action.destroys and not action.allowed
    ]


def check_allowed(action: Action, planned: Iterable[Action]) -> None:
    """Raise GuardError unless `action` destroys nothing beyond what its template word allows, and nothing that the
    plan shown to the operator did not name for the same place of the template."""
    for problem in find_forbidden([action]):
        raise GuardError(str(problem))
    shown = {
        (shown_action.driver, shown_action.path, lost)
        for shown_action in planned
        for lost in shown_action.destroys
    }
    unseen = [lost for lost in action.destroys if (action.driver, action.path, lost) not in shown]
    if unseen:
        raise GuardError(
            f"{action.summary} would destroy {'; '.join(unseen)}, which the plan did not show",
            hint="the machine changed since it was planned; start the job again to see the new plan",
        )
