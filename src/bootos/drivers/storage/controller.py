"""What hardware RAID controllers are and can, in words that are no vendor's. Each vendor's driver parses its tool's
output into this; `hardware.plan_controllers` plans on it. Pure data, to JSON and back: it is saved and planned on
offline.

A drive is known by its `id` (`252:0`, `1I:1:3`, `0,4`: as the tool wants it) and, in templates, by its `number`: its
place among the drives of its controller in the order of enclosure and slot, from 0.
"""

from typing import Literal

import msgspec

from bootos.drivers.storage.state import Storage
from bootos.hardware.remark import Part, Remark
from bootos.wire.inventory import DiskType

Mode = Literal["raid", "hba", "mixed"]  # mixed: arrays and single disks side by side
SpareKind = Literal["dedicated", "global"]
ReadPolicy = Literal["none", "ahead", "adaptive"]
WritePolicy = Literal["through", "back", "always-back"]
Initialization = Literal["fast", "full", "background", "none"]
DriveState = Literal[
    "good",  # free for arrays
    "online",  # in an array and working
    "rebuilding",  # in an array, being filled
    "hotspare",
    "jbod",  # the kernel sees it as a disk
    "foreign",  # belongs to an array of another controller
    "failed",
    "missing",
    "unusable",  # not fit for arrays; `trouble` says why
]
ArrayState = Literal["optimal", "degraded", "rebuilding", "initializing", "failed", "unknown"]


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """What a controller can, as it says itself or its manual does. `None` is: not known, so not checked."""

    levels: tuple[int, ...] = ()
    most_drives: int | None = None  # of one array
    most_drives_of: dict[int, int] = {}  # by level, where that is fewer
    most_arrays: int | None = None
    strip_bytes: tuple[int, ...] = ()  # empty: not known
    hotspares: tuple[SpareKind, ...] = ()
    jbod: bool = False  # single drives can be handed to the kernel
    modes: tuple[Mode, ...] = ()  # that it can be switched to; empty: it has only the one it is in
    foreign: bool = False  # configurations of other controllers can be imported or cleared
    boot: bool = False  # one array can be chosen to boot from
    read_policies: tuple[ReadPolicy, ...] = ()
    write_policies: tuple[WritePolicy, ...] = ()
    initializations: tuple[Initialization, ...] = ()
    partial: bool = False  # an array may use a part of its drives (`size`)
    mixed_media: bool = False  # HDD and SSD in one array
    mixed_interface: bool = False  # SAS and SATA in one array
    mixed_sector: bool = False  # 512-byte and 4Kn drives in one array
    name_length: int = 0  # of an array's name; 0: it keeps none, and an array is known by its drives
    pairs_only: bool = False  # RAID 10 is made of pairs, and of nothing else


class Drive(msgspec.Struct, frozen=True, kw_only=True):
    """A physical drive behind a controller. `device`: the kernel's disk, when it is handed through (JBOD, HBA)."""

    id: str
    number: int
    enclosure: str = ""
    slot: str = ""
    model: str = ""
    serial: str = ""
    wwn: str = ""
    firmware: str = ""
    size_bytes: int = 0
    usable_bytes: int = 0  # what the controller rounds it down to for arrays; 0: as `size_bytes`
    sector_bytes: int = 512
    type: DiskType = DiskType.UNKNOWN
    interface: str = ""  # SAS, SATA, NVMe
    state: DriveState = "good"
    trouble: str = ""  # why it cannot be used, in the tool's words
    progress: str = ""  # of a rebuild: "12%"
    device: str = ""

    @property
    def room_bytes(self) -> int:
        """The bytes that an array can use of the drive."""
        return self.usable_bytes or self.size_bytes


