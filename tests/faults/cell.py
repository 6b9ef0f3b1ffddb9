"""One cell of the fast fault suite: a machine, a job, a fault at a boundary, and what became of it."""

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from carrying import plan
from fault_proxy import Call, Fate, FaultProxy, let_pass
from faultmachine import TEMPLATE, FaultMachine, make_machine
from rack import Clock, Door, Life, Nursery, RackServer
from table import Cell

from bootos.drivers.contract import Machine
from bootos.hardware.inventory import collect_inventory
from bootos.waiting import wait_for

NUMBERS = itertools.count(1)
TERMINAL = (b'"state":"succeeded"', b'"state":"failed"', b'"state":"refused"')
JOB_DEADLINE_S = 90.0
STEP_DEADLINE_S = 60.0
NETWORK_STEPS = ("order", "mac", "post", "end", "end:after")


def is_report(call: Call) -> bool:
    return call.path.endswith("/report")


def is_at(call: Call, step: str) -> bool:
    """Whether this call is the boundary."""
    match step.partition(":")[0]:
        case "order":
            return "/order?" in call.path
        case "mac":
            return call.path.endswith("/mac")
        case "post":
            return call.path.endswith("/post.sh")
        case "end":
            head = call.body.partition(b'"steps"')[0]
            return is_report(call) and any(word in head for word in TERMINAL)
    return False


class Run:
    """A machine that is brought to its boundary; `faults` do the rest."""

    def __init__(
        self, server: RackServer, nursery: Nursery, directory: Path, step: str, clock: Clock
    ) -> None:
        self.server, self.nursery, self.directory, self.step = server, nursery, directory, step
        self.clock = clock
        number = next(NUMBERS)
        self.mac = f"52:54:00:fa:{number // 256:02x}:{number % 256:02x}"
        self.proxy = FaultProxy(server.port)
        self.calls = 0
        self.boot = 1
        self.boots = ["boot-1"]
        self.agent: Life | None = None
        self.door: Door | None = None
        self._reached = threading.Event()
        self._released = threading.Event()
        self._dead = False
        directory.mkdir(parents=True)
        tree = directory.parent / "tree"
        make_machine(directory, tree, f"http://127.0.0.1:{self.proxy.listening_port}", self.mac)
        server.ask("PUT", "/templates/faults", {"text": json.dumps(TEMPLATE), "format": "json"})
        self.job = int(server.ask("POST", "/jobs", {"machine": self.mac, "template": "faults"})["id"])

    def start_agent(self, *, stop: bool = False) -> None:
        door = ""
        if stop:
            self.door = self.nursery.make_door(f"door-{self.job}-{self.mac[-5:].replace(':', '')}")
            door = str(self.door.path)
        self.agent = self.nursery.start(
            "agent",
            directory=str(self.directory),
            boot_id=f"{self.mac}-{self.boots[-1]}",
            stop=self.step if stop else "",
            door=door,
            log=str(self.directory / "agent.log"),
        )

    def reach(self) -> None:
        """Power on, and wait until the machine stands at the boundary."""
        if self.step in NETWORK_STEPS:
            self.proxy.rule = self._hold
            self.start_agent()
            assert self._reached.wait(STEP_DEADLINE_S), f"{self.step} was not reached"
            if self.step == "end:after":
                self.wait_for_end()
        else:
            self.start_agent(stop=True)
            assert self.door is not None
            self.door.wait(STEP_DEADLINE_S)

    def _hold(self, call: Call) -> Fate:
        if not is_at(call, self.step):
            return Fate.PASS
        self._reached.set()
        if self.step == "end:after":
            return Fate.LOSE_ANSWER
        self._released.wait(STEP_DEADLINE_S)
        rule = self.proxy.rule
        return Fate.LOSE_CALL if self._dead or rule == self._hold else rule(call)

    def go_on(self, word: str = "go") -> None:
        """Let it leave the boundary; what the proxy does from now on is `proxy.rule`."""
        if self.proxy.rule == self._hold:
            self.proxy.rule = let_pass
        self._released.set()
        if self.door is not None:
            self.door.open(word)

    def go_on_without(self) -> None:
        """The process at the boundary is dead; what it had called for is lost."""
        self._dead = True
        self._released.set()
        self.proxy.heal()
        if self.door is not None:
            self.door.close()
            self.door = None

    def misbehave(self, rule: Callable[[Call], Fate]) -> None:
        """A rule that counts its calls."""
        seen: Counter[str] = Counter()

        def counting(call: Call) -> Fate:
            seen[call.path] += 1
            self.calls = max(seen.values())  # a call that came twice: the agent gave up the first one
            return rule(call)

        self.calls = 0

        self.proxy.rule = counting

    def is_ended(self) -> Any:
        job = self.server.try_ask("GET", f"/jobs/{self.job}")
        return job if job and job["state"] not in ("queued", "running") else None

    def wait_for_end(self) -> Any:
        return wait_for(
            self.is_ended, JOB_DEADLINE_S, what=f"the end of job {self.job} ({self.directory})", pause_s=0.1
        )

    def wait_for_agent(self) -> None:
        agent = self.agent
        assert agent is not None
        wait_for(
            lambda: agent.poll() is not None,
            JOB_DEADLINE_S,
            what=f"the agent's end ({self.directory})",
            pause_s=0.05,
        )

    def close(self) -> None:
        if self.agent is not None:
            self.agent.kill()
        self._released.set()
        self.proxy.close()
        if self.door is not None:
            self.door.close()


