"""Waiting for the kernel to see the disk of a new array: its driver looks for new ones in its own time (hpsa: half a
minute). Called by drivers of hardware controllers after they made an array."""

import time
from collections.abc import Callable

from bootos.drivers.contract import Machine
from bootos.drivers.disk.block import Storage
from bootos.drivers.raid.md import settle
from bootos.hardware.block import read_disks
from bootos.hardware.tree import Tree
from bootos.wire.inventory import Disk

DEADLINE_S = 90.0
PAUSE_S = 0.5


def wait_for_disk(
    machine: Machine,
    find: Callable[[Storage], Disk | None],
    *,
    pause: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> Disk | None:
    """The disk that `find` finds among those of the kernel; None when it did not come in time, or when the kernel
    shows no disks at all. That is no failure here: the plan that is made afterwards says what it misses."""
    tree = Tree(machine.root)
    until = now() + DEADLINE_S
    while tree.exists("sys/block"):
        settle(machine)
        found = find(Storage(disks=tuple(read_disks(tree))))
        if found is not None or now() >= until:
            return found
        pause(PAUSE_S)
    return None
