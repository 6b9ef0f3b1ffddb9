"""The engine over a machine made of a dictionary: what it plans, refuses, applies, and notices."""

from typing import Any

import pytest

from bootos.agent.engine import Cancelled, JobPlan, StepFailed, apply_job, plan_job
from bootos.drivers.contract import Action, Change, DriverError, Forecast, Machine, Match, Planned
from bootos.drivers.registry import Chosen
from bootos.errors import Problem
from bootos.template.model import Template
from bootos.wire.inventory import Inventory
from bootos.wire.v2 import ActionView, StepState

INVENTORY = Inventory(collected_at="2026-01-01T00:00:00Z")


class LampDriver:
    """Sets `machine["lamp"]` to the template's description. `deaf`: accepts the change and does nothing."""

    section = "lamp"
    title = "Lamp"
    state_type = object

    def __init__(self, world: dict[str, Any], *, name: str = "test.lamp", deaf: bool = False) -> None:
        self.name = name
        self.world = world
        self.deaf = deaf
        self.applied: list[str] = []
        self.allowed: str | None = "wipe"
        self.destroys: tuple[str, ...] = ()
        self.problems: list[Problem] = []

    def match(self, inventory: Inventory) -> Match | None:
        return Match(reason="always")

    def wants(self, template: Template) -> bool:
        return True

    def read(self, machine: Machine, inventory: Inventory) -> Any:
        return self.world.get("lamp", "")

    def plan(self, state: Any, template: Template, secrets: dict[str, str], forecast: Forecast) -> Planned:
        if state == template.description:
            return Planned(problems=self.problems, notes=["the lamp is right"])
        action = Action(
            id="lamp",
            driver=self.name,
            summary="set the lamp",
            changes=(Change(what="lamp", before=state, after=template.description),),
            destroys=self.destroys,
            allowed=self.allowed,
            path="description",
        )
        return Planned(actions=[action], problems=self.problems)

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        self.applied.append(action.id)
        if self.world.get("broken"):
            raise DriverError("the lamp is broken")
        if not self.deaf:
            self.world["lamp"] = action.changes[0].after


class Notes:
    def __init__(self, *, cancel: bool = False) -> None:
        self.steps: list[tuple[str, StepState]] = []
        self.actions: list[tuple[str, StepState]] = []
        self.cancel = cancel

    def set_step(
        self, id: str, state: StepState, *, message: str = "", actions: list[ActionView] | None = None
    ) -> None:
        self.steps.append((id, state))

    def set_action(self, step_id: str, action_id: str, state: StepState) -> None:
        self.actions.append((action_id, state))

    def is_cancelled(self) -> bool:
        return self.cancel


def plan(*drivers: LampDriver, document: Any = None) -> JobPlan:
    def choose(inventory: Inventory, template: Template) -> tuple[list[Chosen], list[Problem]]:
        return [Chosen(driver=driver, reason="always") for driver in drivers], []

    return plan_job(document or {"name": "t", "description": "on"}, Machine(), INVENTORY, {}, choose=choose)


def test_applies_reads_again_and_a_second_run_plans_nothing() -> None:
    lamp = LampDriver({})
    notes = Notes()
    apply_job(plan(lamp), Machine(), INVENTORY, {}, notes)
    assert lamp.world == {"lamp": "on"}
    assert notes.steps[-1] == ("test.lamp", StepState.DONE)
    assert plan(lamp).actions == []
    apply_job(plan(lamp), Machine(), INVENTORY, {}, notes)
    assert lamp.applied == ["lamp"]
    assert notes.steps[-1] == ("test.lamp", StepState.UNCHANGED)


def test_a_change_that_was_accepted_but_not_applied_is_a_failure_that_says_so() -> None:
    with pytest.raises(StepFailed, match=r"reported success, but .*lamp: - -> on"):
        apply_job(plan(LampDriver({}, deaf=True)), Machine(), INVENTORY, {}, Notes())


def test_what_breaks_while_a_later_driver_is_at_work_is_found_at_the_end() -> None:
    first = LampDriver({}, name="test.one")

    class Careless(LampDriver):
        def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
            super().apply(machine, action, secrets)
            first.world["lamp"] = ""

    second = Careless({}, name="test.two")
    notes = Notes()
    with pytest.raises(StepFailed, match=r"was as wanted, but is not any more: .*lamp: - -> on"):
        apply_job(plan(first, second), Machine(), INVENTORY, {}, notes)
    assert notes.steps[-1] == ("test.one", StepState.FAILED)


def test_problems_of_the_document_and_of_every_driver_come_back_together() -> None:
    first, second = LampDriver({}, name="test.one"), LampDriver({}, name="test.two")
    first.problems = [Problem(path="raid.arrays[0].drives", message="drive 9 is not there")]
    second.problems = [Problem(path="disks[0]", message="too large")]
    made = plan(first, second, document={"name": "t", "description": "on", "colour": "red"})
    assert [problem.path for problem in made.problems] == ["colour", "raid.arrays[0].drives", "disks[0]"]
    with pytest.raises(StepFailed):
        apply_job(made, Machine(), INVENTORY, {}, Notes())
    assert first.applied == second.applied == []


def test_refuses_to_destroy_what_the_template_does_not_allow_by_word() -> None:
    lamp = LampDriver({"lamp": "precious"})
    lamp.destroys, lamp.allowed = ("the old light",), None
    made = plan(lamp)
    assert "the old light" in made.problems[0].message
    assert "wipe: true" in made.problems[0].hint


def test_refuses_to_destroy_what_the_shown_plan_did_not_name() -> None:
    lamp = LampDriver({"lamp": "off"})
    made = plan(lamp)
    lamp.destroys = ("data that came since",)
    with pytest.raises(StepFailed, match="the plan did not show"):
        apply_job(made, Machine(), INVENTORY, {}, Notes())
    assert lamp.applied == []


def test_a_failing_tool_marks_the_action_and_later_drivers_are_not_touched() -> None:
    world = {"broken": True}
    first, second = LampDriver(world, name="test.one"), LampDriver({}, name="test.two")
    notes = Notes()
    with pytest.raises(StepFailed, match="Lamp: the lamp is broken"):
        apply_job(plan(first, second), Machine(), INVENTORY, {}, notes)
    assert notes.actions[-1] == ("lamp", StepState.FAILED)
    assert second.applied == []


def test_a_cancel_stops_before_the_next_action() -> None:
    lamp = LampDriver({})
    with pytest.raises(Cancelled):
        apply_job(plan(lamp), Machine(), INVENTORY, {}, Notes(cancel=True))
    assert lamp.applied == []


def test_a_cancel_that_is_heard_while_the_server_is_told_of_an_action_keeps_it_from_beginning() -> None:
    class Hearing(Notes):
        def set_action(self, step_id: str, action_id: str, state: StepState) -> None:
            super().set_action(step_id, action_id, state)
            self.cancel = True

    lamp, notes = LampDriver({}), Hearing()
    with pytest.raises(Cancelled, match="cancelled before: set the lamp"):
        apply_job(plan(lamp), Machine(), INVENTORY, {}, notes)
    assert lamp.applied == []
    assert notes.actions == [("lamp", StepState.RUNNING), ("lamp", StepState.SKIPPED)]
