"""Whether a file system was made to its end: `wipefs` sees an XFS or a FAT from the first sector on that mkfs writes.

`read.read_storage` asks for those that an earlier attempt of the job may have begun to make and never said to have
finished; the planner of file systems, which knows all names of a place, keeps those that it has begun. Changes nothing.
"""

import msgspec

from bootos.drivers.contract import Machine
from bootos.drivers.storage.mark import COMING_ARRAY, COMING_NAMESPACE, FILESYSTEM, draw_uuid, is_same_uuid
from bootos.drivers.storage.own import is_begun
from bootos.drivers.storage.signature import Signature
from bootos.drivers.storage.state import Storage
from bootos.template.model import Filesystem, Template

CHECK_TIMEOUT_S = 1800.0

# The checkers of the file systems, with the options that make them change nothing. Exit code 0: the file system is
# complete. Swap needs no checker: it is written as one page.
CHECKERS = {
    "ext4": ("e2fsck", "-n", "-f"),
    "xfs": ("xfs_repair", "-n"),
    "btrfs": ("btrfs", "check", "--readonly"),
    "vfat": ("fsck.vfat", "-n"),
}


def is_doubted(machine: Machine, device: str, signature: Signature) -> bool:
    """Whether the file system on `device`, as plans call it, is to be checked. A file system on an array that the job
    itself makes has no device in its action's id: it is recognised by the UUID that it was to get."""
    begun = [id.removeprefix(FILESYSTEM) for id in machine.begun if id.startswith(FILESYSTEM)]
    if device in begun:
        return True
    if not any(place.startswith((COMING_ARRAY, COMING_NAMESPACE)) for place in begun):
        return False
    uuids = [draw_uuid(machine.owner, device), *(_find_uuids(machine.template) if machine.template else ())]
    return any(is_same_uuid(signature.uuid, uuid) for uuid in uuids)


def keep_doubts(
    state: Storage, place: str, device: str, signatures: tuple[Signature, ...]
) -> tuple[Signature, ...]:
    """The signatures of a place, half made only where an earlier attempt began a file system in this very place: by its
    UUID alone, that of another place was meant. `place` is what ids call it, `device` what plans do."""
    if is_begun(state, FILESYSTEM, place, device):
        return signatures
    return tuple(msgspec.structs.replace(item, half_made=False) for item in signatures)


def _find_uuids(template: Template) -> list[str]:
    """The UUIDs of file systems on disks that are arrays."""
    arrays = [disk for disk in template.disks if disk.select.array is not None]
    wanted = [disk.filesystem for disk in arrays]
    wanted += [part.filesystem for disk in arrays for part in disk.partitions]
    return [item.uuid for item in wanted if isinstance(item, Filesystem) and item.uuid is not None]


def is_complete(machine: Machine, type: str, node: str) -> bool:
    """Whether the file system on `node` is sound. Raises ToolError when its checker is not installed."""
    argv = CHECKERS.get(type)
    return argv is None or machine.run([*argv, node], timeout_s=CHECK_TIMEOUT_S, check=False).returncode == 0
