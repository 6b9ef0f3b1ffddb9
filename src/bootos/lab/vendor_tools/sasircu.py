"""Stand-in for LSI's and Broadcom's sas2ircu and sas3ircu over one controller with IR firmware: LIST, DISPLAY, CREATE,
DELETEVOLUME, HOTSPARE. What LIST and DISPLAY print follows published outputs (tests/golden/README.md), the answers to
the others the user guide. The cards are in `lsi.py`.
"""

from collections.abc import Sequence

from bootos.lab.vendor_tools.lsi import (
    KEY,
    KEYS,
    OLD_KEY,
    IrArray,
    IrCard,
    IrDisk,
    build_wwn,
    read_card,
    show_disk,
)
from bootos.lab.vendor_tools.onecard import CardRefusal, CardTool
from bootos.lab.vendor_tools.silicon import Silicon

_MIB = 1024**2
_RESERVED_MIB = 64
_FEWEST = {"RAID0": 2, "RAID1": 2, "RAID10": 4}
_MOST_DRIVES, _MOST_VOLUMES, _MOST_SPARES = 10, 2, 2
_NUMBERS = (323, 322, 321)  # of volumes
_RULE = "-" * 72
_STATES = {"RDY": "Ready", "OPT": "Optimal", "HSP": "Hot Spare", "FLD": "Failed", "RBLD": "Rebuilding"}


class SasIrcu(CardTool[IrCard]):
    """The stand-in of `sas3ircu`, which also answers for `sas2ircu`."""

    names: tuple[str, ...] = ("sas3ircu", "sas2ircu")
    keys = KEYS

    def read_card(self, silicon: Silicon, key: str) -> IrCard:
        return read_card(silicon, key)

    def find_key(self, silicon: Silicon, program: str) -> str | None:
        wanted = (OLD_KEY, KEY) if program == OLD_KEY else (KEY,)
        return next((key for key in wanted if key in silicon.state), None)

    def tell_none(self, program: str) -> list[str]:
        return [f"{program.upper()}: MPTLib2 Error 1"]

    def tell_head(self, card: IrCard) -> list[str]:
        return ["Avago Technologies SAS3 IR Configuration Utility.", "Version 16.00.00.00 (2017.04.26)", ""]

    def tell_refusal(self, program: str, argv: Sequence[str], refusal: CardRefusal) -> list[str]:
        title, command = program.upper(), argv[1].upper() if len(argv) > 1 else ""
        return [f"{title}: {refusal}", f"{title}: Error executing command {command}."]

    def call(self, silicon: Silicon, card: IrCard, program: str, argv: list[str], half: bool) -> list[str]:
        title = program.upper()
        lines = _Call(silicon, card, title, half).run(argv)
        return [*lines, f"{title}: Utility Completed Successfully."]


