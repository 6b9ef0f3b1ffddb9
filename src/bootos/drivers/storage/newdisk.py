"""The kernel's disk of an array that a controller has just made: waited for, and emptied.

Called by drivers of hardware controllers. A kernel module looks for new disks in its own time (hpsa: half a minute);
and what the drives held before shines through in a new array: a file system found there would be taken for the
operator's data.
"""

from collections.abc import Callable, Set
from pathlib import Path

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.storage.device import clear_device
from bootos.drivers.storage.settle import settle
from bootos.drivers.storage.state import Storage
from bootos.hardware.block import read_disks
from bootos.hardware.tree import Tree
from bootos.waiting import CLOCK, Clock, find_within
from bootos.wire.inventory import Disk

DEADLINE_S = 90.0
PAUSE_S = 0.5
_SHORTEST = 16  # digits that the kernel or udev may have cut a name of 32 to


def receive_disk(
    machine: Machine,
    find: Callable[[], str | None],
    title: str,
    *,
    clock: Clock = CLOCK,
) -> str:
    """Wait until `find` finds the disk's device, and remove every signature from it. Raises DriverError when it does
    not come."""
    failure = f"{title} was created, but the system shows no disk of its name"
    node = wait_for_disk(machine, find, failure, clock=clock)
    clear_device(machine, node)
    return node


def wait_for_disk(
    machine: Machine,
    find: Callable[[], str | None],
    failure: str,
    *,
    clock: Clock = CLOCK,
) -> str:
    """Wait until `find` finds what it looks for. Raises DriverError, with `failure`, when it does not come."""

    def look() -> str | None:
        settle(machine)
        return find()

    node = find_within(look, DEADLINE_S, pause_s=PAUSE_S, clock=clock)
    if node is None:
        raise DriverError(
            f"{failure} after {DEADLINE_S:g} s",
            hint="the kernel log says whether the controller's kernel module has seen it",
        )
    return node


def find_linked_node(root: Path, wwn: str) -> str | None:
    """`/dev/sdb` by udev's link for a world wide name; None when there is none, or more than one."""
    plain = wwn.lower().removeprefix("0x")
    found = set()
    for link in (root / "dev/disk/by-id").glob("wwn-0x*"):
        name = link.name.removeprefix("wwn-0x")
        is_cut = len(name) >= _SHORTEST and plain.startswith(name)
        if plain and is_cut and link.is_symlink():
            found.add(f"/dev/{link.readlink().name}")
    return found.pop() if len(found) == 1 else None


def find_kernel_node(
    root: Path, find: Callable[[Storage], Disk | None], before: Set[str] = frozenset()
) -> str | None:
    """The device of the disk that `find` finds among those of the kernel, for arrays without a world wide name. A disk
    that was there `before` is another one, whatever it calls itself."""
    disks = [disk for disk in read_disks(Tree(root)) if _tell_appearance(root, disk) not in before]
    disk = find(Storage(disks=tuple(disks)))
    return disk.path if disk is not None else None


def read_appearances(root: Path) -> frozenset[str]:
    """The disks that the kernel shows now, in a form that a later disk at the same place does not have."""
    return frozenset(_tell_appearance(root, disk) for disk in read_disks(Tree(root)))


def _tell_appearance(root: Path, disk: Disk) -> str:
    """Its place, and what makes another disk of it: the kernel counts disks as they come (Linux:
    Documentation/ABI/testing/sysfs-block, diskseq)."""
    count = Tree(root).read(f"sys/block/{disk.name}/diskseq")
    return f"{disk.path} {count} {disk.wwn} {disk.serial} {disk.model} {disk.size_bytes}"
