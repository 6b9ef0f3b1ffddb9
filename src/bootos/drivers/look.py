"""What was read of the machine at one moment, shared by the drivers of that moment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

Read = TypeVar("Read")
SIGNS_OF_CHANGE = ("sys/kernel/uevent_seqnum", "proc/self/mountinfo", "proc/swaps")
"""Files of the kernel, below the machine's root, that are others when disks came, went, or were taken into use."""


class Look:
    """What was read of the machine at one moment, for all drivers of that moment.

    The engine opens one (`Machine.looking`) and ends it with every change (`Machine.changing`). A kernel event, as a
    disk that is plugged in or pulled, ends it as well: Linux counts them in /sys/kernel/uevent_seqnum
    (Documentation/ABI/testing/sysfs-kernel-uevent_seqnum in the kernel's source). A mount and swap that is switched on
    are no such events, and end it all the same: a disk that is taken into use from the shell is in use at once.
    """

    def __init__(self, root: Path) -> None:
        self._signs = tuple(root / path for path in SIGNS_OF_CHANGE)
        self._kept: dict[str, tuple[object, list[str], Any]] = {}

    def take(self, what: str, asked: object, read: Callable[[], Read]) -> Read:
        """The value of `what` as it was read before, or read now. `asked` is what the reading depends on: the kept
        value counts only for the same object. Raises what `read` raises, and then keeps nothing."""
        signs = [_read_sign(path) for path in self._signs]
        kept = self._kept.get(what)
        if kept is not None and kept[0] is asked and kept[1] == signs:
            value: Read = kept[2]
            return value
        value = read()
        # the signs are those from before the reading, so an event during the reading ends it
        self._kept[what] = (asked, signs, value)
        return value


def _read_sign(path: Path) -> str:
    """A file of the kernel's; empty where it has none."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
