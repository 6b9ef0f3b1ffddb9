"""Stand-in for Microchip's arcconf over one Adaptec controller: LIST, GETCONFIG, GETSTATUS, GETVERSION, CREATE, DELETE,
SETSTATE, SETCACHE, SETBOOT, SETCONTROLLERMODE, TASK START. What it prints follows published outputs
(tests/golden/README.md). The mode changes with the next start.
"""

import hashlib
from collections.abc import Mapping, Sequence

from bootos.lab.vendor_tools.adaptec import (
    AdaptecCard,
    AdaptecDrive,
    AdaptecVolume,
    keep_card,
    read_card,
)
from bootos.lab.vendor_tools.arcconftext import ArcconfText
from bootos.lab.vendor_tools.silicon import Output, Silicon

DONE = "Command completed successfully."
FAILED, REFUSED, USAGE, NO_CONTROLLER = 1, 2, 3, 6
_FEWEST = {"0": 1, "1": 2, "5": 3, "6": 4, "10": 4, "50": 6, "60": 8}
_OPTIONS = {"stripesize", "legs", "name", "method", "rcache", "wcache", "priority"}
_RESERVED_MIB = {False: 1048, True: 32}
_MODES = {
    False: {"0": "RAID (Expose RAW)", "2": "HBA"},
    True: {"2": "HBA", "3": "RAID (Hide RAW)", "5": "Mixed"},
}


class ArcconfRefusal(Exception):
    """Why not, and the exit code."""

    def __init__(self, message: str, code: int = REFUSED) -> None:
        super().__init__(message)
        self.code = code


