"""File systems that templates ask for: whether one is there, and the command that makes it. Pure.

Used by `disk.filesystem`, and by `disk.luks` for what lies in a container.
"""

import msgspec

from bootos.drivers.storage.mark import draw_uuid
from bootos.drivers.storage.signature import Signature
from bootos.drivers.storage.state import Storage
from bootos.template.model import Filesystem, FilesystemType

# The least sizes that the tools of Debian 13 accept, each rounded up a little.
LEAST_BYTES = {
    FilesystemType.EXT4: 1024**2,
    FilesystemType.XFS: 300 * 1024**2,
    FilesystemType.BTRFS: 114 * 1024**2,
    FilesystemType.VFAT: 1024**2,
    FilesystemType.SWAP: 1024**2,
}
MKFS_TIMEOUT_S = 1800.0  # the discard of a large disk takes minutes


def full_filesystem(wanted: Filesystem | FilesystemType) -> Filesystem:
    """The file system with all of its fields, where the template gives its type alone."""
    return Filesystem(type=wanted) if isinstance(wanted, FilesystemType) else wanted


def is_right(signatures: tuple[Signature, ...], wanted: Filesystem) -> bool:
    """Whether exactly this file system is there."""
    if len(signatures) != 1 or signatures[0].type != wanted.type.value or signatures[0].half_made:
        return False
    found = signatures[0]
    label_right = wanted.label is None or found.label == wanted.label
    return label_right and (wanted.uuid is None or plain_uuid(found.uuid) == plain_uuid(wanted.uuid))


def mark_filesystem(state: Storage, wanted: Filesystem, device: str) -> Filesystem:
    """With the job's mark as its UUID, where the template gives none."""
    if wanted.uuid is not None or not state.owner:
        return wanted
    mark = draw_uuid(state.owner, device)
    if wanted.type is FilesystemType.VFAT:
        mark = f"{mark[:4]}-{mark[4:8]}".upper()
    return msgspec.structs.replace(wanted, uuid=mark)


def plain_uuid(text: str) -> str:
    """A UUID as it is compared: in lower case and without hyphens."""
    return text.lower().replace("-", "")


def build_mkfs(wanted: Filesystem, node: str) -> list[str]:
    """The command that makes this file system on `node`, without questions."""
    label, uuid, options = wanted.label, wanted.uuid, wanted.options
    match wanted.type:
        case FilesystemType.EXT4:
            argv = ["mkfs.ext4", "-q", "-F"]
            argv += ["-L", label] if label else []
            argv += ["-U", uuid] if uuid else []
        case FilesystemType.XFS:
            argv = ["mkfs.xfs", "-q", "-f"]
            argv += ["-L", label] if label else []
            argv += ["-m", f"uuid={uuid}"] if uuid else []
        case FilesystemType.BTRFS:
            argv = ["mkfs.btrfs", "-q", "-f"]
            argv += ["-L", label] if label else []
            argv += ["-U", uuid] if uuid else []
        case FilesystemType.VFAT:
            # -I: also on a whole disk. --mbr=n: without a fake partition table in it.
            argv = [
                "mkfs.vfat",
                "-I",
                "--mbr=n",
            ]
            argv += ["-n", label] if label else []
            argv += ["-i", plain_uuid(uuid).upper()] if uuid else []
        case FilesystemType.SWAP:
            argv = ["mkswap", "-f"]
            argv += ["-L", label] if label else []
            argv += ["-U", uuid] if uuid else []
    return [*argv, *options, node]
