"""What an inventory costs on a machine with many devices: 24 disks and 8 network cards. One boot."""

import json as json_codec
import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bootos.errors import BootosError, read_chain
from bootos.lab.budget import FIGURES, write_figure
from bootos.lab.scenario import SERIAL_CONSOLE, Scenario
from bootos.lab.serial import REGISTERED
from bootos.lab.shell import run_in_shell
from bootos.lab.spec import DiskSpec, KernelBoot, MachineSpec, NicSpec

DISKS = 24
CARDS = 8
DEADLINE_S = 1800.0
# By hand, after the boot: the program's start is in it, the collection of the boot is not.
COMMAND = "TIMEFORMAT='COST %R %U %S'; time bootos-agent inventory --json > /dev/null"


def build_spec(image: Path, server_url: str) -> MachineSpec:
    """The machine: SCSI disks, which smartctl is asked about, and virtio cards."""
    boot = KernelBoot(
        kernel=str(image / "vmlinuz"),
        initrd=str(image / "initrd.img"),
        append=f"{SERIAL_CONSOLE} SERVER_ADDR={server_url}",
    )
    return MachineSpec(
        name="devices",
        memory_mib=1024,
        cpus=2,
        boot=boot,
        disks=tuple(
            DiskSpec(name=f"d{number}", bus="scsi", size_mib=64, serial=f"BENCH-{number:02}")
            for number in range(DISKS)
        ),
        nics=tuple(
            NicSpec(mac=f"52:54:00:be:0d:{number:02x}", isolated=number > 0) for number in range(CARDS)
        ),
    )


def parse_cost(text: str) -> tuple[float, float]:
    """(seconds, CPU seconds) of what bash's `time` printed. Raises BootosError."""
    found = re.search(r"COST ([\d.]+) ([\d.]+) ([\d.]+)", text)
    if found is None:
        raise BootosError(f"the shell told no times: {text[-200:]}")
    return float(found[1]), float(found[2]) + float(found[3])


def measure(image: Path, output: Path, runs: int, screen: Console) -> list[tuple[float, float]]:
    """Boot the machine and take its inventory `runs` times."""
    with Scenario(output) as scenario, screen.status("booting"):
        server = scenario.start_server(boot_files=image)
        machine = scenario.add_machine(build_spec(image, server.guest_url))
        machine.power_on()
        machine.wait_for_serial(REGISTERED, DEADLINE_S)
        return [parse_cost(run_in_shell(machine, COMMAND, deadline_s=DEADLINE_S)[1]) for _ in range(runs)]


def main(
    image: Annotated[Path, typer.Option(help="The directory of the image.")] = Path("build/image"),
    output: Annotated[Path, typer.Option(help="Where logs go.")] = Path("build/bench-inventory"),
    runs: Annotated[int, typer.Option(min=1, help="How often to take it.")] = 2,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
) -> None:
    """Take the inventory of a lab machine with 24 disks and 8 network cards.

    Example: python benchmarks/inventory.py --runs 3
    """
    screen = Console(stderr=json)
    try:
        costs = measure(image, output, runs, screen)
    except BootosError as error:
        for sentence in read_chain(error):
            typer.echo(f"inventory.py: {sentence}", err=True)
        raise typer.Exit(1) from error
    write_figure(FIGURES, "inventory_cpu_s", [cpu_s for _, cpu_s in costs])
    if json:
        rows = [{"seconds": seconds, "cpu_seconds": cpu_s} for seconds, cpu_s in costs]
        sys.stdout.write(json_codec.dumps(rows, indent=2) + "\n")
        return
    for seconds, cpu_s in costs:
        screen.print(f"{DISKS} disks, {CARDS} cards: {cpu_s:.2f} CPU seconds in {seconds:.1f} s")


if __name__ == "__main__":
    typer.run(main)
