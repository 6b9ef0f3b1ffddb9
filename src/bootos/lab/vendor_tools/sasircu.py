"""Stand-in for LSI's and Broadcom's sas2ircu and sas3ircu over one controller with IR firmware: LIST, DISPLAY, CREATE,
DELETEVOLUME, HOTSPARE. What LIST and DISPLAY print follows published outputs (tests/golden/README.md), the answers to
the others the user guide. A drive in no array is a disk of the guest. A machine has such a controller when its state
has the key `sas3ircu`.
"""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from bootos.lab.vendor_tools.silicon import Output, Silicon

KEY = "sas3ircu"
_MIB = 1024**2
_RESERVED_MIB = 64
_FEWEST = {"RAID0": 2, "RAID1": 2, "RAID10": 4}
_MOST_DRIVES, _MOST_VOLUMES, _MOST_SPARES = 10, 2, 2
_NUMBERS = (323, 322, 321)  # of volumes
_RULE = "-" * 72
_STATES = {"RDY": "Ready", "OPT": "Optimal", "HSP": "Hot Spare", "FLD": "Failed", "RBLD": "Rebuilding"}


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


class IrCard(msgspec.Struct, kw_only=True):
    """What the controller remembers. `raid`: IR firmware; without it, it is an HBA."""

    model: str = "SAS3008"
    firmware: str = "16.00.01.00"
    raid: bool = True
    made: int = 0
    disks: list[IrDisk] = []
    arrays: list[IrArray] = []

    def find(self, slot: int) -> IrDisk:
        """The drive in a slot."""
        return next(disk for disk in self.disks if disk.slot == slot)


class IrRefusal(Exception):
    """Why not."""


def read_card(silicon: Silicon) -> IrCard:
    """The card from the state; without one there, a new card with the machine's drives."""
    known = silicon.state.get(KEY, {})
    card = msgspec.convert(known, IrCard)
    if "disks" not in known:
        card.disks = [
            IrDisk(
                slot=slot,
                size_bytes=drive.size_bytes,
                type=drive.type.upper(),
                interface=drive.interface.upper(),
                model=drive.model,
                serial=drive.serial or f"LABDRIVE{slot:04}",
                firmware=drive.firmware,
            )
            for slot, drive in enumerate(silicon.spec.drives)
        ]
        for disk in card.disks:
            show_disk(silicon, disk)
        keep_card(silicon, card)
    return card


def show_disk(silicon: Silicon, disk: IrDisk) -> None:
    """The guest sees a drive."""
    silicon.block.plug(f"irpd{disk.slot}", disk.size_bytes, f"0x{disk.guid}", "ATA", disk.model, disk.serial)


def keep_card(silicon: Silicon, card: IrCard) -> None:
    """Write the card back to the machine's silicon."""
    silicon.state[KEY] = msgspec.to_builtins(card)


def fail_disk(silicon: Silicon, slot: int) -> None:
    """A drive dies; a hot spare takes its place and is filled."""
    card = read_card(silicon)
    card.find(slot).state = "FLD"
    owner = next((array for array in card.arrays if slot in array.members), None)
    spare = next((disk for disk in card.disks if disk.state == "HSP"), None)
    if owner is not None and spare is not None:
        spare.state = "RBLD"
        owner.members[owner.members.index(slot)] = spare.slot
    keep_card(silicon, card)


