"""RAID as it is: Linux md arrays by the superblocks on the disks, and hardware controllers by their PCI ids.

Called by `inventory.collect_inventory`. Only reads: `mdadm --examine` assembles nothing. A hardware controller
is listed without arrays here; `raidtool` adds them where the vendor's program is installed.
"""

import re
from collections.abc import Sequence

from bootos.hardware.mdexamine import Superblock, list_parts, parse_examine, parse_level
from bootos.hardware.tree import Tree
from bootos.process import Runner
from bootos.template.raid import SOFTWARE
from bootos.wire.inventory import Disk, PciDevice, RaidArray, RaidController, RaidDrive

TIMEOUT_S = 60.0
_RAID_CLASS = "0104"
# RAID controllers whose PCI class is SAS (0107), as that of plain HBAs. Their kernel module tells them apart.
_RAID_MODULES = frozenset({"smartpqi"})
# Vendors of devices that have the PCI class RAID, though the kernel drives the disks itself: chipset "fake RAID" and
# Intel's VMD.
_NOT_CONTROLLERS = frozenset({"8086", "1022", "1002", "10de", "1106"})
HARDWARE_DRIVERS = {  # by kernel module
    "megaraid_sas": "raid.megaraid", "megaraid": "raid.megaraid", "hpsa": "raid.smartarray",
    "smartpqi": "raid.smartarray", "aacraid": "raid.adaptec", "mpt3sas": "raid.sas3ircu", "mpi3mr": "raid.megaraid",
    "arcmsr": "raid.areca",
}  # fmt: skip
_VENDOR_DRIVERS = {
    "1000": "raid.megaraid",
    "103c": "raid.smartarray",
    "9005": "raid.adaptec",
    "17d3": "raid.areca",
}
# Cards whose name says that they make no arrays. HPE's "Smart HBA" makes them.
_HBA = re.compile(r"(?<!Smart )\bHBA\b")
_HPE = frozenset({"103c", "1590"})
# In udev's database: a member of an array, and a device that carries more than one signature.
_MAY_BE_MEMBER = re.compile(r"^E:ID_FS_(TYPE=.*raid_member|AMBIVALENT=)", re.MULTILINE)


def find_members(tree: Tree, disks: Sequence[Disk]) -> list[str]:
    """The disks and partitions that may carry an md superblock.

    udev has looked at each with blkid; those of which it knows that they are something else, or empty, are left
    out. Where udev is not running, all are looked at.
    """
    devices = []
    for disk in disks:
        place = f"sys/block/{disk.name}"
        parts = [name for name in tree.names(place) if name.startswith(disk.name)]
        for name, path in [(disk.name, place), *((part, f"{place}/{part}") for part in parts)]:
            if name == disk.name or tree.exists(f"{path}/partition"):
                udev = tree.read(f"run/udev/data/b{tree.read(f'{path}/dev')}")
                if udev is None or _MAY_BE_MEMBER.search(udev):
                    devices.append(f"/dev/{name}")
    return devices


def read_examine(devices: Sequence[str], run: Runner) -> list[Superblock]:
    """The md superblocks on `devices`, with one call of mdadm. Raises ToolError, ValueError."""
    if not devices:
        return []
    # mdadm ends with 1 when the last device is no member, so the exit code is not checked
    done = run(["mdadm", "--examine", *devices], timeout_s=TIMEOUT_S, check=False, env={"LC_ALL": "C"})
    return parse_examine(done.stdout)


def build_md(
    superblocks: Sequence[Superblock], running: Sequence["MdDevice"], disks: Sequence[Disk]
) -> RaidController | None:
    """Linux md as a controller: every array that members or the kernel know. None when there is none."""
    arrays: dict[str, RaidArray] = {}
    numbers: dict[str, str] = {}  # of a container's volumes, by UUID
    drives: dict[str, RaidDrive] = {}
    for block in sorted(superblocks, key=lambda entry: (entry.uuid, entry.device)):
        drives[block.device] = _build_drive(block.device, disks, block)
        if block.container:
            _add_volumes(block, arrays, numbers, drives[block.device])
            continue
        array = arrays.get(block.uuid)
        if array is None:
            array = arrays[block.uuid] = RaidArray(
                name=_parse_name(block),
                level=parse_level(block.values["raid level"]),
                size_bytes=_parse_kib(block.values.get("array size", "")),
                state="not assembled",
                uuid=block.uuid,
            )
        (array.hotspares if block.is_spare else array.drives).append(block.device)
    for device in running:
        members = set(device.members)
        same = [
            (uuid, entry) for uuid, entry in arrays.items() if members & {*entry.drives, *entry.hotspares}
        ]
        if device.subarray:  # several volumes may lie on the same disks
            same = [(uuid, entry) for uuid, entry in same if numbers.get(uuid) == device.subarray]
        if same:
            array = same[0][1]
        else:
            array = arrays[device.name] = RaidArray(name=device.name, level=device.level)
            array.drives, array.hotspares = device.active, device.spares
            drives.update({member: _build_drive(member, disks, None) for member in device.members})
        array.path, array.state = f"/dev/{device.name}", device.state
        array.size_bytes = device.size_bytes or array.size_bytes
    if not drives and not arrays:
        return None
    found = sorted(arrays.values(), key=lambda entry: entry.name)
    for array in found:
        array.drives.sort(key=lambda member: (drives[member].state or "", member))
        array.hotspares.sort()
    return RaidController(
        name="md",
        driver=SOFTWARE,
        model="Linux software RAID",
        arrays=found,
        drives=sorted(drives.values(), key=lambda drive: drive.id),
    )


