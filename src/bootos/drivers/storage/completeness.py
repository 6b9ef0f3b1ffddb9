"""Whether a file system was made to its end. Used by `read.read_storage` for those that an earlier attempt of the job
began to make and never said to have finished: `wipefs` sees an XFS or a FAT from the first sector on that mkfs
writes. Changes nothing.
"""

from collections.abc import Set

from bootos.drivers.contract import Machine
from bootos.drivers.storage.mark import FILESYSTEM

CHECK_TIMEOUT_S = 1800.0

# The checkers of the file systems themselves, told to change nothing; exit code 0 means sound. Swap is one page.
CHECKERS = {
    "ext4": ("e2fsck", "-n", "-f"),
    "xfs": ("xfs_repair", "-n"),
    "btrfs": ("btrfs", "check", "--readonly"),
    "vfat": ("fsck.vfat", "-n"),
}


def find_doubted(begun: Set[str]) -> frozenset[str]:
    """The devices, by their names in plans, whose file systems are to be checked."""
    return frozenset(id.removeprefix(FILESYSTEM) for id in begun if id.startswith(FILESYSTEM))


def is_complete(machine: Machine, type: str, node: str) -> bool:
    """Whether the file system on `node` is sound. Raises ToolError when its checker is not installed."""
    argv = CHECKERS.get(type)
    return argv is None or machine.run([*argv, node], timeout_s=CHECK_TIMEOUT_S, check=False).returncode == 0
