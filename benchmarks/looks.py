"""How many commands a job runs, and how often it looks at the storage: one with RAID, GPT, LVM, LUKS and a file system.

    python benchmarks/looks.py

The machine is the one of the contract tests, which stands in for the tools and remembers what was done to it. A job is
planned, applied, read again, and its state is saved, as the agent does. A look is one `lsblk` of all devices.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from frame import run_main
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/contract"))
from storagemachine import MIB, StorageMachine

from bootos.engine.apply import apply_job
from bootos.engine.plan import plan_job
from bootos.engine.run import Run
from bootos.engine.savedstate import read_saved
from bootos.errors import BootosError

SECRETS = {"disk": "correct horse"}
TEMPLATE = {
    "name": "all of the storage",
    "raid": {
        "arrays": [{"name": "os", "level": 1, "drives": "0,1"}, {"name": "data", "level": 5, "drives": "2-4"}]
    },
    "disks": [
        {
            "select": {"array": "os"},
            "table": "gpt",
            "partitions": [
                {"name": "boot", "size": "512MiB", "filesystem": "ext4"},
                {"name": "pv", "size": "rest", "volume_group": "vg0"},
            ],
        },
        {
            "select": {"array": "data"},
            "table": "gpt",
            "partitions": [
                {
                    "name": "data",
                    "size": "rest",
                    "encryption": {"passphrase": {"secret": "disk"}},
                    "filesystem": "xfs",
                }
            ],
        },
    ],
    "volume_groups": [
        {
            "name": "vg0",
            "volumes": [
                {"name": "root", "size": "1GiB", "filesystem": {"type": "xfs", "label": "root"}},
                {"name": "var", "size": "rest", "filesystem": "ext4"},
            ],
        }
    ],
}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one part of the job ran."""

    name: str
    commands: int
    looks: int


def count_looks(calls: list[list[str]]) -> int:
    return sum(1 for call in calls if call[0] == "lsblk" and not call[-1].startswith("/dev/"))


def run_job(root: Path) -> tuple[list[Part], Counter[str]]:
    """Plan, apply and save the job; returns its parts, and how often each program ran."""
    fake = StorageMachine(root, {f"vd{letter}": 4096 * MIB for letter in "abcde"})
    inventory = fake.build_inventory()
    parts, programs = [], Counter[str]()

    def close(name: str) -> None:
        parts.append(Part(name=name, commands=len(fake.calls), looks=count_looks(fake.calls)))
        programs.update(call[0] for call in fake.calls)
        fake.calls.clear()

    job = Run(TEMPLATE, fake.machine, inventory, SECRETS)
    plan = plan_job(job)
    if plan.problems:
        raise BootosError("; ".join(str(problem) for problem in plan.problems))
    close("plan")
    apply_job(job, plan)
    close("apply")
    read_saved(fake.machine, inventory)
    close("save the state")
    return parts, programs


def main(
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Run the job once and print what it ran.

    Example: python benchmarks/looks.py
    """
    with tempfile.TemporaryDirectory(prefix="bootos-looks-") as directory:
        parts, programs = run_job(Path(directory))
    table = Table("part", "commands", "looks")
    whole = Part(
        name="together",
        commands=sum(part.commands for part in parts),
        looks=sum(part.looks for part in parts),
    )
    if json:
        print(msgspec.json.encode({"parts": [*parts, whole], "programs": programs}).decode())
        return
    for part in (*parts, whole):
        table.add_row(part.name, str(part.commands), str(part.looks))
    screen = Console()
    screen.print(table)
    screen.print(", ".join(f"{name} {count}" for name, count in programs.most_common()))


if __name__ == "__main__":
    run_main(main)