def _add_volumes(
    block: Superblock, arrays: dict[str, RaidArray], numbers: dict[str, str], drive: RaidDrive
) -> None:
    """Put a member of a container into its volumes. One that is in none is a spare of whoever needs it."""
    for part in list_parts(block):
        uuid = part.volume.uuid or part.volume.name
        array = arrays.setdefault(uuid, part.volume)
        numbers[uuid] = part.subarray
        (array.hotspares if part.role == "spare" else array.drives).append(block.device)
        drive.state = f"{part.role}, {block.container}"
    if not block.volumes:
        drive.state = f"spare, {block.container}"


def _build_drive(device: str, disks: Sequence[Disk], block: Superblock | None) -> RaidDrive:
    """A member, with what is known of the disk that it is, or is a partition of."""
    disk = next((entry for entry in disks if re.fullmatch(rf"{re.escape(entry.path)}(p?\d+)?", device)), None)
    drive = RaidDrive(id=device, state=(block.role or None) if block is not None else None)
    if disk is not None:
        drive.model, drive.serial, drive.type = disk.model, disk.serial, disk.type
        drive.size_bytes = disk.size_bytes if disk.path == device else None
    if block is not None and drive.size_bytes is None:
        drive.size_bytes = _parse_device_size(block)
    return drive


def _parse_device_size(block: Superblock) -> int | None:
    """What md can use of the device: version 1 counts in sectors, 0.90 in KiB."""
    available = block.values.get("avail dev size")
    return _parse_sectors(available) if available else _parse_kib(block.values.get("used dev size", ""))


def _parse_name(block: Superblock) -> str:
    """mdadm writes `host:name  (local to host ...)`; the name alone is what the operator gave."""
    said = block.values.get("name", "").partition("  (local")[0].strip()
    minor = block.values.get("preferred minor")
    return said.rpartition(":")[2] or (f"md{minor}" if minor else block.uuid)


def _parse_kib(text: str) -> int | None:
    """`1046528 (1022.00 MiB 1071.64 MB)`: mdadm counts array sizes in KiB."""
    found = re.match(r"(\d+)", text)
    return int(found[1]) * 1024 if found else None


def _parse_sectors(text: str) -> int | None:
    """`2093056 sectors (1022.00 MiB 1071.64 MB)`; older releases leave the word out."""
    found = re.match(r"(\d+)", text)
    return int(found[1]) * 512 if found else None


class MdDevice:
    """An array that the kernel runs now. `subarray` is the number of a volume in its container; empty: it has none."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.level = ""
        self.subarray = ""
        self.state = ""
        self.size_bytes: int | None = None
        self.active: list[str] = []
        self.spares: list[str] = []

    @property
    def members(self) -> list[str]:
        """The names of all members, hot spares last."""
        return [*self.active, *self.spares]


def read_running(tree: Tree) -> list[MdDevice]:
    """The arrays that the kernel has assembled, from sysfs."""
    devices = []
    for name in tree.names("sys/block"):
        place = f"sys/block/{name}/md"
        if not name.startswith("md") or not tree.exists(place):
            continue
        state = tree.read(f"{place}/array_state") or "unknown"
        if state == "clear":  # the array is stopped, and the kernel only keeps its name
            continue
        metadata = tree.read(f"{place}/metadata_version") or ""
        if metadata.startswith("external:") and metadata[9:10] not in ("/", "-"):
            continue  # a container, which has volumes and holds no data itself
        device = MdDevice(name)
        device.subarray = metadata.rpartition("/")[2] if metadata.startswith("external:") else ""
        device.level = parse_level(tree.read(f"{place}/level") or "")
        degraded = tree.read_int(f"{place}/degraded")
        action = tree.read(f"{place}/sync_action")
        words = [state]
        words += ["degraded"] if degraded else []
        words += [action] if action and action != "idle" else []
        device.state = ", ".join(words)
        sectors = tree.read_int(f"sys/block/{name}/size")
        device.size_bytes = sectors * 512 if sectors else None
        for entry in tree.names(place):
            if entry.startswith("dev-"):
                state = tree.read(f"{place}/{entry}/state") or ""
                member = "/dev/" + entry.removeprefix("dev-")
                (device.spares if "spare" in state else device.active).append(member)
        devices.append(device)
    return devices


def find_hardware_controllers(devices: Sequence[PciDevice]) -> list[RaidController]:
    """Hardware RAID controllers among the PCI devices, without arrays."""
    found = []
    for device in devices:
        is_raid = device.class_id.startswith(_RAID_CLASS) or device.kernel_module in _RAID_MODULES
        model = device.subsystem or device.device
        if not is_raid or device.vendor_id in _NOT_CONTROLLERS or _HBA.search(model or ""):
            continue
        driver = HARDWARE_DRIVERS.get(device.kernel_module or "") or _VENDOR_DRIVERS.get(device.vendor_id)
        maker = device.subsystem_vendor_id
        if device.kernel_module == "smartpqi" and maker is not None and maker not in _HPE:
            # the same chip is also sold as SmartRAID; arcconf knows that one, ssacli does not
            driver = "raid.adaptec"
        found.append(
            RaidController(
                name=device.address,
                driver=driver or "",
                model=model,
                pci_address=device.address,
            )
        )
    return found
