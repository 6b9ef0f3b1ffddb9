"""A template on a machine, carried out by the engine as the agent does; a watcher that remembers what it was told."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from bootos.drivers.contract import Action, Driver, Machine
from bootos.drivers.registry import choose_drivers
from bootos.engine.apply import apply_job
from bootos.engine.plan import JobPlan, plan_job
from bootos.engine.run import NO_PAST, Past, Run
from bootos.engine.watcher import Watcher
from bootos.errors import ProblemsError
from bootos.wire.inventory import Inventory
from bootos.wire.v2 import ActionView, StepState

MOST_BOOTS = 6


class Recorder(Watcher):
    """Remembers how every step and action stood last, as the server does. `at_first` is called when the first action
    begins."""

    def __init__(self) -> None:
        self.at_first: Callable[[], None] = lambda: None
        self.steps: dict[str, StepState] = {}
        self.actions: dict[str, StepState] = {}

    def set_step(
        self, id: str, state: StepState, *, message: str = "", actions: list[ActionView] | None = None
    ) -> None:
        self.steps[id] = state

    def set_action(self, step_id: str, action_id: str, state: StepState) -> None:
        if not self.actions:
            self.at_first()
        self.actions[action_id] = state


def build_run(
    document: Any,
    machine: Machine,
    inventory: Inventory,
    secrets: dict[str, str] | None = None,
    *,
    drivers: Sequence[Driver] | None = None,
    watcher: Recorder | None = None,
    past: Past = NO_PAST,
) -> Run:
    """`drivers` are those under test; without them they are the installed ones."""
    choose = partial(choose_drivers, drivers=drivers)
    return Run(document, machine, inventory, secrets, watcher=watcher, past=past, choose=choose)


def plan(
    document: Any,
    machine: Machine,
    inventory: Inventory,
    secrets: dict[str, str] | None = None,
    *,
    drivers: Sequence[Driver] | None = None,
) -> JobPlan:
    """The plan of a template that has no mistakes of its own."""
    run = build_run(document, machine, inventory, secrets, drivers=drivers)
    assert run.problems == []
    return plan_job(run)


def apply(
    document: Any,
    machine: Machine,
    inventory: Inventory,
    secrets: dict[str, str] | None = None,
    *,
    drivers: Sequence[Driver] | None = None,
) -> list[Action]:
    """Plan, approve, carry out and verify; returns the actions of the plan in the order they were done. Raises what the
    engine raises."""
    recorder = Recorder()
    run = build_run(document, machine, inventory, secrets, drivers=drivers, watcher=recorder)
    made = plan_job(run)
    assert made.problems == [], made.problems
    made.approved = frozenset(action.id for action in made.actions)
    assert apply_job(run, made) == [], "it waits for a reboot"
    named = {action.id: action for action in made.actions}
    assert set(recorder.actions.values()) <= {StepState.DONE}
    assert set(recorder.steps.values()) <= {StepState.DONE, StepState.UNCHANGED}
    return [named[id] for id in recorder.actions]


def carry_through(start: Callable[[Past, Recorder], Run], reboot: Callable[[], None]) -> list[str]:
    """A whole job: `start` gives the run of each boot, `reboot` is what happens in between. Returns the actions' ids
    in the order they were begun. Raises what the engine raises, ProblemsError."""
    past = NO_PAST
    done: list[str] = []
    for _ in range(MOST_BOOTS):
        recorder = Recorder()
        run = start(past, recorder)
        made = plan_job(run)
        if made.problems:
            raise ProblemsError("the plan", made.problems)
        waiting = apply_job(run, made)
        done += recorder.actions
        if not waiting:
            return done
        past = Past(actions={**past.actions, **recorder.actions}, rebooted=True)
        reboot()
    raise AssertionError("the job does not come to its end")
