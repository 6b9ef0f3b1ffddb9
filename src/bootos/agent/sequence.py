"""What the agent does from its start to the reboot, in order: `run` is the table of contents.

Waiting is done for ever, with growing pauses, and said on every console. Only `main` calls this.
"""

import logging
import random
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bootos import __version__
from bootos.agent import power
from bootos.agent.client import Client, Refused, Unreachable
from bootos.agent.cmdline import Cmdline, read_cmdline
from bootos.agent.engine import apply_job, plan_job
from bootos.agent.hooks import run_hook
from bootos.agent.link import PXE_NAME, Network, delays, wait_until
from bootos.agent.progress import Progress
from bootos.agent.reporter import Reporter, ReportHandler
from bootos.agent.script import run_scripts
from bootos.drivers.contract import Machine
from bootos.drivers.registry import match_drivers
from bootos.errors import BootosError
from bootos.hardware.inventory import collect_inventory
from bootos.wire import v2
from bootos.wire.inventory import Inventory

log = logging.getLogger(__name__)

RUN_DIRECTORY = Path("run/bootos")


class Host:
    """The machine the agent runs on, and what was learned of it since the start."""

    def __init__(self, machine: Machine, boot_id: str) -> None:
        self.machine = machine
        self.boot_id = boot_id
        self.cmdline = Cmdline()
        self.inventory = Inventory(collected_at="")
        self.server_addr = ""

    @property
    def directory(self) -> Path:
        return self.machine.root / RUN_DIRECTORY

    @property
    def sn(self) -> str:
        """The serial number that the server knows the machine by; else its UUID, else the PXE MAC."""
        system = self.inventory.system
        return system.serial or system.uuid or self._early_serial() or self.mac

    def _early_serial(self) -> str:
        """The serial number before the inventory was collected, for the PRE hook."""
        file = self.machine.root / "sys/class/dmi/id/product_serial"
        return file.read_text().strip() if file.exists() and not self.inventory.collected_at else ""

    @property
    def mac(self) -> str:
        """The MAC of the NIC that PXE used; else of the first that has an address."""
        if self.cmdline.pxe_mac:
            return self.cmdline.pxe_mac
        return next((nic.mac for nic in self.inventory.nics if nic.addresses), "")


def run(host: Host) -> None:
    """The whole life of the agent in one boot. Returns only when the reboot was asked for and did not happen."""
    wait_for_server_address(host)
    address = bring_up_network(host)
    hooks = run_pre_hook(host)
    collect(host)
    client = Client(host.server_addr)
    wait_for_server(client)
    reporter = register(host, client, address, hooks)
    while True:
        order = wait_for_order(client, reporter)
        if carry_out(order, host, client, reporter):
            power.reboot(host.machine.run, host.inventory, host.machine.root)
            log.error("the machine did not reboot; reset it by hand")


def wait_for_server_address(host: Host) -> None:
    """Read the kernel command line until it has a usable SERVER_ADDR."""
    for wait_s in delays(2.0, 300.0):
        host.cmdline = read_cmdline(host.machine.root)
        for problem in host.cmdline.problems:
            log.error("kernel command line: %s", problem)
        if host.cmdline.server_addr:
            host.server_addr = host.cmdline.server_addr
            log.info(
                "server %s, %s mode", host.server_addr, "developer" if host.cmdline.developer else "user"
            )
            return
        log.warning(
            "waiting for SERVER_ADDR: boot again with it, or at the shell write it to /run/bootos/cmdline"
        )
        added = host.directory / "cmdline"
        before = added.stat().st_mtime_ns if added.exists() else 0
        wait_until(lambda: added.exists() and added.stat().st_mtime_ns != before, wait_s, 1.0)  # noqa: B023


def bring_up_network(host: Host) -> str:
    """eth0 is the NIC that PXE used; it gets an address by DHCP, which is returned (without prefix)."""
    network = Network(host.machine.run, host.machine.root)
    named = network.name_pxe_interface(host.cmdline.pxe_mac)
    network.configure(only=PXE_NAME if named else None)
    interface = network.wait_for_address()
    return (interface.address or "").partition("/")[0]


def run_pre_hook(host: Host) -> list[v2.HookResult]:
    """PRE, right after the agent started (its URL needs the network). A failure is said and does not stop the agent."""
    if not host.cmdline.pre:
        return []
    return [run_hook("PRE", host.cmdline.pre, host.directory / "hooks", build_hook_environment(host, None))]


def build_hook_environment(host: Host, job_id: str | None) -> dict[str, str]:
    """What a hook finds in its environment."""
    return {
        "SERVER_ADDR": host.server_addr,
        "SN": host.sn,
        "JOB_ID": job_id or "",
        "INVENTORY_FILE": str(host.directory / "inventory.json"),
        "RESULT_FILE": str(host.directory / "result.json"),
    }


