"""What `arcconf` prints of an Adaptec controller: `GETCONFIG` and `GETSTATUS`. Pure; changes nothing on the card.

The text follows published outputs (tests/golden/README.md).
"""

from bootos.lab.vendor_tools.adaptec import AdaptecCard, AdaptecDrive, AdaptecVolume, find_task

_THIN = "-" * 56
_THICK = "-" * 70


class ArcconfText:
    """`GETCONFIG n` and `GETSTATUS n` at a moment."""

    def __init__(self, card: AdaptecCard, now: float) -> None:
        self.card = card
        self.now = now
        self.width = 42 if card.is_smart else 40

    def tell_config(self, part: str) -> list[str]:
        """`part`: AD, LD, PD or AL, as on the command line."""
        lines: list[str] = []
        if part in ("AD", "AL"):
            lines += [_THICK, "Controller information", _THICK, *self._tell_controller(), ""]
        if self.card.is_smart and part in ("AR", "AL"):
            lines += [_THICK, "Array Information", _THICK, *self._tell_arrays(), ""]
        if part in ("LD", "AL"):
            lines += [_THICK, "Logical device information", _THICK, *self._tell_volumes(), ""]
        if part in ("PD", "AL"):
            lines += [_THICK, "Physical Device information", _THICK, *self._tell_drives(), ""]
        return lines

    def tell_status(self) -> list[str]:
        """The lines of `getstatus`: the tasks that run."""
        lines: list[str] = []
        for volume in self.card.volumes:
            task = find_task(volume, self.now)
            if task is not None:
                lines += [
                    "Logical Device Task:",
                    f"   Logical Device                 : {volume.id}",
                    f"   Task ID                        : {100 + volume.id}",
                    f"   Current operation              : {task[0]}",
                    "   Status                         : In Progress",
                    "   Priority                       : High",
                    f"   Percentage complete            : {task[1]}",
                    "",
                ]
        return lines or ["   Current operation              : None"]

    def _row(self, key: str, value: object, depth: int = 3) -> str:
        return f"{' ' * depth}{key:<{self.width + 3 - depth}} : {value}"

    def _tell_controller(self) -> list[str]:
        card = self.card
        bad = sum(self._find_status(volume) != "Optimal" for volume in card.volumes)
        rows = [
            self._row("Controller Status", "Optimal"),
            self._row("Controller Mode", card.mode),
            *([self._row("Pending Controller Mode", card.pending)] if card.pending else []),
            self._row("Channel description", "SCSI" if card.is_smart else "SAS/SATA"),
            self._row("Controller Model", card.model),
            self._row("Controller Serial Number", card.serial),
            self._row("Physical Slot", 6),
            self._row("Defunct disk drive count", sum(d.failed_at is not None for d in card.drives)),
        ]
        if card.is_smart:
            boot = next((volume for volume in card.volumes if volume.id == card.boot), None)
            rows += [
                self._row("Boot Controller", "False"),
                self._row("Primary Boot Volume", f"{boot.name}({boot.uid})" if boot else "None"),
                self._row("Secondary Boot Volume", "None"),
                self._row("Driver Name", "smartpqi"),
            ]
        title = ["   " + _THIN, "   RAID Properties", "   " + _THIN]
        rows += [*title, self._row("Logical devices/Failed/Degraded", f"{len(card.volumes)}/0/{bad}")]
        title = ["   " + _THIN, "   Controller Version Information", "   " + _THIN]
        return [*rows, *title, self._row("Firmware", card.firmware), self._row("Driver", "1.2-1 (41010)")]

    def _tell_arrays(self) -> list[str]:
        if not self.card.volumes:
            return ["   No arrays configured"]
        lines: list[str] = []
        for index, volume in enumerate(self.card.volumes):
            lines += [
                f"Array Number {index}",
                self._row("Name", chr(ord("A") + index)),
                self._row("Status", "Ok"),
                self._row("Block Size", "512 Bytes"),
                self._row("Type", "Data"),
                self._row("Spare Rebuild Mode", "Dedicated"),
                "   " + _THIN,
                "   Array Physical Device Information",
                "   " + _THIN,
                *(self._row(f"Device {n}", self._tell_member(n)) for n in volume.drives),
                "",
            ]
        return lines

    def _find_status(self, volume: AdaptecVolume) -> str:
        task = find_task(volume, self.now)
        dead = [n for n in volume.drives if (d := self.card.find(n)) is not None and d.failed_at is not None]
        endures = {"0": 0, "6": 2, "60": 2}.get(volume.level, 1)
        if len(dead) > endures:
            return "Failed"
        return "Degraded" if dead or (task is not None and task[0] == "Rebuild") else "Optimal"

    def _tell_member(self, number: int) -> str:
        drive = self.card.find(number)
        assert drive is not None
        place = f"Connector:0, Device:{number}" if self.card.is_smart else f"Enclosure:0, Slot:{number}"
        state = "Present" if drive.failed_at is None else "Missing"
        return (
            f"{state} ({drive.size_mib}MB, {drive.interface}, {drive.type.upper()}, {place}) {drive.serial}"
        )

    def _tell_volumes(self) -> list[str]:
        if not self.card.volumes:
            return ["   No logical devices configured"]
        lines: list[str] = []
        for index, volume in enumerate(self.card.volumes):
            lines += [f"Logical Device number {volume.id}", *self._tell_volume(index, volume), ""]
        return lines

    def _tell_volume(self, index: int, volume: AdaptecVolume) -> list[str]:
        card, smart = self.card, self.card.is_smart
        level = "6 Reed-Solomon" if volume.level == "6" and not smart else volume.level
        rows = [
            self._row("Logical Device name", volume.name),
            self._row("Block Size of member drives", "512 Bytes"),
            *([self._row("Array", index)] if smart else []),
            self._row("RAID level", level),
            *([] if smart else [self._row("Unique Identifier", volume.uid)]),
            self._row("Status of Logical Device", self._find_status(volume)),
        ]
        task = find_task(volume, self.now)
        if smart and volume.level in ("5", "6", "50", "60"):
            rows.append(self._row("Parity Initialization Status", "In Progress" if task else "Completed"))
        rows += [
            self._row("Size", f"{volume.size_mib} MB"),
            self._row("Stripe-unit size", f"{volume.strip_kib} KB"),
        ]
        if smart:
            rows += [
                self._row("Boot Type", "Primary" if volume.id == card.boot else "None"),
                self._row("Caching", "Enabled" if volume.write != "wt" else "Disabled"),
                self._row("Volume Unique Identifier", volume.uid),
            ]
        else:
            write = {"wt": "Disabled", "wb": "Enabled", "wbb": "On when protected by battery/ZMM"}[
                volume.write
            ]
            spares = [d for d in card.drives if d.spare_of in ("global", str(volume.id))]
            rows += [
                self._row("Read-cache setting", "Enabled" if volume.read else "Disabled"),
                self._row("Write-cache setting", write),
                self._row("Partitioned", "No"),
                self._row("Protected by Hot-Spare", "Yes" if spares else "No"),
                *(
                    self._row("Global Hot-Spare" if d.spare_of == "global" else "Dedicated Hot-Spare", d.id)
                    for d in spares
                ),
                self._row("Bootable", "Yes" if index == 0 else "No"),
                self._row("Failed stripes", "No"),
            ]
        grouped = volume.level in ("10", "50", "60")
        if smart and not grouped:
            title = "Array Physical Device Information"
            members = [self._row(f"Device {n}", self._tell_member(n)) for n in volume.drives]
        else:
            title = "Logical Device segment information"
            size = len(volume.drives) // volume.legs
            members = [
                self._row(
                    f"Group {place // size}, Segment {place % size}" if grouped else f"Segment {place}",
                    self._tell_member(number),
                )
                for place, number in enumerate(volume.drives)
            ]
        return [*rows, "   " + _THIN, f"   {title}", "   " + _THIN, *members]

    def _find_drive_state(self, drive: AdaptecDrive) -> str:
        owner = self.card.find_owner(drive.number)
        if drive.failed_at is not None:
            return "Failed"
        if self.card.mode == "HBA":
            return "Raw (Pass Through)"
        if owner is not None:
            task = find_task(owner, self.now)
            is_filled = task is not None and task[0] == "Rebuild" and drive.number == owner.drives[-1]
            return "Rebuilding" if is_filled else "Online"
        if drive.spare_of:
            kind = "Global" if drive.spare_of == "global" else "Dedicated"
            return "Hot Spare" if self.card.is_smart else f"{kind} Hot-Spare"
        return "Raw" if drive.is_raw else "Ready"

    def _tell_drives(self) -> list[str]:
        lines = ["   Channel #0:"] if self.card.is_smart else []
        for drive in self.card.drives:
            place = "Enclosure Direct Attached" if self.card.is_smart else "Enclosure 0"
            speed = "12.0" if drive.interface == "SAS" else "6.0"
            noun = "array" if self.card.is_smart else "logical device"
            owner = self.card.find_owner(drive.number)
            rows = [
                ("State", self._find_drive_state(drive)),
                *(
                    [("Dedicated Spare for", f"{noun} {drive.spare_of}")]
                    if drive.spare_of not in ("", "global")
                    else []
                ),
                ("Block Size", "512 Bytes"),
                ("Transfer Speed", f"{drive.interface} {speed} Gb/s"),
                ("Reported Channel,Device(T:L)", f"0,{drive.number}({drive.number}:0)"),
                ("Reported Location", f"{place}, Slot {drive.number}(Connector 0:CN0)"),
                *([("Array", self.card.volumes.index(owner))] if self.card.is_smart and owner else []),
                ("Vendor", drive.vendor),
                ("Model", drive.model),
                ("Firmware", drive.firmware),
                ("Serial number", drive.serial),
                ("Reserved Size", "32768 KB" if self.card.is_smart else "1072920 KB"),
                ("Total Size", f"{drive.size_mib} MB"),
                ("S.M.A.R.T.", "No"),
                ("SSD", "Yes" if drive.type == "ssd" else "No"),
            ]
            lines += [f"      Device #{drive.number}", "         Device is a Hard drive"]
            lines += [self._row(key, value, 9) for key, value in rows]
            lines.append("")
        return lines