def kill_server(run: Run) -> None:
    run.server.kill()
    run.misbehave(let_pass)
    run.go_on()
    wait_for(lambda: run.calls >= 1, STEP_DEADLINE_S, what="a call to the killed server", pause_s=0.05)
    run.server.start()
    run.proxy.heal()


def hang_server(run: Run) -> None:
    run.misbehave(lambda call: Fate.HANG)
    run.go_on()
    wait_for(lambda: run.calls >= 2, STEP_DEADLINE_S, what="the end of the agent's patience", pause_s=0.05)
    run.proxy.heal()


def cut_network(run: Run) -> None:
    run.misbehave(lambda call: Fate.LOSE_CALL)
    run.go_on()
    wait_for(lambda: run.calls >= 2, STEP_DEADLINE_S, what="calls into the cut network", pause_s=0.05)
    run.proxy.heal()


def lose_reports(run: Run) -> None:
    """Of every four calls one gets lost on its way, and of one the answer."""
    fates = itertools.cycle([Fate.LOSE_CALL, Fate.LOSE_ANSWER, Fate.PASS, Fate.PASS])
    run.misbehave(lambda call: next(fates))
    run.go_on()


def reorder_reports(run: Run) -> None:
    """Every other report reaches the server after the one that follows it."""
    fates = itertools.cycle([Fate.DELAY, Fate.PASS])
    run.misbehave(lambda call: next(fates) if is_report(call) else Fate.PASS)
    run.go_on()


def kill_agent(run: Run) -> None:
    assert run.agent is not None
    run.agent.kill()
    run.go_on_without()
    run.start_agent()


def cut_power(run: Run) -> None:
    assert run.agent is not None
    run.agent.kill()
    run.go_on_without()
    FaultMachine(run.directory).cut_power()
    run.boots.append(f"boot-{len(run.boots) + 1}")
    run.start_agent()


def vanish(run: Run) -> None:
    run.go_on("vanish")


def jump_clock(run: Run) -> None:
    """Years ahead, and at the next cell years back."""
    run.clock.jump()
    run.go_on()


