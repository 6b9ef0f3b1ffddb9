"""`make fuzz`: a server of its own gets requests by chance, from several processes, until there were enough or the time
is over. Prints how many, every answer of 5xx, every hang, and what it did to the server's memory.

What is sent follows from the seed, which is printed; the faults are in build/fuzz/faults.json, each with its request.
"""

import itertools
import os
import random
import re
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from agentpart import Try
from hypothesis import HealthCheck, Phase, given, seed, settings
from sender import Place, Sender, Tally, write_faults

from bootos.errors import BootosError
from bootos.files import read_json
from bootos.process import Child, start
from bootos.waiting import wait_for

SEEDS = Path(__file__).with_name("seeds.txt")
ROUND = 40  # requests of one try, before the next one's turn
START_DEADLINE_S = 120.0
# All requests have one address; a registration past its rate is refused before its body is read.
ROOMY = ("registrations_per_address=1000000", "registrations_per_minute=1000000")
WARM_UP = 0.1  # this part of the run has passed when growth begins to count: caches are full by then


class Target:
    """A `bootos serve` with an empty data directory."""

    def __init__(self, directory: Path, arguments: list[str]) -> None:
        self.log = directory / "server.log"
        self.data = directory / "data"
        argv = [sys.executable, "-m", "bootos.cli", "serve", "--data", str(self.data), "--no-tftp"]
        argv += ["--listen", "127.0.0.1:0", "--operator-listen", "127.0.0.1:0"]
        argv += [*(word for limit in ROOMY for word in ("--limit", limit)), *arguments]
        self.child: Child = start(argv, log_path=self.log)
        found = wait_for(self._find_address, START_DEADLINE_S, what=f"the server's start ({self.log})")
        token = (self.data / "operator.token").read_text().strip()
        said = read_json(self.data / "server.json")
        self.place = Place(machine_url=found[1], operator_url=said["operators"], token=token)

    def _find_address(self) -> re.Match[str] | None:
        if self.child.poll() is not None:
            raise BootosError(f"the server did not start: {self.log.read_text()[-500:]}")
        return re.search(r"listening on (http://\S+) for machines", self.log.read_text())

    def read_mib(self) -> float:
        """What it holds of memory now."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        return int(found[1]) / 1024 if found else 0.0

    def count_tracebacks(self) -> int:
        """How many the server's log has."""
        with self.log.open("rb") as file:
            return sum(line.startswith(b"Traceback") for line in file)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What one fuzzer does in one go: from `first` on, every `step`th try in turn, until `requests` or `until`."""

    place: Place
    seed: int
    first: int
    step: int
    requests: int
    until: float  # by time.time()
    hang_s: float
    only: str


def build_all_tries(sender: Sender) -> dict[str, Try]:
    """Every fuzzer there is, by name."""
    import agentpart
    import operatorpart
    import wirepart

    return {
        **agentpart.build_tries(sender),
        **operatorpart.build_tries(sender),
        **wirepart.build_tries(sender),
    }


def work(task: Task) -> Tally:
    """Runs in a process of its own."""
    warnings.simplefilter("ignore")
    sender = Sender(task.place, task.hang_s, task.first)
    tries = {name: made for name, made in build_all_tries(sender).items() if task.only in name}
    names = sorted(tries)
    if not names:
        return sender.tally
    for turn in itertools.count():
        if sender.tally.requests >= task.requests or time.time() > task.until:
            return sender.tally
        name = names[(task.first + turn * task.step) % len(names)]
        sender.part, sender.seed = name, task.seed + (task.first + turn * task.step) // len(names)
        run_round(tries[name], sender.seed, task.until)
    return sender.tally


def run_round(made: Try, number: int, until: float) -> None:
    """One try's turn: the same requests for the same seed. Nothing is sent any more when the time is over."""
    strategy, send = made

    @seed(number)
    @settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def go(value: object) -> None:
        if time.time() < until:
            send(value)

    go()


def read_seeds() -> list[int]:
    """The seeds that are kept."""
    return [int(line.split()[0]) for line in SEEDS.read_text().splitlines() if line and line[0] != "#"]


