"""A virtual machine behind a misbehaving proxy, and the faults: real kernel, real mdadm, sfdisk and mkfs.

An agent begins an action only when the server has taken the report that says so. The proxy holds that report, so the
machine stands exactly at the boundary, with nothing added to the product.
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from fault_proxy import Call, Fate, FaultProxy, let_pass

from bootos.lab.loopback import HOST_ADDRESS
from bootos.lab.machine import Machine
from bootos.lab.operator import Operator
from bootos.lab.server import LabServer
from bootos.lab.shell import run_in_shell
from bootos.lab.watch import while_on
from bootos.waiting import find_within, wait_for

BOOT_DEADLINE_S = 500.0
STEP_DEADLINE_S = 300.0
# How long a server hangs or is out of reach: longer than the agent waits for one call.
AWAY_S = 25.0
LOG_PATH = "/lab/agent.log"


def is_report(call: Call) -> bool:
    return call.path.endswith("/report")


def read_states(report: dict[str, Any]) -> dict[str, str]:
    """Steps and actions of a report, by id."""
    items = [item for step in report.get("steps", []) for item in (step, *step.get("actions", []))]
    return {item["id"]: item.get("state", "pending") for item in items}


class Bench:
    """One machine, one job at a time, and what its agent told in it."""

    def __init__(self, server: LabServer, operator: Operator, machine: Machine, proxy: FaultProxy) -> None:
        self.server, self.operator, self.machine, self.proxy = server, operator, machine, proxy
        self.job = 0
        self._before = "0"
        self.reports: list[dict[str, Any]] = []
        self.guest_log: bytes = b""
        self._boundary = ""
        self._reached, self._released = threading.Event(), threading.Event()
        self._rule: Callable[[Call], Fate] = let_pass
        proxy.rule = self._see

    def _see(self, call: Call) -> Fate:
        if call.path == LOG_PATH:
            self.guest_log = call.body
            return Fate.LOSE_CALL
        if is_report(call):
            report = json.loads(call.body)
            if report.get("job_id") not in (None, self._before):
                self.reports.append(report)
                if self._boundary and self._is_reached(report):
                    self._boundary = ""
                    self._reached.set()
                    self._released.wait(STEP_DEADLINE_S)
        if self._boundary == "mac" and call.path.endswith("/mac"):
            self._boundary = ""
            self._reached.set()
            self._released.wait(STEP_DEADLINE_S)
        return self._rule(call)

    def _is_reached(self, report: dict[str, Any]) -> bool:
        if self._boundary == "end":
            return bool(report.get("state", "running") != "running")
        return read_states(report).get(self._boundary) == "running"

    def reach(self, serial: str, template: str, boundary: str) -> None:
        """Start a job and wait until its agent stands before the action or script named `boundary`."""
        self._begin(serial, template, boundary)
        is_reached = while_on(self.machine, self._reached.is_set)
        if not find_within(is_reached, STEP_DEADLINE_S, pause_s=0.1):
            raise TimeoutError(f"{boundary} of {template} was not reached: {self.find_job()['message']}")

    def run_through(self, serial: str, template: str) -> dict[str, Any]:
        """A job without a fault, to its end."""
        self._begin(serial, template, "")
        return self.wait_for_end()

    def _begin(self, serial: str, template: str, boundary: str) -> None:
        self._before = str(self.job)
        self.reports = []
        self._reached.clear()
        self._released.clear()
        self._boundary, self._rule = boundary, let_pass
        words = ("--machine", serial, "--template", template, "--no-reboot")
        self.job = int(self.operator.command("job", "create", *words)["id"])

    def go_on(self, rule: Callable[[Call], Fate] = let_pass) -> None:
        self._rule = rule
        self._released.set()

    def find_job(self) -> dict[str, Any]:
        return wait_for(lambda: self.operator.find_job(self.job), 60, what="the job")

    def wait_for_end(self) -> dict[str, Any]:
        return self.operator.wait_for_job(self.job, [], BOOT_DEADLINE_S, pause_s=0.5, machine=self.machine)

    def count_doubled(self) -> int:
        """Actions and scripts that were begun again after their end had been told."""
        doubled, ended = 0, set[str]()
        running: set[str] = set()
        for report in self.reports:
            states = read_states(report)
            now_running = {id for id, state in states.items() if state == "running" and is_action(id)}
            doubled += len((now_running - running) & ended)
            running = now_running
            ended |= {id for id, state in states.items() if state == "done" and is_action(id)}
        return doubled

    def count_lost(self) -> int:
        """Lines of the guest's own log of this job that the server does not have."""
        url = f"http://{HOST_ADDRESS}:{self.proxy.listening_port}{LOG_PATH}"
        self.guest_log = b""
        run_in_shell(
            self.machine, f"curl -s -m 20 --data-binary @/run/bootos/agent.log {url} || true", STEP_DEADLINE_S
        )
        said = [
            line.partition(" bootos: ")[2].removeprefix("WARNING: ").removeprefix("ERROR: ")
            for line in self.guest_log.decode(errors="replace").splitlines()
        ]
        said = leave_out_starts(said)
        starts = [number for number, text in enumerate(said) if text.startswith(f"job {self.job}: ")]
        ends = [number for number, text in enumerate(said) if text.startswith(f"job {self.job}: ")]
        if not starts:
            raise TimeoutError("the guest's log does not tell of the job")
        answer = self.operator.command("job", "log", str(self.job))
        known = Counter(str(line["text"]).strip() for line in answer)
        return (Counter(text.strip() for text in said[starts[0] : ends[-1] + 1]) - known).total()