def collect(host: Host) -> None:
    """The inventory, also left in /run/bootos/inventory.json."""
    log.info("collecting hardware information")
    host.inventory = collect_inventory(host.machine.root, host.machine.run, pxe_mac=host.cmdline.pxe_mac)
    host.directory.mkdir(parents=True, exist_ok=True)
    (host.directory / "inventory.json").write_bytes(msgspec.json.encode(host.inventory))
    system = host.inventory.system
    log.info(
        "machine: %s %s, serial number %s", system.vendor or "-", system.product or "-", host.sn or "unknown"
    )
    for device in host.inventory.pci:
        if device.needs_module and device.kernel_module is None:
            ids = f"{device.vendor_id}:{device.device_id}"
            log.warning(
                "PCI %s %s (%s): no kernel module found", device.address, device.device or "device", ids
            )
    for note in host.inventory.notes:
        log.warning("inventory: %s", note)


def pauses() -> Iterator[float]:
    """Growing pauses with jitter: a thousand machines powered on together do not call together."""
    return (wait_s * random.uniform(0.7, 1.3) for wait_s in delays(1.0, 30.0))


def wait_for_server(client: Client) -> None:
    """Until the server answers and speaks protocol v2."""
    for wait_s in pauses():
        try:
            greeting = client.greet()
        except Unreachable as error:
            log.warning("waiting for the server: %s", error)
        except Refused as error:
            log.warning("the server at %s does not speak protocol v2: %s", client.server_addr, error)
        else:
            log.info("the server is %s (protocol v2)", greeting.server or "unnamed")
            return
        time.sleep(wait_s)


def register(host: Host, client: Client, address: str, hooks: list[v2.HookResult]) -> Reporter:
    """Register and start reporting; everything logged from now on is seen at the server."""
    reporter = Reporter(client, host.boot_id, lambda: claim_session(host, client, address))
    reporter.update(msgspec.structs.replace(reporter.state, hooks=hooks))
    logging.getLogger("bootos").addHandler(ReportHandler(reporter))
    claim_session(host, client, address)
    reporter.start()
    return reporter


def claim_session(host: Host, client: Client, address: str) -> None:
    """Register until the server accepts."""
    registration = v2.Registration(
        sn=host.sn,
        boot_id=host.boot_id,
        agent_version=__version__,
        developer=host.cmdline.developer,
        loop_interval_s=host.cmdline.loop_interval_s,
        pxe_mac=host.cmdline.pxe_mac,
        address=address,
        drivers=[choice.driver.name for choice in match_drivers(host.inventory)],
        inventory=host.inventory,
    )
    for wait_s in pauses():
        try:
            registered = client.register(registration)
        except Unreachable as error:
            log.warning("waiting for the server to take the registration: %s", error)
        except Refused as error:
            log.warning("the server refuses this machine for now: %s", error)
            wait_s = float(error.retry_after_s or wait_s)
        else:
            log.info(
                "registered as %s%s",
                registered.machine_id,
                f": {registered.message}" if registered.message else "",
            )
            return
        time.sleep(wait_s)


def wait_for_order(client: Client, reporter: Reporter) -> v2.Order:
    """Long-poll until the operator starts a job for this machine."""
    log.info("waiting for an order from %s", client.server_addr)
    attempts = pauses()
    while True:
        try:
            order = client.fetch_order(wait_s=25)
            attempts = pauses()
            if order is not None:
                return order
            continue
        except Unreachable as error:
            log.warning("waiting for the server: %s", error)
        except Refused as error:
            if error.status == 401:
                reporter.renew_session()
                continue
            log.warning("the server gives no order: %s", error)
        time.sleep(next(attempts))


def carry_out(order: v2.Order, host: Host, client: Client, reporter: Reporter) -> bool:
    """Do one job to its end; returns whether the machine shall reboot. Never raises for what a job does."""
    log.info("job %s: %s%s", order.job_id, order.template_name or "no template", attempt_words(order))
    reporter.add_secrets(tuple(order.secrets.values()))
    progress = Progress(reporter, order.job_id)
    try:
        state, message = perform(order, host, client, progress, reporter)
    except BootosError as error:
        state, message = v2.JobState.FAILED, f"{error} ({error.hint})" if error.hint else str(error)
    if state is v2.JobState.FAILED:
        log.error("job %s failed: %s", order.job_id, message)
    else:
        log.info("job %s: %s%s", order.job_id, state.value, f": {message}" if message else "")
    if state is not v2.JobState.REFUSED:  # that report went out with its problems
        progress.end(state, message)
    reporter.wait_until_accepted()
    return state is v2.JobState.SUCCEEDED and order.reboot


