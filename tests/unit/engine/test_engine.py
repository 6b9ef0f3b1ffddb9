"""The engine over a machine made of a dictionary: what it plans, refuses, applies, and notices."""

import errno
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bootos.drivers.contract import Action, Change, Driver, DriverError, Forecast, Machine, Match, Planned
from bootos.drivers.registry import Chosen
from bootos.engine.apply import apply_job
from bootos.engine.plan import JobPlan, plan_job
from bootos.engine.run import MOST_TOLD, NO_PAST, Past, Run
from bootos.engine.watcher import Cancelled, StepFailed, Watcher
from bootos.errors import Problem, Problems
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
        self.problems = Problems()

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


class Notes(Watcher):
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


def build_run(
    *drivers: Driver, document: Any = None, watcher: Watcher | None = None, past: Past = NO_PAST
) -> Run:
    def choose(inventory: Inventory, template: Template) -> tuple[list[Chosen], list[Problem]]:
        return [Chosen(driver=driver, reason="always") for driver in drivers], []

    written = document or {"name": "t", "description": "on"}
    return Run(written, Machine(), INVENTORY, watcher=watcher, past=past, choose=choose)


def plan(*drivers: Driver, document: Any = None) -> JobPlan:
    return plan_job(build_run(*drivers, document=document))


def carry_out(*drivers: Driver, watcher: Watcher | None = None, past: Past = NO_PAST) -> list[Action]:
    """Plan and apply, as one attempt of a job does."""
    run = build_run(*drivers, watcher=watcher, past=past)
    return apply_job(run, plan_job(run))


def test_applies_reads_again_and_a_second_run_plans_nothing() -> None:
    lamp = LampDriver({})
    notes = Notes()
    carry_out(lamp, watcher=notes)
    assert lamp.world == {"lamp": "on"}
    assert notes.steps[-1] == ("test.lamp", StepState.DONE)
    assert plan(lamp).actions == []
    carry_out(lamp, watcher=notes)
    assert lamp.applied == ["lamp"]
    assert notes.steps[-1] == ("test.lamp", StepState.UNCHANGED)


def test_a_change_that_was_accepted_but_not_applied_is_a_failure_that_says_so() -> None:
    with pytest.raises(StepFailed, match=r"reported success, but .*lamp: - -> on"):
        carry_out(LampDriver({}, deaf=True))


def test_what_breaks_while_a_later_driver_is_at_work_is_found_at_the_end() -> None:
    first = LampDriver({}, name="test.one")

    class Careless(LampDriver):
        def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
            super().apply(machine, action, secrets)
            first.world["lamp"] = ""

    second = Careless({}, name="test.two")
    notes = Notes()
    with pytest.raises(StepFailed, match=r"was as wanted, but is not any more: .*lamp: - -> on"):
        carry_out(first, second, watcher=notes)
    assert notes.steps[-1] == ("test.one", StepState.FAILED)


def test_a_note_has_as_many_characters_as_is_said_and_not_one_more() -> None:
    whole, longer = "x" * MOST_TOLD, "x" * (MOST_TOLD + 1)

    class Wordy(LampDriver):
        def plan(self, *about: Any) -> Planned:
            planned = Planned(notes=[whole, longer])
            planned.complain("disks[0]", whole, whole)
            planned.complain("disks[1]", longer, longer)
            return planned

    made = plan(Wordy({}))
    assert made.notes == [whole, whole + "..."]
    assert [(problem.message, problem.hint) for problem in made.problems] == [
        (whole, whole),
        (whole + "...", whole + "..."),
    ]


def test_what_a_machine_calls_its_parts_makes_no_note_and_no_problem_long() -> None:
    name = "x" * 1_000_000

    class Wordy(LampDriver):
        def plan(self, *about: Any) -> Planned:
            planned = Planned(notes=["the lamp is right", f"there is {name}"])
            planned.complain("disks[0]", f"{name} is too large", f"there are: {name}")
            return planned

    made = plan(Wordy({}))
    assert made.notes == ["the lamp is right", f"there is {name}"[:MOST_TOLD] + "..."]
    (problem,) = made.problems
    assert (problem.path, problem.message) == ("disks[0]", name[:MOST_TOLD] + "...")
    assert problem.hint == f"there are: {name}"[:MOST_TOLD] + "..."


def test_problems_of_the_document_and_of_every_driver_come_back_together() -> None:
    first, second = LampDriver({}, name="test.one"), LampDriver({}, name="test.two")
    first.problems.complain("raid.arrays[0].drives", "drive 9 is not there")
    second.problems.complain("disks[0]", "too large")
    made = plan(first, second, document={"name": "t", "description": "on", "colour": "red"})
    assert [problem.path for problem in made.problems] == ["colour", "raid.arrays[0].drives", "disks[0]"]
    with pytest.raises(StepFailed):
        apply_job(build_run(first, second), made)
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
        apply_job(build_run(lamp), made)
    assert lamp.applied == []


