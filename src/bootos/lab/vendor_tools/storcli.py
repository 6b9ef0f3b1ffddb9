"""A stand-in for storcli and perccli, the classic ones (`storcli64`, `perccli64`) and `storcli2` and `perccli2`.

It knows the commands that `raid.megaraid` gives, answers in JSON as each generation does, and exits with 0 whatever
happened, as the real tools do. `fail-half`: a virtual drive is created or deleted by half, and the tool says so.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from bootos.lab.vendor_tools.megaraid import (
    MegaraidCard,
    MegaraidDrive,
    MegaraidVolume,
    count_data,
    keep_cards,
    plug_drive,
    plug_volume,
    read_cards,
    unplug_drive,
)
from bootos.lab.vendor_tools.silicon import Output, Silicon
from bootos.lab.vendor_tools.storclitext import Teller

_PLACE = re.compile(r"^/c(all|\d+)(/v(?:all|\d+)|/fall|/e(?:all|\d+)/s(?:all|\d+))?$")
_MIB = 1024**2
_WRONG_STATE = "device state doesn't support requested command"
_FEWEST = {0: 1, 1: 2, 5: 3, 6: 4, 10: 4, 50: 6, 60: 8}


class RefusedError(Exception):
    """A command that the controller refuses; `detail` is its part of the answer."""

    def __init__(self, description: str, detail: dict[str, Any] | None = None) -> None:
        super().__init__(description)
        self.detail = detail


class Storcli:
    """The stand-in of Broadcom's `storcli` and Dell's `perccli`, of both generations."""

    names: tuple[str, ...] = ("storcli64", "storcli", "perccli64", "perccli", "storcli2", "perccli2")

    def run(
        self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        """See `Tool.run`."""
        words = [word for word in argv if word not in ("J", "nolog")]
        teller = Teller(silicon.now(), second=program.endswith("2"))
        cards = read_cards(silicon)
        parts = []
        found = _PLACE.match(words[0]) if words else None
        if words[:1] == ["show"]:
            data = {"Number of Controllers": len(cards)}
            parts.append({"Command Status": teller.status(None), "Response Data": data})
        elif found is None:
            return Output(code=0, stdout="syntax error, unexpected $end\n")
        else:
            chosen = [card for card in cards if found[1] in ("all", str(card.number))]
            if not chosen:
                parts.append({"Command Status": teller.status(None, "No Controller found")})
            for card in chosen:
                half = silicon.is_misbehaving("fail-half", program, argv)
                parts.append(CardCommand(silicon, card, teller, half=half).answer(found[2] or "", words[1:]))
        keep_cards(silicon, cards)
        return Output(stdout=json.dumps({"Controllers": parts}, indent=1) + "\n")

    def on_boot(self, silicon: Silicon) -> None:
        """A new personality takes effect: in HBA mode every drive is a disk of the machine."""
        cards = read_cards(silicon)
        for card in cards:
            if not card.pending:
                continue
            card.mode, card.pending = card.pending, ""
            for drive in card.drives:
                if card.mode == "HBA-Mode" and drive.state == "UGood":
                    drive.state = "JBOD"
                    plug_drive(silicon, card, drive)
                elif card.mode == "RAID-Mode" and drive.state == "JBOD":
                    drive.state = "UGood"
                    unplug_drive(silicon, card, drive)
        keep_cards(silicon, cards)


class CardCommand:
    """One command on one controller."""

    def __init__(self, silicon: Silicon, card: MegaraidCard, teller: Teller, *, half: bool) -> None:
        self.silicon = silicon
        self.card = card
        self.teller = teller
        self.half = half

    def answer(self, place: str, words: list[str]) -> dict[str, Any]:
        """Carry out the words at a place (`/e32/s4`, empty: the controller); the answer as storcli's JSON has it."""
        try:
            said, data = self._carry_out(place, words)
        except RefusedError as refused:
            detail = [refused.detail] if refused.detail is not None else None
            return {"Command Status": self.teller.status(self.card, str(refused), detail=detail)}
        told: dict[str, Any] = {"Command Status": self.teller.status(self.card, said=said)}
        return told | ({"Response Data": data} if data else {})

    def _carry_out(self, place: str, words: list[str]) -> tuple[str, dict[str, Any]]:
        card, teller = self.card, self.teller
        match words:
            case ["show", "all"] if not place:
                return "None", teller.controller(card)
            case ["show", "all"] if place.startswith("/v"):
                if not card.volumes:
                    return "No VD's have been configured.", {}
                return "None", teller.volumes(card, self._find_volumes(place))
            case ["show", "all"] if place.startswith("/e"):
                return "Show Drive Information Succeeded.", teller.drives(card)
            case ["show", "all"] if place == "/fall":
                if card.foreign_level is None:
                    error = {"Controller": card.number, "Status": "Failure", "ErrCd": 50}
                    raise RefusedError(
                        "No foreign configuration found.", error | {"ErrMsg": "No foreign configuration"}
                    )
                return "Show Foreign Config Succeeded.", teller.foreign(card)
            case ["show", "bootdrive"] if not place and not teller.second:
                value = "No Boot Drive" if card.boot is None else f"VD:{card.boot}"
                return "None", {"Controller Properties": [{"Ctrl_Prop": "Boot Drive", "Value": value}]}
            case ["add", "vd", *more] if not place:
                return self._add_volume(more)
            case ["del" | "delete", *_] if place.startswith("/v"):
                if (words[0] == "del") is teller.second:
                    raise RefusedError("Invalid command")
                for volume in self._find_volumes(place):
                    self._delete_volume(volume)
                return "Delete VD succeeded", {}
            case ["set", word] if place.startswith("/v"):
                return self._set_volume(self._find_volumes(place)[0], word)
            case ["start", "init", *more] if place.startswith("/v"):
                volume = self._find_volumes(place)[0]
                volume.init_at, volume.init_kind = self.silicon.now(), "full" if more else "fast"
                return "Start INIT Operation Success", {}
            case ["set", word] if not place and word.startswith("personality="):
                card.pending = {"raid": "RAID-Mode", "hba": "HBA-Mode"}[word.partition("=")[2].lower()]
                return "Successfully set personality, Please reboot the system", {}
            case ["import" | "del" | "delete"] if place == "/fall":
                return self._settle_foreign(words[0])
            case _ if place.startswith("/e"):
                return self._change_drive(self._find_drive(place), words)
        raise RefusedError("Invalid command")

    def _find_volumes(self, place: str) -> list[MegaraidVolume]:
        if place == "/vall":
            return list(self.card.volumes)
        found = self.card.find_volume(int(place[2:]))
        if found is None:
            detail = {"VD": int(place[2:]), "Status": "Failed", "ErrCd": 255, "ErrMsg": "Invalid VD number"}
            raise RefusedError("None", detail)
        return [found]

    def _find_drive(self, place: str) -> MegaraidDrive:
        enclosure, slot = re.findall(r"\d+", place)
        found = self.card.find(f"{enclosure}:{slot}")
        if found is None:
            raise RefusedError("No drive found!")
        return found

    def _add_volume(self, words: list[str]) -> tuple[str, dict[str, Any]]:
        card = self.card
        options = dict(word.partition("=")[::2] for word in words if "=" in word)
        flags = {word.lower() for word in words if "=" not in word}
        levels = [int(flag[1:]) for flag in flags if re.fullmatch(r"r\d+", flag)]
        drives = [self.card.find(id) for id in expand(options.get("drives", ""))]
        members = [drive for drive in drives if drive is not None]
        if not levels or levels[0] not in card.levels or len(members) != len(drives) or not drives:
            raise RefusedError("Invalid drive or level")
        level = levels[0]
        if any(drive.state != "UGood" for drive in members):
            detail = {"VD": "0 KB", "ErrCd": 13, "Status": "Failed", "Description": _WRONG_STATE}
            raise RefusedError(_WRONG_STATE, detail)
        folded = {key.lower(): value for key, value in options.items()}
        per_span = int(folded.get("pdperarray", len(members)))
        spans = len(members) // per_span if level in (10, 50, 60) else 1
        if len(members) < _FEWEST[level] or len(members) % spans or (level in (10, 50, 60) and spans < 2):
            raise RefusedError("Invalid number of drives for the RAID level")
        if len(options.get("name", "")) > 15:
            raise RefusedError("VD name exceeds 15 characters")
        size = min(drive.usable_bytes for drive in members) * count_data(level, len(members), spans)
        if "size" in options:
            asked = int(options["size"].removesuffix("MB")) * _MIB
            if asked > size:
                raise RefusedError("disk doesn't have enough capacity")
            size = asked
        card.made += 1
        mark = hashlib.sha256(f"{card.serial} {card.made}".encode()).hexdigest()
        volume = MegaraidVolume(
            number=card.find_free_number(second=self.teller.second),
            group=card.find_free_group(),
            level=level,
            name=options.get("name", ""),
            rows=[drive.id for drive in members],
            spans=spans,
            size_bytes=size,
            strip_kib=int(folded.get("strip", 256)),
            read="nora" if "nora" in flags else "ra",
            write=next((word for word in ("wt", "awb", "wb") if word in flags), "wb"),
            naa="6000" + mark[:28],
            init_at=self.silicon.now() if level in (5, 6, 50, 60) else None,
            init_kind="background",
        )
        if self.half:
            volume.name = ""
        for drive in members:
            drive.state, drive.group = "Onln", volume.group
        card.volumes.append(volume)
        if self.half:
            raise RefusedError(
                "Add VD failed",
                {"VD": volume.number, "Status": "Failed", "ErrCd": 22, "ErrMsg": "Firmware error"},
            )
        plug_volume(self.silicon, card, volume)
        return "Add VD Succeeded.", {}

    def _delete_volume(self, volume: MegaraidVolume) -> None:
        if self.card.block_name(volume) in self.silicon.block.drives:
            self.silicon.block.unplug(self.card.block_name(volume))
        if self.half:
            detail = {"VD": volume.number, "Status": "Failed", "ErrCd": 22, "ErrMsg": "Firmware error"}
            raise RefusedError("Delete VD failed", detail)
        self.card.volumes.remove(volume)
        self.card.boot = None if self.card.boot == volume.number else self.card.boot
        for drive in self.card.drives:
            if drive.group == volume.group:
                drive.state, drive.group, drive.joined_at = "UGood", None, None

    def _set_volume(self, volume: MegaraidVolume, word: str) -> tuple[str, dict[str, Any]]:
        key, _, value = word.lower().partition("=")
        match key:
            case "rdcache" if value in ("ra", "nora"):
                volume.read = value
            case "wrcache" if value in ("wt", "wb", "awb"):
                volume.write = value
            case "bootdrive" if value == "on" and not self.teller.second:
                self.card.boot = volume.number
            case _:
                raise RefusedError("Invalid command")
        return "None", {}

    def _change_drive(self, drive: MegaraidDrive, words: list[str]) -> tuple[str, dict[str, Any]]:
        wrong = {"Drive": drive.id, "Status": "Failure", "ErrCd": 50, "ErrMsg": _WRONG_STATE}
        match words:
            case ["add", "hotsparedrive", *more] if drive.state == "UGood":
                groups = [int(word[4:]) for word in more if word.startswith("dgs=")]
                drive.state, drive.group = ("DHS", groups[0]) if groups else ("GHS", None)
                return "Add Hot Spare Succeeded.", {}
            case ["delete", "hotsparedrive"] if drive.state in ("GHS", "DHS"):
                drive.state, drive.group = "UGood", None
                return "Delete Hot Spare Succeeded.", {}
            case ["set", "jbod"] if drive.state == "UGood" and self.card.jbod:
                drive.state = "JBOD"
                plug_drive(self.silicon, self.card, drive)
                return "Set Drive JBOD Succeeded.", {}
            case ["set", "good" | "uconf", *_] if drive.state == "JBOD":
                if (words[1] == "uconf") is not self.teller.second:
                    raise RefusedError("Invalid command")
                drive.state = "UGood"
                unplug_drive(self.silicon, self.card, drive)
                return "Set Drive Good Succeeded.", {}
        raise RefusedError("Change of the drive failed.", wrong)

    def _settle_foreign(self, word: str) -> tuple[str, dict[str, Any]]:
        card = self.card
        own = [drive for drive in card.drives if drive.state == "Frgn"]
        if card.foreign_level is None or not own:
            raise RefusedError("No foreign configuration found.")
        for drive in own:
            drive.state = "UGood"
        if word == "import":
            self._add_volume(
                [f"r{card.foreign_level}", "name=imported", f"drives={','.join(d.id for d in own)}"]
            )
        card.foreign_level = None
        return (
            "Successfully deleted foreign configuration" if word != "import" else "Successfully imported",
            {},
        )


def expand(text: str) -> list[str]:
    """`32:0-2,4` as single drives: the enclosure is said once or every time."""
    found: list[str] = []
    enclosure = ""
    for part in filter(None, text.split(",")):
        head, colon, tail = part.rpartition(":")
        enclosure = head if colon else enclosure
        first, _, last = tail.partition("-")
        found += [f"{enclosure}:{slot}" for slot in range(int(first), int(last or first) + 1)]
    return found