def attempt_words(order: v2.Order) -> str:
    return f" (attempt {order.attempt}: an earlier boot began it)" if order.attempt > 1 else ""


def perform(
    order: v2.Order, host: Host, client: Client, progress: Progress, reporter: Reporter
) -> tuple[v2.JobState, str]:
    """Plan, apply, upload the MAC, POST. Returns the terminal state and a sentence; raises what a step raises."""
    if order.skip_hardware:
        progress.add_step("plan", "Hardware configuration")
        progress.set_step(
            "plan", v2.StepState.SKIPPED, message=order.skip_reason or "skipped as the job says"
        )
    else:
        refused = configure_hardware(order, host, progress)
        if refused is not None:
            return refused
    if order.mode == "plan":
        return v2.JobState.PLANNED, "nothing was changed"
    progress.add_step("mac", "MAC address and PXE configuration")
    progress.add_step("post", "POST hook")
    upload_mac(order, host, client, progress)
    run_post_hook(order, host, progress)
    reporter.attach_inventory(host.inventory)
    return v2.JobState.SUCCEEDED, "the machine is as wanted" + ("; it reboots now" if order.reboot else "")


def configure_hardware(order: v2.Order, host: Host, progress: Progress) -> tuple[v2.JobState, str] | None:
    """Plan the template and, unless only the plan is wanted, apply it. Returns a terminal state when refused."""
    progress.add_step("plan", "Plan")
    progress.set_step("plan", v2.StepState.RUNNING)
    try:
        plan = plan_job(order.template, host.machine, host.inventory, order.secrets)
    except BootosError as error:
        progress.set_step("plan", v2.StepState.FAILED, message=str(error))
        raise
    if plan.problems:
        for problem in plan.problems:
            log.error("template: %s", problem)
        message = f"{len(plan.problems)} problem(s) in the template; nothing was changed"
        progress.set_step("plan", v2.StepState.FAILED, message=message)
        views = [
            v2.ProblemView(path=item.path, message=item.message, hint=item.hint) for item in plan.problems
        ]
        progress.end(v2.JobState.REFUSED, message, problems=views)
        return v2.JobState.REFUSED, message
    count = len(plan.actions)
    for action in plan.actions:
        log.info("plan: %s: %s", action.driver, action.summary)
    for part in plan.drivers:
        for note in part.planned.notes:
            log.info("plan: %s: %s", part.driver.name, note)
    progress.set_step("plan", v2.StepState.DONE, message=f"{count} action(s)" if count else "nothing to do")
    progress.show_plan(plan)
    if order.mode == "plan":
        return None
    apply_job(plan, host.machine, host.inventory, order.secrets, progress)
    if plan.template is not None and plan.template.scripts:
        run_scripts(
            plan.template.scripts, host.machine.run, host.directory / "scripts", order.secrets, progress
        )
    if count:
        collect(host)
    return None


def upload_mac(order: v2.Order, host: Host, client: Client, progress: Progress) -> None:
    """Hand over the MAC, from which the server generates the PXE configuration of the next boot."""
    progress.set_step("mac", v2.StepState.RUNNING)
    for wait_s in pauses():
        try:
            accepted = client.upload_mac(v2.MacUpload(job_id=order.job_id, mac=host.mac))
        except Unreachable as error:
            log.warning("waiting for the server to take the MAC address: %s", error)
        except Refused as error:
            if error.status != 401:
                progress.set_step("mac", v2.StepState.FAILED, message=str(error))
                raise
            log.warning("the session is gone, it is renewed: %s", error)
        else:
            file = accepted.pxe_file
            message = (
                f"{host.mac}: {file} is set up"
                if file
                else f"{host.mac}: no PXE template, next boot is BootOS"
            )
            progress.set_step("mac", v2.StepState.DONE, message=message)
            return
        time.sleep(wait_s)


def run_post_hook(order: v2.Order, host: Host, progress: Progress) -> None:
    """POST, before the reboot. A failure is said and does not stop the job."""
    (host.directory / "result.json").write_bytes(progress.encode())
    if not host.cmdline.post:
        progress.set_step("post", v2.StepState.SKIPPED, message="no POST on the kernel command line")
        return
    progress.set_step("post", v2.StepState.RUNNING)
    environment = build_hook_environment(host, order.job_id)
    result = run_hook("POST", host.cmdline.post, host.directory / "hooks", environment)
    progress.add_hook(result)
    state = v2.StepState.DONE if result.exit_code == 0 else v2.StepState.FAILED
    progress.set_step("post", state, message=result.message)
