"""Which disk of the kernel's a controller's array or handed-through drive is. Pure.

By world wide name, else by serial number; a device name that a vendor's tool prints is used only when nothing
contradicts it. No disk is better than a wrong one.
"""

from bootos.drivers.storage.state import Storage
from bootos.wire.inventory import Disk

_SHORTEST = 16  # digits that the kernel or udev may have cut a name of 32 to


def find_disk(storage: Storage, *, wwn: str = "", serial: str = "", node: str = "") -> Disk | None:
    """The one disk that has this name; None when there is none, or more than one."""
    plain = _plain(wwn)
    if plain:
        same = [disk for disk in storage.disks if _plain(disk.wwn) == plain]
        same = same or [disk for disk in storage.disks if _is_cut(_plain(disk.wwn), plain)]
        if same:
            return same[0] if len(same) == 1 else None
    if serial:
        same = [disk for disk in storage.disks if (disk.serial or "").strip().lower() == serial.lower()]
        if same:
            return same[0] if len(same) == 1 else None
    named = next((disk for disk in storage.disks if disk.path == node), None)
    if named is not None and plain and named.wwn:  # this disk has a WWN, and it is another one
        return None
    return named


def _is_cut(short: str, whole: str) -> bool:
    return len(short) >= _SHORTEST and len(short) < len(whole) and whole.startswith(short)


def _plain(name: str | None) -> str:
    text = (name or "").lower().replace(" ", "")
    for prefix in ("wwn-", "0x", "naa.", "eui."):
        text = text.removeprefix(prefix)
    return text
