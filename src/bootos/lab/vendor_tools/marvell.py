"""What a stand-in Marvell controller for two drives remembers (Dell BOSS-S1; NVMe: BOSS-N1), for `mvcli.py`. A drive in
no array is a disk of the guest, but for an NVMe card. A machine has such a controller when its state has the key
`mvcli`; `mnv_cli` is the key of an NVMe card, which may be there as well.
"""

import hashlib

import msgspec

from bootos.lab.vendor_tools.onecard import OneCard, keep_card, list_drives
from bootos.lab.vendor_tools.silicon import Silicon

KEY = "mvcli"
NVME_KEY = "mnv_cli"
KEYS = (KEY, NVME_KEY)
RESERVED_KIB = 65536


class MvDisk(msgspec.Struct, kw_only=True):
    """`failed`: the controller does not show it any more."""

    id: int
    size_bytes: int
    model: str
    serial: str
    firmware: str
    failed: bool = False


class MvArray(msgspec.Struct, kw_only=True):
    """`members` are ids of drives."""

    name: str
    level: int
    members: list[int]
    size_mib: int
    strip_kib: str
    serial: str


class MvCard(OneCard, kw_only=True):
    """What the controller remembers: it makes one array. `nvme`: mnv_cli knows it, and mvcli does not."""

    nvme: bool = False
    firmware: str = "2.5.13.3024"
    made: int = 0
    disks: list[MvDisk] = msgspec.field(default_factory=list)
    array: MvArray | None = None

    @property
    def prefix(self) -> str:
        """What the names of its disks in the guest begin with."""
        return "mv" if self.key == KEY else "mn"

    def build_serial(self) -> str:
        """The serial number of the next array."""
        told = "" if self.key == KEY else self.key
        return hashlib.sha256(f"{told}array/{self.made}".encode()).hexdigest()[:16]

    @property
    def shown(self) -> list[MvDisk]:
        """The drives that it still shows."""
        return [disk for disk in self.disks if not disk.failed]

    def has_used(self, disk: MvDisk) -> bool:
        """Whether a drive is in the array."""
        return self.array is not None and disk.id in self.array.members


def read_card(silicon: Silicon, key: str = KEY) -> MvCard:
    """The card from the state; without one there, a new card with the machine's first two drives."""
    known = silicon.state.get(key, {})
    card = msgspec.convert(known, MvCard)
    card.key, card.nvme = key, card.nvme or key == NVME_KEY
    if "disks" not in known:
        card.disks = [
            MvDisk(
                id=number,
                size_bytes=drive.size_bytes,
                model=drive.model,
                serial=drive.serial,
                firmware=drive.firmware,
            )
            for number, drive in enumerate(list_drives(silicon, key, KEYS)[:2])
        ]
        for disk in card.disks:
            if not card.nvme:
                show_disk(silicon, card, disk)
        keep_card(silicon, card)
    return card


def show_disk(silicon: Silicon, card: MvCard, disk: MvDisk) -> None:
    """The guest sees a drive."""
    wwn = f"0x5001b44{hashlib.sha256(disk.serial.encode()).hexdigest()[:9]}"
    silicon.block.plug(f"{card.prefix}pd{disk.id}", disk.size_bytes, wwn, "ATA", disk.model, disk.serial)


def fail_disk(silicon: Silicon, number: int, key: str = KEY) -> None:
    """A drive dies: it is not shown any more."""
    card = read_card(silicon, key)
    next(disk for disk in card.disks if disk.id == number).failed = True
    keep_card(silicon, card)
