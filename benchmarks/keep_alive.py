"""How many calls a second one keep-alive connection gets from the server, one after the other.

Run as `python benchmarks/keep_alive.py`. Starts `bootos serve` as a process on an empty data directory. See README.md.
"""

import asyncio
import json as json_codec
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from crowd import AGENT_API, OPERATOR_API, Connection
from dispatch import OWN_SOURCE, Served, Spread, measure_spread
from frame import run_main

from bootos.errors import BootosError


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The calls to one path: how many a second, and the seconds of each."""

    source: str
    path: str
    calls_a_second: float
    call: Spread


async def measure_path(served: Served, source: Path, path: str, calls: int) -> Result:
    """`calls` calls to the path over one connection. Raises BootosError when one is not answered with 200."""
    is_operators = path.startswith(OPERATOR_API)
    port = served.operator_port if is_operators else served.port
    connection = Connection(
        served.host, port, served.token, tls=served.operator_tls if is_operators else None
    )
    took, began = list[float](), time.perf_counter()
    for _ in range(calls):
        sent = time.perf_counter()
        status, answer = await connection.call("GET", path)
        took.append(time.perf_counter() - sent)
        if status != 200:
            raise BootosError(f"GET {path} was answered with {status}: {answer}")
    whole_s = time.perf_counter() - began
    connection.close()
    return Result(source=str(source), path=path, calls_a_second=calls / whole_s, call=measure_spread(took))


def measure(source: Path, calls: int) -> list[Result]:
    """The paths, one after the other, at a server of their own."""
    with tempfile.TemporaryDirectory(prefix="bootos-keep-alive-") as directory:
        served = Served(Path(directory), source, "")
        try:
            paths = (f"{AGENT_API}/", f"{OPERATOR_API}/machines")
            return [asyncio.run(measure_path(served, source, path, calls)) for path in paths]
        finally:
            served.child.stop(grace_s=15)


def main(
    calls: Annotated[int, typer.Option(min=1, help="How many calls to each path.")] = 200,
    source: Annotated[
        list[Path] | None, typer.Option(help="`src` of the server to measure; twice to compare two.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
) -> None:
    """Measure how fast one keep-alive connection is answered.

    Example: python benchmarks/keep_alive.py --source src --source ../before/src
    """
    results = [
        result for directory in source or [OWN_SOURCE] for result in measure(directory.absolute(), calls)
    ]
    if json:
        sys.stdout.write(json_codec.dumps(msgspec.to_builtins(results), indent=2) + "\n")
        return
    for result in results:
        spread = " / ".join(
            f"{value * 1e3:.1f}" for value in (result.call.p50, result.call.p99, result.call.max)
        )
        typer.echo(
            f"{result.calls_a_second:.0f} calls a second to {result.path} over one connection, "
            f"{spread} ms (p50 / p99 / max); server of {result.source}"
        )


if __name__ == "__main__":
    run_main(main)