def fuzz(
    target: Target, number: int, requests: int, until: float, workers: int, hang_s: float, only: str
) -> Tally:
    """All fuzzers with one seed; returns what they did together."""
    tally = Tally()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        tasks = [
            Task(
                place=target.place,
                seed=number,
                first=index,
                step=workers,
                requests=-(-requests // workers),
                until=until,
                hang_s=hang_s,
                only=only,
            )
            for index in range(workers)
        ]
        for done in pool.map(work, tasks):
            tally.add(done)
    return tally


def main(
    requests: Annotated[
        int, typer.Option(min=1, help="How many at least, unless the time is over.")
    ] = 100_000,
    minutes: Annotated[float, typer.Option(help="How long at most.")] = 60.0,
    workers: Annotated[int, typer.Option(min=1, help="Processes that send.")] = os.cpu_count() or 2,
    number: Annotated[int, typer.Option("--seed", help="0: another one each time.")] = 0,
    hang_s: Annotated[float, typer.Option(help="An answer that takes so long is a hang.")] = 60.0,
    only: Annotated[str, typer.Option(help="Those fuzzers alone whose name has this.")] = "",
    serve: Annotated[str, typer.Option(help="More words for bootos serve.")] = "",
    output: Annotated[Path, typer.Option(help="Where faults and the server's log go.")] = Path("build/fuzz"),
) -> None:
    """Send requests by chance to a server, and say what came of it. Ends with 1 when there was a fault.

    Example: python tests/fuzz/run.py --requests 5000 --minutes 2 --only "v2 "
    """
    number = number or random.SystemRandom().randrange(1, 10**9)
    output.mkdir(parents=True, exist_ok=True)
    tally, began = Tally(), time.time()
    until = began + minutes * 60
    with tempfile.TemporaryDirectory(prefix="bootos-fuzz-") as directory:
        target = Target(Path(directory), serve.split())
        try:
            typer.echo(f"seed {number}; {target.place.machine_url}")
            rest_mib = target.read_mib()
            for kept in read_seeds():
                tally.add(fuzz(target, kept, requests // 20, until, workers, hang_s, only))
            warm_up = int(requests * WARM_UP)
            tally.add(fuzz(target, number, warm_up, until, workers, hang_s, only))
            warm_mib = target.read_mib()
            left = max(0, requests - tally.requests)
            tally.add(fuzz(target, number + 10**6, left, until, workers, hang_s, only))
            end_mib, died = target.read_mib() if target.child.poll() is None else 0.0, target.child.poll()
            tracebacks = target.count_tracebacks()
        finally:
            target.child.stop(grace_s=15)
            (output / "server.log").write_bytes(target.log.read_bytes()[-10_000_000:])
    write_faults(output / "faults.json", tally)
    statuses = ", ".join(f"{status or 'none'}: {count}" for status, count in sorted(tally.statuses.items()))
    seconds = time.time() - began
    typer.echo(f"{tally.requests} requests in {seconds:.0f} s, {tally.requests / seconds:.0f} a second")
    typer.echo(f"answers by status: {statuses}")
    for key, count in sorted(tally.counts.items()):
        typer.echo(
            f"FAULT {key}: {count} times, first {tally.faults[key].method} {tally.faults[key].url[:200]}"
        )
    hangs = sum(count for key, count in tally.counts.items() if key.startswith("hang"))
    failures = sum(count for key, count in tally.counts.items() if not key.startswith("hang"))
    typer.echo(
        f"{failures} answers of 5xx, {hangs} hangs, {tracebacks} tracebacks in the server's log; "
        f"slowest answer {tally.slowest_s:.1f} s"
    )
    typer.echo(
        f"the server's memory: {rest_mib:.0f} MiB at rest, {warm_mib:.0f} after the first tenth, "
        f"{end_mib:.0f} at the end: {end_mib - warm_mib:+.0f} MiB"
    )
    if died is not None:
        typer.echo(f"FAULT the server ended with {died}")
    if tally.counts or tracebacks or died is not None:
        typer.echo(f"see {output / 'faults.json'} and {output / 'server.log'}; again: --seed {number}")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
