"""The product information of the Cloudboot v1 protocol, from the inventory. Pure. Called by `flow`.

Existing servers check types: `Core` is a number as text, the sums are whole numbers of GB, sizes are free text.
They take the machine's address, and later its HWADDR, from the first NIC that has an IP: that is the PXE NIC.
"""

import msgspec

from bootos.wire import cloudboot_v1 as v1
from bootos.wire.inventory import Inventory, Nic

GIB = 2**30  # the unit of memory sizes
GB = 10**9  # the unit of disk sizes


def build_product_info(
    inventory: Inventory, sn: str, pxe_mac: str, uplink: tuple[str, str] | None = None
) -> v1.ProductInfo:
    """What report/deviceProductInfo says of this machine. Company is never empty: the server asks for it.

    `uplink`: MAC and address of the interface that reaches the server, which may be a VLAN, or not the PXE NIC.
    """
    system, board, cpu = inventory.system, inventory.board, inventory.cpu
    nics = sort_nics(inventory.nics, pxe_mac)
    known = {nic.mac: find_ipv4(nic) for nic in nics} | dict([uplink] if uplink else [])
    ip = (uplink[1] if uplink else known.get(pxe_mac)) or next(filter(None, known.values()), "")
    disks = [disk for disk in inventory.disks if not disk.removable]
    return v1.ProductInfo(
        sn=sn,
        company=system.vendor or board.vendor or inventory.chassis.vendor or "unknown",
        product=system.family or system.product or "",
        model_name=system.product or board.product or "",
        ip=ip,
        mac=pxe_mac or next((nic.mac for nic in nics), ""),
        nic=[v1.NicSaid(name=nic.name, mac=nic.mac, ip=known[nic.mac]) for nic in nics],
        cpu=v1.CpuSaid(model=cpu.model or "", core=str(cpu.cores or cpu.threads or 0)),
        memory=[
            v1.SizeSaid(name=dimm.slot, size=format_memory(dimm.size_bytes))
            for dimm in inventory.memory.dimms
            if dimm.size_bytes and not dimm.persistent
        ],
        memory_sum=round_up_from_zero(
            inventory.memory.total_bytes or inventory.memory.usable_bytes or 0, GIB
        ),
        disk=[v1.SizeSaid(name=disk.path, size=f"{disk.size_bytes / GB:.1f} GB") for disk in disks],
        disk_sum=round_up_from_zero(sum(disk.size_bytes for disk in disks), GB),
        motherboard=v1.MotherboardSaid(name=board.vendor or "", model=board.product or ""),
        raid="; ".join(item.model or item.name for item in inventory.raid if item.pci_address),
        oob=(inventory.bmc.address or "") if inventory.bmc else "",
        is_vm="Yes" if inventory.virtual else "No",
        nic_device="; ".join(f"{nic.name}: {nic.model}" for nic in nics if nic.model),
    )


def encode_product_info(info: v1.ProductInfo) -> bytes:
    """The body with its keys in the documented order; CpuSum is not sent, servers derive it from Core."""
    said = msgspec.to_builtins(info)
    del said["CpuSum"]
    return msgspec.json.encode(said)


def sort_nics(nics: list[Nic], pxe_mac: str) -> list[Nic]:
    """The PXE NIC first, the others as they are."""
    return sorted(nics, key=lambda nic: nic.mac != pxe_mac)


def find_ipv4(nic: Nic) -> str:
    """The NIC's first IPv4 address without its prefix, or an empty text."""
    return next((text.partition("/")[0] for text in nic.addresses if ":" not in text), "")


def format_memory(size_bytes: int) -> str:
    """`16 GB`, or `1536 MB` where it is no whole number of GB."""
    return f"{size_bytes // GIB} GB" if size_bytes % GIB == 0 else f"{size_bytes // 2**20} MB"


def round_up_from_zero(size_bytes: int, unit: int) -> int:
    """The nearest whole number of units, but not 0 for something that is there."""
    return max(1, round(size_bytes / unit)) if size_bytes else 0
