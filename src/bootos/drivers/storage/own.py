"""What an earlier attempt of this job was cut off making, known by the job's mark: it is replaced without a word. Pure.

Volumes and containers whose content was not made carry `mark.UNFINISHED` instead, whichever job it was.
"""

from bootos.drivers.storage import md
from bootos.drivers.storage.mark import ARRAY, TABLE, UNFINISHED, draw_uuid, is_same_uuid
from bootos.drivers.storage.mkfs import mark_filesystem
from bootos.drivers.storage.signature import LUKS_SIGNATURE, Signature
from bootos.drivers.storage.state import Block, Storage
from bootos.template.model import Filesystem


def is_begun(state: Storage, kind: str, place: str, device: str) -> bool:
    """Whether an earlier attempt began this kind of action (`mark.TABLE`) here. `place` is what ids call it; the ids of
    agents before 0.2.0 call arrays of a controller by the kernel's `device`."""
    return not state.begun.isdisjoint({f"{kind}{place}", f"{kind}{device}"})


def is_own_table(state: Storage, found: Block | None, place: str) -> bool:
    """Whether the partition table was not written to its end: the kernel cannot use it. `place` is what ids call it."""
    if found is None or found.layout is None or not found.layout.unseen:
        return False
    if not is_begun(state, TABLE, place, found.device):
        return False
    return is_same_uuid(found.layout.id, draw_uuid(state.owner, found.device))


def is_own_array(state: Storage, array: md.Array) -> bool:
    """Whether the array was not created to its end, so that it cannot be started."""
    is_cut_off = f"{ARRAY}{array.name}" in state.begun and not array.node
    return is_cut_off and is_same_uuid(array.uuid, draw_uuid(state.owner, array.device))


def is_own_filesystem(
    state: Storage, signatures: tuple[Signature, ...], wanted: Filesystem, device: str
) -> bool:
    """Whether all that is there is the wanted file system, half made."""
    mark = mark_filesystem(state, wanted, device).uuid or ""
    return bool(mark and signatures) and all(
        signature.half_made and signature.type == wanted.type.value and is_same_uuid(signature.uuid, mark)
        for signature in signatures
    )


def is_unfinished_container(signatures: tuple[Signature, ...]) -> bool:
    """Whether all that is there is a LUKS container in which nothing was made."""
    return bool(signatures) and all(
        signature.type == LUKS_SIGNATURE and signature.label == UNFINISHED for signature in signatures
    )
