"""How long one lab machine takes from power-on to kernel, to init, to registered; what it loads and what it holds.

Run by `make bench`. With `--direct` the kernel is started without PXE, and who took the CPU is told by systemd's units.
Seconds are the host's, CPU seconds are those of the whole QEMU process (firmware, loader and guest), so they hardly
depend on what else the host does. See README.md.
"""

import json as json_codec
import re
import statistics
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from frame import run_main
from rich.console import Console
from rich.table import Table

from bootos.errors import BootosError
from bootos.lab.budget import FIGURES, write_figure
from bootos.lab.capture import Capture, read_capture
from bootos.lab.machine import Machine
from bootos.lab.scenario import SERIAL_CONSOLE, Scenario
from bootos.lab.serial import REGISTERED
from bootos.lab.shell import run_in_shell
from bootos.lab.spec import DiskSpec, Identity, KernelBoot, MachineSpec, NicSpec, boot_image

# A stage is reached when the console shows its text. The texts come in this order.
STAGES = {
    "kernel": r"Linux version \d",
    "rootfs": r"BootOS: rootfs extracted",
    "init": r"BootOS: init",
    "agent": r"BootOS: agent",
    "registered": REGISTERED,
}
DEADLINE_S = 1800.0
BUDGET_CPUS = 2  # the number of processors of the machine for which the budget is
# User and system time of a unit and of all that it started, also of what has ended.
READ_UNITS = (
    "cd /sys/fs/cgroup; for f in init.scope/cpu.stat system.slice/*/cpu.stat; do"
    " echo $f $(sed -n 's/^\\(user\\|system\\)_usec //p' $f); done"
)


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """When a stage was reached, counted from power-on."""

    stage: str
    seconds: float
    cpu_seconds: float


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """CPU seconds inside the guest, of a unit with its children."""

    name: str
    user_s: float
    system_s: float


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
    units: tuple[Unit, ...] = ()


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
    units = read_units(machine) if isinstance(machine.spec.boot, KernelBoot) else ()
    resident = machine.read_memory_bytes()["resident"]
    machine.power_off()
    direct = isinstance(machine.spec.boot, KernelBoot)  # then no card boots, and there is no capture
    loaded, fetched = (0, 0) if direct else split_bytes(read_capture(machine.capture_path))
    return Result(
        marks=tuple(marks),
        loaded_bytes=loaded,
        fetched_bytes=fetched,
        guest_total_bytes=total,
        guest_used_bytes=used,
        host_resident_bytes=resident,
        units=units,
    )


def read_units(machine: Machine) -> tuple[Unit, ...]:
    """Who took the CPU so far, the largest first."""
    _, text = run_in_shell(machine, READ_UNITS, deadline_s=DEADLINE_S)
    return parse_units(text)


def parse_units(text: str) -> tuple[Unit, ...]:
    """Lines `system.slice/NAME/cpu.stat USER SYSTEM`, in microseconds."""
    found = re.findall(r"^(\S*)cpu\.stat (\d+) (\d+)\r?$", text, re.MULTILINE)
    units = [
        Unit(name=path.rstrip("/").rpartition("/")[2], user_s=int(user) / 1e6, system_s=int(system) / 1e6)
        for path, user, system in found
    ]
    return tuple(sorted(units, key=lambda unit: -unit.user_s - unit.system_s))


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


def build_spec(
    image: Path, server_url: str, number: int, *, memory_mib: int, cpus: int, direct: bool
) -> MachineSpec:
    """One run's machine. Each is another one for the server, which lets nobody take a machine's place at once."""
    mac = f"52:54:00:be:0c:{0x10 + number:02x}"
    boot = boot_image(
        image,
        append=f"{SERIAL_CONSOLE} SERVER_ADDR={server_url} BOOTIF=01-{mac.replace(':', '-')}",
    )
    return MachineSpec(
        name=f"bench{number}",
        identity=Identity(serial=f"BENCH{number}"),
        memory_mib=memory_mib,
        cpus=cpus,
        boot=boot if direct else "pxe",
        disks=(DiskSpec(name="a", serial="BENCH-A"),),
        nics=(NicSpec(mac=mac, boot=not direct),),
    )


def run_benchmark(
    image: Path, output: Path, *, runs: int, memory_mib: int, cpus: int, direct: bool, screen: Console
) -> Benchmark:
    """Start a server once and boot `runs` machines, one after another."""
    results, accelerator = [], ""
    with Scenario(output) as scenario:
        server = scenario.start_server(boot_files=image)
        for number in range(runs):
            spec = build_spec(
                image, server.guest_url, number, memory_mib=memory_mib, cpus=cpus, direct=direct
            )
            machine = scenario.add_machine(spec, tftp_root=server.tftp_root)
            with screen.status(f"boot {number + 1} of {runs}"):
                results.append(measure_boot(machine))
            accelerator = machine.accelerator
    sizes = {name: (image / name).stat().st_size for name in ("vmlinuz", "initrd.img")}
    return Benchmark(
        accelerator=accelerator,
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
    if last.units:
        print_units(last.units, screen)
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


def print_units(units: tuple[Unit, ...], screen: Console) -> None:
    """Who took the CPU inside the guest, in the last run. Only the shares count: the guest takes the time in which a
    busy host kept a processor from it for its own."""
    whole = sum(unit.user_s + unit.system_s for unit in units)
    table = Table("CPU inside the guest since init", "share", "user s", "system s")
    for unit in units:
        share = (unit.user_s + unit.system_s) / whole
        if share >= 0.005:
            table.add_row(unit.name, f"{share:.0%}", f"{unit.user_s:.1f}", f"{unit.system_s:.1f}")
    screen.print(table)


def main(
    image: Annotated[Path, typer.Option(help="The directory with vmlinuz and initrd.img.")] = Path(
        "build/image"
    ),
    output: Annotated[Path, typer.Option(help="Where logs and the disk go.")] = Path("build/bench-boot"),
    runs: Annotated[int, typer.Option(min=1, help="How often to boot.")] = 1,
    memory_mib: Annotated[int, typer.Option(help="The machine's memory.")] = 1024,
    cpus: Annotated[int, typer.Option(help="The machine's CPUs.")] = 1,
    direct: Annotated[
        bool, typer.Option("--direct", help="Start the kernel without PXE, as the budget is measured.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the results as JSON, and nothing else.")
    ] = False,
) -> None:
    """Measure one lab machine from power-on to registered.

    Example: python benchmarks/boot.py --direct --cpus 2 --runs 2
    """
    screen = Console(stderr=json)
    benchmark = run_benchmark(
        image, output, runs=runs, memory_mib=memory_mib, cpus=cpus, direct=direct, screen=screen
    )
    if direct and cpus == BUDGET_CPUS and benchmark.accelerator == "tcg":
        write_figure(FIGURES, "registered_cpu_s", [result.marks[-1].cpu_seconds for result in benchmark.runs])
    if json:
        sys.stdout.write(json_codec.dumps(msgspec.to_builtins(benchmark), indent=2) + "\n")
    else:
        print_benchmark(benchmark, screen)


if __name__ == "__main__":
    run_main(main)
