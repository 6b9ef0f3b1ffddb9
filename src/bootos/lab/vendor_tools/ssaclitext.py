"""What `ssacli` prints of a Smart Array controller: `show config detail`. Pure; changes nothing on the card.

The text follows published outputs (tests/golden/README.md).
"""

from bootos.lab.vendor_tools.smartarray import (
    INIT_S,
    REBUILD_S,
    SmartArrayCard,
    SmartArrayDrive,
    SmartArrayGroup,
    SmartArrayVolume,
    count_data,
)


class SsacliText:
    """`show config detail` at a moment."""

    def __init__(self, card: SmartArrayCard, now: float) -> None:
        self.card = card
        self.now = now

    def tell(self, *, is_whole: bool) -> str:
        """`is_whole`: with arrays and drives, not the controller alone."""
        card = self.card
        lines = [card.title, *_indent(3, self._tell_controller())]
        if is_whole:
            for index, array in enumerate(card.arrays):
                lines += ["", *self._tell_array(index, array)]
            taken = {d for array in card.arrays for d in (*array.drives, *array.spares)}
            loose = [drive for drive in card.drives if drive.id not in taken]
            if loose:
                lines += ["", "   HBA Drives" if card.mode == "HBA" else "   Unassigned", ""]
                kind = "HBA Mode Drive" if card.mode == "HBA" else "Unassigned Drive"
                for drive in loose:
                    lines += self._tell_drive(drive, kind)
        return "\n" + "\n".join(lines) + "\n\n"

    def _tell_controller(self) -> list[str]:
        card = self.card
        boot = next((volume for volume in card.volumes if volume.id == card.boot), None)
        lines = [
            "Bus Interface: PCI",
            f"Slot: {card.slot}",
            f"Serial Number: {card.serial}",
            *([f"RAID 6 Status: {'Enabled' if card.six else 'Disabled'}"] if card.mode == "RAID" else []),
            "Controller Status: OK",
            "Hardware Revision: B",
            f"Firmware Version: {card.firmware}",
            f"Cache Board Present: {card.cache}",
            "Cache Status: OK",
            "Cache Ratio: 10% Read / 90% Write",
            "Total Cache Size: 2.0",
            "Spare Activation Mode: Activate on physical drive failure (default)",
            "Driver Name: smartpqi",
            "Driver Version: Linux 2.1.18-045",
            *(["HBA Mode Enabled: True"] if card.mode == "HBA" else []),
            "PCI Address (Domain:Bus:Device.Function): 0000:5C:00.0",
            f"Controller Mode: {card.mode}",
            *([f"Pending Controller Mode: {card.pending}"] if card.pending else []),
            f"Controller Mode Reboot: {'Required' if card.pending else 'Not Required'}",
        ]
        told = f"logicaldrive {boot.id} ({boot.uid})" if boot else "None"
        return [*lines, f"Primary Boot Volume: {told}", "Secondary Boot Volume: None"]

    def _tell_array(self, index: int, array: SmartArrayGroup) -> list[str]:
        letter = self.card.find_letter(index)
        first = self.card.find(array.drives[0])
        assert first is not None
        lines = [
            f"   Array: {letter}",
            f"      Interface Type: {first.interface}",
            "      Unused Space: 0 MB (0.00%)",
            "      Status: OK",
            "      MultiDomain Status: OK",
            "      Array Type: Data",
            *(["      Spare Type: dedicated"] if array.spares else []),
            f"      Smart Path: {'enable' if array.smart_path else 'disable'}",
            "",
        ]
        for volume in self.card.volumes:
            if volume.array == index:
                lines += [*self._tell_volume(volume, array), ""]
        for drive in self.card.drives:
            if drive.id in array.drives:
                lines += self._tell_drive(drive, "Data Drive")
            elif drive.id in array.spares:
                lines += self._tell_drive(drive, "Spare Drive")
        return lines

    def _tell_volume(self, volume: SmartArrayVolume, array: SmartArrayGroup) -> list[str]:
        is_parity = volume.level in ("5", "6", "50", "60")
        data = count_data(volume.level, len(array.drives), volume.groups) // max(volume.groups, 1)
        lines = [f"Size: {_tell_binary(volume.size_bytes)}", f"Fault Tolerance: {volume.level}"]
        if volume.level in ("50", "60"):
            lines.append(f"Number of Parity Groups: {volume.groups}")
        lines += [
            "Heads: 255",
            "Sectors Per Track: 32",
            "Cylinders: 65535",
            f"Strip Size: {volume.strip_kib} KB",
            f"Full Stripe Size: {volume.strip_kib * max(data, 1)} KB",
            f"Status: {self._find_status(volume, array)}",
            "Unrecoverable Media Errors: None",
            "MultiDomain Status: OK",
            f"Caching:  {'Enabled' if volume.caching else 'Disabled'}",
        ]
        if is_parity:
            part = (self.now - volume.made_at) / INIT_S
            if part < 1:
                lines.append("Parity Initialization Status: In Progress")
                lines.append(f"Parity Initialization Progress: {int(part * 100)}% complete")
            else:
                lines.append("Parity Initialization Status: Initialization Completed")
        lines.append(f"Unique Identifier: {volume.uid}")
        if volume.id == self.card.boot:
            lines.append("Boot Volume: Primary")
        lines.append(f"Logical Drive Label: {volume.label}")
        if volume.level in ("1", "1+0"):
            half = len(array.drives) // 2
            for number, part_of in enumerate((array.drives[:half], array.drives[half:]), 1):
                lines.append(f"Mirror Group {number}:")
                lines += [f"   {self._tell_short(drive)}" for drive in part_of]
        if volume.level in ("50", "60"):
            for group in range(volume.groups):
                lines.append(f"Parity Group {group}:")
                lines += [f"   {self._tell_short(drive)}" for drive in array.drives[group :: volume.groups]]
        lines += [
            "Drive Type: Data",
            f"LD Acceleration Method: {'Smart Path' if array.smart_path else 'Controller Cache'}",
        ]
        return [f"      Logical Drive: {volume.id}", *_indent(9, lines)]

    def _find_status(self, volume: SmartArrayVolume, array: SmartArrayGroup) -> str:
        dead = [d for d in map(self.card.find, array.drives) if d is not None and d.failed_at is not None]
        if not dead:
            return "OK"
        spared = [d for d in dead if d.replaced_by]
        endures = {"0": 0, "6": 2, "60": 2}.get(volume.level, 1)
        if len(dead) - len(spared) > endures:
            return "Failed"
        if len(spared) < len(dead):
            return "Interim Recovery Mode"
        part = min((self.now - (d.failed_at or 0.0)) / REBUILD_S for d in dead)
        return "OK" if part >= 1 else f"Recovering, {int(part * 100)}% complete"

    def _tell_short(self, name: str) -> str:
        drive = self.card.find(name)
        assert drive is not None
        port, box, bay = name.split(":")
        status = "OK" if drive.failed_at is None else "Failed"
        kind = drive.interface.replace("Solid State SATA", "SATA SSD").replace("Solid State SAS", "SAS SSD")
        size = _tell_decimal(drive.size_bytes)
        return f"physicaldrive {name} (port {port}:box {box}:bay {bay}, {kind}, {size}, {status})"

    def _tell_drive(self, drive: SmartArrayDrive, kind: str) -> list[str]:
        port, box, bay = drive.id.split(":")
        status = "OK" if drive.failed_at is None else "Failed"
        if drive.joined_at is not None and self.now - drive.joined_at < REBUILD_S:
            status = "Rebuilding"
        is_seen = kind.startswith("HBA")
        lines = [
            f"Port: {port}",
            f"Box: {box}",
            f"Bay: {bay}",
            f"Status: {status}",
            f"Drive Type: {kind}",
            f"Interface Type: {drive.interface}",
            f"Size: {_tell_decimal(drive.size_bytes)}",
            f"Drive exposed to OS: {is_seen}",
            "Logical/Physical Block Size: 512/4096",
            f"Firmware Revision: {drive.firmware}",
            f"Serial Number: {drive.serial}",
            f"Model: {drive.model}",
        ]
        return [f"      physicaldrive {drive.id}", *_indent(9, lines), ""]


def _indent(depth: int, lines: list[str]) -> list[str]:
    return [" " * depth + line for line in lines]


def _tell_decimal(size_bytes: int) -> str:
    """`960 GB`, `1.9 TB`: drives count in units of 1000."""
    if size_bytes < 1000**4:
        return f"{size_bytes / 1000**3:.1f}".removesuffix(".0") + " GB"
    return f"{size_bytes / 1000**4:.1f}".removesuffix(".0") + " TB"


def _tell_binary(size_bytes: int) -> str:
    """`894.22 GB`: logical drives count in units of 1024."""
    if size_bytes < 1024**4:
        return f"{size_bytes / 1024**3:.2f} GB"
    return f"{size_bytes / 1024**4:.2f} TB"
