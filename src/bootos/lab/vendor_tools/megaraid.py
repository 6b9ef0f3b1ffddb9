"""The MegaRAID controllers behind the stand-ins `storcli` and `storcli2`: what they remember.

Virtual drives are plugged into the machine as disks. Initialisation and rebuilds take time. A drive fails by
`fail_drive`: a hot spare takes over.
"""

import hashlib
from typing import Literal

import msgspec

from bootos.lab.vendor_tools.silicon import Silicon

KEY = "megaraid"
INIT_S = 300.0
REBUILD_S = 300.0
_MOST_VOLUMES = 240
_MIB = 1024**2

State = Literal["UGood", "Onln", "GHS", "DHS", "JBOD", "Failed", "Frgn"]


class MegaraidDrive(msgspec.Struct, kw_only=True):
    """A physical drive behind the controller."""

    enclosure: int
    slot: int
    size_bytes: int
    type: str
    interface: str
    model: str
    serial: str
    wwn: str
    firmware: str
    state: State = "UGood"
    group: int | None = None  # the drive group of which it is a member or a spare
    joined_at: float | None = None  # when a spare began to be filled

    @property
    def id(self) -> str:
        """`enclosure:slot`, as storcli names it."""
        return f"{self.enclosure}:{self.slot}"

    @property
    def usable_bytes(self) -> int:
        """Coerced to 512 MiB less."""
        return max(0, self.size_bytes // _MIB - 512) * _MIB


class MegaraidVolume(msgspec.Struct, kw_only=True):
    """A virtual drive. `rows` are the ids of its drives; `init_at` is when an initialisation began, in seconds."""

    number: int
    group: int
    level: int
    name: str
    rows: list[str]
    spans: int
    size_bytes: int
    strip_kib: int
    read: str
    write: str
    naa: str
    init_at: float | None = None
    init_kind: str = ""


class MegaraidCard(msgspec.Struct, kw_only=True):
    """One controller. `foreign` are drives' ids with the level of what they brought."""

    number: int
    model: str = "PERC H740P Mini"
    serial: str = ""
    firmware: str = "51.16.0-4076"
    bus: int = 0x3B
    mode: str = "RAID-Mode"
    pending: str = ""
    jbod: bool = True
    levels: tuple[int, ...] = (0, 1, 5, 6, 10, 50, 60)
    boot: int | None = None
    made: int = 0
    drives: list[MegaraidDrive] = []
    volumes: list[MegaraidVolume] = []
    foreign_level: int | None = None

    def find(self, drive: str) -> MegaraidDrive | None:
        """The drive with this id, or None."""
        return next((entry for entry in self.drives if entry.id == drive), None)

    def find_volume(self, number: int) -> MegaraidVolume | None:
        """The virtual drive with this number, or None."""
        return next((entry for entry in self.volumes if entry.number == number), None)

    def find_free_number(self, *, second: bool) -> int:
        """The number of a new virtual drive: the second generation counts up from 1, the classic one down from 239."""
        used = {volume.number for volume in self.volumes}
        counted = range(1, _MOST_VOLUMES) if second else reversed(range(_MOST_VOLUMES))
        return next(number for number in counted if number not in used)

    def find_free_group(self) -> int:
        """The number of a new drive group, counted from 0."""
        used = {volume.group for volume in self.volumes}
        return next(number for number in range(_MOST_VOLUMES) if number not in used)

    def block_name(self, volume: MegaraidVolume) -> str:
        """Its name among the disks of the machine."""
        return f"megaraid{self.number}-{volume.number}"

    def is_initializing(self, volume: MegaraidVolume, now: float) -> bool:
        """Whether it is being initialised at `now`, in seconds."""
        return volume.init_at is not None and now < volume.init_at + INIT_S

    def state_of(self, volume: MegaraidVolume, now: float) -> str:
        """storcli's word for the state of a virtual drive: Optl, Pdgd, Dgrd, OfLn."""
        members = [self.find(row) for row in volume.rows]
        lost = sum(d is None or d.state != "Onln" or self.is_rebuilding(d, now) for d in members)
        if not lost:
            return "Optl"
        can_lose = {0: 0, 1: len(members) - 1, 5: 1, 6: 2, 10: 1, 50: 1, 60: 2}[volume.level]
        return "OfLn" if lost > can_lose else "Pdgd" if volume.level in (6, 60) and lost == 1 else "Dgrd"

    def is_rebuilding(self, drive: MegaraidDrive, now: float) -> bool:
        """Whether the drive is being filled at `now`, in seconds."""
        return drive.joined_at is not None and now < drive.joined_at + REBUILD_S


def read_cards(silicon: Silicon) -> list[MegaraidCard]:
    """The controllers as they are; new ones are made up from the machine's drives. The state may bring some of their
    fields (`{"megaraid": [{"number": 0, "model": "..."}]}`)."""
    known = msgspec.convert(silicon.state.get(KEY, []), list[MegaraidCard])
    if known and any(card.drives for card in known):
        return known
    numbers = sorted({drive.controller for drive in silicon.spec.drives} or {0})
    cards = []
    for number in numbers:
        card = next((card for card in known if card.number == number), MegaraidCard(number=number))
        card.serial = card.serial or f"LAB{number}SV001"
        card.bus += number
        own = [drive for drive in silicon.spec.drives if drive.controller == number]
        for slot, drive in enumerate(own):
            serial = drive.serial or f"LABDRIVE{number}{slot:03}"
            card.drives.append(
                MegaraidDrive(
                    enclosure=32,
                    slot=slot,
                    size_bytes=drive.size_bytes,
                    type="SSD" if drive.type == "ssd" else "HDD",
                    interface={"sas": "SAS", "sata": "SATA", "nvme": "NVMe"}[drive.interface],
                    model=drive.model,
                    serial=serial,
                    wwn="5000C500" + hashlib.sha256(serial.encode()).hexdigest()[:8].upper(),
                    firmware=drive.firmware,
                )
            )
        cards.append(card)
    keep_cards(silicon, cards)
    return cards


def keep_cards(silicon: Silicon, cards: list[MegaraidCard]) -> None:
    """Write the cards back to the machine's silicon."""
    silicon.state[KEY] = msgspec.to_builtins(cards)


def count_data(level: int, drives: int, spans: int) -> int:
    """Drives' worth of data."""
    lost = {0: 0, 1: drives - 1, 5: 1, 6: 2, 10: drives // 2, 50: spans, 60: 2 * spans}[level]
    return drives - lost


def plug_drive(silicon: Silicon, card: MegaraidCard, drive: MegaraidDrive) -> None:
    """Hand a single drive to the machine."""
    silicon.block.plug(
        name=f"megaraid{card.number}-e{drive.enclosure}-s{drive.slot}",
        size_bytes=drive.size_bytes,
        wwn=f"0x{drive.wwn.lower()}",
        vendor="ATA" if drive.interface == "SATA" else "SEAGATE",
        model=drive.model,
        serial=drive.serial,
    )


def unplug_drive(silicon: Silicon, card: MegaraidCard, drive: MegaraidDrive) -> None:
    """Take a drive away from the machine, which saw it as a disk."""
    silicon.block.unplug(f"megaraid{card.number}-e{drive.enclosure}-s{drive.slot}")


def plug_volume(silicon: Silicon, card: MegaraidCard, volume: MegaraidVolume) -> None:
    """Give the machine the volume as a disk."""
    silicon.block.plug(
        name=card.block_name(volume),
        size_bytes=volume.size_bytes,
        wwn=f"0x{volume.naa[:16]}",
        vendor="DELL" if card.model.startswith("PERC") else "AVAGO",
        model=card.model[:16],
        serial=volume.naa,
    )


def fail_drive(silicon: Silicon, drive_id: str, number: int = 0) -> None:
    """A drive dies; a hot spare of its group, else a global one, takes its place and is filled."""
    cards = read_cards(silicon)
    card = next(card for card in cards if card.number == number)
    dead = card.find(drive_id)
    assert dead is not None, f"there is no drive {drive_id}"
    group, dead.state, dead.group = dead.group, "Failed", None
    volumes = [volume for volume in card.volumes if volume.group == group]
    spares = [d for d in card.drives if d.state == "DHS" and d.group == group]
    spares += [d for d in card.drives if d.state == "GHS"]
    if volumes and volumes[0].level and spares:
        spare = spares[0]
        spare.state, spare.group, spare.joined_at = "Onln", group, silicon.now()
        for volume in volumes:
            volume.rows = [spare.id if row == drive_id else row for row in volume.rows]
    keep_cards(silicon, cards)


def make_foreign(silicon: Silicon, drive_ids: list[str], level: int, number: int = 0) -> None:
    """Drives come from another machine with an array on them."""
    cards = read_cards(silicon)
    card = next(card for card in cards if card.number == number)
    card.foreign_level = level
    for drive in card.drives:
        if drive.id in drive_ids:
            drive.state = "Frgn"
    keep_cards(silicon, cards)
