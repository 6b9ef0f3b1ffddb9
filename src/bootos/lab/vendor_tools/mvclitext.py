"""What the stand-ins of mvcli and mnv_cli print of a card: `info -o hba`, `vd` and `pd`. Pure."""

from collections.abc import Callable

from bootos.lab.vendor_tools.marvell import RESERVED_KIB, MvCard


def _row(key: str, value: object) -> str:
    return f"{key + ':':<20} {value}"


def _show_controller(card: MvCard) -> list[str]:
    values = {
        "controller ID": 0,
        "Product": "1b4b-9230",
        "Sub Product": "1028-1fd6",
        "Firmware version": card.firmware,
        "Supported RAID mode": "RAID0 RAID1 JBOD",
        "Maximum disk in one VD": 2,
        "Maximum supported disk": 2,
        "Maximum supported VD": 1,
        "Stripe size supported": "32K 64K",
    }
    return [f"{key + ':':<40} {value}" for key, value in values.items()]


def _show_arrays(card: MvCard) -> list[str]:
    lines = ["", "Virtual Disk Information", "-------------------------"]
    if card.array is not None:
        array = card.array
        lost = [disk for disk in card.disks if disk.id in array.members and disk.failed]
        status = "functional" if not lost else "degraded" if array.level == 1 else "offline"
        values = {
            "id": 0,
            "name": array.name,
            "status": status,
            "Stripe size": array.strip_kib,
            "RAID mode": f"RAID{array.level}",
            "Cache mode": "Not Support",
            "size": f"{array.size_mib} M",
            "BGA status": "not running",
            "Block ids": "0 4",
            "# of PDs": 2,
            "PD RAID setup": " ".join(map(str, array.members)),
            "Running OS": "no",
        }
        lines += [*(_row(key, value) for key, value in values.items()), ""]
    return [*lines, f"Total # of VD:       {1 if card.array is not None else 0}"]


def _show_disks(card: MvCard) -> list[str]:
    lines = ["", "Physical Disk Information", "----------------------------"]
    for disk in card.shown:
        is_used = card.has_used(disk)
        values = {
            "Adapter": 0,
            "PD ID": disk.id,
            "Type": "SATA PD",
            "Linked at": f"HBA port {disk.id}",
            "Size": f"{disk.size_bytes // 1024} K",
            "model": disk.model,
            "Serial": disk.serial,
            "Firmware version": disk.firmware,
            "SSD Type": "SSD",
            "block ids": str(4 * disk.id) if is_used else "",
            "PD valid size": f"{disk.size_bytes // 1024 - RESERVED_KIB} K",
        }
        lines += [*(_row(key, value) for key, value in values.items()), "", ""]
    return [*lines, f"Total # of PD:       {len(card.shown)}"]


def _show_nvme_controller(card: MvCard) -> list[str]:
    values = {
        "Bus Device Fun": "45:00.00",
        "Device": "/dev/nvme0",
        "Firmware Version": "1.0.0.1051",
        "VID": "0x1b4b",
        "SVID": "0x1b4b",
        "DID": "0x2241",
        "SDID": "0x2241",
        "Max PD of Per VD": 2,
        "Max VD": 2,
        "Max PD": 2,
        "Supported RAID Mode": "RAID0 RAID1 JBOD",
        "Support Stripe Size": "128KB 256KB 512KB",
    }
    return [
        "NVMe Controller ID                   0",
        *(f"{k + ':':<36} {value}" for k, value in values.items()),
    ]


def _show_nvme_arrays(card: MvCard) -> list[str]:
    lines = []
    if card.array is not None:
        array = card.array
        lost = [disk for disk in card.disks if disk.id in array.members and disk.failed]
        values = {
            "VD ID": 0,
            "Name": array.name,
            "Status": "Functional" if not lost else "Degrade" if array.level == 1 else "Offline",
            "Importable": "No",
            "RAID Mode": f"RAID{array.level}",
            "size": f"{array.size_mib // 1024} GB",
            "PD Count": 2,
            "PDs": " ".join(map(str, array.members)),
            "Stripe Block Size": f"{array.strip_kib}K",
            "Sector Size": "512 bytes",
            "VD is secure": "No",
        }
        lines += [*(_row(key, value) for key, value in values.items()), ""]
    return [*lines, f"Total # of VD:       {1 if card.array is not None else 0}"]


def _show_nvme_disks(card: MvCard) -> list[str]:
    lines = []
    for disk in card.shown:
        is_used = card.has_used(disk)
        values = {
            "PD ID": disk.id,
            "Model": disk.model,
            "Serial": disk.serial,
            "Sector Size": "512 bytes",
            "LBA": disk.size_bytes // 512,
            "Size": f"{disk.size_bytes // 1024**3} GB",
            "SSD backend RC/Slot ID": disk.id,
            "SSD backend Namespace ID": 1,
            "Firmware version": disk.firmware,
            "Status": "Idle",
            "Assigned": "Yes" if is_used else "No",
            "SMART Critical Warning": "No",
        }
        lines += [*(f"{key + ':':<32} {value}" for key, value in values.items()), ""]
    return [*lines, f"Total # of PD:       {len(card.shown)}"]


SHOWS: dict[bool, dict[str, Callable[[MvCard], list[str]]]] = {
    False: {"hba": _show_controller, "vd": _show_arrays, "pd": _show_disks},
    True: {"hba": _show_nvme_controller, "vd": _show_nvme_arrays, "pd": _show_nvme_disks},
}
"""By whether the card is NVMe, and the word after `info -o`."""
