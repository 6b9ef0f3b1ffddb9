"""What is said of a device that nothing drives."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bootos.hardware.pcigap import describe_gap, read_gaps
from bootos.hardware.tree import Tree
from bootos.process import Completed, run

CARD = "PCI_CLASS=20000\nPCI_ID=8086:10D3\n"
DISKS = "PCI_CLASS=10000\nPCI_ID=1000:0012\n"
SCREEN = "PCI_CLASS=30000\nPCI_ID=1234:1111\n"


def build(directory: Path, resolved: str, **uevents: str) -> tuple[Tree, Any]:
    """A machine with these devices, whose `modprobe` resolves every alias to `resolved` (none when empty)."""
    for number, text in enumerate(uevents.values(), 1):
        device = directory / f"root/sys/bus/pci/devices/0000:00:0{number}.0"
        device.mkdir(parents=True)
        (device / "uevent").write_text(text)
        (device / "modalias").write_text("pci:v1d2sv*sd*bc*sc*i*\n")
    (directory / "bin").mkdir()
    program = directory / "bin/modprobe"
    program.write_text(f"#!/bin/sh\n{f'echo {resolved}' if resolved else 'exit 1'}\n")
    program.chmod(0o755)

    def call(argv: Sequence[str | os.PathLike[str]], **options: Any) -> Completed:
        return run(argv, **{**options, "env": {"PATH": f"{directory / 'bin'}:{os.environ['PATH']}"}})

    return Tree(directory / "root"), call


def test_network_and_storage_without_a_module_are_named(tmp_path: Path) -> None:
    tree, call = build(tmp_path, "", card=CARD, disks=DISKS, screen=SCREEN)
    assert [describe_gap(gap) for gap in read_gaps(tree, call)] == [
        "PCI 0000:00:01.0 device (8086:10d3): no kernel module found",
        "PCI 0000:00:02.0 device (1000:0012): no kernel module found",
    ]


def test_a_device_that_is_driven_is_no_gap(tmp_path: Path) -> None:
    tree, call = build(tmp_path, "", card=f"DRIVER=e1000e\n{CARD}")
    assert read_gaps(tree, call) == []


def test_a_module_that_fits_and_did_not_take_the_device_is_another_matter(tmp_path: Path) -> None:
    tree, call = build(tmp_path, "e1000e", card=CARD)
    (gap,) = read_gaps(tree, call)
    assert describe_gap(gap) == (
        "PCI 0000:00:01.0 device (8086:10d3): kernel module e1000e is for it, but does not drive it: see dmesg"
    )