class Arcconf:
    """The stand-in of Microchip's `arcconf`."""

    names: tuple[str, ...] = ("arcconf",)

    def run(
        self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        """See `Tool.run`."""
        card = read_card(silicon)
        half = silicon.is_misbehaving("fail-half", program, argv)
        words = [str(word) for word in argv]
        try:
            lines = [*_Call(silicon, card, half).run(words), "", DONE]
            code = 0
        except ArcconfRefusal as refusal:
            lines, code = ["", str(refusal), "", "Command aborted."], refusal.code
        keep_card(silicon, card)
        return Output(code=code, stdout="\n".join(["Controllers found: 1", *lines, ""]))

    def on_boot(self, silicon: Silicon) -> None:
        """A pending mode begins: in HBA mode the system sees the drives themselves."""
        card = read_card(silicon)
        if not card.pending:
            return
        was, card.mode, card.pending = card.mode, card.pending, ""
        for drive in card.drives if "HBA" in (was, card.mode) else ():
            name = f"arcpd{drive.number}"
            if card.mode == "HBA":
                digest = hashlib.sha256(drive.serial.encode()).hexdigest()[:9]
                size = drive.size_mib * 1024**2
                silicon.block.plug(name, size, f"0x5000cca{digest}", drive.vendor, drive.model, drive.serial)
            else:
                silicon.block.unplug(name)
        keep_card(silicon, card)


class _Call:
    """One command line."""

    def __init__(self, silicon: Silicon, card: AdaptecCard, half: bool) -> None:
        self.silicon = silicon
        self.card = card
        self.half = half

    def run(self, argv: list[str]) -> list[str]:
        """The lines that the program prints. Raises ArcconfRefusal for what it would not do."""
        words = [word for word in argv if word.lower() not in ("noprompt", "nologs")]
        command = words[0].lower() if words else ""
        if command == "list":
            return self._list()
        if command == "getversion":
            return ["Controller #1", "==============", f"Firmware                   : {self.card.firmware}"]
        if command == "task" and len(words) > 2 and words[1].lower() == "start":
            words = [words[0], *words[2:]]
        if len(words) < 2:
            raise ArcconfRefusal("Invalid arguments.", USAGE)
        if words[1] != "1":
            raise ArcconfRefusal("Invalid controller number.", NO_CONTROLLER)
        rest = words[2:]
        report = ArcconfText(self.card, self.silicon.now())
        if command == "getconfig":
            return report.tell_config(rest[0].upper() if rest else "AL")
        if command == "getstatus":
            return report.tell_status()
        if command != "setboot" and "noprompt" not in [word.lower() for word in argv]:
            raise ArcconfRefusal(
                "Are you sure you want to continue?\nPress y, then ENTER to continue or press ENTER to abort: "
            )
        method = getattr(self, f"_{command}", None)
        if method is None:
            raise ArcconfRefusal("Invalid arguments.", USAGE)
        lines: list[str] = method(rest)
        return lines

    def _list(self) -> list[str]:
        card = self.card
        thick = "-" * 70
        told = f"Optimal, Slot 6, {card.mode}, {card.model}, {card.serial}, 50000D1701D65B00"
        return [
            thick,
            "Controller information",
            thick,
            "   Controller ID             : Status, Slot, Mode, Name, SerialNumber, WWN",
            thick,
            f"   Controller 1:             : {told}",
        ]

    def _find_volume(self, name: str) -> AdaptecVolume:
        found = next((volume for volume in self.card.volumes if str(volume.id) == name), None)
        if found is None:
            raise ArcconfRefusal("The specified logical device does not exist.")
        return found

    def _find_drive(self, channel: str, number: str) -> AdaptecDrive:
        found = self.card.find(int(number)) if channel == "0" and number.isdigit() else None
        if found is None:
            raise ArcconfRefusal("The specified device does not exist.")
        return found

    def _create(self, words: list[str]) -> list[str]:
        if not words or words[0].lower() != "logicaldrive":
            raise ArcconfRefusal("Invalid arguments.", USAGE)
        options: dict[str, str] = {}
        rest = words[1:]
        while len(rest) > 1 and rest[0].lower() in _OPTIONS:
            options[rest[0].lower()] = rest[1]
            rest = rest[2:]
        size, level, places = rest[0], rest[1], rest[2:]
        drives = [self._find_drive(*pair) for pair in zip(places[::2], places[1::2], strict=True)]
        card = self.card
        if card.mode == "HBA":
            raise ArcconfRefusal("The requested feature is not supported on this controller.")
        if level not in _FEWEST or len(drives) < _FEWEST[level] or (level == "1" and len(drives) != 2):
            raise ArcconfRefusal("The number of devices is invalid for the RAID level.")
        for drive in drives:
            is_taken = card.find_owner(drive.number) or drive.spare_of or drive.failed_at is not None
            if is_taken or drive.is_raw:
                raise ArcconfRefusal(f"The specified device 0 {drive.number} is not available.")
        if card.is_smart and {"method", "rcache", "wcache"} & options.keys():
            raise ArcconfRefusal("Invalid arguments.", USAGE)
        legs = int(options.get("legs", "2")) if level in ("50", "60") else 1
        legs = len(drives) // 2 if level == "10" else legs
        smallest = min(drive.size_mib for drive in drives) - _RESERVED_MIB[card.is_smart]
        lost = {"0": 0, "1": 1, "5": 1, "6": 2, "10": len(drives) // 2, "50": legs, "60": 2 * legs}[level]
        room = smallest * (len(drives) - lost)
        wanted = room if size.upper() == "MAX" else int(size)
        if wanted > room:
            raise ArcconfRefusal("The specified size is too large.")
        card.made += 1
        number = next(n for n in range(256) if n not in {volume.id for volume in card.volumes})
        digest = hashlib.sha256(f"{card.serial}/{card.made}".encode()).hexdigest().upper()
        volume = AdaptecVolume(
            id=number,
            name=options.get("name", f"LogicalDrv {number}"),
            level=level,
            drives=[drive.number for drive in drives],
            size_mib=wanted,
            strip_kib=int(options.get("stripesize", "256")),
            uid=f"600508B1001C{digest[:20]}" if card.is_smart else digest[:8],
            legs=legs,
            method=options.get("method", "build").lower(),
            read=options.get("rcache", "ron").lower() == "ron",
            write=options.get("wcache", "wbb").lower(),
            made_at=self.silicon.now(),
        )
        if self.half:
            volume.name = f"LogicalDrv {number}"
        card.volumes.append(volume)
        wwn = volume.uid[:16].lower() if card.is_smart else f"600d0d17{digest[:8].lower()}"
        vendor = "Adaptec" if card.is_smart else card.model.removeprefix("Adaptec ")
        serial = card.serial if card.is_smart else volume.uid
        self.silicon.block.plug(f"arc{card.made}", wanted * 1024**2, f"0x{wwn}", vendor, volume.name, serial)
        if self.half:
            raise ArcconfRefusal(
                "The controller stopped responding while the configuration was saved.", FAILED
            )
        return ["", f"Creating logical device: {volume.name}"]

    def _delete(self, words: list[str]) -> list[str]:
        if len(words) < 2 or words[0].lower() != "logicaldrive":
            raise ArcconfRefusal("Invalid arguments.", USAGE)
        card = self.card
        doomed = list(card.volumes) if words[1].lower() == "all" else [self._find_volume(words[1])]
        lines: list[str] = []
        for volume in doomed:
            lines.append(f"All data in logical device {volume.id} will be lost: ")
            lines.append(f'Deleting: logical device {volume.id} ("{volume.name}") ')
            place = str(card.volumes.index(volume)) if card.is_smart else str(volume.id)
            for drive in card.drives:
                if drive.spare_of == place:
                    drive.spare_of = ""
                elif card.is_smart and drive.spare_of.isdigit() and int(drive.spare_of) > int(place):
                    drive.spare_of = str(int(drive.spare_of) - 1)
            card.volumes.remove(volume)
            card.boot = None if card.boot == volume.id else card.boot
            for name, disk in self.silicon.block.drives.items():
                is_same = disk.wwn == f"0x{volume.uid[:16].lower()}" or disk.serial == volume.uid
                if is_same:
                    self.silicon.block.unplug(name)
        if self.half:
            raise ArcconfRefusal(
                "The controller stopped responding while the configuration was saved.", FAILED
            )
        return lines

    def _setstate(self, words: list[str]) -> list[str]:
        if len(words) < 4 or words[0].lower() != "device":
            raise ArcconfRefusal("Invalid arguments.", USAGE)
        drive, state, more = self._find_drive(words[1], words[2]), words[3].lower(), words[4:]
        if self.half:
            return []
        if state == "rdy":
            drive.spare_of = ""
            return []
        if (
            state != "hsp"
            or self.card.find_owner(drive.number)
            or drive.is_raw
            or drive.failed_at is not None
        ):
            raise ArcconfRefusal("The specified device is not available.")
        if self.card.is_smart:
            if len(more) != 4 or more[0].lower() != "array" or more[2].lower() != "sparetype":
                raise ArcconfRefusal("Invalid arguments.", USAGE)
            if int(more[1]) >= len(self.card.volumes):
                raise ArcconfRefusal("The specified array does not exist.")
            drive.spare_of = more[1]
        else:
            drive.spare_of = str(self._find_volume(more[1]).id) if more else "global"
        return []

    def _setcache(self, words: list[str]) -> list[str]:
        if len(words) != 3 or words[0].lower() != "logicaldrive":
            raise ArcconfRefusal("Invalid arguments.", USAGE)
        volume, mode = self._find_volume(words[1]), words[2].lower()
        known = ("con", "coff") if self.card.is_smart else ("ron", "roff", "wt", "wb", "wbb")
        if mode not in known:
            raise ArcconfRefusal("Invalid arguments.", USAGE)
        if self.half:
            return []
        if mode in ("ron", "roff"):
            volume.read = mode == "ron"
            return []
        new = {"con": "wbb", "coff": "wt"}.get(mode, mode)
        if self.card.is_smart and new == volume.write:
            raise ArcconfRefusal(f"The cache is already set to {'Enabled' if new != 'wt' else 'Disabled'}.")
        volume.write = new
        return []

    def _setboot(self, words: list[str]) -> list[str]:
        if not self.card.is_smart:
            raise ArcconfRefusal("The requested feature is not supported on this controller.")
        if [word.lower() for word in words[2:]] != ["type", "primary"]:
            raise ArcconfRefusal("Invalid arguments.", USAGE)
        if not self.half:
            self.card.boot = self._find_volume(words[1]).id
        return []

    def _setcontrollermode(self, words: list[str]) -> list[str]:
        mode = _MODES[self.card.is_smart].get(words[0] if words else "")
        if mode is None:
            raise ArcconfRefusal("Invalid arguments.", USAGE)
        if mode == "HBA" and self.card.volumes:
            raise ArcconfRefusal("Logical devices are configured on this controller.")
        self.card.pending = "" if mode == self.card.mode else mode
        return ["", "A reboot is required for the changes to take effect."]

    def _task(self, words: list[str]) -> list[str]:
        if len(words) != 4 or words[0].lower() != "device" or words[3].lower() != "initialize":
            raise ArcconfRefusal("Invalid arguments.", USAGE)
        drive = self._find_drive(words[1], words[2])
        if not self.half:
            drive.is_raw = False
        return []
