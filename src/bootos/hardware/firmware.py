"""How this boot was made: BIOS or UEFI, with secure boot or without.

Called by `inventory.collect_inventory`.
"""

from bootos.hardware.tree import Tree
from bootos.wire.inventory import Bios

# The GUID is EFI_GLOBAL_VARIABLE of the UEFI specification. In efivarfs four bytes of attributes stand before the
# value.
_SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def add_boot_mode(tree: Tree, bios: Bios) -> None:
    """Fill in `boot_mode` and `secure_boot` (None under UEFI when efivarfs is not mounted)."""
    if not tree.exists("sys/firmware"):
        return
    if not tree.exists("sys/firmware/efi"):
        bios.boot_mode, bios.secure_boot = "bios", False
        return
    bios.boot_mode = "uefi"
    value = tree.read_bytes(_SECURE_BOOT)
    bios.secure_boot = value[4] == 1 if value is not None and len(value) == 5 else None
