"""How long one lab machine takes from power-on to kernel, to init, to registered; what it loads and what it holds.

Run by `make bench`. Seconds are the host's, CPU seconds are those of the whole QEMU process (firmware, loader and
guest), so they hardly depend on what else the host does. See README.md.
"""

import json as json_codec
import re
import statistics
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from bootos.errors import BootosError, read_chain
from bootos.lab.accelerator import choose_accelerator
from bootos.lab.capture import Capture, read_capture
from bootos.lab.machine import Machine
from bootos.lab.scenario import Scenario
from bootos.lab.shell import run_in_shell
from bootos.lab.spec import DiskSpec, MachineSpec, NicSpec

# A stage is reached when the console says this, in this order.
STAGES = {
    "kernel": r"Linux version \d",
    "rootfs": r"BootOS: rootfs extracted",
    "init": r"BootOS: init",
    "agent": r"BootOS: agent",
    "registered": r"registered as ",
}
DEADLINE_S = 900.0


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """When a stage was reached, counted from power-on."""

    stage: str
    seconds: float
    cpu_seconds: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One boot. `loaded_bytes` came over TFTP and HTTP before the kernel ran, `fetched_bytes` after it.

    `guest_used_bytes` is MemTotal - MemAvailable as the guest's kernel counts them, None when the image has no shell;
    `host_resident_bytes` is what QEMU's process holds.
    """

    marks: tuple[Mark, ...]
    loaded_bytes: int
    fetched_bytes: int
    guest_total_bytes: int | None
    guest_used_bytes: int | None
    host_resident_bytes: int


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """All boots of one machine with one image."""

    accelerator: str
    memory_mib: int
    cpus: int
    image_bytes: dict[str, int]
    runs: tuple[Result, ...]


def measure_boot(machine: Machine) -> Result:
    """Power on, wait for each stage, look at the memory, power off. Raises BootosError when a stage does not come."""
    machine.power_on()
    marks = []
    after = 0
    for stage, pattern in STAGES.items():
        line = machine.wait_for_serial(pattern, DEADLINE_S - machine.elapsed_s(), after=after)
        after = line.number
        marks.append(Mark(stage=stage, seconds=round(line.at_s, 2), cpu_seconds=line.cpu_s))
    total, used = read_guest_memory(machine)
    resident = machine.read_memory_bytes()["resident"]
    capture = read_capture(machine.capture_path)
    machine.power_off()
    loaded, fetched = split_bytes(capture)
    return Result(
        marks=tuple(marks),
        loaded_bytes=loaded,
        fetched_bytes=fetched,
        guest_total_bytes=total,
        guest_used_bytes=used,
        host_resident_bytes=resident,
    )


def read_guest_memory(machine: Machine) -> tuple[int | None, int | None]:
    """(MemTotal, MemTotal - MemAvailable) in bytes, asked of the shell on the serial line."""
    try:
        _, text = run_in_shell(machine, "grep -E '^Mem(Total|Available)' /proc/meminfo", deadline_s=60)
    except BootosError:
        return None, None
    found = {name: int(kib) * 1024 for name, kib in re.findall(r"^(Mem\w+):\s+(\d+) kB", text, re.MULTILINE)}
    return found["MemTotal"], found["MemTotal"] - found["MemAvailable"]


def split_bytes(capture: Capture) -> tuple[int, int]:
    """(bytes up to and with the initrd, bytes after it)."""
    positions = [number for number, fetch in enumerate(capture.fetches) if fetch.name.endswith("/initrd.img")]
    border = positions[-1] + 1 if positions else 0
    sizes = [fetch.received_bytes for fetch in capture.fetches]
    return sum(sizes[:border]), sum(sizes[border:])


def run_benchmark(
    image: Path, output: Path, *, runs: int, memory_mib: int, cpus: int, screen: Console
) -> Benchmark:
    """Start a server once and boot the machine `runs` times."""
    spec = MachineSpec(
        name="bench",
        memory_mib=memory_mib,
        cpus=cpus,
        disks=(DiskSpec(name="a", serial="BENCH-A"),),
        nics=(NicSpec(mac="52:54:00:be:0c:01", boot=True),),
    )
    results = []
    with Scenario(output) as scenario:
        server = scenario.start_server(boot_files=image)
        machine = scenario.add_machine(spec, tftp_root=server.tftp_root)
        for number in range(runs):
            with screen.status(f"boot {number + 1} of {runs}"):
                results.append(measure_boot(machine))
    sizes = {name: (image / name).stat().st_size for name in ("vmlinuz", "initrd.img")}
    return Benchmark(
        accelerator=choose_accelerator(),
        memory_mib=memory_mib,
        cpus=cpus,
        image_bytes=sizes,
        runs=tuple(results),
    )


def print_benchmark(benchmark: Benchmark, screen: Console) -> None:
    """Two tables: the way to registered, and sizes. Of several runs the median."""
    title = f"{benchmark.accelerator}, {benchmark.cpus} CPUs, {benchmark.memory_mib} MiB, runs: {len(benchmark.runs)}"
    way = Table("from power-on to", "seconds", "CPU seconds", title=title)
    for position, stage in enumerate(STAGES):
        marks = [result.marks[position] for result in benchmark.runs]
        seconds = statistics.median(mark.seconds for mark in marks)
        way.add_row(stage, f"{seconds:.1f}", f"{statistics.median(mark.cpu_seconds for mark in marks):.1f}")
    screen.print(way)
    last = benchmark.runs[-1]
    sizes = Table("what", "MB")
    for name, value in benchmark.image_bytes.items():
        sizes.add_row(name, f"{value / 1e6:.1f}")
    sizes.add_row("loaded before the kernel", f"{last.loaded_bytes / 1e6:.1f}")
    sizes.add_row("fetched by the agent", f"{last.fetched_bytes / 1e6:.3f}")
    if last.guest_used_bytes is not None and last.guest_total_bytes is not None:
        sizes.add_row("memory the guest has", f"{last.guest_total_bytes / 1e6:.1f}")
        sizes.add_row("memory in use in the guest", f"{last.guest_used_bytes / 1e6:.1f}")
    sizes.add_row("held by QEMU on the host", f"{last.host_resident_bytes / 1e6:.1f}")
    screen.print(sizes)


def main(
    image: Annotated[Path, typer.Option(help="The directory with vmlinuz and initrd.img.")] = Path(
        "build/image"
    ),
    output: Annotated[Path, typer.Option(help="Where logs and the disk go.")] = Path("build/bench"),
    runs: Annotated[int, typer.Option(min=1, help="How often to boot.")] = 1,
    memory_mib: Annotated[int, typer.Option(help="The machine's memory.")] = 1024,
    cpus: Annotated[int, typer.Option(help="The machine's CPUs.")] = 1,
    json: Annotated[
        bool, typer.Option("--json", help="Print the results as JSON, and nothing else.")
    ] = False,
) -> None:
    """Measure one lab machine from power-on to registered.

    Example: python benchmarks/boot.py --runs 3
    """
    screen = Console(stderr=json)
    try:
        benchmark = run_benchmark(image, output, runs=runs, memory_mib=memory_mib, cpus=cpus, screen=screen)
    except BootosError as error:
        for sentence in read_chain(error):
            typer.echo(f"boot.py: {sentence}", err=True)
        raise typer.Exit(1) from error
    if json:
        sys.stdout.write(json_codec.dumps(msgspec.to_builtins(benchmark), indent=2) + "\n")
    else:
        print_benchmark(benchmark, screen)


if __name__ == "__main__":
    typer.run(main)
