"""One job, from the order to its terminal report: plan, apply, MAC upload, POST. Called by `sequence.run`."""

import logging
from typing import NoReturn

from bootos.agent.hook.hook import describe_failure, is_stopping, run_given_hook
from bootos.agent.host.host import Host, collect, pauses
from bootos.agent.job.ending import Ending, JobRefused, Next, Outcome, RebootFirst, end_job
from bootos.agent.session.client import Client, Refused, Unreachable
from bootos.agent.session.progress import Progress
from bootos.agent.session.reporter import Reporter
from bootos.drivers.contract import Machine
from bootos.engine.apply import apply_job
from bootos.engine.approval import check_approval, is_begun
from bootos.engine.plan import plan_job, view_action
from bootos.engine.run import Past, Run
from bootos.engine.savedstate import build_upload, read_saved
from bootos.engine.script import run_scripts
from bootos.engine.watcher import StepFailed
from bootos.errors import BootosError, Problem
from bootos.wire import v2

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 24  # a job that needs another reboot after so many would never end


def carry_out(order: v2.Order, host: Host, client: Client, reporter: Reporter) -> Next:
    """Do one job to its end, or to the next reboot that it needs. Never raises for what a job does."""
    reporter.add_secrets(tuple(order.secrets.values()))
    host.status.add_secrets(tuple(order.secrets.values()))
    name = f"{order.template_name or 'no template'} ({order.job_id})"
    host.status.set(job=name)
    host.status.do("configuring this machine")
    progress = Progress(reporter, order.job_id, host.status)
    log.info("job %s: %s%s", order.job_id, order.template_name or "no template", attempt_words(order))

    def tell(ending: Ending) -> None:
        if ending.outcome is Outcome.REBOOTING:
            host.status.wait_for("the server to take the report that the machine reboots")
        else:
            progress.end(v2.JobState(ending.outcome), ending.message, problems=ending.problems)
            host.status.set(job=f"{name}: {ending.outcome}")
            host.status.wait_for("the server to take the last report")
        reporter.wait_until_accepted()

    def work() -> Ending:
        return perform(order, host, client, progress, reporter)

    return end_job(order.job_id, work, tell, reboots=order.reboot)


def attempt_words(order: v2.Order) -> str:
    """Words for a log line, with a space in front; empty for the first attempt."""
    return f" (attempt {order.attempt}: an earlier boot began it)" if order.attempt > 1 else ""


def perform(order: v2.Order, host: Host, client: Client, progress: Progress, reporter: Reporter) -> Ending:
    """Plan, apply, upload the MAC, POST. Raises JobRefused, RebootFirst, and what a step raises."""
    repeat_pre_hook(order, host, progress)
    if order.skip_hardware:
        progress.add_step("plan", "Hardware configuration")
        progress.set_step(
            "plan", v2.StepState.SKIPPED, message=order.skip_reason or "skipped as the job says"
        )
    else:
        configure_hardware(order, host, progress)
    if order.mode == "plan":
        save_state(order, host, reporter)
        return Ending(outcome=Outcome.PLANNED, message="nothing was changed")
    progress.add_step("mac", "MAC address and PXE configuration")
    progress.add_step("post", "POST hook")
    upload_mac(order, host, client, progress)
    run_post_hook(order, host, progress)
    reporter.attach_inventory(host.inventory)
    save_state(order, host, reporter)
    said = "hardware configuration was skipped" if order.skip_hardware else "the machine is as wanted"
    message = said + ("; it reboots now" if order.reboot else "")
    return Ending(outcome=Outcome.SUCCEEDED, message=message)


def configure_hardware(order: v2.Order, host: Host, progress: Progress) -> None:
    """Plan the template and, unless only the plan is wanted, apply it. Raises JobRefused before anything is changed,
    RebootFirst, and what a step raises."""
    progress.add_step("plan", "Plan")
    progress.set_step("plan", v2.StepState.RUNNING)
    rebooted = bool(order.earlier_boot_id) and order.earlier_boot_id != host.boot_id
    past = Past(actions=order.earlier, rebooted=rebooted)
    machine = build_machine(order, host, past, progress)
    try:
        is_new = not set(order.earlier) - {"pre", "plan"}
        run = Run(
            order.template,
            machine,
            host.inventory,
            order.secrets,
            watcher=progress,
            past=past,
            check_expected=is_new,
        )
        plan = plan_job(run)
    except BootosError as error:
        progress.set_step("plan", v2.StepState.FAILED, message=str(error))
        raise
    if plan.problems:
        message = f"{len(plan.problems)} problem(s) in the template; nothing was changed"
        refuse(plan.problems, message, progress)
    differences = check_approval(order, [view_action(action) for action in plan.actions])
    if differences and is_begun(order):
        raise StepFailed(
            "what is left to do was not approved: " + "; ".join(item.message for item in differences),
            hint=differences[0].hint,
        )
    if differences:
        message = f"the plan is not the approved one ({len(differences)} difference(s)); nothing was changed"
        refuse(differences, message, progress)
    if order.approved is not None:
        plan.approved = frozenset(action.id for action in order.approved.actions)
    count = len(plan.actions)
    for action in plan.actions:
        log.info("plan: %s: %s", action.driver, action.summary)
    for part in plan.drivers:
        for note in part.planned.notes:
            log.info("plan: %s: %s", part.driver.name, note)
    progress.set_step("plan", v2.StepState.DONE, message=f"{count} action(s)" if count else "nothing to do")
    progress.show_plan(plan)
    if order.mode == "plan":
        return
    waiting = apply_job(run, plan)
    if waiting:
        message = "rebooting inside the job: " + "; ".join(action.summary for action in waiting)
        if order.attempt >= MOST_ATTEMPTS:
            raise StepFailed(
                f"not {message}", hint=f"it was begun {order.attempt} times already; look at the job's log"
            )
        log.info("%s", message)
        raise RebootFirst(message)
    if plan.template is not None and plan.template.scripts:
        run_scripts(run, timeout_s=host.cmdline.script_timeout_s)
    if count:
        collect(host)