def judge(run: Run, fault: str, began: float) -> Cell:
    job = run.wait_for_end()
    if run.step != "end:after":
        run.wait_for_agent()
    else:  # the next agent finds what the killed one left, and waits for another order
        outbox = run.directory / "root/run/bootos/outbox.jsonl"
        wait_for(
            lambda: outbox.exists() and not outbox.read_bytes(),
            STEP_DEADLINE_S,
            what="the last lines",
            pause_s=0.05,
        )
    cell = Cell(fault=fault, step=run.step, outcome="WRONG", attempts=job.get("attempt", 0))
    cell.seconds = round(time.monotonic() - began, 1)
    journal = [line.split() for line in (run.directory / "journal").read_text().splitlines()]
    cell.doubled = count_doubled(journal)
    lost_lines, cell.died = count_lost_lines(run)
    cell.lost = lost_lines + count_lost_steps(run, job)
    if job["state"] in ("failed", "refused"):
        cell.outcome, cell.reason = ("failed", job["message"]) if job["message"] else ("WRONG", "no reason")
        problems = (job.get("report") or {}).get("problems") or []
        cell.reason += "".join(f"; {problem['message']}" for problem in problems)
    elif job["state"] == "done":
        wrong = find_wrong(run, journal, fault)
        cell.outcome, cell.reason = ("recovered", "") if not wrong else ("WRONG", wrong)
    else:
        cell.reason = f"the job ended as {job['state']}: {job['message']}"
    return cell


def count_doubled(journal: list[list[str]]) -> int:
    """Actions on what the job had made and finished: made again, wiped, or a script run again."""
    doubled = sum(word.startswith("lost=") for words in journal for word in words)
    finished: set[str] = set()
    for kind, name, *_ in (words for words in journal if len(words) > 1):
        if kind in ("do", "run") and name in finished:
            doubled += 1
        if kind == "run" and name == "once":
            finished.add(name)
        if kind == "done" and name != "often":  # the script `often` may run twice, which is its name
            finished.add(name)
    return doubled


def read_said(run: Run, boot: str) -> list[str]:
    path = run.directory / f"said-{run.mac}-{boot}.json"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    starts = [index for index, line in enumerate(lines) if line.startswith(f"job {run.job}: ")]
    return lines[starts[0] :] if starts else []


def count_lost_lines(run: Run) -> tuple[int, int]:
    """(lines of the last boot that the server lacks, lines that died with the power of those before)."""
    known = Counter(line["text"] for line in run.server.ask("GET", f"/jobs/{run.job}/log?limit=5000"))
    *before, last = run.boots
    said = Counter(read_said(run, last))
    lost = (said - known).total()
    known -= said
    died = 0
    for boot in before:
        said = Counter(read_said(run, boot))
        died += (said - known).total()
        known -= said
    return lost, died


def count_lost_steps(run: Run, job: dict[str, Any]) -> int:
    """What the agent's last word says and the server's record does not."""
    file = run.directory / "final.json"
    if not file.exists():
        return 0  # a power cut ended the agent after its last report was accepted
    final, kept = msgspec.json.decode(file.read_bytes()), job["report"]
    steps = {step["id"]: step["state"] for step in kept["steps"]}
    lost = [final["state"] != kept["state"]]
    lost += [steps.get(step["id"]) != step.get("state", "pending") for step in final["steps"]]
    return sum(map(bool, lost))


def find_wrong(run: Run, journal: list[list[str]], fault: str) -> str:
    """Why a job that is done is not done; empty: it is."""
    for name in ("create", "table", "ext4", "xfs", "once", "often"):
        if ["done", name] not in journal:
            return f"{name} was never done"
    if fault == "disk vanished":
        return ""
    fake = FaultMachine(run.directory)
    machine = Machine(run=fake.run, root=fake.root)
    left = plan(TEMPLATE, machine, collect_inventory(fake.root, fake.run))
    words = [action.summary for action in left.actions] + [str(problem) for problem in left.problems]
    half = [d for d in fake.devices.values() for s in d.signatures if "half" in s]
    return "; ".join(words) or ("something half made was taken for done" if half else "")
