"""What a stand-in controller of LSI's with IR firmware remembers, for `sasircu.py`. A drive in no array is a disk of
the guest. A machine has such a controller when its state has the key `sas3ircu`, which both programs know; with the key
`sas2ircu` it has another one, and each program knows its own.
"""

import hashlib

import msgspec

from bootos.lab.vendor_tools.onecard import OneCard, keep_card, list_drives
from bootos.lab.vendor_tools.silicon import Silicon

KEY = "sas3ircu"
OLD_KEY = "sas2ircu"
KEYS = (KEY, OLD_KEY)


class IrDisk(msgspec.Struct, kw_only=True):
    """`state` is the tool's short word."""

    slot: int
    size_bytes: int
    type: str
    interface: str
    model: str
    serial: str
    firmware: str
    state: str = "RDY"

    @property
    def id(self) -> str:
        """`enclosure:slot`, as the tool names it."""
        return f"1:{self.slot}"

    @property
    def guid(self) -> str:
        """Its world wide name."""
        return "5000cca" + hashlib.sha256(self.serial.encode()).hexdigest()[:9]


class IrArray(msgspec.Struct, kw_only=True):
    """`members` are slots. `wwid` is the volume's own, 16 digits."""

    id: int
    name: str
    level: str
    members: list[int]
    size_mib: int
    wwid: str


class IrCard(OneCard, kw_only=True):
    """What the controller remembers. `raid`: IR firmware; without it, it is an HBA."""

    model: str = "SAS3008"
    firmware: str = "16.00.01.00"
    raid: bool = True
    made: int = 0
    disks: list[IrDisk] = msgspec.field(default_factory=list)
    arrays: list[IrArray] = msgspec.field(default_factory=list)

    @property
    def prefix(self) -> str:
        """What the names of its disks in the guest begin with."""
        return "ir" if self.key == KEY else "is"

    def build_wwid(self) -> str:
        """What the next volume is known by."""
        told = "" if self.key == KEY else self.key
        return "0" + hashlib.sha256(f"{told}volume/{self.made}".encode()).hexdigest()[:15]

    @property
    def bus(self) -> int:
        """Where it is on the machine's PCI."""
        return 3 if self.key == KEY else 4

    def find(self, slot: int) -> IrDisk:
        """The drive in a slot."""
        return next(disk for disk in self.disks if disk.slot == slot)


def read_card(silicon: Silicon, key: str = KEY) -> IrCard:
    """The card from the state; without one there, a new card with the machine's drives."""
    known = silicon.state.get(key, {})
    card = msgspec.convert(known if key == KEY else {"model": "SAS2008"} | known, IrCard)
    card.key = key
    if "disks" not in known:
        card.disks = [
            IrDisk(
                slot=slot,
                size_bytes=drive.size_bytes,
                type=drive.type.upper(),
                interface=drive.interface.upper(),
                model=drive.model,
                serial=drive.serial,
                firmware=drive.firmware,
            )
            for slot, drive in enumerate(list_drives(silicon, key, KEYS))
        ]
        for disk in card.disks:
            show_disk(silicon, card, disk)
        keep_card(silicon, card)
    return card


def show_disk(silicon: Silicon, card: IrCard, disk: IrDisk) -> None:
    """The guest sees a drive."""
    name = f"{card.prefix}pd{disk.slot}"
    silicon.block.plug(name, disk.size_bytes, f"0x{disk.guid}", "ATA", disk.model, disk.serial)


def fail_disk(silicon: Silicon, slot: int, key: str = KEY) -> None:
    """A drive dies; a hot spare takes its place and is filled."""
    card = read_card(silicon, key)
    card.find(slot).state = "FLD"
    owner = next((array for array in card.arrays if slot in array.members), None)
    spare = next((disk for disk in card.disks if disk.state == "HSP"), None)
    if owner is not None and spare is not None:
        spare.state = "RBLD"
        owner.members[owner.members.index(slot)] = spare.slot
    keep_card(silicon, card)


def build_wwn(wwid: str) -> str:
    """The world wide name of a volume's disk: the bytes of its own the other way round."""
    return "600508e000000000" + "".join(reversed([wwid[n : n + 2] for n in range(0, 16, 2)]))
