"""The smallest memory in which a machine boots by PXE, registers and makes a file system. One boot for each trial."""

import json as json_codec
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from frame import run_main
from rich.console import Console
from rich.table import Table

from bootos.errors import BootosError
from bootos.image.layers.core import read_image
from bootos.lab.budget import FIGURES, write_figure
from bootos.lab.machine import Machine
from bootos.lab.scenario import Scenario
from bootos.lab.shell import run_in_shell
from bootos.lab.spec import DiskSpec, Identity, MachineSpec, NicSpec

MAKE_FILE_SYSTEM = "mkfs.xfs -q -f /dev/vda && mkdir -p /mnt && mount /dev/vda /mnt && umount /mnt"
DEADLINE_S = 1800.0


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One boot. `reason`: why it failed, empty when it did not."""

    memory_mib: int
    reason: str


def try_memory(machine: Machine) -> str:
    """Boot it, wait until it is registered, make a file system; returns why that failed, or nothing."""
    machine.power_on()
    try:
        machine.serial.wait_until_registered(DEADLINE_S)
        code, text = run_in_shell(machine, MAKE_FILE_SYSTEM, deadline_s=DEADLINE_S)
        return "" if code == 0 else f"no file system was made: {text[-200:]}"
    except BootosError as error:
        return str(error)
    finally:
        machine.power_off()


def find_floor(image: Path, output: Path, sizes_mib: list[int], screen: Console) -> list[Trial]:
    """Try these sizes, the largest first, until one fails."""
    # raises an error when there is no image: without it the benchmark would wait for a machine that cannot boot
    read_image(image)
    trials: list[Trial] = []
    with Scenario(output) as scenario:
        server = scenario.start_server(boot_files=image)
        for size_mib in sorted(sizes_mib, reverse=True):
            spec = MachineSpec(
                name=f"memory{size_mib}",
                # each size is another machine for the server, which gives an identity away only after a pause
                identity=Identity(serial=f"BENCH{size_mib}"),
                memory_mib=size_mib,
                disks=(DiskSpec(name="a", serial="BENCH-A"),),
                nics=(NicSpec(mac=f"52:54:00:be:{size_mib >> 8:02x}:{size_mib & 255:02x}", boot=True),),
            )
            machine = scenario.add_machine(spec, tftp_root=server.tftp_root)
            with screen.status(f"{size_mib} MiB"):
                trials.append(Trial(memory_mib=size_mib, reason=try_memory(machine)))
            if trials[-1].reason:
                break
    return trials


def main(
    sizes_mib: Annotated[list[int], typer.Argument(help="Memory sizes to try, in MiB.")],
    image: Annotated[Path, typer.Option(help="The directory of the image.")] = Path("build/image"),
    output: Annotated[Path, typer.Option(help="Where logs go.")] = Path("build/bench-memory"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
) -> None:
    """Boot a lab machine with less and less memory, until it fails.

    Example: python benchmarks/memory.py 512 448 384 352
    """
    screen = Console(stderr=json)
    trials = find_floor(image, output, sizes_mib, screen)
    enough = [trial.memory_mib for trial in trials if not trial.reason]
    if enough:
        write_figure(FIGURES, "memory_mib", [float(min(enough))])
    if json:
        sys.stdout.write(json_codec.dumps(msgspec.to_builtins(trials), indent=2) + "\n")
        return
    table = Table("memory", "enough", "why not")
    for trial in trials:
        table.add_row(f"{trial.memory_mib} MiB", "no" if trial.reason else "yes", trial.reason)
    screen.print(table)


if __name__ == "__main__":
    run_main(main)
