"""RAID controllers as their vendors' programs list them, with arrays and drives, where such a program is installed.

Called by `inventory.collect_inventory`. A machine whose program lists a controller has one, whatever is known of its
PCI ids. A program that is not installed is no failure.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bootos.hardware import adaptec as arc
from bootos.hardware import mvcli, sasircu, storcli, storclidrive
from bootos.hardware import smartarray as ssa
from bootos.hardware.program import find_tool
from bootos.hardware.remark import tell_remarks
from bootos.process import Runner
from bootos.wire.inventory import Disk, DiskType, RaidArray, RaidController, RaidDrive

TIMEOUT_S = 60.0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a program tells. `notes` are sentences about what it could not show."""

    controllers: list[RaidController] = []
    notes: list[str] = []


class RaidTool(msgspec.Struct, frozen=True, kw_only=True):
    """`ask` are the words of a call that shows whether the program is there; `read` lists its controllers."""

    driver: str
    title: str
    programs: tuple[str, ...]
    ask: tuple[str, ...]
    read: Callable[[Runner, str], Told]


def read_tool(tool: RaidTool, run: Runner, root: Path) -> Told | None:
    """What it tells; None: the program is not installed. Raises ToolError, ValueError."""
    program = find_tool(run, root, tool.programs, tool.ask)
    return tool.read(run, program) if program is not None else None


def add_told(
    hardware: list[RaidController],
    told: dict[str, list[RaidController] | None],
    tools: Sequence[RaidTool],
    disks: Sequence[Disk],
) -> list[str]:
    """Put what the programs told into the controllers that PCI shows, and add those that it does not. Returns a
    sentence for every controller whose arrays are not known."""
    titles = {tool.driver: tool.title for tool in tools}
    unread = list(hardware)
    placed: list[
        tuple[RaidController, str]
    ] = []  # with the driver that its PCI ids ask for, "" when they are not known
    for driver, controllers in told.items():
        for controller in controllers or ():
            _add_paths(controller, disks)
            twin = next((pair for pair in placed if _is_same(pair[0], controller)), None)
            if twin is not None:
                is_better = twin[1] == driver and twin[0].driver != driver
                # storcli shows a card with IR firmware as an HBA
                if is_better or (controller.driver and not twin[0].driver):
                    _replace(hardware, twin[0], controller)
                    placed[placed.index(twin)] = (controller, driver)
                continue
            same = _find_listed(unread, driver, controller, alone=len(controllers or ()) == 1)
            if same is None:
                hardware.append(controller)
                placed.append((controller, ""))
                continue
            unread = [entry for entry in unread if entry is not same]
            _replace(hardware, same, controller)
            placed.append((controller, same.driver))
    notes = []
    for entry in unread:
        why = "its driver comes with its tool in a layer"
        if entry.driver in told:
            title = titles[entry.driver]
            why = f"{title} {'is not installed' if told[entry.driver] is None else 'does not list it'}"
        notes.append(
            f"The arrays of the RAID controller {entry.model or ''} at {entry.pci_address} are not read: {why}."
        )
    return notes


def _is_same(one: RaidController, other: RaidController) -> bool:
    """Whether two programs list one card: those of HPE and Microchip both know cards with Microchip's chips."""
    if one.driver == other.driver:
        return False
    if one.pci_address and other.pci_address:
        return one.pci_address == other.pci_address
    return one.serial is not None and one.serial == other.serial


def _find_listed(
    unread: list[RaidController], driver: str, controller: RaidController, *, alone: bool
) -> RaidController | None:
    """The controller that PCI shows and the program means."""
    here = [entry for entry in unread if controller.pci_address == entry.pci_address]
    ours = [entry for entry in unread if entry.driver == driver]
    if here and controller.pci_address:
        return here[0]
    if alone and len(ours) == 1:
        return ours[0]  # there is only one, so its PCI address is not compared
    return ours[0] if ours and controller.pci_address is None else None