def test_a_failing_tool_marks_the_action_and_later_drivers_are_not_touched() -> None:
    world = {"broken": True}
    first, second = LampDriver(world, name="test.one"), LampDriver({}, name="test.two")
    notes = Notes()
    with pytest.raises(StepFailed, match="Lamp: the lamp is broken"):
        carry_out(first, second, watcher=notes)
    assert notes.actions[-1] == ("lamp", StepState.FAILED)
    assert second.applied == []


def fail_key() -> None:
    raise KeyError("MD_LEVEL")


def fail_json() -> None:
    json.loads("<html>")


def fail_device() -> None:
    raise OSError(errno.EIO, "Input/output error", "/dev/sda")


UNFORESEEN = {
    fail_key: "KeyError('MD_LEVEL')",
    fail_json: "JSONDecodeError",
    fail_device: "Input/output error",
}


class FailingDriver(LampDriver):
    """Ends `verb` by `fail` instead of an error in words, from the `after`-th call on."""

    def __init__(self, verb: str, fail: Callable[[], None] = fail_key, *, after: int = 1) -> None:
        super().__init__({})
        self.verb, self.fail, self.after = verb, fail, after

    def _pass(self, verb: str) -> None:
        self.after -= verb == self.verb
        if verb == self.verb and self.after <= 0:
            self.fail()

    def read(self, machine: Machine, inventory: Inventory) -> Any:
        self._pass("read")
        return super().read(machine, inventory)

    def plan(self, state: Any, template: Template, secrets: dict[str, str], forecast: Forecast) -> Planned:
        self._pass("plan")
        return super().plan(state, template, secrets, forecast)

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        super().apply(machine, action, secrets)
        self._pass("apply")


