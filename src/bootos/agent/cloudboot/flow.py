"""The agent's life with a server that speaks Cloudboot v1 only: the documented calls, titles and numbers, in order.

`work_v1` is called by `sequence.run` in place of registering and waiting for orders. Wherever the first agent
lost a report, hung or gave up, this one waits, says so, and goes on.
"""

import logging
import random
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from bootos.agent.cloudboot.backlog import Backlog
from bootos.agent.cloudboot.client import BadAnswer, NoAnswer, Rejected, V1Client, V1Error
from bootos.agent.cloudboot.productinfo import build_product_info, encode_product_info
from bootos.agent.hook.hook import describe_failure, is_stopping, run_given_hook
from bootos.agent.host.host import Host
from bootos.agent.job.ending import Ending, JobFailed, Next, Outcome, Withdrawn, end_job, leave
from bootos.engine.bash import run_script
from bootos.waiting import grow_pauses
from bootos.wire import cloudboot_v1 as v1
from bootos.wire import v2

log = logging.getLogger(__name__)

T = TypeVar("T")

FAILED = -1.0
HARDWARE_FAILED = "初始化硬件失败"


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How long things may take. `tries` counts bad answers (HTTP 500); no answer is waited out for ever."""

    interval_s: float = 60.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0
    tries: int = 5
    script_s: float = 4 * 3600.0
    farewell_s: float = 600.0  # how long the last reports are tried before the reboot

    def pauses(self) -> Iterator[float]:
        """Seconds to wait between tries, without an end; each is up to 30 % off by chance."""
        return grow_pauses(self.first_pause_s, self.longest_pause_s, spread=0.3)


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group of the hardware template; scripts are (name, text)."""

    name: str
    scripts: tuple[tuple[str, str], ...]


def work_v1(
    host: Host,
    client: V1Client | None = None,
    timing: Timing | None = None,
    reboot: Callable[[], None] | None = None,
) -> None:
    """Enrol, then job after job, for ever."""
    flow = Flow(
        host,
        client or V1Client(host.server_addr, http=host.http),
        timing or Timing(interval_s=host.cmdline.loop_interval_s, script_s=host.cmdline.script_timeout_s),
    )
    flow.enrol()
    while True:
        flow.wait_until_queued()
        leave(host, flow.carry_out(), reboot)