def _replace(hardware: list[RaidController], listed: RaidController, controller: RaidController) -> None:
    """Put what a program told in the place of what was known, in the list and (name and address) in itself."""
    place = next(n for n, entry in enumerate(hardware) if entry is listed)
    controller.name, controller.pci_address = listed.name, listed.pci_address or controller.pci_address
    controller.model = controller.model or listed.model
    hardware[place] = controller


def _add_paths(controller: RaidController, disks: Sequence[Disk]) -> None:
    for array in controller.arrays:
        uuid = (array.uuid or "").lower()
        same = [disk.path for disk in disks if uuid and _is_named(disk, uuid)]
        array.path = same[0] if len(same) == 1 else None


def _is_named(disk: Disk, uuid: str) -> bool:
    wwn = (disk.wwn or "").removeprefix("0x")
    return (len(wwn) >= 16 and uuid.startswith(wwn)) or (disk.serial or "").lower() == uuid


def read_megaraid(run: Runner, program: str) -> Told:
    """By storcli or perccli. Raises ToolError, ValueError."""
    found = storcli.read_controllers(run, program)
    return Told(
        controllers=[_build_megaraid(entry) for entry in found],
        notes=[line for entry in found for line in tell_remarks(f"RAID {entry.title}", entry.remarks)],
    )


def _build_megaraid(found: storcli.StorController) -> RaidController:
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


def read_smartarray(run: Runner, program: str) -> Told:
    """By ssacli. Raises ToolError, ValueError."""
    found = ssa.read_config(run, program)
    return Told(
        controllers=[_build_smartarray(entry) for entry in found],
        notes=[line for entry in found for line in tell_remarks(f"RAID {entry.title}", entry.remarks)],
    )


def _build_smartarray(found: ssa.SsaController) -> RaidController:
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


def read_adaptec(run: Runner, program: str) -> Told:
    """By arcconf, which numbers controllers from 1. Raises ToolError, ValueError."""
    found = arc.read_configs(run, program)
    return Told(
        controllers=[_build_adaptec(entry, entry.number) for entry in found],
        notes=[line for entry in found for line in tell_remarks(f"RAID {entry.title}", entry.remarks)],
    )


def _build_adaptec(config: arc.ArcController, number: int) -> RaidController:
    values = config.values
    return RaidController(
        name=f"controller {number}",
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


def read_sasircu(run: Runner, program: str) -> Told:
    """By sas3ircu or sas2ircu. Raises ToolError, ValueError."""
    found = sasircu.read_controllers(run, program)
    return Told(
        controllers=[_build_sasircu(entry) for entry in found],
        notes=[line for entry in found for line in tell_remarks(f"RAID {entry.title}", entry.remarks)],
    )


def _build_sasircu(found: sasircu.IrController) -> RaidController:
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


def read_mvcli(run: Runner, program: str) -> Told:
    """By mvcli. Raises ToolError, ValueError."""
    found = mvcli.read_controllers(run, program)
    return Told(
        controllers=[_build_mvcli(entry) for entry in found],
        notes=[line for entry in found for line in tell_remarks(f"RAID {entry.title}", entry.remarks)],
    )


def _build_mvcli(found: mvcli.MvController) -> RaidController:
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


TOOLS = (
    RaidTool(
        driver=storcli.DRIVER,
        title="storcli (perccli)",
        programs=storcli.PROGRAMS,
        ask=("show", "J"),
        read=read_megaraid,
    ),
    RaidTool(
        driver="raid.smartarray",
        title="ssacli",
        programs=ssa.PROGRAMS,
        ask=("version",),
        read=read_smartarray,
    ),
    RaidTool(
        driver="raid.adaptec",
        title="arcconf",
        programs=arc.PROGRAMS,
        ask=("GETVERSION",),
        read=read_adaptec,
    ),
    RaidTool(
        driver=sasircu.DRIVER,
        title="sas3ircu (sas2ircu)",
        programs=sasircu.PROGRAMS,
        ask=sasircu.ASK,
        read=read_sasircu,
    ),
    RaidTool(
        driver=mvcli.DRIVER, title="mvcli (mnv_cli)", programs=mvcli.PROGRAMS, ask=mvcli.ASK, read=read_mvcli
    ),
)
