"""Every fault at every boundary of a job, over machines made of files: nothing lost, nothing doubled, all told.

Agents and servers are real processes that are really killed; between them is a proxy that misbehaves. The table is
printed at the end and written to build/faults/. The same on a real kernel with real tools, where the machine's own
clock jumps as well: tests/vm/faults.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cell as cells
import pytest
from cell import Run, judge
from faultmachine import make_tree
from rack import Clock, Nursery, RackServer
from table import Cell, format_table, write_table

from bootos.errors import BootosError

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "build/faults"

MADE = ("create", "table", "ext4", "xfs", "once", "often")
BEFORE = ["plan:before", *(f"{name}:before" for name in MADE)]
AROUND = ["plan:before", *(f"{name}:{when}" for name in MADE for when in ("before", "after"))]
ALL = ["plan:before", *(f"{name}:{when}" for name in MADE for when in ("before", "half", "after"))]
NETWORK = ["order", "mac", "post", "end"]
STEPS = ["order", *ALL, "mac", "post", "end", "end:after"]

Fault = Callable[[Run], None]
# A kill or a cut matters before, in and after a tool; to calls it is all one what the machine does meanwhile.
FAULTS: dict[str, tuple[Fault, list[str]]] = {
    "server killed": (cells.kill_server, BEFORE + NETWORK),
    "server hung": (cells.hang_server, BEFORE + NETWORK),
    "network cut": (cells.cut_network, BEFORE + NETWORK),
    "report lost": (cells.lose_reports, BEFORE + NETWORK),
    "reordered": (cells.reorder_reports, BEFORE + NETWORK),
    "agent killed": (cells.kill_agent, [*ALL, *NETWORK, "end:after"]),
    "power cut": (cells.cut_power, [*ALL, *NETWORK, "end:after"]),
    "disk vanished": (cells.vanish, AROUND),
    "server's clock": (cells.jump_clock, BEFORE + NETWORK),
}
ALONE = ("server killed", "server's clock")  # one cell at a time, on a server of its own


def run_cell(server: RackServer, nursery: Nursery, fault: str, step: str, clock: Clock) -> Cell:
    began = time.monotonic()
    name = f"{fault}-{step}".replace(" ", "-").replace(":", "-").replace("'", "")
    run = Run(server, nursery, OUTPUT / "cells" / name, step, clock)
    try:
        run.reach()
        FAULTS[fault][0](run)
        return judge(run, fault, began)
    except (TimeoutError, BootosError, AssertionError) as error:
        return Cell(fault=fault, step=step, outcome="WRONG", reason=f"{type(error).__name__}: {error}")
    finally:
        run.close()


class Rack:
    """Everything that runs: two nurseries, one of which lives in a time of its own."""

    def __init__(self) -> None:
        shutil.rmtree(OUTPUT, ignore_errors=True)
        make_tree(OUTPUT / "cells/tree")
        self.clock = Clock(OUTPUT / "clock")
        self.ordinary = Nursery()
        self.elsewhen = Nursery(self.clock.env)

    def close(self) -> None:
        self.ordinary.close()
        self.elsewhen.close()

    def make_server(self, name: str, nursery: Nursery | None = None) -> RackServer:
        server = RackServer(nursery or self.ordinary, OUTPUT / name)
        (server.data / "files/post.sh").write_text("#!/bin/sh\necho post\n")
        return server

    def run_alone(self, fault: str, steps: list[str]) -> list[Cell]:
        """One after the other, on a server that nobody else needs."""
        if not steps:
            return []
        name = fault.replace(" ", "-").replace("'", "")
        server = self.make_server(name, self.elsewhen if fault == "server's clock" else None)
        return [run_cell(server, self.ordinary, fault, step, self.clock) for step in steps]

    def run_matrix(self, wanted: Callable[[str, str], bool]) -> list[Cell]:
        """All cells that are wanted."""
        lanes = {fault: [step for step in FAULTS[fault][1] if wanted(fault, step)] for fault in FAULTS}
        server = self.make_server("server")
        with ThreadPoolExecutor(12) as pool:
            alone = [pool.submit(self.run_alone, fault, lanes[fault]) for fault in ALONE]
            together = [
                pool.submit(run_cell, server, self.ordinary, fault, step, self.clock)
                for fault in sorted(lanes, key=lambda fault: fault != "server hung")  # the slow ones first
                if fault not in ALONE
                for step in lanes[fault]
            ]
            found = [cell for lane in alone for cell in lane.result()]
            found += [future.result() for future in together]
        faults = list(FAULTS)
        return sorted(found, key=lambda cell: (STEPS.index(cell.step), faults.index(cell.fault)))


@pytest.fixture(scope="module")
def rack() -> Iterator[Rack]:
    rack = Rack()
    yield rack
    rack.close()


def test_every_fault_at_every_boundary_is_outlived_or_told(rack: Rack) -> None:
    table = rack.run_matrix(lambda fault, step: True)
    write_table(table, OUTPUT / "table.txt")
    print(format_table(table))
    wrong = [cell for cell in table if cell.outcome == "WRONG" or cell.lost or cell.doubled]
    assert not wrong, format_table(wrong)
