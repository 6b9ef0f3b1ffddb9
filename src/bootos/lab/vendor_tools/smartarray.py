"""The Smart Array controller behind the stand-in `ssacli`: what it remembers, and what happens to it.

Parity initialisation and rebuilds take time. A drive fails by `fail_drive`. What `ssacli` prints of it is in
`ssaclitext`.
"""

import msgspec

from bootos.lab.vendor_tools.silicon import Silicon

KEY = "ssacli"
INIT_S = 300.0
REBUILD_S = 300.0


class SmartArrayDrive(msgspec.Struct, kw_only=True):
    """A physical drive behind the controller; `id` is `port:box:bay`."""

    id: str
    size_bytes: int
    interface: str
    model: str
    serial: str
    firmware: str
    failed_at: float | None = None
    replaced_by: str = ""  # the spare that took over
    joined_at: float | None = None  # when a spare began to be filled


class SmartArrayGroup(msgspec.Struct, kw_only=True):
    """An array: the ids of its drives and of its spares."""

    drives: list[str]
    spares: list[str] = []
    smart_path: bool = False


class SmartArrayVolume(msgspec.Struct, kw_only=True):
    """A logical drive. `array` is the place of its array in the card."""

    id: int
    array: int
    level: str
    size_bytes: int
    strip_kib: int
    uid: str
    label: str
    groups: int = 1
    caching: bool = True
    made_at: float = 0.0


class SmartArrayCard(msgspec.Struct, kw_only=True):
    """What the controller remembers. `half` is for `fail-half`."""

    model: str = "HPE Smart Array P408i-a SR Gen10"
    serial: str = "PEYHC0DRHBZ0LA"
    firmware: str = "6.52"
    slot: str = "0"
    six: bool = True
    cache: bool = True
    mode: str = "RAID"
    pending: str = ""
    boot: int | None = None
    made: int = 0
    drives: list[SmartArrayDrive] = []
    arrays: list[SmartArrayGroup] = []
    volumes: list[SmartArrayVolume] = []

    def find(self, drive: str) -> SmartArrayDrive | None:
        """The drive with this id, or None."""
        return next((entry for entry in self.drives if entry.id == drive), None)

    @property
    def title(self) -> str:
        """The line that ssacli begins with."""
        return f"{self.model} in Slot {self.slot} (Embedded)" + (" (HBA Mode)" if self.mode == "HBA" else "")

    def find_letter(self, array: int) -> str:
        """ssacli's letter for the array in this place."""
        return chr(ord("A") + array)


def read_card(silicon: Silicon) -> SmartArrayCard:
    """The card from the state; without one there, a new card with the machine's drives."""
    if "drives" in silicon.state.get(KEY, {}):
        return msgspec.convert(silicon.state[KEY], SmartArrayCard)
    card = msgspec.convert(silicon.state.get(KEY, {}), SmartArrayCard)
    for index, drive in enumerate(silicon.spec.drives):
        port, bay = ("1I", index + 1) if index < 4 else ("2I", index + 1)
        kind = drive.interface.upper()
        card.drives.append(
            SmartArrayDrive(
                id=f"{port}:1:{bay}",
                size_bytes=drive.size_bytes,
                interface=f"Solid State {kind}" if drive.type == "ssd" else kind,
                model=f"{drive.vendor:<8}{drive.model}",
                serial=drive.serial or f"LABDRIVE{index:04}",
                firmware=drive.firmware,
            )
        )
    keep_card(silicon, card)
    return card


def keep_card(silicon: Silicon, card: SmartArrayCard) -> None:
    """Write the card back to the machine's silicon."""
    silicon.state[KEY] = msgspec.to_builtins(card)


def fail_drive(silicon: Silicon, drive: str) -> None:
    """A drive dies; a spare of its array takes over and is filled."""
    card = read_card(silicon)
    dead = card.find(drive)
    assert dead is not None, f"there is no drive {drive}"
    dead.failed_at = silicon.now()
    for array in card.arrays:
        if drive in array.drives and array.spares:
            dead.replaced_by = array.spares[0]
            spare = card.find(array.spares[0])
            assert spare is not None
            spare.joined_at = silicon.now()
    keep_card(silicon, card)


def count_data(level: str, drives: int, groups: int) -> int:
    """How many drives' worth of data fits."""
    lost: dict[str, int] = {
        "0": 0,
        "1": 1,
        "1+0": drives // 2,
        "5": 1,
        "6": 2,
        "50": groups,
        "60": 2 * groups,
    }
    return drives - lost[level]
