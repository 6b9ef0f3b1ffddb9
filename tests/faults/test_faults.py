"""Every fault at every boundary of a job, over machines made of files: nothing lost, nothing doubled, all told.

Each cell is a test. Agents and servers are real processes that are really killed, with a clock that runs twenty
times as fast; between them is a proxy that misbehaves. The table is printed at the end of the run and written to
build/faults/ (`tests/conftest.py`). The same on a real kernel with real tools, where the machine's own clock jumps as
well: tests/vm/faults.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cell as cells
import msgspec
import pytest
from cell import Run, judge
from faultmachine import make_tree
from rack import Clock, Nursery, RackServer
from table import Cell, format_table

from bootos.errors import BootosError

# Each process that runs tests has machines and servers of its own.
OUTPUT = Path(__file__).parents[2] / "build/faults" / os.environ.get("PYTEST_XDIST_WORKER", "main")

MADE = ("create", "table", "ext4", "xfs", "once", "often")
BEFORE = ["plan:before", *(f"{name}:before" for name in MADE)]
AROUND = ["plan:before", *(f"{name}:{when}" for name in MADE for when in ("before", "after"))]
ALL = ["plan:before", *(f"{name}:{when}" for name in MADE for when in ("before", "half", "after"))]
NETWORK = ["order", "mac", "post", "end"]
STEPS = ["order", *ALL, "mac", "post", "end", "end:after"]

Fault = Callable[[Run], None]
# A kill and a power cut are tried before, in and after a tool. For faults of the network the moment of the tool makes
# no difference.
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
CELLS = [(fault, step) for fault, (_, steps) in FAULTS.items() for step in steps]


class Rack:
    """Everything that runs: two nurseries, one of which lives in a time of its own, and a server in each."""

    def __init__(self) -> None:
        shutil.rmtree(OUTPUT, ignore_errors=True)
        make_tree(OUTPUT / "cells/tree")
        self.clock = Clock(OUTPUT / "clock")
        self.ordinary = Nursery()
        self._elsewhen: Nursery | None = None
        self._servers: dict[bool, RackServer] = {}

    def close(self) -> None:
        for nursery in (self.ordinary, self._elsewhen):
            if nursery is not None:
                nursery.close()

    def find_server(self, fault: str) -> RackServer:
        """The server for such cells; started when it is first asked for."""
        is_elsewhen = fault == "server's clock"
        if is_elsewhen not in self._servers:
            if is_elsewhen:
                nursery = self._elsewhen = Nursery(self.clock.env)
            else:
                nursery = self.ordinary
            server = RackServer(nursery, OUTPUT / ("elsewhen" if is_elsewhen else "server"))
            (server.data / "files/post.sh").write_text("#!/bin/sh\necho post\n")
            self._servers[is_elsewhen] = server
        return self._servers[is_elsewhen]

    def run_cell(self, fault: str, step: str) -> Cell:
        began = time.monotonic()
        name = f"{fault}-{step}".replace(" ", "-").replace(":", "-").replace("'", "")
        run = Run(self.find_server(fault), self.ordinary, OUTPUT / "cells" / name, step, self.clock)
        try:
            run.reach()
            FAULTS[fault][0](run)
            cell = judge(run, fault, began)
        except (TimeoutError, BootosError, AssertionError) as error:
            cell = Cell(fault=fault, step=step, outcome="WRONG", reason=f"{type(error).__name__}: {error}")
        finally:
            run.close()
        cell.place = STEPS.index(step), list(FAULTS).index(fault)
        return cell


@pytest.fixture(scope="session")
def rack() -> Iterator[Rack]:
    rack = Rack()
    yield rack
    rack.close()


@pytest.mark.parametrize(("fault", "step"), CELLS)
def test_every_fault_at_every_boundary_is_outlived_or_told(
    rack: Rack, fault: str, step: str, record_property: Callable[[str, Any], None]
) -> None:
    cell = rack.run_cell(fault, step)
    record_property("cell", msgspec.to_builtins(cell))
    assert cell.outcome != "WRONG" and not cell.lost and not cell.doubled, format_table([cell])
