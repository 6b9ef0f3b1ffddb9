"""What an idle connection costs a server's memory: without TLS, with asyncio's own, with the server's, all in one run.

Run as `python benchmarks/connections.py`. Each end is a process of its own, which answers one small request on each
connection and then holds it; the last one is a whole `bootos serve`. See README.md.
"""

import asyncio
import json as json_codec
import re
import resource
import signal
import ssl
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
import typer
from crowd import AGENT_API
from dispatch import OWN_SOURCE, Served, describe_machine
from frame import run_main
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bootos.errors import BootosError
from bootos.files import read_json
from bootos.server.listener import BACKLOG, TlsProtocol
from bootos.server.tls.own import OwnAuthority

HOST = "127.0.0.1"
ENDS = {
    "plain": "asyncio without TLS",
    "asyncio": "asyncio's TLS",
    "own": "the server's TLS",
    "served": "the whole server, over TLS",
}
BATCH = 50  # connections that are opened at once
SETTLE_S = 1.0
START_S = 30.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One end. `before_bytes`: its process with one connection; `each_bytes`: what each further one added."""

    name: str
    connections: int
    before_bytes: int
    each_bytes: float


class Answer(asyncio.Protocol):
    """Answers whatever comes, and holds the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(ANSWER)


def serve(name: str, directory: Path, pipe: Connection) -> None:
    """The process of an end: tells its port, and serves until it is ended."""
    asyncio.run(_serve(name, directory, pipe))


async def _serve(name: str, directory: Path, pipe: Connection) -> None:
    loop, tls = asyncio.get_running_loop(), OwnAuthority(directory, lambda: [HOST]).tls
    if name == "own":
        server = await loop.create_server(
            lambda: TlsProtocol(Answer(), tls, lambda: None), HOST, 0, backlog=BACKLOG
        )
    else:
        server = await loop.create_server(
            Answer, HOST, 0, backlog=BACKLOG, ssl=tls if name == "asyncio" else None
        )
    pipe.send(server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()


@contextmanager
def run_end(name: str, source: Path, most: int) -> Iterator[tuple[int, int]]:
    """An end that runs: its process id and port."""
    with tempfile.TemporaryDirectory(prefix="bootos-connections-") as directory:
        if name == "served":
            more = (f"--limit=connections_per_address={most}", f"--limit=waiting_connections={most}")
            served = Served(Path(directory), source, "", more)
            try:
                assert served.child.pid is not None
                said = urlsplit(read_json(Path(directory) / "server.json")["tls"])
                yield served.child.pid, said.port or 0
            finally:
                served.child.stop(grace_s=15)
            return
        here, there = get_context("spawn").Pipe()
        process = get_context("spawn").Process(target=serve, args=(name, Path(directory), there), daemon=True)
        process.start()
        try:
            if not here.poll(START_S):
                raise BootosError(f"{ENDS[name]} did not start")
            assert process.pid is not None
            yield process.pid, here.recv()
        finally:
            process.terminate()
            process.join(START_S)


async def measure(name: str, pid: int, port: int, connections: int) -> Result:
    """Open them, let each have one answer, and look at the process. Raises BootosError when one is not answered."""
    tls = None
    if name != "plain":
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    request = f"GET {AGENT_API}/ HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    held: list[asyncio.StreamWriter] = []

    async def open_one() -> None:
        reader, writer = await asyncio.open_connection(HOST, port, ssl=tls, limit=4096)
        held.append(writer)
        writer.write(request)
        if b" 200 " not in (head := await reader.readline()):
            raise BootosError(f"{ENDS[name]} answered {head!r}")

    await open_one()  # what the first one loads is none of the others'
    before = read_resident_bytes(pid)
    for start in range(0, connections, BATCH):
        await asyncio.gather(*(open_one() for _ in range(min(BATCH, connections - start))))
    await asyncio.sleep(SETTLE_S)
    after = read_resident_bytes(pid)
    for writer in held:
        writer.transport.abort()
    return Result(
        name=ENDS[name],
        connections=connections,
        before_bytes=before,
        each_bytes=(after - before) / connections,
    )


def read_resident_bytes(pid: int) -> int:
    """What a process holds in memory (proc(5), VmRSS)."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def print_results(results: list[Result], screen: Console) -> None:
    """The table."""
    table = Table("end", box=SIMPLE)
    for column in ("connections", "MiB before", "KiB for each"):
        table.add_column(column, justify="right")
    for result in results:
        table.add_row(
            result.name,
            str(result.connections),
            f"{result.before_bytes / 2**20:.0f}",
            f"{result.each_bytes / 1024:.1f}",
        )
    screen.print(table)


def main(
    connections: Annotated[int, typer.Option(min=1, help="How many are held at each end.")] = 1000,
    only: Annotated[str, typer.Option(help=f"Some of {','.join(ENDS)}.")] = "",
    source: Annotated[Path, typer.Option(help="`src` of bootos serve.")] = OWN_SOURCE,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
) -> None:
    """Measure what an idle connection costs in memory.

    Example: python benchmarks/connections.py --connections 400 --only asyncio,own
    """
    screen = Console(stderr=json)
    wanted = [name for name in only.split(",") if name] or list(ENDS)
    if unknown := sorted(set(wanted) - set(ENDS)):
        raise BootosError(f"there is no end {', '.join(unknown)}", hint=f"there are {', '.join(ENDS)}")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    screen.print(describe_machine())
    results = []
    for name in wanted:
        with run_end(name, source.absolute(), 2 * connections) as (pid, port):
            results.append(asyncio.run(measure(name, pid, port, connections)))
    print_results(results, screen)
    if json:
        document = {"machine": describe_machine(), "ends": msgspec.to_builtins(results)}
        sys.stdout.write(json_codec.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    run_main(main)
