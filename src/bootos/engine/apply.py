"""Carries a plan out, driver by driver: read, plan, guard, apply, read again and compare; at the end all once more.

It tells the run's watcher what happens. Nothing is changed while any driver has a problem with the template. What takes
effect with a reboot ends `apply_job` early: it is called again after it, with the past of the job.
"""

import copy
import logging

from bootos.drivers.calling import naming_failures
from bootos.drivers.contract import Action, Batch, Driver, Forecast, Planned
from bootos.engine.guard import GuardError, check_allowed
from bootos.engine.plan import JobPlan, view_action
from bootos.engine.run import Past, Run
from bootos.engine.watcher import Cancelled, StepFailed
from bootos.errors import BootosError
from bootos.process import ToolError
from bootos.wire.v2 import StepState

log = logging.getLogger(__name__)


def apply_job(run: Run, plan: JobPlan) -> list[Action]:
    """Carry a plan of this run out, driver by driver, and look at the whole at the end.

    Returns the actions that take effect with a reboot: with any, the rest of the plan is still to be done after it.
    Raises StepFailed (with the cause), Cancelled.
    """
    if plan.problems or plan.template is None:
        raise StepFailed("a plan with problems is not carried out")
    with run.machine.looking():
        return _apply_drivers(run, plan)


def _apply_drivers(run: Run, plan: JobPlan) -> list[Action]:
    """Carry the plan out as `apply_job` says; all drivers share one look at the machine."""
    watcher = run.watcher
    settled = Forecast()
    any_changed = False
    for part in plan.drivers:
        driver: Driver = part.driver
        watcher.set_step(driver.name, StepState.RUNNING)
        try:
            with naming_failures(driver):
                check_taken(part.planned.actions, run.past)
                rebooting, changed, settled = _apply_driver(run, plan, driver, settled)
        except Cancelled:
            watcher.set_step(driver.name, StepState.FAILED, message="cancelled by the operator")
            raise
        except BootosError as cause:
            watcher.set_step(driver.name, StepState.FAILED, message=str(cause))
            raise StepFailed(f"{driver.title}: {_drop_title(driver, cause)}", hint=cause.hint) from cause
        if rebooting:
            what = "; ".join(action.summary for action in rebooting)
            watcher.set_step(driver.name, StepState.REBOOTING, message=f"takes effect with a reboot: {what}")
            return rebooting
        any_changed = any_changed or changed
        if changed:
            watcher.set_step(driver.name, StepState.DONE, message="read again and compared: as wanted")
        elif any(id.startswith(f"{driver.name}:") for id in run.past.find(StepState.REBOOTING)):
            watcher.set_step(driver.name, StepState.DONE, message="read again after the reboot: as wanted")
        else:
            watcher.set_step(driver.name, StepState.UNCHANGED, message="already as wanted")
    if any_changed and len(plan.drivers) > 1:
        _verify_whole(run, plan)
    return []


def check_taken(actions: list[Action], past: Past) -> None:
    """Raise StepFailed when changes that were set before the reboot are planned again after it: they did not take
    effect."""
    if not past.rebooted:
        return
    lost = [_describe(action) for action in actions if action.id in past.find(StepState.REBOOTING)]
    if lost:
        raise StepFailed(
            f"was set, the machine was rebooted, and it did not take: {'; '.join(lost)}",
            hint="another setting may forbid it, or the firmware may want it done in its own menu",
        )


def _verify_whole(run: Run, plan: JobPlan) -> None:
    """Everything once more: what one driver made may have broken while the next was at work (a drive that died below
    a new array). Raises StepFailed."""
    log.info("reading the whole machine again")
    run.machine.drop_look()  # so that the last reading is a new one
    settled = Forecast()
    for part in plan.drivers:
        driver: Driver = part.driver
        try:
            with naming_failures(driver):
                settled = _verify_driver(run, driver, settled)
        except BootosError as cause:
            run.watcher.set_step(driver.name, StepState.FAILED, message=str(cause))
            reason = _drop_title(driver, cause)
            raise StepFailed(
                f"{driver.title}: was as wanted, but is not any more: {reason}", hint=cause.hint
            ) from cause


def _apply_driver(
    run: Run, plan: JobPlan, driver: Driver, settled: Forecast
) -> tuple[list[Action], bool, Forecast]:
    """One driver; returns what waits for a reboot, whether it changed anything, and the forecast with its work."""
    forecast = copy.deepcopy(settled)
    planned = run.ask(driver, forecast)
    _check_planned(driver, planned, plan)
    if not planned.actions:
        return [], False, forecast
    run.watcher.set_step(
        driver.name, StepState.RUNNING, actions=[view_action(action) for action in planned.actions]
    )
    # An earlier attempt in this boot carried these out, and ended before its reboot: only the reboot is left.
    already = [action for action in planned.actions if action.id in run.past.find(StepState.REBOOTING)]
    for action in already:
        run.watcher.set_action(driver.name, action.id, StepState.REBOOTING)
    actions = [action for action in planned.actions if action not in already]
    each = getattr(driver, "reboot_after_each", False)
    if each and already:
        return already, True, forecast
    if isinstance(driver, Batch):
        _carry_out(run, driver, actions)
    else:
        for action in actions:
            _carry_out(run, driver, [action])
            if each and action.reboot:
                return [action], True, forecast
    rebooting = [action for action in planned.actions if action.reboot or action in already]
    if rebooting:
        return rebooting, True, forecast
    return [], True, _verify_driver(run, driver, settled)


def _carry_out(run: Run, driver: Driver, actions: list[Action]) -> None:
    """Actions that go together: one, or all of a batch. Raises Cancelled, and what the driver raises."""
    if not actions:
        return
    machine, watcher, first = run.machine, run.watcher, actions[0].summary
    if watcher.is_cancelled():
        raise Cancelled(f"cancelled before: {first}")
    for action in actions:
        log.info("%s: %s", driver.name, action.summary)
        for lost in action.destroys:
            log.warning("%s: this destroys %s (allowed by %s)", driver.name, lost, action.allowed)
        watcher.set_action(driver.name, action.id, StepState.RUNNING)
    if watcher.is_cancelled():  # the cancellation may have come with the server's answer
        for action in actions:
            watcher.set_action(driver.name, action.id, StepState.SKIPPED)
        raise Cancelled(f"cancelled before: {first}")
    try:
        with naming_failures(driver), machine.changing():
            if isinstance(driver, Batch):
                driver.apply_batch(machine, actions, run.secrets)
            else:
                driver.apply(machine, actions[0], run.secrets)
    except BootosError as cause:
        for action in actions:
            watcher.set_action(driver.name, action.id, StepState.FAILED)
        # the error names a command, and the operator needs to know the action
        if isinstance(cause, ToolError):
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


def _verify_driver(run: Run, driver: Driver, settled: Forecast) -> Forecast:
    """Read the machine again; whatever is still planned was accepted but not applied."""
    forecast = copy.deepcopy(settled)
    left = run.ask(driver, forecast)
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


def _drop_title(driver: Driver, cause: BootosError) -> str:
    """The reason without the driver's title, which some begin with."""
    return str(cause).removeprefix(f"{driver.title}: ")
