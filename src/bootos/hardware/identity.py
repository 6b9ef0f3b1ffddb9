"""What this machine is known by (`wire.identity`), from what was read of it.

`find_identity` is for the whole inventory, `read_early_identity` for the hook that runs before there is one.
"""

from bootos.hardware.dmi import SYSTEM, Dmi, format_uuid
from bootos.hardware.tree import Tree
from bootos.wire.identity import choose_identity
from bootos.wire.inventory import Identity, Inventory

_DMI = "sys/class/dmi/id"


def find_identity(inventory: Inventory, dmi: Dmi | None, mac: str) -> Identity:
    """`mac`: of the NIC that booted; empty where that is not known. `former`, of a machine without a serial number, is
    what the firmware has in the places of serial number and UUID: an earlier release may have known the machine by
    it."""
    system = inventory.system
    found = choose_identity(serial=system.serial, uuid=system.uuid, board=inventory.board.serial, mac=mac)
    entry = dmi.find(SYSTEM) if dmi is not None else None
    if dmi is None or entry is None or found.by == "serial":
        return found
    raw = entry.data[0x08:0x18]
    is_written = len(raw) == 16 and set(raw) not in ({0}, {0xFF})
    written = [entry.raw_text(0x07), format_uuid(raw, dmi.version) if is_written else None]
    known = (system.serial, system.uuid)
    found.former = [text for text, value in zip(written, known, strict=True) if text and value is None]
    return found


def read_early_identity(tree: Tree, mac: str) -> Identity:
    """By what the kernel shows of SMBIOS (Documentation/ABI/testing/sysfs-firmware-dmi-tables)."""
    return choose_identity(
        serial=tree.read(f"{_DMI}/product_serial"),
        uuid=tree.read(f"{_DMI}/product_uuid"),
        board=tree.read(f"{_DMI}/board_serial"),
        mac=mac,
    )
