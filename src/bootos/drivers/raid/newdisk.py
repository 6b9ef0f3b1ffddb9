"""The kernel's disk of an array that a controller has just made: waited for by its world wide name, and emptied.

Called by drivers of hardware controllers. What the drives held before shines through in a new array: a file system
found there would be taken for the operator's data.
"""

import time
from collections.abc import Callable
from pathlib import Path

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.disk import block
from bootos.drivers.raid import md

DEADLINE_S = 60.0
PAUSE_S = 1.0
_SHORTEST = 16  # digits that the kernel or udev may have cut a name of 32 to


def receive_disk(machine: Machine, wwn: str, title: str, pause: Callable[[float], None] = time.sleep) -> str:
    """Wait until udev has the disk, and remove every signature from it. Raises DriverError when it does not come."""
    waited = 0.0
    md.settle(machine)
    while (node := find_node(machine.root, wwn)) is None:
        if waited >= DEADLINE_S:
            raise DriverError(
                f"{title} was created, but the system shows no disk with its WWN {wwn} after {DEADLINE_S:g} s",
                hint="the kernel log says whether the controller's kernel module has seen it",
            )
        pause(PAUSE_S)
        waited += PAUSE_S
        md.settle(machine)
    block.clear_device(machine, node)
    return node


def find_node(root: Path, wwn: str) -> str | None:
    """`/dev/sdb` by udev's link; None when there is none, or more than one."""
    plain = wwn.lower().removeprefix("0x")
    found = set()
    for link in (root / "dev/disk/by-id").glob("wwn-0x*"):
        name = link.name.removeprefix("wwn-0x")
        is_cut = len(name) >= _SHORTEST and plain.startswith(name)
        if plain and is_cut and link.is_symlink():
            found.add(f"/dev/{link.readlink().name}")
    return found.pop() if len(found) == 1 else None
