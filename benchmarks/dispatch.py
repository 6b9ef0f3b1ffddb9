"""From the operator's start of a job to the machine's first step: 1,000 simulated agents wait at a real server.

Run as `python benchmarks/dispatch.py`. Starts `bootos serve` as a process on an empty data directory, and says
what it measured, what the server used for it, and how far the load generator can be trusted. See README.md.
"""

import asyncio
import json as json_codec
import os
import platform
import random
import re
import resource
import signal
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import typer
from crowd import Agent, Lateness, Operator
from frame import run_main
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

import bootos
from bootos.errors import BootosError
from bootos.files import read_json
from bootos.process import Child, start

INVENTORY = Path(__file__).parent.parent / "tests/golden/hardware/machines/server-controllers.inventory.json"
OWN_SOURCE = Path(bootos.__file__).parent.parent
START_DEADLINE_S = 60.0
# All agents of a crowd come from one address, and at once, and nobody confirms them.
CROWD = (
    "--limit=registrations_per_address=1000000",
    "--limit=registrations_per_minute=1000000",
    "--limit=connections_per_address=1000000",
    "--enrol=open",
)
# The options that earlier releases do not have, and the module that they came with.
SINCE = {"--limit": "limit.py", "--enrol": "operation/standing.py"}
CASE_DEADLINE_S = 600.0


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds."""

    p50: float
    p99: float
    max: float


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """`order`: until the agent had it, `step`: until its first report was accepted; both from the moment the
    operator's request was sent. `whole_s`: the case from its first request to its last accepted report."""

    name: str
    jobs: int
    order: Spread
    step: Spread
    whole_s: float
    server_cpu_s: float
    generator_cpu_s: float
    generator_late: Spread


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `idle_cpu` is what waiting agents cost the server: CPU seconds a second; `report` is what the
    reports of the busy agents took."""

    source: str
    agents: int
    registrations_a_second: float
    registration: Spread
    registration_cpu_s: float
    cases: tuple[Case, ...]
    report: Spread | None
    idle_cpu: float
    server_cpu_s: float
    server_resident_bytes: int
    server_peak_bytes: int


def measure_spread(values: Sequence[float]) -> Spread:
    ordered = sorted(values) or [0.0]
    at = min(len(ordered) - 1, int(len(ordered) * 0.99))
    return Spread(p50=statistics.median(ordered), p99=ordered[at], max=ordered[-1])


class Served:
    """A `bootos serve` of its own; `source` is the directory that its `bootos` package is taken from, `more` are words
    for its command line."""

    def __init__(self, data: Path, source: Path, database: str, more: Sequence[str] = CROWD) -> None:
        self.data = data
        log = data / "server.log"
        argv: list[str | Path] = [
            sys.executable,
            "-m",
            "bootos.cli",
            "serve",
            "--data",
            data,
            "--listen",
            "127.0.0.1:0",
            "--no-tftp",
        ]
        if (source / "bootos/server/plane.py").exists():  # earlier releases had one address for all
            argv += ["--operator-listen", "127.0.0.1:0"]
        if database:
            argv += ["--database", database]
        server = source / "bootos/server"
        argv += [word for word in more if (server / SINCE.get(word.partition("=")[0], "")).exists()]
        self.child: Child = start(argv, log_path=log, env={"PYTHONPATH": str(source)})
        deadline = time.monotonic() + START_DEADLINE_S
        while (found := re.search(r"listening on http://(\S+):(\d+)", log.read_text())) is None:
            if self.child.poll() is not None or time.monotonic() > deadline:
                self.child.stop()
                raise BootosError(f"the server did not start: {log.read_text()[-500:]}")
            time.sleep(0.05)
        self.host, self.port = found[1], int(found[2])
        self.operator_port, self.operator_tls = self.port, None
        if (data / "server.json").exists():
            said = read_json(data / "server.json")
            self.operator_port = urlsplit(said["operators"]).port or 0
            self.operator_tls = ssl.create_default_context(cadata=said["ca"])
        self.token = (data / "operator.token").read_text().strip()

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def read_bytes(self, name: str) -> int:
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
        return int(found[1]) * 1024 if found else 0


class Bench:
    """The crowd at one server, and the cases that are measured with it."""

    def __init__(self, served: Served, agents: int, connections: int) -> None:
        inventory = json_codec.loads(INVENTORY.read_text())
        self.served = served
        self.agents = [Agent(served.host, served.port, number, inventory) for number in range(agents)]
        self.operator = Operator(
            served.host, served.operator_port, served.token, connections, served.operator_tls
        )
        self.lateness = Lateness()
        self.cases: list[Case] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def register(self) -> tuple[Spread, float, float]:
        """Everyone at once: (seconds of one registration, registrations a second, CPU seconds)."""
        began, cpu = time.monotonic(), self.served.cpu_s()
        took = await asyncio.gather(*(agent.register() for agent in self.agents))
        rate = len(took) / (time.monotonic() - began)
        self._tasks = [asyncio.create_task(agent.work()) for agent in self.agents]
        self._tasks.append(asyncio.create_task(self.lateness.watch()))
        return measure_spread(took), rate, self.served.cpu_s() - cpu

    async def wait_until_all_wait(self) -> None:
        await self._within(asyncio.gather(*(agent.waiting.wait() for agent in self.agents if not agent.busy)))

    async def measure_idle(self, seconds: float) -> float:
        """CPU seconds a second while everybody waits; over a whole poll it holds each agent's next one."""
        await asyncio.sleep(2.0)  # so that the first polls have reached the server
        cpu = self.served.cpu_s()
        await asyncio.sleep(seconds)
        return (self.served.cpu_s() - cpu) / seconds

    async def run_singles(self, name: str, count: int, gap_s: float) -> None:
        """One job after the other, each on a machine by chance, at moments by chance."""
        free = [agent for agent in self.agents if not agent.busy]

        async def singles() -> list[Any]:
            done = []
            for _ in range(count):
                agent = random.choice(free)
                await self._within(agent.waiting.wait())
                await asyncio.sleep(random.expovariate(1 / gap_s))
                dispatch = await self.operator.start_job(agent)
                await self._within(dispatch.step.wait())
                done.append(dispatch)
            return done

        await self._run_case(name, singles())

    async def run_burst(self, name: str, count: int) -> None:
        async def burst() -> list[Any]:
            chosen = random.sample([agent for agent in self.agents if not agent.busy], count)
            dispatches = await self.operator.start_jobs(chosen)
            await self._within(asyncio.gather(*(dispatch.step.wait() for dispatch in dispatches)))
            return dispatches

        await self.wait_until_all_wait()
        await self._run_case(name, burst())
        await self.wait_until_all_wait()

    async def make_busy(self, count: int, report_every_s: float) -> None:
        """Let so many agents hold a running job and report on and on."""
        busy = self.agents[:count]
        for agent in busy:
            agent.busy, agent.report_every_s = True, report_every_s
        dispatches = await self.operator.start_jobs(busy)
        await self._within(asyncio.gather(*(dispatch.step.wait() for dispatch in dispatches)))

    async def end_busy(self) -> list[float]:
        """Let them finish; the seconds that their reports took."""
        for agent in self.agents:
            agent.busy = False
        await self.wait_until_all_wait()
        return [seconds for agent in self.agents for seconds in agent.accepted]

    async def _within(self, waiting: Awaitable[Any]) -> None:
        """With a deadline, and without waiting on when an agent's own task has failed."""
        waiter = asyncio.ensure_future(waiting)
        done, _ = await asyncio.wait(
            [waiter, *self._tasks], timeout=CASE_DEADLINE_S, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done - {waiter}:
            task.result()
        if waiter not in done:
            waiter.cancel()
            raise BootosError(f"the agents were not done within {CASE_DEADLINE_S:g} s")

    async def _run_case(self, name: str, running: Awaitable[list[Any]]) -> None:
        self.lateness.late_s.clear()
        cpu, own, began = self.served.cpu_s(), time.process_time(), time.monotonic()
        dispatches = await running
        self.cases.append(
            Case(
                name=name,
                jobs=len(dispatches),
                order=measure_spread([dispatch.order_at - dispatch.sent_at for dispatch in dispatches]),
                step=measure_spread([dispatch.step_at - dispatch.sent_at for dispatch in dispatches]),
                whole_s=time.monotonic() - began,
                server_cpu_s=self.served.cpu_s() - cpu,
                generator_cpu_s=time.process_time() - own,
                generator_late=measure_spread(self.lateness.late_s),
            )
        )

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for agent in self.agents:
            agent.close()
        self.operator.close()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run does."""

    agents: int
    singles: int
    gap_s: float
    idle_s: float
    bursts: tuple[int, ...]
    reporters: int
    report_every_s: float
    connections: int


async def run_plan(served: Served, source: Path, plan: Plan, screen: Console) -> Result:
    """All cases, one after the other."""
    bench = Bench(served, plan.agents, plan.connections)
    try:
        with screen.status("registering") as status:
            await bench.operator.put_template()
            registration, rate, registration_cpu_s = await bench.register()
            await bench.wait_until_all_wait()
            idle_cpu = await bench.measure_idle(plan.idle_s)
            status.update("one at a time")
            await bench.run_singles("one at a time", plan.singles, plan.gap_s)
            reports: list[float] = []
            if plan.reporters:
                status.update("one at a time while others report")
                await bench.make_busy(plan.reporters, plan.report_every_s)
                name = f"one at a time, {plan.reporters} others report"
                await bench.run_singles(name, plan.singles, plan.gap_s)
                reports = await bench.end_busy()
            for count in plan.bursts:
                status.update(f"{count} at once")
                await bench.run_burst(f"{count} at once", count)
        return Result(
            source=str(source),
            agents=plan.agents,
            registrations_a_second=rate,
            registration=registration,
            registration_cpu_s=registration_cpu_s,
            cases=tuple(bench.cases),
            report=measure_spread(reports) if reports else None,
            idle_cpu=idle_cpu,
            server_cpu_s=served.cpu_s(),
            server_resident_bytes=served.read_bytes("VmRSS"),
            server_peak_bytes=served.read_bytes("VmHWM"),
        )
    finally:
        await bench.close()


def run_once(data: Path | None, source: Path, database: str, plan: Plan, screen: Console) -> Result:
    """One run against a server of its own."""
    with tempfile.TemporaryDirectory(prefix="bootos-dispatch-", dir=data) as directory:
        served = Served(Path(directory), source, database)
        try:
            return asyncio.run(run_plan(served, source, plan, screen))
        finally:
            served.child.stop(grace_s=15)


def describe_machine() -> str:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} processors {model[1] if model else platform.machine()}, load {load}, "
        f"Python {platform.python_version()}"
    )


def show(spread: Spread) -> str:
    """Milliseconds."""
    return " / ".join(f"{value * 1e3:.0f}" for value in (spread.p50, spread.p99, spread.max))


def print_result(result: Result, screen: Console) -> None:
    """The cases as a table, and below it what it cost."""
    screen.print(f"{result.agents} waiting agents; server of {result.source}; ms as p50 / p99 / max")
    table = Table("jobs", box=SIMPLE)
    for column in ("until order", "until step", "whole s", "server CPU s", "generator CPU s", "late"):
        table.add_column(column, justify="right")
    for case in result.cases:
        times = (case.whole_s, case.server_cpu_s, case.generator_cpu_s)
        shown = [f"{value:.2f}" for value in times]
        name = case.name.replace("one at", f"{case.jobs}, one at")
        table.add_row(name, show(case.order), show(case.step), *shown, show(case.generator_late))
    screen.print(table)
    each_ms = result.registration_cpu_s / result.agents * 1e3
    screen.print(
        f"registered at once: {result.registrations_a_second:.0f} a second, {show(result.registration)} ms, "
        f"{each_ms:.1f} ms CPU each"
    )
    if result.report is not None:
        screen.print(f"reports of the others: {show(result.report)} ms")
    screen.print(
        f"server: {result.server_cpu_s:.1f} CPU s, {result.idle_cpu * 100:.1f} % of a processor while all wait, "
        f"{result.server_resident_bytes / 1e6:.0f} MB at the end, {result.server_peak_bytes / 1e6:.0f} MB at most"
    )


def main(
    agents: Annotated[int, typer.Option(min=1, help="How many machines wait.")] = 1000,
    singles: Annotated[int, typer.Option(min=1, help="How many jobs are started one at a time.")] = 200,
    gap_s: Annotated[float, typer.Option(help="Between two of them, on average.")] = 0.1,
    idle_s: Annotated[float, typer.Option(help="How long to measure what waiting costs.")] = 25.0,
    burst: Annotated[
        str, typer.Option(help="How many jobs are started at once, one case each.")
    ] = "10,100,1000",
    reporters: Annotated[int, typer.Option(min=0, help="How many agents report meanwhile.")] = 100,
    report_every_s: Annotated[float, typer.Option(help="Between two reports of one of them.")] = 1.0,
    connections: Annotated[int, typer.Option(min=1, help="Of the operator, when starting at once.")] = 16,
    database: Annotated[str, typer.Option(metavar="URL", help="An empty one. Default: SQLite.")] = "",
    data: Annotated[Path | None, typer.Option(help="Where the server's data goes. Default: TMPDIR.")] = None,
    source: Annotated[
        list[Path] | None, typer.Option(help="`src` of the server to measure; twice to compare two.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="How often, the servers in turn.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print all runs as JSON, and nothing else.")] = False,
) -> None:
    """Measure how long a started job takes to reach its machine.

    Example: python benchmarks/dispatch.py --runs 3 --source src --source ../before/src
    """
    screen = Console(stderr=json)
    wanted = 2 * agents + 100
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, most) if most > 0 else wanted, most))
    plan = Plan(
        agents=agents,
        singles=singles,
        gap_s=gap_s,
        idle_s=idle_s,
        bursts=tuple(min(int(word), agents) for word in burst.split(",") if word),
        reporters=min(reporters, agents - 1),
        report_every_s=report_every_s,
        connections=connections,
    )
    # SIGTERM ends this program by an exception, so that the server is ended, too
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    screen.print(describe_machine())
    results = []
    for _ in range(runs):
        for directory in source or [OWN_SOURCE]:
            results.append(run_once(data, directory.absolute(), database, plan, screen))
            print_result(results[-1], screen)
    if json:
        document = {"machine": describe_machine(), "runs": msgspec.to_builtins(results)}
        sys.stdout.write(json_codec.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    run_main(main)