class SasIrcu:
    """The stand-in of `sas3ircu`, which also answers for `sas2ircu`."""

    names: tuple[str, ...] = ("sas3ircu", "sas2ircu")

    def on_boot(self, silicon: Silicon) -> None:
        """The guest sees the drives that are in no array from its start."""
        if KEY in silicon.state:
            read_card(silicon)

    def run(
        self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        """See `Tool.run`."""
        title = program.upper()
        if KEY not in silicon.state:
            return Output(code=1, stdout=f"{title}: MPTLib2 Error 1\n")
        card = read_card(silicon)
        half = silicon.is_misbehaving("fail-half", program, argv)
        head = ["Avago Technologies SAS3 IR Configuration Utility.", "Version 16.00.00.00 (2017.04.26)", ""]
        try:
            lines = [
                *_Call(silicon, card, title, half).run(list(argv)),
                f"{title}: Utility Completed Successfully.",
            ]
            code = 0
        except IrRefusal as refusal:
            command = argv[1].upper() if len(argv) > 1 else ""
            lines, code = [f"{title}: {refusal}", f"{title}: Error executing command {command}."], 1
        keep_card(silicon, card)
        return Output(code=code, stdout="\n".join([*head, *lines, ""]))


class _Call:
    """One command line."""

    def __init__(self, silicon: Silicon, card: IrCard, title: str, half: bool) -> None:
        self.silicon = silicon
        self.card = card
        self.title = title
        self.half = half

    def run(self, argv: list[str]) -> list[str]:
        """The lines that the program prints. Raises IrRefusal."""
        words = [word for word in argv if word.lower() != "noprompt"]
        if [word.upper() for word in words] == ["LIST"]:
            return [
                " Index    Type          ID      ID    Pci Address          Ven ID  Dev ID",
                " -----  ------------  ------  ------  -----------------    ------  ------",
                f"   0  {self.card.model:>12}   1000h    97h   00h:03h:00h:00h      1000h   3090h",
            ]
        if len(words) < 2 or words[0] != "0":
            raise IrRefusal("Invalid controller number or command.")
        command, rest = words[1].upper(), words[2:]
        if command == "DISPLAY":
            return [*_display(self.card), f"{self.title}: Command DISPLAY Completed Successfully."]
        methods = {"CREATE": self._create, "DELETEVOLUME": self._delete, "HOTSPARE": self._spare}
        if command not in methods:
            raise IrRefusal(f"Invalid command {command}.")
        if not self.card.raid:
            raise IrRefusal("there is no RAID support on the controller!")
        if command != "HOTSPARE" and "noprompt" not in [word.lower() for word in argv]:
            raise IrRefusal("You are about to change the configuration. Do you want to proceed (YES/NO)?")
        methods[command](rest)
        if self.half:
            raise IrRefusal("the controller stopped responding.")
        return [f"{self.title}: Command {command} Completed Successfully."]

    def _find(self, place: str) -> IrDisk:
        found = next((disk for disk in self.card.disks if disk.id == place), None)
        if found is None:
            raise IrRefusal(f"there is no drive at {place}.")
        return found

    def _create(self, words: list[str]) -> None:
        level, size, places = words[0].upper(), words[1], [word for word in words[2:] if ":" in word]
        name = next((word for word in words[2:] if ":" not in word), "")
        disks = [self._find(place) for place in places]
        card = self.card
        if level not in _FEWEST or not _FEWEST[level] <= len(disks) <= _MOST_DRIVES:
            raise IrRefusal("the number of drives is invalid for the RAID level.")
        if (level == "RAID1" and len(disks) != 2) or (level == "RAID10" and len(disks) % 2):
            raise IrRefusal("the number of drives is invalid for the RAID level.")
        if len(card.arrays) >= _MOST_VOLUMES:
            raise IrRefusal("there are as many volumes as the controller holds.")
        if any(disk.state != "RDY" for disk in disks):
            raise IrRefusal("a drive is not available.")
        smallest = min(disk.size_bytes for disk in disks) // _MIB - _RESERVED_MIB
        room = smallest * (len(disks) if level == "RAID0" else len(disks) // 2)
        wanted = room if size.upper() == "MAX" else int(size)
        if wanted > room:
            raise IrRefusal("the size is too large.")
        card.made += 1
        wwid = "0" + hashlib.sha256(f"volume/{card.made}".encode()).hexdigest()[:15]
        free = next(number for number in _NUMBERS if number not in {array.id for array in card.arrays})
        members = [disk.slot for disk in disks]
        array = IrArray(id=free, name=name, level=level, members=members, size_mib=wanted, wwid=wwid)
        card.arrays.append(array)
        for disk in disks:
            disk.state = "OPT"
            self.silicon.block.unplug(f"irpd{disk.slot}")
        self.silicon.block.plug(
            f"ir{wwid}", wanted * _MIB, f"0x{build_wwn(wwid)}", "LSI", "Logical Volume", build_wwn(wwid)
        )

    def _delete(self, words: list[str]) -> None:
        found = next((array for array in self.card.arrays if words and str(array.id) == words[0]), None)
        if found is None:
            raise IrRefusal("there is no such volume.")
        self.card.arrays.remove(found)
        for slot in found.members:
            disk = self.card.find(slot)
            if disk.state != "FLD":
                disk.state = "RDY"
                show_disk(self.silicon, disk)
        self.silicon.block.unplug(f"ir{found.wwid}")
        for number, array in zip(
            _NUMBERS, self.card.arrays, strict=False
        ):  # the tool numbers the others anew
            array.id = number

    def _spare(self, words: list[str]) -> None:
        removes = bool(words) and words[0].upper() == "DELETE"
        disk = self._find(words[-1] if words else "")
        spares = [entry for entry in self.card.disks if entry.state == "HSP"]
        if disk.state != ("HSP" if removes else "RDY") or (not removes and len(spares) >= _MOST_SPARES):
            raise IrRefusal("the drive is not available.")
        disk.state = "RDY" if removes else "HSP"
        if removes:
            show_disk(self.silicon, disk)
        else:
            self.silicon.block.unplug(f"irpd{disk.slot}")


def build_wwn(wwid: str) -> str:
    """The world wide name of a volume's disk: the bytes of its own the other way round."""
    return "600508e000000000" + "".join(reversed([wwid[n : n + 2] for n in range(0, 16, 2)]))


def _row(key: str, value: object) -> str:
    return f"  {key:<40}: {value}"


def _display(card: IrCard) -> list[str]:
    lines = ["Read configuration has been initiated for controller 0", _RULE, "Controller information", _RULE]
    lines += [_row("Controller type", card.model), _row("Firmware version", card.firmware)]
    lines += [_row(key, value) for key, value in (("Segment", 0), ("Bus", 3), ("Device", 0), ("Function", 0))]
    lines += [_row("RAID Support", "Yes" if card.raid else "No"), _RULE, "IR Volume information", _RULE]
    for number, array in enumerate(card.arrays, start=1):
        states = {card.find(slot).state for slot in array.members}
        said = "Degraded (DGD)" if states - {"OPT"} else "Okay (OKY)"
        lines += [f"IR volume {number}", _row("Volume ID", array.id), _row("Volume Name", array.name)]
        lines += [_row("Status of volume", said), _row("Volume wwid", array.wwid)]
        lines += [_row("RAID level", array.level), _row("Size (in MB)", array.size_mib)]
        lines += [_row("Physical hard disks", "")]
        lines += [_row(f"PHY[{n}] Enclosure#/Slot#", f"1:{slot}") for n, slot in enumerate(array.members)]
        lines += [""]
    lines += [_RULE, "Physical device information", _RULE, "Initiator at ID #0", ""]
    for disk in card.disks:
        sectors = f"{disk.size_bytes // _MIB}/{disk.size_bytes // 512 - 1}"
        values = {
            "Enclosure #": 1,
            "Slot #": disk.slot,
            "SAS Address": f"4433221-1-{disk.slot:02}00-0000",
            "State": f"{_STATES[disk.state]} ({disk.state})",
            "Size (in MB)/(in sectors)": sectors,
            "Manufacturer": "ATA",
            "Model Number": disk.model,
            "Firmware Revision": disk.firmware,
            "Serial No": disk.serial,
            "GUID": disk.guid,
            "Protocol": disk.interface,
            "Drive Type": f"{disk.interface}_{disk.type}",
        }
        lines += ["Device is a Hard disk", *(_row(key, value) for key, value in values.items()), ""]
    return [*lines, _RULE]
