"""The Adaptec controller behind the stand-in `arcconf`: what it remembers, and what happens to it.

Two families, by the model's name: aacraid (`Adaptec ASR8405`) and SmartRAID (`Adaptec SmartRAID 3154-8i`). Building and
rebuilding take time. A drive fails by `fail_drive`. What `arcconf` prints of it is in `arcconftext`.
"""

import msgspec

from bootos.lab.vendor_tools.silicon import Silicon

KEY = "arcconf"
BUILD_S = 300.0
REBUILD_S = 300.0
_MIB = 1024**2


class AdaptecDrive(msgspec.Struct, kw_only=True):
    """`spare_of` is `global`, or the id of a logical device (SmartRAID: of an array)."""

    number: int
    size_mib: int
    type: str
    interface: str
    vendor: str
    model: str
    serial: str
    firmware: str
    is_raw: bool = False
    spare_of: str = ""
    failed_at: float | None = None

    @property
    def id(self) -> str:
        """`channel,device`, as arcconf names it."""
        return f"0,{self.number}"


class AdaptecVolume(msgspec.Struct, kw_only=True):
    """A logical device. `drives` are numbers of drives; `legs`: how many mirrored or parity sets it has."""

    id: int
    name: str
    level: str
    drives: list[int]
    size_mib: int
    strip_kib: int
    uid: str
    legs: int = 1
    method: str = "build"
    read: bool = True
    write: str = "wbb"
    made_at: float = 0.0


class AdaptecCard(msgspec.Struct, kw_only=True):
    """What the controller remembers. `pending` is the mode after the next start."""

    model: str = "Adaptec ASR8405"
    serial: str = "6A28636EF0B"
    firmware: str = "7.10-0 (33067)"
    mode: str = "RAID (Hide RAW)"
    pending: str = ""
    boot: int | None = None
    made: int = 0
    drives: list[AdaptecDrive] = []
    volumes: list[AdaptecVolume] = []

    @property
    def is_smart(self) -> bool:
        """Whether it is a SmartRAID, which has arrays."""
        return "Smart" in self.model

    def find(self, number: int) -> AdaptecDrive | None:
        """The drive with this number, or None."""
        return next((drive for drive in self.drives if drive.number == number), None)

    def find_owner(self, number: int) -> AdaptecVolume | None:
        """The logical device that this drive is a member of, or None."""
        return next((volume for volume in self.volumes if number in volume.drives), None)


def read_card(silicon: Silicon) -> AdaptecCard:
    """The card from the state; without one there, a new card with the machine's drives."""
    known = silicon.state.get(KEY, {})
    card = msgspec.convert(known, AdaptecCard)
    if "drives" not in known:
        card.drives = [
            AdaptecDrive(
                number=index,
                size_mib=drive.size_bytes // _MIB,
                type=drive.type,
                interface=drive.interface.upper(),
                vendor=drive.vendor,
                model=drive.model,
                serial=drive.serial or f"LABDRIVE{index:04}",
                firmware=drive.firmware,
                is_raw=not card.is_smart,
            )
            for index, drive in enumerate(silicon.spec.drives)
        ]
        keep_card(silicon, card)
    return card


def keep_card(silicon: Silicon, card: AdaptecCard) -> None:
    """Write the card back to the machine's silicon."""
    silicon.state[KEY] = msgspec.to_builtins(card)


def fail_drive(silicon: Silicon, number: int) -> None:
    """A drive dies; a hot spare that fits takes its place and is filled."""
    card = read_card(silicon)
    dead = card.find(number)
    assert dead is not None, f"there is no drive {number}"
    dead.failed_at = silicon.now()
    owner = card.find_owner(number)
    if owner is not None:
        spare = next((d for d in card.drives if d.spare_of in ("global", str(owner.id))), None)
        if spare is not None:
            spare.spare_of = ""
            spare.failed_at = None
            owner.drives[owner.drives.index(number)] = spare.number
            owner.method, owner.made_at = "rebuild", silicon.now()
    keep_card(silicon, card)


def find_task(volume: AdaptecVolume, now: float) -> tuple[str, int] | None:
    """(what is going on, percent)."""
    if volume.level in ("0",) and volume.method != "rebuild":
        return None
    names = {"build": "Build/Verify", "clear": "Clear", "rebuild": "Rebuild"}
    part = (now - volume.made_at) / (REBUILD_S if volume.method == "rebuild" else BUILD_S)
    return (names[volume.method], int(part * 100)) if volume.method in names and part < 1 else None
