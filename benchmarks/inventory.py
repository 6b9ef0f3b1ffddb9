"""What an inventory costs on a machine with many devices: 24 disks and 8 network cards. One boot.

An emulated processor is slower than one of steel, by a factor that is measured too: the same work of bash, in the
guest and here. The budget is for a machine as fast as this host.
"""

import json as json_codec
import re
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from frame import run_main
from rich.console import Console

from bootos.errors import BootosError
from bootos.lab.budget import FIGURES, write_figure
from bootos.lab.scenario import SERIAL_CONSOLE, Scenario
from bootos.lab.serial import REGISTERED
from bootos.lab.shell import run_in_shell
from bootos.lab.spec import DiskSpec, MachineSpec, NicSpec, boot_image
from bootos.process import run

DISKS = 24
CARDS = 8
DEADLINE_S = 1800.0
# The command is run by hand after the boot, so the figure has the start of the program and not the collection at boot.
COMMAND = "TIMEFORMAT='COST %R %U %S'; time bootos-agent inventory --json > /dev/null"
# The same kind of work as an inventory: processes that start and end, and computing in a program.
SAME_WORK = (
    "TIMEFORMAT='COST %R %U %S'; time"
    " (for i in {1..40}; do /usr/bin/env true; done; for ((i = 0; i < 20000; i++)); do :; done)"
)


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """One inventory, and how many times slower than the host the guest did the same work right after."""

    seconds: float
    cpu_seconds: float
    slower: float

    @property
    def host_seconds(self) -> float:
        """What it would have taken on a machine as fast as the host."""
        return self.seconds / self.slower


def build_spec(image: Path, server_url: str) -> MachineSpec:
    """The machine: SCSI disks, which smartctl is asked about, and virtio cards."""
    boot = boot_image(
        image,
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


def measure(image: Path, output: Path, runs: int, screen: Console) -> list[Cost]:
    """Boot the machine and take its inventory `runs` times. What keeps a busy host's programs waiting is in the
    seconds of both, so these are compared."""
    with Scenario(output) as scenario, screen.status("booting"):
        server = scenario.start_server(boot_files=image)
        machine = scenario.add_machine(build_spec(image, server.guest_url))
        machine.power_on()
        machine.wait_for_serial(REGISTERED, DEADLINE_S)
        costs = []
        for _ in range(runs):
            seconds, cpu_s = parse_cost(run_in_shell(machine, COMMAND, deadline_s=DEADLINE_S)[1])
            guest_s, _ = parse_cost(run_in_shell(machine, SAME_WORK, deadline_s=DEADLINE_S)[1])
            here_s, _ = parse_cost(run(["bash", "-c", SAME_WORK]).stderr)
            costs.append(Cost(seconds=seconds, cpu_seconds=cpu_s, slower=guest_s / here_s))
        return costs


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
    costs = measure(image, output, runs, screen)
    write_figure(FIGURES, "inventory_s", [cost.host_seconds for cost in costs])
    if json:
        sys.stdout.write(json_codec.dumps(msgspec.to_builtins(costs), indent=2) + "\n")
        return
    for cost in costs:
        screen.print(
            f"{DISKS} disks, {CARDS} cards: {cost.cpu_seconds:.1f} CPU seconds in {cost.seconds:.1f} s; the guest is"
            f" {cost.slower:.0f} times slower than this host, so {cost.host_seconds:.2f} s on steel as fast"
        )


if __name__ == "__main__":
    run_main(main)