class Flow:
    """The documented flow, one method for each part of it."""

    def __init__(self, host: Host, client: V1Client, timing: Timing) -> None:
        self.host = host
        self.client = client
        self.timing = timing
        self.info = build_product_info(
            host.inventory, host.sn, host.mac, (host.uplink.mac, host.uplink.address) if host.uplink else None
        )
        self.backlog = Backlog(client, host.sn)
        # Set when the job has ended here and the server still lists it: the job must not begin again.
        self.must_leave_list = False

    def enrol(self) -> None:
        """Send the product information until it is accepted, without which nobody can enrol the machine."""
        self.host.status.wait_for("the server to take the product information")
        body = encode_product_info(self.info)
        for wait_s in self.timing.pauses():
            try:
                message = self.client.send_product_info(body)
            except V1Error as error:
                log.warning("waiting for the server to take the product information: %s", error)
                self.host.clock.sleep(wait_s)
            else:
                log.info("serial number %s is known to the server: %s", self.host.sn, message or "accepted")
                break
        self.backlog.put(0.1, "进入bootos", "正常进入bootos")

    def wait_until_queued(self) -> None:
        """Poll the install list, at once and then in every interval; every poll is a heartbeat too.

        Nothing is asked before the server has every report: a failure it does not know of would begin again.
        """
        log.info("waiting to be put into the install list of %s", self.client.server_addr)
        self.host.status.set(step="", step_number=0, step_count=0)
        self.host.status.wait_for("being put into the server's install list")
        pauses = self.timing.pauses()
        while True:
            wait_s = next(pauses)
            if self.backlog.flush():
                try:
                    queued = self.client.is_queued(self.host.sn)
                except V1Error as error:
                    log.warning("the install list cannot be asked: %s", error)
                else:
                    if queued and not self.must_leave_list:
                        return
                    self.must_leave_list = queued
                    pauses = self.timing.pauses()
                    wait_s = self.timing.interval_s * random.uniform(0.9, 1.1)
            self.host.clock.sleep(wait_s)

    def carry_out(self) -> Next:
        """One job, to its reboot or to its -1."""
        log.info("this machine is in the install list")
        self.host.status.set(job="install")
        self.host.status.do("configuring this machine")
        return end_job("install", self.perform, self.tell)

    def perform(self) -> Ending:
        """The steps; the last report says that the machine reboots. Raises JobFailed, Withdrawn."""
        self.repeat_pre_hook()
        if self.wants_hardware():
            self.configure_hardware()
        self.upload_mac()
        self.run_post_hook()
        self.report(0.5, "系统开始重启", "the machine reboots now")
        return Ending(outcome=Outcome.SUCCEEDED)

    def tell(self, ending: Ending) -> None:
        """-1 when it failed: the server takes the machine out of its list, and the operator may put it in again. Before
        a reboot the server gets its time for the reports it does not have yet."""
        if ending.outcome is Outcome.SUCCEEDED:
            self.host.status.do("rebooting")
            self.backlog.flush_within(self.timing.farewell_s, self.timing.first_pause_s, self.host.clock)
            self.must_leave_list = True
            return
        self.host.status.set(job=f"install: {ending.outcome}")
        if ending.outcome is Outcome.FAILED:
            rejected = self.backlog.rejected
            self.backlog.put(FAILED, ending.title or HARDWARE_FAILED, ending.message)
            self.must_leave_list = self.backlog.rejected > rejected

    def wants_hardware(self) -> bool:
        """Ask what is to be done and decide, as v1 leaves it to the agent. Raises JobFailed."""
        info, title = self.info, "配置查询失败"
        if info.is_vm == "Yes":
            log.info("a virtual machine: its hardware is not configured")
            return False
        query = v1.ModelQuery(
            sn=info.sn, company=info.company.lower(), product=info.product, model_name=info.model_name
        )
        said = self.ask(title, lambda: self.client.read_preparation(query))
        if said.is_skip_hardware_config == "true":
            log.info("the server says to skip hardware configuration")
            return False
        if said.is_verify != "true":
            reason = f"the model {info.model_name} of {info.company} is not in the server's support list"
            if not self.host.cmdline.developer:
                raise JobFailed(title, f"{reason}, and this is user mode (DEVELOPER=1 is not given)")
            log.warning("%s; developer mode goes on", reason)
        return True

    def configure_hardware(self) -> None:
        """Get the template and run its scripts; the first that fails ends the job. Raises JobFailed, Withdrawn."""
        self.report(0.15, "配置查询", f"{self.info.company} {self.info.model_name}")
        title = "获取硬件配置模板失败"
        groups = read_groups(self.ask(title, lambda: self.client.read_hardware(self.info.sn)))
        count = sum(len(group.scripts) for group in groups)
        self.report(0.2, "获取硬件配置", f"{len(groups)} group(s), {count} script(s)")
        self.host.status.set(step_count=count)
        progress = 0.3
        self.report(progress, "开始硬件配置", ", ".join(group.name for group in groups) or "nothing to do")
        for number, group in enumerate(groups):
            # Progress is counted as by the first agent: in whole hundredths, added before the scripts of a group.
            progress += 10 // len(groups) / 100
            for place, (name, text) in enumerate(group.scripts):
                self.run_one(progress, f"{group.name} - {name}", text, f"v1.{number}.{place}.sh")
            self.report(progress, f"{group.name} 配置完成", f"{len(group.scripts)} script(s)")
        self.report(0.4, "硬件配置结束", f"{count} script(s)")

    def run_one(self, progress: float, title: str, text: str, file_name: str) -> None:
        """Run one script and report it. Raises JobFailed with its name and the end of its output, never its text."""
        log.info("running %s", title)
        self.host.status.set(step=title, step_number=self.host.status.view.step_number + 1)
        file = self.host.directory / "scripts" / file_name
        outcome = run_script(text, file, self.host.machine.run, self.timing.script_s)
        if not outcome.ok:
            raise JobFailed(HARDWARE_FAILED, f"{title}: {outcome.status}\n{outcome.tail}")
        self.report(progress, title, outcome.tail or "no output")

    def upload_mac(self) -> None:
        """Hand over the PXE NIC's MAC, from which the server makes the PXE file. Raises JobFailed, Withdrawn."""
        mac = self.info.mac
        self.host.status.set(step="MAC address and PXE configuration", step_number=0, step_count=0)
        self.ask("生成PXE文件失败", lambda: self.client.upload_mac(self.info.sn, mac))
        self.report(0.45, "生成PXE文件", mac)

    def repeat_pre_hook(self) -> None:
        """With PRE_ON_ERROR=stop, a PRE that failed is run once more. Raises JobFailed when it fails again."""
        if is_stopping(self.host, self.host.hooks.get("PRE")):
            self.host.status.set(step="PRE hook")
            result = run_given_hook("PRE", self.host, None)
            if result is not None and is_stopping(self.host, result):
                raise JobFailed("PRE脚本执行失败", describe_failure(result))

    def run_post_hook(self) -> None:
        """POST, before the reboot. Raises JobFailed when it fails and POST_ON_ERROR says stop."""
        if self.host.cmdline.post:
            host = self.host
            host.status.set(step="POST hook")
            report = v2.Report(number=0, boot_id=host.boot_id, state=v2.JobState.SUCCEEDED)
            host.directory.mkdir(parents=True, exist_ok=True)
            (host.directory / "result.json").write_bytes(msgspec.json.encode(report))
            result = run_given_hook("POST", host, None)
            if result is not None and is_stopping(host, result):
                raise JobFailed("POST脚本执行失败", describe_failure(result))

    def report(self, progress: float, title: str, text: str) -> None:
        """Tell the server. A rejected report may mean that the operator cancelled. Raises Withdrawn then."""
        rejected = self.backlog.rejected
        self.backlog.put(progress, title, text)
        self.check_queued(rejected)

    def ask(self, title: str, call: Callable[[], T]) -> T:
        """Call until there is an answer; JobFailed with `title` when the server says no or only gives bad answers."""
        bad = 0
        for wait_s in self.timing.pauses():
            try:
                return call()
            except Rejected as error:
                raise JobFailed(title, str(error)) from error
            except BadAnswer as error:
                bad += 1
                if bad == self.timing.tries:
                    raise JobFailed(title, str(error)) from error
                log.warning("asking again: %s", error)
            except NoAnswer as error:
                log.warning("waiting for the server: %s", error)
            self.host.clock.sleep(wait_s)
            rejected = self.backlog.rejected
            self.backlog.flush()
            self.check_queued(rejected)
        raise AssertionError("pauses never end")

    def check_queued(self, rejected_before: int) -> None:
        """After a rejected report: is the machine still in the list? No answer counts as yes. Raises Withdrawn."""
        if self.backlog.rejected == rejected_before:
            return
        try:
            queued = self.client.is_queued(self.info.sn)
        except V1Error as error:
            log.warning("the install list cannot be asked: %s", error)
            return
        if not queued:
            raise Withdrawn("the server has taken this machine out of its install list: the job ends here")


def read_groups(content: v1.HardwareContent) -> list[Group]:
    """The groups with their scripts decoded, all before the first one runs. Raises JobFailed."""
    groups = []
    for group in content.hardware or []:
        scripts = []
        for script in group.scripts or []:
            text = v1.decode_text(script.script)
            if text is None:
                raise JobFailed("获取硬件配置模板失败", f"{group.name} - {script.name} is not base64")
            scripts.append((script.name, text))
        groups.append(Group(name=group.name, scripts=tuple(scripts)))
    return groups
