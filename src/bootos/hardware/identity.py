"""What a machine is known by: its serial number, else its UUID, else its board's serial number, else the MAC address
that it booted from; each only if the firmware was told it.

`find_identity` is for the whole inventory, `read_early_identity` for the hook that runs before there is one.
"""

import uuid

from bootos.hardware.dmi import SYSTEM, Dmi, parse_uuid
from bootos.hardware.smbios import drop_placeholder
from bootos.hardware.tree import Tree
from bootos.wire.inventory import Identity, Inventory

_DMI = "sys/class/dmi/id"


def find_identity(inventory: Inventory, dmi: Dmi | None, mac: str) -> Identity:
    """`mac`: of the NIC that booted; empty where that is not known. `former`, of a machine without a serial number, is
    what the firmware has in the places of serial number and UUID: an earlier release may have known the machine by
    it."""
    found = _choose(inventory.system.serial, inventory.system.uuid, inventory.board.serial, mac)
    entry = dmi.find(SYSTEM) if dmi is not None else None
    if entry is None or found.by == "serial":
        return found
    raw = entry.data[0x08:0x18]
    is_written = len(raw) == 16 and set(raw) not in ({0}, {0xFF})
    written = [entry.raw_text(0x07), str(uuid.UUID(bytes_le=raw)) if is_written else None]
    known = (inventory.system.serial, inventory.system.uuid)
    found.former = [text for text, value in zip(written, known, strict=True) if text and value is None]
    return found


def read_early_identity(tree: Tree, mac: str) -> Identity:
    """By what the kernel shows of SMBIOS (Documentation/ABI/testing/sysfs-firmware-dmi-tables)."""
    try:
        told = uuid.UUID(tree.read(f"{_DMI}/product_uuid") or "").bytes
    except ValueError:
        told = b""
    return _choose(
        drop_placeholder(tree.read(f"{_DMI}/product_serial")),
        parse_uuid(told, (0, 0)),  # the kernel has put the bytes into their order
        drop_placeholder(tree.read(f"{_DMI}/board_serial")),
        mac,
    )


def _choose(serial: str | None, machine_uuid: str | None, board: str | None, mac: str) -> Identity:
    if serial:
        return Identity(name=serial, by="serial")
    if machine_uuid:
        return Identity(name=machine_uuid, by="uuid")
    if board:
        return Identity(name=board, by="board")
    return Identity(name=mac, by="mac") if mac else Identity()