class Array(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual or logical drive. `id` is what the tool calls it; arrays of one `group` share their drives. `drives`
    are the members that are there, in order; `drive_count` counts those that are missing, too."""

    id: str
    name: str = ""
    level: str = ""  # "0", "1", "5", "6", "10", "50", "60", or a word of the tool's
    group: str = ""
    drives: tuple[str, ...] = ()
    drive_count: int = 0
    hotspares: tuple[str, ...] = ()  # dedicated ones
    span: int = 1
    strip_bytes: int | None = None
    size_bytes: int = 0
    state: ArrayState = "unknown"
    progress: str = ""  # "initialization 12%"
    read_policy: ReadPolicy | None = None  # None: the tool does not say
    write_policy: WritePolicy | None = None
    is_boot: bool | None = None  # None: the tool does not say
    wwn: str = ""
    device: str = ""  # the kernel's disk; empty: it was not found

    @property
    def title(self) -> str:
        """Its name; what the tool calls it when it has none."""
        return self.name or self.id

    @property
    def known_drives(self) -> frozenset[str]:
        """The ids of its members. Empty when the tool lists fewer than the array has, and the array's state does not
        explain it."""
        is_short = self.drive_count > len(self.drives) and self.state not in (
            "degraded",
            "rebuilding",
            "failed",
        )
        return frozenset() if is_short else frozenset(self.drives)


class Foreign(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration that drives brought with them from another controller."""

    id: str
    drives: tuple[str, ...] = ()
    title: str = ""  # RAID 1 on 252:4, 252:5
    trouble: str = ""  # why it cannot be imported, in the tool's words


class Controller(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is how the tool addresses it (`/c0`, `slot=1`, `1`), with the tool's name before that where a second tool of
    the same makers lists it (`sas2ircu:0`); `number` how templates do. `remarks` are what its
    tool did not show of it."""

    id: str
    number: int
    model: str = ""
    serial: str = ""
    firmware: str = ""
    pci_address: str = ""  # 0000:3b:00.0
    mode: Mode = "raid"
    pending_mode: Mode | None = None  # takes effect with the next start
    capability: Capability = Capability()
    drives: tuple[Drive, ...] = ()  # in the order of their numbers
    arrays: tuple[Array, ...] = ()
    hotspares: tuple[str, ...] = ()  # global ones
    foreign: tuple[Foreign, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def find_unread(self, *parts: Part) -> str:
        """What the tool says instead of these parts of the controller (or of all of it); empty: they are known."""
        return next((entry.text for entry in self.remarks if entry.part in ("controller", *parts)), "")

    @property
    def failed(self) -> frozenset[str]:
        """Drives that cannot be used: failed, missing or unusable. They may be members of an array that exists."""
        return frozenset(d.id for d in self.drives if d.state in ("failed", "missing", "unusable"))

    @property
    def doubtful(self) -> frozenset[str]:
        """Drives that are not to be taken for anything new: the failed ones, and hot spares that are failing. What they
        are in already keeps them."""
        spares = frozenset(d.id for d in self.drives if d.state == "hotspare" and d.trouble)
        return self.failed | spares

    @property
    def title(self) -> str:
        """`controller 0 (PERC H730 Mini, PCI 0000:02:00.0)`"""
        known = ", ".join(filter(None, [self.model, self.pci_address and f"PCI {self.pci_address}"]))
        return f"controller {self.number}" + (f" ({known})" if known else "")

    def find_drive(self, drive_id: str) -> Drive | None:
        """The drive with this id; None: the controller has none."""
        return next((drive for drive in self.drives if drive.id == drive_id), None)

    def find_array_of(self, drive_id: str) -> Array | None:
        """The first array that the drive is a member or dedicated spare of."""
        return next((a for a in self.arrays if drive_id in a.drives or drive_id in a.hotspares), None)


class ControllerState(msgspec.Struct, frozen=True, kw_only=True):
    """What `read` of a hardware RAID driver returns. `storage` is what the kernel sees: there the data on arrays and
    handed-through drives is found (`content.find_on_array`)."""

    controllers: tuple[Controller, ...] = ()
    storage: Storage = Storage()
    notes: tuple[str, ...] = ()
    owner: str = ""  # as in `contract.Machine`
    begun: frozenset[str] = frozenset()

    def find_controller(self, asked: str | int | None) -> Controller | None:
        """By number, serial or PCI address; of nothing asked, the only one. None: it is not clear which."""
        if asked is None:
            return self.controllers[0] if len(self.controllers) == 1 else None
        text = str(asked).strip().lower()
        for entry in self.controllers:
            address = entry.pci_address.lower()
            if text in (str(entry.number), entry.serial.lower(), address, address.partition(":")[2]) and text:
                return entry
        return None


def number_drives(drives: list[Drive]) -> tuple[Drive, ...]:
    """In the order of enclosure and slot, numbered from 0."""
    ordered = sorted(drives, key=lambda drive: (_natural(drive.enclosure), _natural(drive.slot), drive.id))
    return tuple(msgspec.structs.replace(drive, number=number) for number, drive in enumerate(ordered))


def _natural(text: str) -> tuple[int, int | str, str]:
    """Numbers as numbers, and before words; drives without an enclosure first."""
    return (0, int(text), "") if text.isdigit() else (1, text, "") if text else (-1, "", "")


def describe_drive(drive: Drive) -> str:
    """`drive 3 (252:3, serial Z1X2)`: enough to find it in the rack."""
    serial = f", serial {drive.serial}" if drive.serial else ""
    return f"drive {drive.number} ({drive.id}{serial})"
