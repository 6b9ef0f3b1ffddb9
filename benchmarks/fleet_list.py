"""What listing a fleet costs: the server's peak memory of one list, and of four at once.

Run as `python benchmarks/fleet_list.py`. Puts 20,000 machines with the inventory of a real server into a database,
starts `bootos serve` on it as a process, and has the operator's list read to its end, page by page where there are
pages.
"""

import asyncio
import json as json_codec
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
import typer
from crowd import OPERATOR_API, Connection
from dispatch import INVENTORY, OWN_SOURCE, describe_machine
from flood import Flooded
from frame import run_main
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert

from bootos.server.app import open_context
from bootos.server.command.client import PAGE_ROWS
from bootos.server.settings import Settings
from bootos.server.store.table import Mac, Machine, read_clock

BATCH = 500  # machines of one statement


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """`lists` at once: how many machines they told in all, the seconds of the slowest, and the memory."""

    name: str
    lists: int
    machines: int
    pages: int
    answer_bytes: int
    seconds: float
    rest_bytes: int
    peak_bytes: int


def fill(data: Path, count: int, database: str) -> None:
    """So many machines, each with a serial number, MACs and an inventory of its own."""
    context = open_context(Settings(data=data, database=database))
    inventory: dict[str, Any] = json_codec.loads(INVENTORY.read_text())
    for first in range(0, count, BATCH):
        with context.store.write() as session:
            numbers = range(first, min(count, first + BATCH))
            session.execute(insert(Machine), [build_row(number, inventory) for number in numbers])
            session.execute(insert(Mac), [build_mac(number) for number in numbers])
    context.store.close()


def build_row(number: int, inventory: dict[str, Any]) -> dict[str, Any]:
    """A machine as its registration leaves it."""
    sn, now = f"FLEET{number:06d}", read_clock()
    nics = [{**nic, "mac": build_mac(number)["mac"]} for nic in inventory["nics"][:1]]
    own = {**inventory, "system": {**inventory["system"], "serial": sn}, "nics": nics + inventory["nics"][1:]}
    return {
        "id": number + 1,
        "sn": sn,
        "sn_key": sn.casefold(),
        "known_by": "serial",
        "vendor": inventory["system"]["vendor"] or "",
        "product": inventory["system"]["product"] or "",
        "protocol": 2,
        "registered_at": now,
        "last_heard_at": now,
        "inventory": own,
        "inventory_at": now,
        "drivers": ["raid.mdadm", "oob.ipmi"],
    }


def build_mac(number: int) -> dict[str, Any]:
    """The MAC that the machine boots from."""
    return {
        "machine_id": number + 1,
        "mac": f"52:54:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}:00",
    }


async def read_list(served: Flooded) -> tuple[int, int, int]:
    """(machines, pages, bytes) of a whole list, as the commands read it."""
    connection = Connection(served.host, served.operator_port, served.token, tls=served.operator_tls)
    machines = pages = size = 0
    after = ""
    while True:
        rows = await connection.must("GET", f"{OPERATOR_API}/machines?limit={PAGE_ROWS}&after={quote(after)}")
        machines, pages, size = machines + len(rows), pages + 1, size + len(json_codec.dumps(rows))
        if len(rows) != PAGE_ROWS:  # an earlier release sends all of them at once
            break
        after = rows[-1]["sn"]
    connection.close()
    return machines, pages, size


async def measure(served: Flooded, name: str, lists: int) -> Case:
    """So many lists at once."""
    served.forget_peak()
    rest, began = served.read_bytes("VmRSS"), time.monotonic()
    done = await asyncio.gather(*(read_list(served) for _ in range(lists)))
    return Case(
        name=name,
        lists=lists,
        machines=sum(machines for machines, _, _ in done),
        pages=sum(pages for _, pages, _ in done),
        answer_bytes=sum(size for _, _, size in done),
        seconds=time.monotonic() - began,
        rest_bytes=rest,
        peak_bytes=served.read_bytes("VmHWM"),
    )


async def measure_all(served: Flooded) -> list[Case]:
    """At rest, after one answer; then one list, and four."""
    connection = Connection(served.host, served.operator_port, served.token, tls=served.operator_tls)
    await connection.must("GET", f"{OPERATOR_API}/status")
    connection.close()
    return [await measure(served, "one", 1), await measure(served, "four at once", 4)]


def main(
    machines: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many there are.")] = 20_000,
    database: Annotated[str, typer.Option(metavar="URL", help="An empty one. Default: SQLite.")] = "",
    serve: Annotated[str, typer.Option(help="More words for bootos serve.")] = "",
    data: Annotated[Path | None, typer.Option(help="Where the server's data goes. Default: TMPDIR.")] = None,
    source: Annotated[Path, typer.Option(help="`src` of the server.")] = OWN_SOURCE,
    json: Annotated[bool, typer.Option("--json", help="Print all as JSON, and nothing else.")] = False,
) -> None:
    """Measure the memory that the list of a fleet takes.

    Example: python benchmarks/fleet_list.py --machines 1000
    """
    screen = Console(stderr=json)
    screen.print(describe_machine())
    with tempfile.TemporaryDirectory(prefix="bootos-fleet-", dir=data) as directory:
        with screen.status("filling the database"):
            fill(Path(directory), machines, database)
        served = Flooded(Path(directory), source.absolute(), database, serve.split())
        try:
            size = served.database_bytes()
            rest = served.read_bytes("VmRSS")
            with screen.status("listing"):
                cases = asyncio.run(measure_all(served))
        finally:
            served.child.stop(grace_s=15)
    screen.print(f"{machines} machines, a database of {size / 1e6:.0f} MB; {rest / 2**20:.0f} MiB at rest")
    table = Table("lists", box=SIMPLE)
    for column in ("machines", "pages", "MB of answers", "s", "peak MiB", "more than at rest MiB"):
        table.add_column(column, justify="right")
    for case in cases:
        sizes = (f"{case.answer_bytes / 1e6:.1f}", f"{case.seconds:.1f}", f"{case.peak_bytes / 2**20:.0f}")
        more = f"{(case.peak_bytes - rest) / 2**20:.0f}"
        table.add_row(case.name, str(case.machines), str(case.pages), *sizes, more)
    screen.print(table)
    if json:
        document = {"machine": describe_machine(), "cases": msgspec.to_builtins(cases)}
        sys.stdout.write(json_codec.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    run_main(main)