class _Call:
    """One command line."""

    def __init__(self, silicon: Silicon, card: IrCard, title: str, half: bool) -> None:
        self.silicon = silicon
        self.card = card
        self.title = title
        self.half = half

    def run(self, argv: list[str]) -> list[str]:
        """The lines that the program prints. Raises CardRefusal."""
        words = [word for word in argv if word.lower() != "noprompt"]
        if [word.upper() for word in words] == ["LIST"]:
            return [
                " Index    Type          ID      ID    Pci Address          Ven ID  Dev ID",
                " -----  ------------  ------  ------  -----------------    ------  ------",
                f"   0  {self.card.model:>12}   1000h    97h   00h:{self.card.bus:02x}h:00h:00h      1000h   3090h",
            ]
        if len(words) < 2 or words[0] != "0":
            raise CardRefusal("Invalid controller number or command.")
        command, rest = words[1].upper(), words[2:]
        if command == "DISPLAY":
            return [*_display(self.card), f"{self.title}: Command DISPLAY Completed Successfully."]
        methods = {"CREATE": self._create, "DELETEVOLUME": self._delete, "HOTSPARE": self._spare}
        if command not in methods:
            raise CardRefusal(f"Invalid command {command}.")
        if not self.card.raid:
            raise CardRefusal("there is no RAID support on the controller!")
        if command != "HOTSPARE" and "noprompt" not in [word.lower() for word in argv]:
            raise CardRefusal("You are about to change the configuration. Do you want to proceed (YES/NO)?")
        methods[command](rest)
        if self.half:
            raise CardRefusal("the controller stopped responding.")
        return [f"{self.title}: Command {command} Completed Successfully."]

    def _find(self, place: str) -> IrDisk:
        found = next((disk for disk in self.card.disks if disk.id == place), None)
        if found is None:
            raise CardRefusal(f"there is no drive at {place}.")
        return found

    def _create(self, words: list[str]) -> None:
        level, size, places = words[0].upper(), words[1], [word for word in words[2:] if ":" in word]
        name = next((word for word in words[2:] if ":" not in word), "")
        disks = [self._find(place) for place in places]
        card = self.card
        if level not in _FEWEST or not _FEWEST[level] <= len(disks) <= _MOST_DRIVES:
            raise CardRefusal("the number of drives is invalid for the RAID level.")
        if (level == "RAID1" and len(disks) != 2) or (level == "RAID10" and len(disks) % 2):
            raise CardRefusal("the number of drives is invalid for the RAID level.")
        if len(card.arrays) >= _MOST_VOLUMES:
            raise CardRefusal("there are as many volumes as the controller holds.")
        if any(disk.state != "RDY" for disk in disks):
            raise CardRefusal("a drive is not available.")
        smallest = min(disk.size_bytes for disk in disks) // _MIB - _RESERVED_MIB
        room = smallest * (len(disks) if level == "RAID0" else len(disks) // 2)
        wanted = room if size.upper() == "MAX" else int(size)
        if wanted > room:
            raise CardRefusal("the size is too large.")
        card.made += 1
        wwid = card.build_wwid()
        free = next(number for number in _NUMBERS if number not in {array.id for array in card.arrays})
        members = [disk.slot for disk in disks]
        array = IrArray(id=free, name=name, level=level, members=members, size_mib=wanted, wwid=wwid)
        card.arrays.append(array)
        for disk in disks:
            disk.state = "OPT"
            self.silicon.block.unplug(f"{self.card.prefix}pd{disk.slot}")
        self.silicon.block.plug(
            f"{card.prefix}{wwid}",
            wanted * _MIB,
            f"0x{build_wwn(wwid)}",
            "LSI",
            "Logical Volume",
            build_wwn(wwid),
        )

    def _delete(self, words: list[str]) -> None:
        found = next((array for array in self.card.arrays if words and str(array.id) == words[0]), None)
        if found is None:
            raise CardRefusal("there is no such volume.")
        self.card.arrays.remove(found)
        for slot in found.members:
            disk = self.card.find(slot)
            if disk.state != "FLD":
                disk.state = "RDY"
                show_disk(self.silicon, self.card, disk)
        self.silicon.block.unplug(f"{self.card.prefix}{found.wwid}")
        for number, array in zip(
            _NUMBERS, self.card.arrays, strict=False
        ):  # the tool numbers the others anew
            array.id = number

    def _spare(self, words: list[str]) -> None:
        removes = bool(words) and words[0].upper() == "DELETE"
        disk = self._find(words[-1] if words else "")
        spares = [entry for entry in self.card.disks if entry.state == "HSP"]
        if disk.state != ("HSP" if removes else "RDY") or (not removes and len(spares) >= _MOST_SPARES):
            raise CardRefusal("the drive is not available.")
        disk.state = "RDY" if removes else "HSP"
        if removes:
            show_disk(self.silicon, self.card, disk)
        else:
            self.silicon.block.unplug(f"{self.card.prefix}pd{disk.slot}")


def _row(key: str, value: object) -> str:
    return f"  {key:<40}: {value}"


def _display(card: IrCard) -> list[str]:
    lines = ["Read configuration has been initiated for controller 0", _RULE, "Controller information", _RULE]
    lines += [_row("Controller type", card.model), _row("Firmware version", card.firmware)]
    lines += [
        _row(key, value) for key, value in (("Segment", 0), ("Bus", card.bus), ("Device", 0), ("Function", 0))
    ]
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
