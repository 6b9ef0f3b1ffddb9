"""The mark a job leaves on what it makes: UUIDs drawn from the job and the place, so that a later attempt of the same
job knows its own work from that of others, with nothing written down anywhere. Pure; used by the disk drivers.
"""

import uuid

# The label of a LUKS container, and the tag of a logical volume, until its content is made.
UNFINISHED = "bootos.unfinished"
# How ids of actions begin whose work may be half done; see `Machine.begun`.
TABLE = "disk.partition:write:"
FILESYSTEM = "disk.filesystem:make:"
ARRAY = "raid.mdadm:create:"
# How plans and ids of actions name an array of a controller and a named namespace: the kernel's name is known only
# when the disk exists.
COMING_ARRAY = "/dev/raid/"
COMING_NAMESPACE = "/dev/nvme/"
_NAMESPACE = uuid.UUID("6f1d3c1e-7a55-4f0e-9d0b-0b8f2f4a6c11")


def draw_uuid(owner: str, place: str) -> str:
    """The UUID of what `owner` (a job) makes at `place` (`/dev/md/os1`); empty without an owner."""
    return str(uuid.uuid5(_NAMESPACE, f"{owner} {place}")) if owner else ""


def is_same_uuid(found: str, wanted: str) -> bool:
    """Whether two UUIDs are one, however they are written: mdadm groups them by colons, vfat keeps eight digits."""
    one, other = _plain(found), _plain(wanted)
    return bool(one) and bool(other) and (one == other or (len(one) == 8 and other.startswith(one)))


def _plain(text: str) -> str:
    return text.lower().removeprefix("0x").replace("-", "").replace(":", "")