def build_machine(order: v2.Order, host: Host, past: Past, progress: Progress) -> Machine:
    """The machine as the drivers of a job get it: packages that are the server's come from where the agent talks to
    it."""
    return Machine(
        run=host.machine.run,
        root=host.machine.root,
        owner=f"{host.sn} {order.job_id}",
        begun=past.find(v2.StepState.RUNNING),
        done=past.find(v2.StepState.DONE),
        record=progress.add_certificate,
        http=host.http,
    )


def refuse(problems: list[Problem], message: str, progress: Progress) -> NoReturn:
    """End the job before anything was changed: raises JobRefused with every reason."""
    for problem in problems:
        log.error("template: %s", problem)
    progress.set_step("plan", v2.StepState.FAILED, message=message)
    raise JobRefused(message, problems)


def save_state(order: v2.Order, host: Host, reporter: Reporter) -> None:
    """Let the server have what the drivers read now, for planning offline and for the template that describes it."""
    if order.skip_hardware:
        return
    machine = Machine(run=host.machine.run, root=host.machine.root)
    saved = read_saved(machine, host.inventory)
    reporter.attach_saved(build_upload(saved, tuple(order.secrets.values())))


def upload_mac(order: v2.Order, host: Host, client: Client, progress: Progress) -> None:
    """Hand over the MAC, from which the server generates the PXE configuration of the next boot."""
    progress.set_step("mac", v2.StepState.RUNNING)
    for wait_s in pauses():
        try:
            accepted = client.upload_mac(v2.MacUpload(job_id=order.job_id, mac=host.mac))
        except Unreachable as error:
            log.warning("waiting for the server to take the MAC address: %s", error)
        except Refused as error:
            if error.status != 401 and error.retry_after_s is None:
                progress.set_step("mac", v2.StepState.FAILED, message=str(error))
                raise
            log.warning("the server does not take the MAC address yet: %s", error)
        else:
            file = accepted.pxe_file
            message = (
                f"{host.mac}: {file} is set up"
                if file
                else f"{host.mac}: no PXE template, next boot is BootOS"
            )
            progress.set_step("mac", v2.StepState.DONE, message=message)
            return
        host.clock.sleep(wait_s)


def repeat_pre_hook(order: v2.Order, host: Host, progress: Progress) -> None:
    """With PRE_ON_ERROR=stop, a PRE that failed is run once more. Raises JobRefused when it fails again."""
    if not is_stopping(host, host.hooks.get("PRE")):
        return
    progress.add_step("pre", "PRE hook")
    progress.set_step("pre", v2.StepState.RUNNING)
    result = run_given_hook("PRE", host, order.job_id)
    if result is not None:
        progress.add_hook(result)
    if result is None or not is_stopping(host, result):
        progress.set_step("pre", v2.StepState.DONE)
        collect(host)  # the hook may have loaded a driver, so the inventory is read again
        return
    progress.set_step("pre", v2.StepState.FAILED, message=result.message)
    reason = describe_failure(result)
    hint = "PRE_ON_ERROR=stop: mend the hook and start the job again"
    message = f"{reason}; nothing was configured (PRE_ON_ERROR=stop)"
    raise JobRefused(message, [Problem(path="PRE", message=reason, hint=hint)])


def run_post_hook(order: v2.Order, host: Host, progress: Progress) -> None:
    """POST, before the reboot. Raises StepFailed when it fails and POST_ON_ERROR says stop."""
    (host.directory / "result.json").write_bytes(progress.encode())
    if not host.cmdline.post:
        progress.set_step("post", v2.StepState.SKIPPED, message="no POST on the kernel command line")
        return
    progress.set_step("post", v2.StepState.RUNNING)
    result = run_given_hook("POST", host, order.job_id)
    if result is None:
        return
    progress.add_hook(result)
    state = v2.StepState.DONE if result.exit_code == 0 else v2.StepState.FAILED
    progress.set_step("post", state, message=result.message)
    if is_stopping(host, result):
        raise StepFailed(describe_failure(result), hint="POST_ON_ERROR=stop: the machine is not rebooted")
