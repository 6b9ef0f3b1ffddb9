"""Machines at work beside floods: what the server's work for them, its memory and its database come to.

Run as `python benchmarks/flood.py`. Starts `bootos serve` as a process on an empty data directory. 200 simulated
agents, each from an address of its own and over TLS, have a job and report every second; beside them a process of its
own opens connections that say nothing, half-sent requests, half-done TLS handshakes, bodies that never end, registers
machines that nobody knows, and writes log lines. See README.md.
"""

import asyncio
import json as json_codec
import resource
import signal
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
import typer
from attacker import Felt, Flood, Kind, run_flood
from crowd import Agent, Lateness, Operator
from dispatch import INVENTORY, OWN_SOURCE, Served, Spread, describe_machine, measure_spread, show
from frame import run_main
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bootos.errors import BootosError
from bootos.files import read_json

KINDS: tuple[Kind, ...] = ("idle", "half-sent", "half-handshaken", "bodies", "registrations", "logs")
START_S = 120.0
CALM_S = 10.0  # what the agents' reports take while there is no flood


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One flood. `report`: the seconds of the agents' reports meanwhile, of which there were `reports`; `lost`: agents
    that the server turned away."""

    name: str
    felt: Felt
    report: Spread
    reports: int
    lost: int
    late: Spread
    peak_bytes: int
    growth_bytes: int
    server_cpu_s: float


class Flooded(Served):
    """A server whose memory and database are looked at. `tls_port`: where machines speak TLS; 0: nowhere."""

    @property
    def tls_port(self) -> int:
        told = self.data / "server.json"
        tls = read_json(told).get("tls", "") if told.exists() else ""
        return urlsplit(tls).port or 0

    def database_bytes(self) -> int:
        """What its SQLite file and the log beside it take."""
        return sum(path.stat().st_size for path in self.data.glob("bootos.db*"))

    def forget_peak(self) -> None:
        """From now on `VmHWM` is the peak since now (proc(5), clear_refs)."""
        Path(f"/proc/{self.child.pid}/clear_refs").write_text("5")


class Bench:
    """The agents at work, and the floods beside them."""

    def __init__(self, served: Flooded, count: int, report_every_s: float) -> None:
        inventory = json_codec.loads(INVENTORY.read_text())
        self.served = served
        self.agents = [
            Agent(
                served.host,
                served.tls_port or served.port,
                number,
                inventory,
                source=f"127.10.{number >> 8}.{number & 255}",
                tls=served.operator_tls if served.tls_port else None,
            )
            for number in range(count)
        ]
        for agent in self.agents:
            agent.busy, agent.report_every_s = True, report_every_s
        self.operator = Operator(served.host, served.operator_port, served.token, 4, served.operator_tls)
        self.lateness = Lateness()
        self.cases: list[Case] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        """Every agent is known to the operator, has registered, and has a job that it reports of."""
        await self.operator.put_template()
        await self.operator.import_machines(self.agents)
        await asyncio.gather(*(agent.register() for agent in self.agents))
        self._tasks = [asyncio.create_task(agent.work()) for agent in self.agents]
        self._watching = asyncio.create_task(self.lateness.watch())
        dispatches = await self.operator.start_jobs(self.agents)
        async with asyncio.timeout(START_S):
            await asyncio.gather(*(dispatch.step.wait() for dispatch in dispatches))

    async def measure(self, name: str, flood: Flood | None) -> None:
        """One flood, or a while without one."""
        served = self.served
        for agent in self.agents:
            agent.accepted.clear()
        self.lateness.late_s.clear()
        served.forget_peak()
        cpu, size = served.cpu_s(), served.database_bytes()
        if flood is None:
            await asyncio.sleep(CALM_S)
            felt = Felt(seconds=CALM_S)
        else:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                felt = await asyncio.get_running_loop().run_in_executor(pool, run_flood, flood)
        took = [seconds for agent in self.agents for seconds in agent.accepted]
        self.cases.append(
            Case(
                name=name,
                felt=felt,
                report=measure_spread(took),
                reports=len(took),
                lost=sum(task.done() for task in self._tasks),
                late=measure_spread(self.lateness.late_s),
                peak_bytes=served.read_bytes("VmHWM"),
                growth_bytes=served.database_bytes() - size,
                server_cpu_s=served.cpu_s() - cpu,
            )
        )

    async def close(self) -> None:
        tasks = [*self._tasks, self._watching] if self._tasks else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for agent in self.agents:
            agent.close()
        self.operator.close()


async def run_floods(
    served: Flooded, floods: list[Flood], agents: int, report_every_s: float, screen: Console
) -> list[Case]:
    """All of them, one after the other."""
    bench = Bench(served, agents, report_every_s)
    try:
        with screen.status("starting the agents") as status:
            await bench.begin()
            await bench.measure("none", None)
            for flood in floods:
                status.update(flood.kind)
                await bench.measure(flood.kind, flood)
            status.update("afterwards")
            await bench.measure("none, afterwards", None)
    finally:
        await bench.close()
    return bench.cases


def describe(felt: Felt) -> str:
    """What the server did with a flood."""
    parts = []
    if felt.opened or felt.refused:
        parts.append(f"{felt.most} open at most, {felt.opened} opened, {felt.refused} not")
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(felt.statuses.items()))
    return "; ".join([*parts, *([answers] if answers else [])]) or "-"


def print_cases(cases: list[Case], agents: int, screen: Console) -> None:
    """The table."""
    screen.print(f"{agents} agents report; ms as p50 / p99 / max")
    table = Table("flood", "what came of it", box=SIMPLE)
    for column in ("s", "reports", "report", "lost", "late", "peak MiB", "database MB", "server CPU s"):
        table.add_column(column, justify="right")
    for case in cases:
        table.add_row(
            case.name,
            describe(case.felt),
            f"{case.felt.seconds:.0f}",
            str(case.reports),
            show(case.report),
            str(case.lost),
            show(case.late),
            f"{case.peak_bytes / 2**20:.0f}",
            f"{case.growth_bytes / 1e6:.1f}",
            f"{case.server_cpu_s:.1f}",
        )
    screen.print(table)
    slowest, peak = max(case.report.max for case in cases), max(case.peak_bytes for case in cases)
    screen.print(
        f"slowest report {slowest * 1e3:.0f} ms; the server's peak {peak / 2**20:.0f} MiB; "
        f"the database grew by {sum(case.growth_bytes for case in cases) / 1e6:.1f} MB"
    )


def main(
    agents: Annotated[int, typer.Option(min=1, max=60_000, help="How many machines are at work.")] = 200,
    report_every_s: Annotated[float, typer.Option(help="Between two reports of one of them.")] = 1.0,
    connections: Annotated[int, typer.Option(help="Idle, half-sent and half-handshaken, of each.")] = 10_000,
    bodies: Annotated[int, typer.Option(help="Bodies that never end.")] = 300,
    body_bytes: Annotated[
        int,
        typer.Option(help="What each of them says to be; the server takes 2 MiB from whom it does not know."),
    ] = 2_000_000,
    registrations: Annotated[int, typer.Option(help="Machines that nobody knows.")] = 20_000,
    log_mb: Annotated[int, typer.Option(help="Log lines, by four machines.")] = 1000,
    seconds: Annotated[float, typer.Option(help="How long connections are held.")] = 60.0,
    addresses: Annotated[int, typer.Option(min=1, max=65_000, help="The attackers come from so many.")] = 100,
    only: Annotated[str, typer.Option(help=f"Some of {','.join(KINDS)}.")] = "",
    serve: Annotated[str, typer.Option(help="More words for bootos serve.")] = "",
    data: Annotated[Path | None, typer.Option(help="Where the server's data goes. Default: TMPDIR.")] = None,
    source: Annotated[Path, typer.Option(help="`src` of the server.")] = OWN_SOURCE,
    json: Annotated[bool, typer.Option("--json", help="Print all as JSON, and nothing else.")] = False,
) -> None:
    """Measure what machines at work notice of a flood, and what the server makes of it.

    Example: python benchmarks/flood.py --agents 20 --connections 500 --registrations 500 --log-mb 20 --seconds 10
    """
    screen = Console(stderr=json, width=None if sys.stdout.isatty() else 180)
    unknown = set(filter(None, only.split(","))) - set(KINDS)
    if unknown:
        raise BootosError(
            f"there is no flood {', '.join(sorted(unknown))}", hint=f"there are {', '.join(KINDS)}"
        )
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    screen.print(describe_machine())
    sizes = {
        **dict.fromkeys(("idle", "half-sent", "half-handshaken"), connections),
        "bodies": bodies,
        "registrations": registrations,
        "logs": log_mb,
    }
    inventory = json_codec.loads(INVENTORY.read_text())
    with tempfile.TemporaryDirectory(prefix="bootos-flood-", dir=data) as directory:
        served = Flooded(Path(directory), source.absolute(), "", serve.split())
        try:
            floods = [
                Flood(
                    kind=kind,
                    host=served.host,
                    port=served.tls_port if kind == "half-handshaken" else served.port,
                    count=sizes[kind],
                    seconds=seconds,
                    addresses=addresses,
                    body_bytes=body_bytes,
                    inventory=inventory,
                )
                for kind in KINDS
                if (not only or kind in only.split(",")) and (kind != "half-handshaken" or served.tls_port)
            ]
            began = time.monotonic()
            cases = asyncio.run(run_floods(served, floods, agents, report_every_s, screen))
        finally:
            served.child.stop(grace_s=15)
    print_cases(cases, agents, screen)
    if json:
        document = {"machine": describe_machine(), "cases": msgspec.to_builtins(cases)}
        sys.stdout.write(json_codec.dumps({**document, "seconds": time.monotonic() - began}, indent=2) + "\n")


if __name__ == "__main__":
    run_main(main)
