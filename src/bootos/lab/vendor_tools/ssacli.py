"""Stand-in for HPE's ssacli over one Smart Array controller: `controller ... show`, `create`, `delete`, `add spares`,
`remove spares`, `modify`. What it prints follows published outputs (tests/golden/README.md).

HBA mode begins with the next start.
"""

import hashlib
from collections.abc import Mapping, Sequence

from bootos.lab.vendor_tools.silicon import Output, Silicon
from bootos.lab.vendor_tools.smartarray import (
    SmartArrayCard,
    SmartArrayGroup,
    SmartArrayVolume,
    count_data,
    keep_card,
    read_card,
)
from bootos.lab.vendor_tools.ssaclitext import SsacliText

_STRIPS = (8, 16, 32, 64, 128, 256, 512, 1024)
_FEWEST = {"0": 1, "1": 2, "1+0": 4, "5": 3, "6": 4, "50": 6, "60": 8}
_NOT_SUPPORTED = (
    "This operation is not supported with the current configuration. Use the\n"
    '       "show" command on devices to show additional details about the\n'
    "       configuration."
)


class SsacliRefusal(Exception):
    """What follows `Error: `."""


class Ssacli:
    """The program, by all its names."""

    names: tuple[str, ...] = ("ssacli", "hpssacli", "hpacucli")

    def run(
        self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        """See `Tool.run`."""
        if list(argv[:1]) == ["version"]:
            return Output(
                stdout="\nSSACLI Version: 6.30.8.0 2024-01-12\nSOULAPI Version: 6.30.8.0 2024-01-12\n\n"
            )
        card = read_card(silicon)
        half = silicon.is_misbehaving("fail-half", program, argv)
        try:
            text = _Call(silicon, card, half).run([str(word) for word in argv])
            code = 0
        except SsacliRefusal as refusal:
            text, code = f"\nError: {refusal}\n\n", 1
        keep_card(silicon, card)
        return Output(code=code, stdout=text)

    def on_boot(self, silicon: Silicon) -> None:
        """A pending mode begins: in HBA mode the system sees the drives themselves."""
        card = read_card(silicon)
        if not card.pending:
            return
        card.mode, card.pending = card.pending, ""
        for index, drive in enumerate(card.drives):
            name = f"ssapd{index}"
            if card.mode == "HBA":
                digest = hashlib.sha256(drive.serial.encode()).hexdigest()[:9]
                vendor, model = drive.model[:8].strip(), drive.model[8:].strip()
                silicon.block.plug(name, drive.size_bytes, f"0x5000c50{digest}", vendor, model, drive.serial)
            else:
                silicon.block.unplug(name)
        keep_card(silicon, card)


class _Call:
    """One command line."""

    def __init__(self, silicon: Silicon, card: SmartArrayCard, half: bool) -> None:
        self.silicon = silicon
        self.card = card
        self.half = half

    def run(self, argv: list[str]) -> str:
        """What the program prints. Raises SsacliRefusal for what it would not do."""
        words = [{"ctrl": "controller", "ld": "logicaldrive", "pd": "physicaldrive"}.get(w, w) for w in argv]
        if not words or words[0] != "controller" or len(words) < 3:
            raise SsacliRefusal(f'Syntax error at "{words[0] if words else ""}"')
        if words[1] not in ("all", f"slot={self.card.slot}"):
            raise SsacliRefusal(f'The controller identified by "{words[1]}" was not detected.')
        rest = words[2:]
        if rest[0] == "show":
            return self._show(rest[1:])
        target, rest = ("", rest) if rest[0] in ("create", "modify", "delete") else (rest[0], rest[1:])
        if not target:
            return self._on_controller(rest)
        if target not in ("logicaldrive", "array") or len(rest) < 2:
            raise SsacliRefusal(f'Syntax error at "{target}"')
        name, verb, params = rest[0], rest[1], rest[2:]
        if target == "array":
            return self._on_array(self._find_array(name), verb, params)
        return self._on_volume(self._find_volume(name), verb, params)

    def _find_array(self, letter: str) -> int:
        for index in range(len(self.card.arrays)):
            if self.card.find_letter(index) == letter.upper():
                return index
        raise SsacliRefusal(
            f'Controller identified by "slot={self.card.slot}" does not have an array identified by\n'
            f'       "{letter}".'
        )

    def _find_volume(self, name: str) -> SmartArrayVolume:
        found = next((volume for volume in self.card.volumes if str(volume.id) == name), None)
        if found is None:
            raise SsacliRefusal(
                f'Controller identified by "slot={self.card.slot}" does not have a logical drive\n'
                f'       identified by "{name}".'
            )
        return found

    def _read_params(self, params: list[str], known: tuple[str, ...]) -> dict[str, str]:
        values: dict[str, str] = {}
        for word in params:
            key, _, value = word.partition("=")
            if key not in known:
                raise SsacliRefusal(f'Syntax error at "{word}"')
            values[key] = value
        return values

    def _on_controller(self, words: list[str]) -> str:
        verb, params = words[0], words[1:]
        if verb == "create":
            return self._create(params)
        if verb == "modify":
            values = self._read_params(params, ("hbamode", "forced"))
            wanted = {"on": "HBA", "off": "RAID"}.get(values.get("hbamode", ""))
            if wanted is None:
                raise SsacliRefusal(f'Syntax error at "{params[0] if params else "modify"}"')
            if wanted == "HBA" and self.card.volumes:
                raise SsacliRefusal(f"{_NOT_SUPPORTED}\nReason: Logical drives are present")
            self.card.pending = "" if wanted == self.card.mode else wanted
            return "\n"
        self._need_forced(params)
        for volume in list(self.card.volumes):
            self._drop(volume)
        return "\n"

    def _need_forced(self, params: list[str]) -> None:
        if "forced" not in params:  # the tool would ask, and there is nobody to answer
            raise SsacliRefusal("Continue? (y/n) The operation was canceled.")

    def _create(self, params: list[str]) -> str:
        known = (
            "type", "drives", "raid", "size", "stripsize", "caching", "numberparitygroups",
            "parityinitializationmethod", "logicaldrivelabel", "forced",
        )  # fmt: skip
        values = self._read_params(params, known)
        card, level = self.card, values.get("raid", "")
        drives = values.get("drives", "").split(",")
        if values.get("type") != "ld" or level not in _FEWEST or (level in ("6", "60") and not card.six):
            raise SsacliRefusal(f"{_NOT_SUPPORTED}\nReason: Invalid RAID level or type")
        taken = {d for array in card.arrays for d in (*array.drives, *array.spares)}
        found = [card.find(drive) for drive in drives]
        bad = [
            d for d, entry in zip(drives, found, strict=True) if entry is None or entry.failed_at is not None
        ]
        if card.mode != "RAID" or bad or taken & set(drives):
            raise SsacliRefusal(f"{_NOT_SUPPORTED}\nReason: Space for creation not available")
        members = [entry for entry in found if entry is not None]
        if (
            len(drives) < _FEWEST[level]
            or (level == "1" and len(drives) != 2)
            or (level == "1+0" and len(drives) % 2)
        ):
            raise SsacliRefusal(f"{_NOT_SUPPORTED}\nReason: Invalid number of drives for this RAID level")
        if len({entry.interface for entry in members}) > 1:
            raise SsacliRefusal(f"{_NOT_SUPPORTED}\nReason: Drives of different types cannot be in one array")
        strip = int(values.get("stripsize", "256"))
        if strip not in _STRIPS:
            raise SsacliRefusal(f'Invalid value for parameter "stripsize={strip}"')
        groups = int(values.get("numberparitygroups", "2")) if level in ("50", "60") else 1
        smallest = min(entry.size_bytes for entry in members) // (1024**2) * 1024**2
        room = smallest * count_data(level, len(drives), groups)
        size = int(values["size"]) * 1024**2 if "size" in values else room
        if size > room:
            raise SsacliRefusal(f"{_NOT_SUPPORTED}\nReason: Space for creation not available")
        card.made += 1
        digest = hashlib.sha256(f"{card.serial}/{card.made}".encode()).hexdigest().upper()
        number = next(n for n in range(1, 65) if n not in {volume.id for volume in card.volumes})
        is_ssd = members[0].interface.startswith("Solid State")
        card.arrays.append(SmartArrayGroup(drives=drives, smart_path=is_ssd))
        volume = SmartArrayVolume(
            id=number,
            array=len(card.arrays) - 1,
            level=level,
            size_bytes=size,
            strip_kib=strip,
            uid=f"600508B1001C{digest[:20]}",
            label=values.get("logicaldrivelabel", "") or f"{digest[20:28]}{card.serial}{digest[28:32]}",
            groups=groups,
            caching=card.cache and not is_ssd,
            made_at=self.silicon.now(),
        )
        if self.half:
            volume.label = f"{digest[20:28]}{card.serial}{digest[28:32]}"
        card.volumes.append(volume)
        self.silicon.block.plug(
            f"ssa{card.made}", size, f"0x{volume.uid[:16].lower()}", "HPE", "LOGICAL VOLUME", card.serial
        )
        if self.half:
            raise SsacliRefusal("An internal error occurred while the configuration was saved.")
        return "\n"

    def _drop(self, volume: SmartArrayVolume) -> None:
        card = self.card
        card.volumes.remove(volume)
        if not any(other.array == volume.array for other in card.volumes):
            del card.arrays[volume.array]  # the letters of later arrays move up
            for other in card.volumes:
                other.array -= other.array > volume.array
        if card.boot == volume.id:
            card.boot = None
        wwn = f"0x{volume.uid[:16].lower()}"
        for name, drive in self.silicon.block.drives.items():
            if drive.wwn == wwn:
                self.silicon.block.unplug(name)

    def _on_array(self, index: int, verb: str, params: list[str]) -> str:
        array = self.card.arrays[index]
        if verb == "modify":
            values = self._read_params(params, ("ssdsmartpath", "forced"))
            array.smart_path = values.get("ssdsmartpath") == "enable"
            return "\n"
        values = self._read_params(params, ("spares", "forced"))
        drives = values.get("spares", "").split(",")
        if verb == "remove":
            if not set(drives) <= set(array.spares):
                raise SsacliRefusal(f"{_NOT_SUPPORTED}\nReason: Assignable spares not available")
            array.spares = [spare for spare in array.spares if spare not in drives]
            return "\n"
        if verb != "add":
            raise SsacliRefusal(f'Syntax error at "{verb}"')
        self._need_forced(params)
        members = {d for entry in self.card.arrays for d in entry.drives}
        found = [self.card.find(drive) for drive in drives]
        first = self.card.find(array.drives[0])
        assert first is not None
        fits = [d for d in found if d and d.failed_at is None and d.id not in members]
        if len(fits) < len(drives) or any(
            d.size_bytes < first.size_bytes or d.interface != first.interface for d in fits
        ):
            raise SsacliRefusal(f"{_NOT_SUPPORTED}\nReason: Assignable spares not available")
        if self.half:
            return "\n"
        array.spares += [drive for drive in drives if drive not in array.spares]
        return "\n"

    def _on_volume(self, volume: SmartArrayVolume, verb: str, params: list[str]) -> str:
        if verb == "delete":
            self._need_forced(params)
            self._drop(volume)
            if self.half:
                raise SsacliRefusal("An internal error occurred while the configuration was saved.")
            return "\n"
        if verb != "modify":
            raise SsacliRefusal(f'Syntax error at "{verb}"')
        values = self._read_params(params, ("caching", "bootvolume", "logicaldrivelabel", "forced"))
        if self.half:
            return "\n"
        if "caching" in values:
            is_on = values["caching"] == "enable"
            if is_on and (not self.card.cache or self.card.arrays[volume.array].smart_path):
                raise SsacliRefusal(f"{_NOT_SUPPORTED}\nReason: Caching cannot be enabled with Smart Path")
            volume.caching = is_on
        if values.get("bootvolume") == "primary":
            self.card.boot = volume.id
        if "logicaldrivelabel" in values:
            volume.label = values["logicaldrivelabel"]
        return "\n"

    def _show(self, words: list[str]) -> str:
        card = self.card
        if words == []:
            return f"\n{card.title}  (sn: {card.serial})\n\n"
        if words == ["status"]:
            parts = ("Controller", "Cache", "Battery/Capacitor")
            return "\n".join(["", card.title, *(f"   {part} Status: OK" for part in parts), "", ""])
        if words in (["detail"], ["config", "detail"]):
            return SsacliText(card, self.silicon.now()).tell(is_whole=words != ["detail"])
        raise SsacliRefusal(f'Syntax error at "{words[0]}"')
