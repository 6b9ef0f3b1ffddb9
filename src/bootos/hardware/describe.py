"""The inventory in a few lines that a person reads on an 80x24 console.

Called by `bootos-agent inventory` and the console. Pure. Devices that need a kernel module and have none are
named, since that is what the operator has to act on.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from textwrap import wrap

from bootos.hardware.pcigap import find_gaps
from bootos.printable import show_line
from bootos.wire.inventory import Disk, DiskType, Inventory, Nic, PciDevice, RaidController

WIDTH = 66  # the width of a value: 80 columns less the longest name and two spaces
_DISK_LINES, _NIC_LINES, _NOTE_LINES = 6, 4, 4


def build_summary(inventory: Inventory, *, whole: bool = False) -> list[tuple[str, str]]:
    """Pairs of (name, value), each value at most `WIDTH` characters; repeated names are left empty. With `whole`
    nothing is cut and nothing left out."""
    rows: list[tuple[str, str]] = []

    def add(name: str, values: Iterable[str]) -> None:
        for value in values:
            if value:
                rows.append((name, value if whole else _cut(value)))
                name = ""

    def shorten(lines: Sequence[str], most: int) -> Sequence[str]:
        if whole or len(lines) <= most:
            return lines
        return [*lines[: most - 1], f"and {len(lines) - most + 1} more (bootos-agent inventory --json)"]

    add("System", [_join([inventory.system.vendor, inventory.system.product, inventory.system.version])])
    add("Serial", [_join([inventory.system.serial, _label("asset", inventory.chassis.asset_tag)], ", ")])
    add("UUID", [inventory.system.uuid or ""])
    add("BIOS", [_describe_bios(inventory)])
    add("CPU", [_describe_cpu(inventory)])
    add("Memory", [_describe_memory(inventory)])
    add("NIC", shorten([_describe_nic(nic) for nic in inventory.nics], _NIC_LINES))
    add("Disk", shorten(_describe_disks(inventory.disks), _DISK_LINES))
    add("RAID", shorten([_describe_controller(entry) for entry in inventory.raid], 3))
    add("BMC", [_describe_bmc(inventory)])
    add("GPU", _count(_join([gpu.vendor, gpu.model]) or gpu.pci_address for gpu in inventory.gpus))
    add("TPM", [_join([inventory.tpm.version, inventory.tpm.vendor]) if inventory.tpm else ""])
    add("Virtual", [inventory.virtual or ""])
    add("No module", shorten([_describe_gap(entry) for entry in find_gaps(inventory.pci)], 4))
    add("Note", shorten([line for note in inventory.notes for line in wrap(note, WIDTH)], _NOTE_LINES))
    return [(name, show_line(value)) for name, value in rows]


def format_size(size_bytes: int | None, *, decimal: bool = False) -> str:
    """`16 GiB`; disks are sold by decimal units: `1.92 TB`. Three digits, no trailing zeros."""
    if size_bytes is None:
        return "size unknown"
    step, units = (
        (1000, ("B", "kB", "MB", "GB", "TB", "PB")) if decimal else (1024, ("B", "KiB", "MiB", "GiB", "TiB"))
    )
    value, unit = float(size_bytes), units[0]
    for unit in units:
        if round(value) < step or unit == units[-1]:
            break
        value /= step
    text = f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {unit}"


def _describe_bios(inventory: Inventory) -> str:
    bios = inventory.bios
    mode = {"uefi": "UEFI", "bios": "legacy BIOS"}.get(bios.boot_mode or "", "")
    secure = "secure boot" if bios.secure_boot else ""
    return _join([_join([bios.vendor, bios.version, bios.date and f"({bios.date})"]), mode, secure], ", ")


def _describe_cpu(inventory: Inventory) -> str:
    cpu = inventory.cpu
    counts = f"{cpu.cores} cores, {cpu.threads} threads" if cpu.cores and cpu.threads else ""
    model = " ".join((cpu.model or "").replace("(R)", "").replace("(TM)", "").replace("(r)", "").split())
    return _join([f"{cpu.sockets} x {model}" if cpu.sockets else model, counts], ", ")


def _describe_memory(inventory: Inventory) -> str:
    memory = inventory.memory
    filled = [dimm for dimm in memory.dimms if dimm.size_bytes]
    kinds = _count(
        _join(
            [
                format_size(dimm.size_bytes),
                "persistent" if dimm.persistent else dimm.type,
                f"{speed} MT/s" if speed else "",
            ]
        )
        for dimm in filled
        for speed in [dimm.configured_speed_mts or dimm.speed_mts]
    )
    slots = f"{len(filled)} of {len(memory.dimms)} slots" if memory.dimms else ""
    total = memory.total_bytes or memory.usable_bytes
    return _join([format_size(total) if total else "", *kinds, slots], ", ")


def _describe_nic(nic: Nic) -> str:
    speed = "no link" if nic.link is False else ""
    if nic.link:
        speed = (
            f"{nic.speed_mbps // 1000}G" if nic.speed_mbps and nic.speed_mbps >= 1000
            else f"{nic.speed_mbps}M" if nic.speed_mbps else "link"
        )  # fmt: skip
    port = _join([nic.lldp.system_name or nic.lldp.chassis_id, nic.lldp.port_id], ":") if nic.lldp else ""
    addresses = [address for address in nic.addresses if ":" not in address][:1]
    return _join(
        [nic.name, nic.mac, speed, nic.driver or "no driver", "PXE" if nic.is_pxe else "", *addresses, port]
    )


def _describe_disks(disks: Sequence[Disk]) -> list[str]:
    """Neighbours in the numbering that are of one kind share a line: `2-7  1.92 TB SSD sas SAMSUNG ...`."""
    lines: list[tuple[int, int, str]] = []
    for disk in disks:
        health = " FAILING" if disk.health is not None and disk.health.passed is False else ""
        kind = disk.type.value.upper() if disk.type is not DiskType.UNKNOWN else ""
        transport = disk.transport if (disk.transport or "").upper() != kind else ""
        vendor = "" if (disk.model or "").startswith(disk.vendor or "-") else disk.vendor
        what = _join(
            [format_size(disk.size_bytes or None, decimal=True), kind, transport, vendor, disk.model]
        )
        what += health
        if lines and lines[-1][2] == what:
            lines[-1] = (lines[-1][0], disk.index, what)
        else:
            lines.append((disk.index, disk.index, what))
    return [f"{f'{first}-{last}' if last > first else first}: {what}" for first, last, what in lines]


def _describe_controller(controller: RaidController) -> str:
    arrays = [
        f"{array.name} RAID {array.level}" + (f" {format_size(array.size_bytes)}" if array.size_bytes else "")
        for array in controller.arrays
    ]
    return _join([controller.model or controller.name, *arrays], ", ")


def _describe_bmc(inventory: Inventory) -> str:
    bmc = inventory.bmc
    if bmc is None:
        return ""
    firmware = f"firmware {bmc.firmware}" if bmc.firmware else ""
    address = _join([bmc.address, f"({bmc.source})" if bmc.source else ""])
    service = f"Redfish at {bmc.redfish.service_address or 'an address from DHCP'}" if bmc.redfish else ""
    ipmi = bmc.ipmi_version and f"IPMI {bmc.ipmi_version}"
    return _join([bmc.vendor, firmware, ipmi, address, service], ", ")


def _describe_gap(device: PciDevice) -> str:
    name = _join([device.vendor, device.device]) or device.class_name
    return _join([device.address, f"[{device.vendor_id}:{device.device_id}]", name])


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 3].rstrip() + "..."


def _count(texts: Iterable[str]) -> list[str]:
    return [f"{number} x {text}" if number > 1 else text for text, number in Counter(texts).items() if text]


def _join(parts: Iterable[str | None], separator: str = " ") -> str:
    return separator.join(part for part in parts if part)


def _label(name: str, value: str | None) -> str:
    return f"{name} {value}" if value else ""
