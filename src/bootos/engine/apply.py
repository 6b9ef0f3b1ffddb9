"""Carries a plan out, driver by driver: read, plan, guard, apply, read again and compare; at the end all once more.

It tells a `Watcher` what happens. Nothing is changed while any driver has a problem with the template. What takes
effect with a reboot ends `apply_job` early: it is called again after it, with the `Past` of the job.
"""

import copy
import logging

import msgspec

from bootos.drivers.contract import Action, Batch, Driver, Forecast, Machine, Planned
from bootos.engine.guard import GuardError, check_allowed
from bootos.engine.plan import JobPlan, view_action
from bootos.engine.watcher import Cancelled, StepFailed, Watcher
from bootos.errors import BootosError
from bootos.process import ToolError
from bootos.template.model import Template
from bootos.wire.inventory import Inventory
from bootos.wire.v2 import StepState

log = logging.getLogger(__name__)


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier attempts of the job did: their actions by id, and whether the machine has started anew since."""

    actions: dict[str, StepState] = {}
    rebooted: bool = False

    def find_rebooting(self) -> frozenset[str]:
        return frozenset(id for id, state in self.actions.items() if state is StepState.REBOOTING)


NO_PAST = Past()


def apply_job(
    plan: JobPlan,
    machine: Machine,
    inventory: Inventory,
    secrets: dict[str, str],
    watcher: Watcher,
    past: Past = NO_PAST,
) -> list[Action]:
    """Carry a plan out, driver by driver, and look at the whole at the end. Raises StepFailed (with the cause),
    Cancelled.

    Returns the actions that take effect with a reboot: with any, the rest of the plan is still to be done after it.
    """
    if plan.problems or plan.template is None:
        raise StepFailed("a plan with problems is not carried out")
    with machine.looking():
        return _apply_drivers(plan, plan.template, machine, inventory, secrets, watcher, past)


def _apply_drivers(
    plan: JobPlan,
    template: Template,
    machine: Machine,
    inventory: Inventory,
    secrets: dict[str, str],
    watcher: Watcher,
    past: Past,
) -> list[Action]:
    """What `apply_job` says, with the look of the machine that its drivers share."""
    settled = Forecast()
    any_changed = False
    for part in plan.drivers:
        driver: Driver = part.driver
        watcher.set_step(driver.name, StepState.RUNNING)
        try:
            check_taken(part.planned.actions, past)
            rebooting, changed, settled = _apply_driver(
                driver, plan, machine, inventory, secrets, settled, watcher, past
            )
        except Cancelled:
            watcher.set_step(driver.name, StepState.FAILED, message="cancelled by the operator")
            raise
        except BootosError as cause:
            watcher.set_step(driver.name, StepState.FAILED, message=str(cause))
            raise StepFailed(f"{driver.title}: {cause}", hint=cause.hint) from cause
        if rebooting:
            what = "; ".join(action.summary for action in rebooting)
            watcher.set_step(driver.name, StepState.REBOOTING, message=f"takes effect with a reboot: {what}")
            return rebooting
        any_changed = any_changed or changed
        if changed:
            watcher.set_step(driver.name, StepState.DONE, message="read again and compared: as wanted")
        elif any(id.startswith(f"{driver.name}:") for id in past.find_rebooting()):
            watcher.set_step(driver.name, StepState.DONE, message="read again after the reboot: as wanted")
        else:
            watcher.set_step(driver.name, StepState.UNCHANGED, message="already as wanted")
    if any_changed and len(plan.drivers) > 1:
        _verify_whole(plan, template, machine, inventory, secrets, watcher)
    return []


def check_taken(actions: list[Action], past: Past) -> None:
    """Raise StepFailed with everything that was set, has had its reboot, and is planned again all the same."""
    if not past.rebooted:
        return
    lost = [_describe(action) for action in actions if action.id in past.find_rebooting()]
    if lost:
        raise StepFailed(
            f"was set, the machine was rebooted, and it did not take: {'; '.join(lost)}",
            hint="another setting may forbid it, or the firmware may want it done in its own menu",
        )


def _verify_whole(
    plan: JobPlan,
    template: Template,
    machine: Machine,
    inventory: Inventory,
    secrets: dict[str, str],
    watcher: Watcher,
) -> None:
    """Everything once more: what one driver made may have broken while the next was at work (a drive that died below
    a new array). Raises StepFailed."""
    log.info("reading the whole machine again")
    machine.drop_look()  # the last reading is a new one
    settled = Forecast()
    for part in plan.drivers:
        try:
            settled = _verify_driver(part.driver, template, machine, inventory, secrets, settled)
        except BootosError as cause:
            watcher.set_step(part.driver.name, StepState.FAILED, message=str(cause))
            raise StepFailed(
                f"{part.driver.title}: was as wanted, but is not any more: {cause}", hint=cause.hint
            ) from cause


def _apply_driver(
    driver: Driver,
    plan: JobPlan,
    machine: Machine,
    inventory: Inventory,
    secrets: dict[str, str],
    settled: Forecast,
    watcher: Watcher,
    past: Past,
) -> tuple[list[Action], bool, Forecast]:
    """One driver; returns what waits for a reboot, whether it changed anything, and the forecast with its work."""
    assert plan.template is not None
    forecast = copy.deepcopy(settled)
    planned = driver.plan(driver.read(machine, inventory), plan.template, secrets, forecast)
    _check_planned(driver, planned, plan)
    if not planned.actions:
        return [], False, forecast
    watcher.set_step(
        driver.name, StepState.RUNNING, actions=[view_action(action) for action in planned.actions]
    )
    # Set by an earlier attempt in this same boot, which ended before it could reboot: only the reboot is left.
    already = [action for action in planned.actions if action.id in past.find_rebooting()]
    for action in already:
        watcher.set_action(driver.name, action.id, StepState.REBOOTING)
    actions = [action for action in planned.actions if action not in already]
    each = getattr(driver, "reboot_after_each", False)
    if each and already:
        return already, True, forecast
    if isinstance(driver, Batch):
        _carry_out(driver, actions, machine, secrets, watcher)
    else:
        for action in actions:
            _carry_out(driver, [action], machine, secrets, watcher)
            if each and action.reboot:
                return [action], True, forecast
    rebooting = [action for action in planned.actions if action.reboot or action in already]
    if rebooting:
        return rebooting, True, forecast
    return [], True, _verify_driver(driver, plan.template, machine, inventory, secrets, settled)


def _carry_out(
    driver: Driver, actions: list[Action], machine: Machine, secrets: dict[str, str], watcher: Watcher
) -> None:
    """Actions that go together: one, or all of a batch. Raises Cancelled, and what the driver raises."""
    if not actions:
        return
    first = actions[0].summary
    if watcher.is_cancelled():
        raise Cancelled(f"cancelled before: {first}")
    for action in actions:
        log.info("%s: %s", driver.name, action.summary)
        for lost in action.destroys:
            log.warning("%s: this destroys %s (allowed by %s)", driver.name, lost, action.allowed)
        watcher.set_action(driver.name, action.id, StepState.RUNNING)
    if watcher.is_cancelled():  # heard while the server was told
        for action in actions:
            watcher.set_action(driver.name, action.id, StepState.SKIPPED)
        raise Cancelled(f"cancelled before: {first}")
    try:
        with machine.changing():
            if isinstance(driver, Batch):
                driver.apply_batch(machine, actions, secrets)
            else:
                driver.apply(machine, actions[0], secrets)
    except BootosError as cause:
        for action in actions:
            watcher.set_action(driver.name, action.id, StepState.FAILED)
        if isinstance(cause, ToolError):  # it names a command; the operator wants to know what was to be done
            what = "; ".join(action.summary for action in actions)
            raise StepFailed(f"{what}: {cause}", hint=cause.hint) from cause
        raise
    for action in actions:
        done = StepState.REBOOTING if action.reboot else StepState.DONE
        watcher.set_action(driver.name, action.id, done)


def _check_planned(driver: Driver, planned: Planned, plan: JobPlan) -> None:
    if planned.problems:
        raise StepFailed("; ".join(str(problem) for problem in planned.problems))
    for action in planned.actions:
        if plan.approved is not None and action.id not in plan.approved:
            raise StepFailed(
                f"not in the approved plan: {action.summary}", hint="plan again, and approve that"
            )
        try:
            check_allowed(action, plan.actions)
        except GuardError as cause:
            raise StepFailed(f"{driver.name} was stopped by the guard: {cause}", hint=cause.hint) from cause


def _verify_driver(
    driver: Driver,
    template: Template,
    machine: Machine,
    inventory: Inventory,
    secrets: dict[str, str],
    settled: Forecast,
) -> Forecast:
    """Read the machine again; whatever is still planned was accepted but not applied."""
    forecast = copy.deepcopy(settled)
    left = driver.plan(driver.read(machine, inventory), template, secrets, forecast)
    if left.problems:
        raise StepFailed("after the change: " + "; ".join(str(problem) for problem in left.problems))
    if left.actions:
        differences = "; ".join(_describe(action) for action in left.actions)
        raise StepFailed(
            f"the tools reported success, but the machine is not as wanted: still to do: {differences}"
        )
    return forecast


def _describe(action: Action) -> str:
    changes = ", ".join(
        f"{change.what}: {change.before or '-'} -> {change.after or '-'}" for change in action.changes
    )
    return f"{action.summary} ({changes})" if changes else action.summary
