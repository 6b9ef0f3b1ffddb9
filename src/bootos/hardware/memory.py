"""How much memory: the DIMMs that SMBIOS lists, and what the kernel has of them.

Called by `inventory.collect_inventory`.
"""

from collections.abc import Sequence

from bootos.hardware.tree import Tree
from bootos.wire.inventory import Dimm, Memory


def read_memory(tree: Tree, dimms: Sequence[Dimm]) -> Memory:
    """`total_bytes` is None when SMBIOS lists no DIMM, or one whose size it does not know. Persistent modules are no
    main memory."""
    sizes = [dimm.size_bytes for dimm in dimms if not dimm.persistent]
    total = sum(size for size in sizes if size is not None)
    return Memory(
        total_bytes=total if total and None not in sizes else None,
        usable_bytes=parse_meminfo(tree.read("proc/meminfo") or ""),
        dimms=list(dimms),
    )


def parse_meminfo(text: str) -> int | None:
    """MemTotal of /proc/meminfo, in bytes (the kernel's kB are 1024)."""
    for line in text.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return None