def leave_out_starts(said: list[str]) -> list[str]:
    """Without what an agent says before it has registered: only consoles are meant to have that."""
    kept: list[str] = []
    starting = False
    for text in said:
        starting = starting or bool(re.fullmatch(r"agent \S+ starts", text))
        if text.startswith("registered as"):
            starting = False
        if not starting:
            kept.append(text)
    return kept


def is_action(id: str) -> bool:
    return ":" in id or id.startswith("script.")


def kill_server(bench: Bench) -> None:
    bench.server.kill()
    bench.go_on()
    # the server is away for 5 seconds: this is the fault itself, nothing is waited for
    threading.Event().wait(5.0)
    bench.server.start()


def hang_server(bench: Bench) -> None:
    bench.go_on(lambda call: Fate.HANG)
    threading.Event().wait(AWAY_S)
    bench.go_on()
    bench.proxy.heal()
    bench.proxy.rule = bench._see


def cut_network(bench: Bench) -> None:
    mac = bench.machine.spec.nics[0].mac
    bench.machine.cut_network(mac)
    bench.go_on()
    threading.Event().wait(AWAY_S)
    bench.machine.restore_network(mac)


def lose_reports(bench: Bench) -> None:
    fates = [Fate.LOSE_ANSWER, Fate.LOSE_CALL]
    bench.go_on(lambda call: fates.pop() if fates else Fate.PASS)


def reorder_reports(bench: Bench) -> None:
    calls = [0]

    def rule(call: Call) -> Fate:
        calls[0] += 1
        return Fate.DELAY if is_report(call) and calls[0] % 2 else Fate.PASS

    bench.go_on(rule)


def kill_agent(bench: Bench) -> None:
    run_in_shell(bench.machine, "systemctl kill --signal=KILL bootos-agent", STEP_DEADLINE_S)
    bench.go_on()


def jump_clock(bench: Bench) -> None:
    run_in_shell(bench.machine, "date -s @$(($(date +%s) + 630720000))", STEP_DEADLINE_S)
    bench.go_on()


def jump_clock_back(bench: Bench) -> None:
    run_in_shell(bench.machine, "date -s @$(($(date +%s) - 630720000))", STEP_DEADLINE_S)
    bench.go_on()


def cut_power(bench: Bench) -> None:
    bench.machine.power_off()
    bench.go_on()
    bench.machine.power_on()


def cut_power_in_the_middle(bench: Bench) -> None:
    """The action has begun; how far it came is the machine's secret."""
    bench.go_on()
    threading.Event().wait(1.0)
    cut_power(bench)


def take_disk_away(bench: Bench) -> None:
    bench.machine.remove_disk("d2")
    bench.go_on()


def set_clock_right(bench: Bench) -> None:
    """Jumps do not add up: md keeps its times in 32 bits, which end in 2106."""
    run_in_shell(bench.machine, f"date -s @{int(time.time())}", STEP_DEADLINE_S)


def restart(bench: Bench) -> None:
    """Off and on, with all its disks."""
    bench.machine.power_off()
    bench.machine.power_on()
    bench.machine.wait_for_serial("waiting for an order", BOOT_DEADLINE_S)


FAULTS: dict[str, Callable[[Bench], None]] = {
    "server killed": kill_server,
    "server hung": hang_server,
    "network cut": cut_network,
    "report lost": lose_reports,
    "reordered": reorder_reports,
    "agent killed": kill_agent,
    "clock +20 years": jump_clock,
    "clock -20 years": jump_clock_back,
    "power cut": cut_power,
    "power cut in it": cut_power_in_the_middle,
    "disk vanished": take_disk_away,  # is the last fault: it leaves an array that lacks a drive
}
# What is repaired after a fault, so that the next cell can begin.
AFTERWARDS: dict[str, Callable[[Bench], None]] = {
    "clock +20 years": set_clock_right,
    "clock -20 years": set_clock_right,
    "disk vanished": restart,
}
