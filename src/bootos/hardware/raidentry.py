"""The controllers of each maker's program, with arrays and drives, as entries of the inventory. Pure; called by
`raidtool`.
"""

from collections.abc import Callable

from bootos.hardware import adaptec as arc
from bootos.hardware import mvcli, sasircu, storcli, storclidrive
from bootos.hardware import smartarray as ssa
from bootos.wire.inventory import DiskType, RaidArray, RaidController, RaidDrive


def build_megaraid(found: storcli.StorController) -> RaidController:
    """A card of storcli or perccli."""
    return RaidController(
        name=f"controller {found.number}",
        driver="" if found.is_hba else storcli.DRIVER,
        model=found.model or None,
        firmware=found.firmware or None,
        serial=found.serial or None,
        pci_address=found.pci_address or None,
        arrays=[
            RaidArray(
                name=array.name or str(array.number),
                level=array.level,
                size_bytes=array.size_bytes or None,
                state=array.state,
                uuid=array.naa or None,
                drives=[row for row in array.rows if row != "-"],
                hotspares=list(array.hotspares),
            )
            for array in found.arrays
        ],
        drives=[
            RaidDrive(
                id=drive.id,
                model=drive.model or None,
                serial=drive.serial or None,
                size_bytes=drive.size_bytes or None,
                type=storclidrive.find_type(drive),
                state=drive.state or None,
            )
            for drive in found.drives
        ],
    )


def build_smartarray(found: ssa.SsaController) -> RaidController:
    """A card of ssacli."""
    values = found.values
    serial = values.get("Serial Number", "")
    return RaidController(
        name=f"slot {found.slot}",
        driver="raid.smartarray",
        model=found.model,
        firmware=values.get("Firmware Version"),
        serial=serial or None,
        pci_address=(values.get("PCI Address (Domain:Bus:Device.Function)") or "").lower() or None,
        arrays=[
            RaidArray(
                name=ssa.find_label(volume.values, serial) or volume.id,
                level=ssa.parse_level(volume.values.get("Fault Tolerance", "")),
                size_bytes=_read_size(ssa.parse_size, volume.values.get("Size", ""), 1024),
                state=volume.values.get("Status"),
                uuid=volume.values.get("Unique Identifier"),
                drives=[d.id for d in found.drives if d.array == volume.array and not _is_spare(d)],
                hotspares=[d.id for d in found.drives if d.array == volume.array and _is_spare(d)],
            )
            for volume in found.volumes
        ],
        drives=[
            RaidDrive(
                id=drive.id,
                model=" ".join(drive.values.get("Model", "").split()) or None,
                serial=drive.values.get("Serial Number"),
                size_bytes=_read_size(ssa.parse_size, drive.values.get("Size", ""), 1000),
                type=ssa.find_type(drive.values.get("Interface Type", "")),
                state=drive.values.get("Status"),
            )
            for drive in found.drives
        ],
    )


def _is_spare(drive: ssa.SsaDrive) -> bool:
    return drive.values.get("Drive Type", "").lower().startswith("spare")


def _read_size(parse: Callable[[str, int], tuple[int, int]], text: str, unit: int) -> int | None:
    try:
        return parse(text, unit)[0]
    except ValueError:
        return None


def build_adaptec(config: arc.ArcController) -> RaidController:
    """A card of arcconf, which numbers them from 1."""
    values = config.values
    return RaidController(
        name=f"controller {config.number}",
        driver="" if arc.is_hba(config) else "raid.adaptec",
        model=values.get("controller model"),
        firmware=values.get("firmware"),
        serial=values.get("controller serial number"),
        pci_address=arc.find_address(config) or None,
        arrays=[
            RaidArray(
                name=volume.values.get("logical device name") or volume.id,
                level=volume.values.get("raid level", "").partition(" ")[0],
                size_bytes=_read_mib(volume.values.get("size", "")),
                state=volume.values.get("status of logical device"),
                uuid=volume.values.get("volume unique identifier") or volume.values.get("unique identifier"),
                drives=[d.id for m in volume.members if (d := arc.find_device(config, m)) is not None],
                hotspares=volume.hotspares,
            )
            for volume in config.volumes
        ],
        drives=[
            RaidDrive(
                id=device.id,
                model=device.values.get("model") or None,
                serial=arc.read_serial(device) or None,
                size_bytes=_read_mib(device.values.get("total size") or device.values.get("size", "")),
                type={"yes": DiskType.SSD, "no": DiskType.HDD}.get(
                    device.values.get("ssd", "").lower(), DiskType.UNKNOWN
                ),
                state=_tell_state(device),
            )
            for device in config.devices
        ],
    )


def _tell_state(device: arc.ArcDevice) -> str | None:
    """The tool's words; a drive that caches others is `Online` as well."""
    is_cache = device.values.get("maxcache assigned", "").lower() == "yes"
    return ", ".join(filter(None, [device.values.get("state"), "maxCache" if is_cache else None])) or None


def _read_mib(text: str) -> int | None:
    try:
        return arc.parse_size(text)
    except ValueError:
        return None


def build_sasircu(found: sasircu.IrController) -> RaidController:
    """A card of sas3ircu or sas2ircu."""
    return RaidController(
        name=f"controller {found.number}",
        driver="" if found.is_hba else sasircu.DRIVER,
        model=found.model or None,
        firmware=found.values.get("firmware version"),
        pci_address=found.pci_address or None,
        arrays=[
            RaidArray(
                name=volume.name or volume.id,
                level=volume.level,
                size_bytes=volume.size_bytes or None,
                state=volume.values.get("status of volume"),
                uuid=volume.wwn or None,
                drives=volume.members,
            )
            for volume in found.volumes
        ],
        drives=[
            RaidDrive(
                id=drive.id,
                model=" ".join(drive.values.get("model number", "").split()) or None,
                serial=drive.values.get("serial no") or None,
                size_bytes=drive.size_bytes or None,
                type=sasircu.find_type(drive),
                state=drive.values.get("state"),
            )
            for drive in found.drives
        ],
    )


def build_mvcli(found: mvcli.MvController) -> RaidController:
    """A card of mvcli or mnv_cli."""
    return RaidController(
        name=f"controller {found.number}",
        driver=mvcli.DRIVER,
        model=found.model or None,
        pci_address=found.pci_address or None,
        firmware=found.values.get("firmware version"),
        serial=found.values.get("serialno") or None,
        arrays=[
            RaidArray(
                name=volume.get("name") or volume["id"],
                level=mvcli.find_level(volume),
                size_bytes=mvcli.parse_size(volume.get("size", "")) or None,
                state=volume.get("status"),
                drives=mvcli.list_members(volume),
            )
            for volume in found.volumes
        ],
        drives=[
            RaidDrive(
                id=drive["pd id"],
                model=" ".join(drive.get("model", "").split()) or None,
                serial=drive.get("serial") or None,
                size_bytes=mvcli.find_size(drive) or None,
                type=mvcli.find_type(drive),
                state=mvcli.find_status(drive) or None,
            )
            for drive in found.drives
        ],
    )
