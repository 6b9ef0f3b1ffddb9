"""What the emulated processor does during a boot: user programs, or which functions of the kernel. One boot.

Asks QEMU where the processor is some ten times a second, and weighs each answer with the CPU time since the one before.
The kernel's own names come from the guest, which is booted with `nokaslr`. Being asked costs about a tenth more.
"""

import bisect
import collections
import gzip
import itertools
import re
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from boot import DEADLINE_S, STAGES
from frame import run_main
from rich.console import Console
from rich.table import Table

from bootos.errors import BootosError
from bootos.lab.machine import Machine
from bootos.lab.scenario import SERIAL_CONSOLE, Scenario
from bootos.lab.shell import run_in_shell
from bootos.lab.spec import DiskSpec, MachineSpec, NicSpec, boot_image

PAUSE_S = 0.02
MAC = "52:54:00:be:0c:06"
KERNEL = 1 << 63
GET_SYMBOLS = (
    "gzip < /proc/kallsyms > /run/k; dd if=/run/k of=/dev/vda conv=fsync status=none; stat -c SIZE=%s /run/k"
)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Where the processor was: at `at_s` after power-on, when QEMU had used `cpu_s`."""

    at_s: float
    cpu_s: float
    address: int
    is_user: bool
    is_idle: bool


class Sampler:
    """Asks in a thread of its own until it is stopped."""

    def __init__(self, machine: Machine) -> None:
        self.samples: list[Sample] = []
        self._machine = machine
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._ended.wait(PAUSE_S):
            sample = parse_registers(
                self._machine.read_registers(), self._machine.elapsed_s(), self._machine.read_cpu_s()
            )
            if sample is not None:
                self.samples.append(sample)


def parse_registers(text: str, at_s: float, cpu_s: float) -> Sample | None:
    """What QEMU's monitor prints; None as long as the processor is not in 64-bit mode."""
    found = re.search(r"RIP=([0-9a-f]+).*CPL=(\d).*HLT=(\d)", text, re.DOTALL)
    if found is None:
        return None
    return Sample(
        at_s=at_s,
        cpu_s=cpu_s,
        address=int(found[1], 16),
        is_user=found[2] != "0",
        is_idle=found[3] != "0",
    )


def parse_symbols(text: str) -> list[tuple[int, str]]:
    """The functions in /proc/kallsyms, by address."""
    rows = (line.split() for line in text.splitlines())
    return sorted((int(row[0], 16), row[2]) for row in rows if row[1] in "tTwW")


def count(
    samples: Sequence[Sample], symbols: list[tuple[int, str]], from_s: float, to_s: float
) -> dict[str, float]:
    """CPU seconds by function between two moments; what is no kernel function has a name in brackets."""
    addresses = [address for address, _ in symbols]
    found: dict[str, float] = collections.defaultdict(float)
    for before, sample in itertools.pairwise(samples):
        if not from_s < sample.at_s <= to_s:
            continue
        if sample.is_idle:
            name = "(idle)"
        elif sample.is_user:
            name = "(programs)"
        elif sample.address < KERNEL:
            name = "(unpacking the kernel)"
        else:
            name = symbols[max(0, bisect.bisect_right(addresses, sample.address) - 1)][1]
        found[name] += sample.cpu_s - before.cpu_s
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def sample_boot(image: Path, output: Path) -> tuple[list[Sample], dict[str, float], list[tuple[int, str]]]:
    """Boot until registered: the samples, when each stage was reached, and the kernel's functions."""
    with Scenario(output) as scenario:
        server = scenario.start_server(boot_files=image)
        words = f"{SERIAL_CONSOLE} SERVER_ADDR={server.guest_url} BOOTIF=01-{MAC.replace(':', '-')} nokaslr"
        boot = boot_image(image, append=words)
        spec = MachineSpec(
            name="sampled",
            boot=boot,
            disks=(DiskSpec(name="a", serial="BENCH-A"),),
            nics=(NicSpec(mac=MAC, boot=False),),
        )
        machine = scenario.add_machine(spec)
        machine.power_on()
        sampler = Sampler(machine)
        reached, after = {}, 0
        for stage, pattern in STAGES.items():
            line = machine.wait_for_serial(pattern, DEADLINE_S, after=after)
            reached[stage], after = line.at_s, line.number
        sampler.stop()
        _, text = run_in_shell(machine, GET_SYMBOLS, deadline_s=DEADLINE_S)
        size = re.search(r"SIZE=(\d+)", text)
        if size is None:
            raise BootosError(f"the guest gave no kernel symbols: {text[-200:]}")
        machine.power_off()
        with machine.disk_path("a").open("rb") as disk:
            symbols = gzip.decompress(disk.read(int(size[1]))).decode()
    return sampler.samples, reached, parse_symbols(symbols)


def main(
    image: Annotated[Path, typer.Option(help="The directory of the image.")] = Path("build/image"),
    output: Annotated[Path, typer.Option(help="Where logs go.")] = Path("build/bench-sampler"),
    most: Annotated[int, typer.Option(min=1, help="How many functions of each stage are shown.")] = 12,
    json: Annotated[bool, typer.Option("--json", help="Print all as JSON, and nothing else.")] = False,
) -> None:
    """Tell what takes the CPU seconds of each stage of a boot.

    Example: python benchmarks/sampler.py --most 20
    """
    screen = Console(stderr=json)
    with screen.status("booting"):
        samples, reached, symbols = sample_boot(image, output)
    stages, from_s = {}, 0.0
    for stage, to_s in reached.items():
        stages[stage] = count(samples, symbols, from_s, to_s)
        from_s = to_s
    if json:
        sys.stdout.write(msgspec.json.encode(stages).decode() + "\n")
        return
    for stage, found in stages.items():
        table = Table(f"to {stage}: {sum(found.values()):.1f} CPU s", "CPU s")
        for name, cpu_s in list(found.items())[:most]:
            table.add_row(name, f"{cpu_s:.2f}")
        screen.print(table)


if __name__ == "__main__":
    run_main(main)