@pytest.mark.parametrize("fail", UNFORESEEN, ids=lambda fail: fail.__name__)
@pytest.mark.parametrize("verb", ["read", "plan"])
def test_what_no_driver_foresaw_ends_the_plan_with_its_name_and_the_reason(
    verb: str, fail: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with pytest.raises(DriverError) as caught:
        plan(FailingDriver(verb, fail))
    assert str(caught.value).startswith("Lamp: ")
    assert UNFORESEEN[fail] in str(caught.value)
    assert "Traceback" in caplog.text
    assert fail.__name__ in caplog.text


@pytest.mark.parametrize("fail", UNFORESEEN, ids=lambda fail: fail.__name__)
@pytest.mark.parametrize("verb", ["read", "plan"])
@pytest.mark.parametrize("after", [2, 3], ids=["before the change", "after it"])
def test_what_no_driver_foresaw_ends_the_step_with_its_name_and_the_reason(
    verb: str, fail: Callable[[], None], after: int
) -> None:
    notes = Notes()
    with pytest.raises(StepFailed) as caught:
        carry_out(FailingDriver(verb, fail, after=after), watcher=notes)
    assert str(caught.value).count("Lamp: ") == 1
    assert UNFORESEEN[fail] in str(caught.value)
    assert notes.steps[-1] == ("test.lamp", StepState.FAILED)


@pytest.mark.parametrize("fail", UNFORESEEN, ids=lambda fail: fail.__name__)
def test_an_action_that_ends_in_what_no_driver_foresaw_has_failed(
    fail: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    notes = Notes()
    with pytest.raises(StepFailed) as caught:
        carry_out(FailingDriver("apply", fail), watcher=notes)
    assert str(caught.value).count("Lamp: ") == 1
    assert UNFORESEEN[fail] in str(caught.value)
    assert notes.actions[-1] == ("lamp", StepState.FAILED)
    assert notes.steps[-1] == ("test.lamp", StepState.FAILED)
    assert "Traceback" in caplog.text


def test_what_no_driver_foresaw_in_the_last_look_at_the_whole_fails_the_step_of_that_driver() -> None:
    notes = Notes()
    first, second = FailingDriver("plan", after=4), LampDriver({}, name="test.two")
    with pytest.raises(StepFailed, match=r"^Lamp: was as wanted, but is not any more: .*MD_LEVEL"):
        carry_out(first, second, watcher=notes)
    assert notes.steps[-1] == ("test.lamp", StepState.FAILED)


def test_a_cancel_stops_before_the_next_action() -> None:
    lamp = LampDriver({})
    with pytest.raises(Cancelled):
        carry_out(lamp, watcher=Notes(cancel=True))
    assert lamp.applied == []


def test_a_cancel_that_is_heard_while_the_server_is_told_of_an_action_keeps_it_from_beginning() -> None:
    class Hearing(Notes):
        def set_action(self, step_id: str, action_id: str, state: StepState) -> None:
            super().set_action(step_id, action_id, state)
            self.cancel = True

    lamp, notes = LampDriver({}), Hearing()
    with pytest.raises(Cancelled, match="cancelled before: set the lamp"):
        carry_out(lamp, watcher=notes)
    assert lamp.applied == []
    assert notes.actions == [("lamp", StepState.RUNNING), ("lamp", StepState.SKIPPED)]


class MenuDriver:
    """BIOS settings: what is set takes effect when `boot` is called. `stubborn` settings never do."""

    section = "menu"
    title = "Menu"
    name = "test.menu"
    state_type = object

    def __init__(self, wanted: dict[str, str], *, stubborn: frozenset[str] = frozenset()) -> None:
        self.wanted = wanted
        self.stubborn = stubborn
        self.now: dict[str, str] = {}
        self.pending: dict[str, str] = {}
        self.applied: list[str] = []

    def match(self, inventory: Inventory) -> Match | None:
        return Match(reason="always")

    def wants(self, template: Template) -> bool:
        return True

    def read(self, machine: Machine, inventory: Inventory) -> Any:
        return dict(self.now)

    def plan(self, state: Any, template: Template, secrets: dict[str, str], forecast: Forecast) -> Planned:
        changes = {
            name: Change(what=name, before=state.get(name, "off"), after=value)
            for name, value in self.wanted.items()
            if state.get(name, "off") != value
        }
        return Planned(
            actions=[
                Action(
                    id=f"{self.name}:set:{name}",
                    driver=self.name,
                    summary=f"set {name}",
                    changes=(change,),
                    reboot=True,
                )
                for name, change in changes.items()
            ]
        )

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        self.applied.append(action.id)
        change = action.changes[0]
        if change.what not in self.stubborn:
            self.pending[change.what] = change.after

    def boot(self) -> None:
        self.now |= self.pending
        self.pending.clear()


class BatchMenuDriver(MenuDriver):
    def apply_batch(self, machine: Machine, actions: Sequence[Action], secrets: dict[str, str]) -> None:
        self.applied.append("+".join(action.changes[0].what for action in actions))
        self.pending |= {action.changes[0].what: action.changes[0].after for action in actions}


REBOOTING = {f"test.menu:set:{name}": StepState.REBOOTING for name in ("a", "b")}


def test_what_takes_effect_with_a_reboot_ends_the_attempt_and_the_next_one_reads_again() -> None:
    menu, lamp, notes = MenuDriver({"a": "on", "b": "on"}), LampDriver({}), Notes()
    waiting = carry_out(menu, lamp, watcher=notes)
    assert [action.id for action in waiting] == list(REBOOTING)
    assert notes.steps[-1] == ("test.menu", StepState.REBOOTING)
    assert [item for item in notes.actions if item[1] is StepState.REBOOTING] == list(REBOOTING.items())
    assert lamp.applied == []
    menu.boot()
    past = Past(actions=REBOOTING, rebooted=True)
    assert carry_out(menu, lamp, watcher=notes, past=past) == []
    assert ("test.menu", StepState.DONE) in notes.steps
    assert lamp.applied == ["lamp"]
    assert menu.applied == list(REBOOTING)


def test_a_setting_that_did_not_take_fails_by_its_name_after_the_reboot_and_nothing_goes_on() -> None:
    menu, lamp = MenuDriver({"a": "on", "b": "on"}, stubborn=frozenset("b")), LampDriver({})
    carry_out(menu, lamp)
    menu.boot()
    past = Past(actions=REBOOTING, rebooted=True)
    with pytest.raises(StepFailed, match=r"rebooted, and it did not take: set b \(b: off -> on\)$"):
        carry_out(menu, lamp, past=past)
    assert lamp.applied == []


def test_an_agent_that_died_before_it_could_reboot_sets_nothing_twice() -> None:
    menu = MenuDriver({"a": "on", "b": "on"})
    carry_out(menu)
    waiting = carry_out(menu, past=Past(actions=REBOOTING))
    assert [action.id for action in waiting] == list(REBOOTING)
    assert menu.applied == list(REBOOTING)


def test_a_batch_goes_to_the_hardware_at_once() -> None:
    menu, notes = BatchMenuDriver({"a": "on", "b": "on"}), Notes()
    assert len(carry_out(menu, watcher=notes)) == 2
    assert menu.applied == ["a+b"]


def test_a_chain_is_rebooted_after_each_link() -> None:
    class Chain(MenuDriver):
        reboot_after_each = True

    chain, past = Chain({"a": "on", "b": "on"}), Past()
    for name in ("a", "b"):
        waiting = carry_out(chain, past=past)
        assert [action.summary for action in waiting] == [f"set {name}"]
        chain.boot()
        past = Past(actions={**past.actions, waiting[0].id: StepState.REBOOTING}, rebooted=True)
    assert carry_out(chain, past=past) == []


def test_with_an_approved_plan_nothing_else_is_done_even_if_it_turns_up_later() -> None:
    lamp = LampDriver({})
    made = plan(lamp)
    made.approved = frozenset({"another"})
    with pytest.raises(StepFailed, match="not in the approved plan: set the lamp"):
        apply_job(build_run(lamp), made)
    assert lamp.applied == []


def test_a_chain_whose_link_waits_for_its_reboot_says_so_of_that_link_alone() -> None:
    class Chain(MenuDriver):
        reboot_after_each = True

    chain = Chain({"a": "on", "b": "on"})
    (waiting,) = carry_out(chain)
    past = Past(actions={waiting.id: StepState.REBOOTING})
    again = carry_out(chain, past=past)
    assert [action.summary for action in again] == ["set a"]
    assert chain.applied == [waiting.id]
