"""What each way into BootOS loads and costs, and with how little memory it still registers. One boot for each trial.

Prints a Markdown table of all paths that were measured on this host, and keeps it in build/bench/boot_paths.json.
"""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from frame import run_main
from rich.console import Console

from bootos.image.layers.core import read_image
from bootos.lab.boot_path import PATHS, BootPath, PathResult, find_path, measure_path
from bootos.lab.boot_record import (
    RECORD,
    STEP_MIB,
    PathRecord,
    find_floor,
    read_records,
    render_table,
    write_record,
)

DEADLINE_S = 1800.0


class Bench:
    """Boots by one path, and what came of each."""

    def __init__(self, path: BootPath, image: Path, output: Path, screen: Console) -> None:
        self._path = path
        self._image = image
        self._output = output / path.name
        self._screen = screen
        self.results: dict[int, PathResult] = {}

    def boot(self, memory_mib: int) -> bool:
        """Whether it registers with this memory."""
        result = measure_path(
            self._path, self._image, self._output, memory_mib=memory_mib, deadline_s=DEADLINE_S
        )
        self.results[memory_mib] = result
        outcome = "registered" if result.registered else result.ended.splitlines()[0]
        self._screen.print(
            f"{self._path.name}, {memory_mib} MiB: {outcome}; {result.seconds:.0f} s",
            highlight=False,
            soft_wrap=True,
        )
        return result.registered


def measure(bench: Bench, version: str, *, memory_mib: int, floor_from_mib: int) -> None:
    """Boot once with `memory_mib`, then look for the floor if `floor_from_mib` says where to begin."""
    is_registered = bench.boot(memory_mib)
    result = bench.results[memory_mib]
    record = PathRecord(result=result, image=version, accelerator=result.accelerator)
    write_record(RECORD, record)
    if is_registered and floor_from_mib:
        floor_mib = find_floor(bench.boot, first_mib=floor_from_mib, most_mib=memory_mib)
        below = bench.results.get(floor_mib - STEP_MIB)
        ended = below.ended.splitlines()[0] if below is not None else ""
        write_record(RECORD, msgspec.structs.replace(record, floor_mib=floor_mib, below_floor=ended))


def main(
    paths: Annotated[str, typer.Option(metavar="A,B", help="Which paths. Default: all.")] = ",".join(
        path.name for path in PATHS
    ),
    floor: Annotated[
        bool, typer.Option("--floor", help="Find the smallest memory too: three to six boots a path.")
    ] = False,
    memory_mib: Annotated[int, typer.Option(help="The machine's memory.")] = 1024,
    floor_from_mib: Annotated[int, typer.Option(help="The memory that --floor tries first.")] = 384,
    image: Annotated[Path, typer.Option(help="The directory of the image.")] = Path("build/image"),
    output: Annotated[Path, typer.Option(help="Where logs go.")] = Path("build/bench-boot-paths"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
) -> None:
    """Boot a lab machine by each path until it is registered. As root: it makes network namespaces.

    Example: python benchmarks/boot_paths.py --paths bios-pxe,iso-bios --floor
    """
    screen = Console(stderr=True)
    chosen = [find_path(name.strip()) for name in paths.split(",")]
    version = read_image(image).manifest.version
    for path in chosen:
        bench = Bench(path, image, output, screen)
        measure(bench, version, memory_mib=memory_mib, floor_from_mib=floor_from_mib if floor else 0)
    records = read_records(RECORD)
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(records), indent=2).decode() + "\n")
    else:
        typer.echo(render_table(records.values()))
    if not all(records[path.name].result.registered for path in chosen):
        raise typer.Exit(1)


if __name__ == "__main__":
    run_main(main)
