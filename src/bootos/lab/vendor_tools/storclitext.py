"""How the stand-ins `storcli` and `storcli2` tell of a controller, in the published form of each generation (goldens of
raid.megaraid). Called by `storcli.Storcli` only.
"""

from typing import Any

from bootos.lab.vendor_tools.megaraid import (
    INIT_S,
    REBUILD_S,
    MegaraidCard,
    MegaraidDrive,
    MegaraidVolume,
    count_data,
)

CLASSIC, SECOND = "007.1616.0000.0000 Dec 24, 2020", "008.0005.0000.0010 Feb 22, 2023"
_SECOND_STATES = {
    "UGood": ("UConf", "Good"), "Onln": ("Conf", "Online"), "GHS": ("GHS", "Good"), "DHS": ("DHS", "Good"),
    "JBOD": ("JBOD", "Online"), "Failed": ("UConf", "Failed"), "Frgn": ("Frgn", "Good"), "Rbld": ("Conf", "Rebuild"),
}  # fmt: skip


class Teller:
    """One generation at one moment."""

    def __init__(self, now: float, *, second: bool) -> None:
        self.now = now
        self.second = second

    def size(self, size_bytes: int) -> str:
        """`16.370 TB` or `9.094 TiB`; both are of 1024."""
        i = "i" if self.second else ""
        for unit, factor in (("T", 1024**4), ("G", 1024**3), ("M", 1024**2)):
            if size_bytes >= factor:
                return f"{size_bytes / factor:.3f} {unit}{i}B"
        return f"{size_bytes / 1024:.3f} K{i}B"

    def status(
        self, card: MegaraidCard | None, error: str = "", said: str = "None", detail: Any = None
    ) -> dict[str, Any]:
        """`Command Status` of an answer; with `error` it is a failure."""
        told: dict[str, Any] = {
            "CLI Version": SECOND if self.second else CLASSIC,
            "Operating system": "Linux6.1.0" if self.second else "Linux 6.1.0",
        }
        if card is not None:
            told["Controller"] = str(card.number) if self.second else card.number
        told |= {"Status": "Failure" if error else "Success", "Description": error or said}
        if detail is not None:
            told["Detailed Status"] = detail
        return told

    def controller(self, card: MegaraidCard) -> dict[str, Any]:
        """`Response Data` of `/cN show`: the controller, its topology, volumes and drives."""
        levels = [f"RAID{n}" for n in card.levels]
        head = self._second_head(card, levels) if self.second else self._classic_head(card, levels)
        groups = sorted({volume.group for volume in card.volumes})
        rows = [row for group in groups for row in self._topology(card, group)]
        listed: dict[str, Any] = {"Drive Groups": len(groups)}
        listed |= {"TOPOLOGY": rows} if rows else {}
        listed["Virtual Drives"] = len(card.volumes)
        if card.volumes:
            listed["VD LIST"] = [self._volume_line(card, volume) for volume in card.volumes]
        listed["Physical Drives"] = len(card.drives)
        listed["PD LIST"] = [self._drive_line(drive) for drive in card.drives]
        return head | listed

    def _classic_head(self, card: MegaraidCard, levels: list[str]) -> dict[str, Any]:
        return {
            "Basics": {
                "Controller": card.number,
                "Model": card.model,
                "Serial Number": card.serial,
                "PCI Address": f"00:{card.bus:02x}:00:00",
            },
            "Version": {"Firmware Package Build": card.firmware, "Driver Name": "megaraid_sas"},
            "Status": {"Controller Status": "Optimal", "Current Personality": f"{card.mode} "},
            "Supported Adapter Operations": {
                "Dedicated Hot Spare": "Yes",
                "Foreign Config Import": "Yes",
                "Global Hot Spares": "Yes",
                "Support JBOD": "Yes" if card.jbod else "No",
            },
            "Supported VD Operations": {"Read Policy": "Yes", "Write Policy": "Yes"},
            "Capabilities": {
                "Supported Drives": "SAS, SATA, NVMe",
                "RAID Level Supported": ", ".join(
                    f"{level}(2 or more drives)" if level == "RAID1" else level for level in levels
                ),
                "Mix of SAS/SATA of HDD type in VD": "Not Allowed",
                "Mix of SAS/SATA of SSD type in VD": "Not Allowed",
                "Mix of SSD/HDD in VD": "Not Allowed",
                "Max Arms Per VD": 32,
                "Max Spans Per VD": 8,
                "Max Number of VDs": 64,
                "Min Strip Size": "64 KB",
                "Max Strip Size": "1.000 MB",
            },
        }

    def _second_head(self, card: MegaraidCard, levels: list[str]) -> dict[str, Any]:
        return {
            "Basics": {"Product Name": card.model, "Serial Number": card.serial},
            "Version": {"Package Version": card.firmware, "Driver Name": "mpi3mr"},
            "HostInterface": {"PCI Address": f"00:{card.bus:02x}:00:0"},
            "Status": {
                "Controller Status": "Optimal",
                "Controller Personality": card.mode.removesuffix("-Mode"),
            },
            "Supported VD operations": {
                "Support Changing Read Policy": "Yes",
                "Support Changing Write Policy": "Yes",
            },
            "Max. Supported Config": {"Max Number of VDs": 240, "Max PD Per Array": 32},
            "Capabilities": {
                "Supported Drive Interfaces": "SAS, SATA, NVMe",
                "Supported RAID Levels": ", ".join(levels),
                "Mix of SAS-HDD/SATA-HDD in VD": "Not Allowed",
                "Mix of SSD/HDD in VD": "Not Allowed",
            },
        }

    def _state(self, drive: MegaraidDrive) -> dict[str, str]:
        word = (
            "Rbld" if drive.joined_at is not None and self.now < drive.joined_at + REBUILD_S else drive.state
        )
        if self.second:
            state, status = _SECOND_STATES[word]
            return {"State": state, "Status": status}
        return {"State": "UBad" if word == "Failed" else "UGood F" if word == "Frgn" else word}

    def _topology(self, card: MegaraidCard, group: int) -> list[dict[str, Any]]:
        span, number = ("Span", "PID") if self.second else ("Arr", "DID")
        volume = next(volume for volume in card.volumes if volume.group == group)
        total = {"State": "-", "Status": "-"} if self.second else {"State": card.state_of(volume, self.now)}
        line: dict[str, Any] = {"DG": group, span: "-", "Row": "-", "EID:Slot": "-", number: "-"}
        line |= {"Type": f"RAID{volume.level}", **total, "BT": "N", "Size": self.size(volume.size_bytes)}
        rows = [line]
        per_span = len(volume.rows) // volume.spans
        for place, id in enumerate(volume.rows):
            drive = card.find(id)
            is_there = drive is not None and drive.state == "Onln"
            told = self._state(drive) if drive is not None and is_there else {"State": "Msng"}
            if self.second and not is_there:
                told = {"State": "Conf", "Status": "Missing"}
            rows.append(
                {
                    "DG": group,
                    span: place // per_span,
                    "Row": place % per_span,
                    "EID:Slot": id if is_there else "-",
                    number: drive.slot if drive is not None and is_there else "-",
                    "Type": "DRIVE",
                    **told,
                    "BT": "N",
                    "Size": self.size(drive.usable_bytes if drive is not None else 0),
                }
            )
        return rows

    def _drive_line(self, drive: MegaraidDrive) -> dict[str, Any]:
        group: Any = "F" if drive.state == "Frgn" else "-" if drive.group is None else drive.group
        return {
            "EID:Slt": drive.id,
            ("PID" if self.second else "DID"): drive.slot,
            **self._state(drive),
            "DG": group,
            "Size": self.size(drive.usable_bytes),
            "Intf": drive.interface,
            "Med": drive.type,
            "SeSz": "512B",
            "Model": f"{drive.model:<16}",
            "Sp": "U",
        }

    def _volume_line(self, card: MegaraidCard, volume: MegaraidVolume) -> dict[str, Any]:
        write = "AWB" if volume.write == "awb" else volume.write.upper()
        read = "R" if volume.read == "ra" else "NR"
        line: dict[str, Any] = {
            "DG/VD": f"{volume.group}/{volume.number}",
            "TYPE": f"RAID{volume.level}",
            "State": card.state_of(volume, self.now),
            "Access": "RW",
        }
        if self.second:
            cache = f"{'RA' if volume.read == 'ra' else 'NR'},{write}"
            return line | {
                "CurrentCache": cache,
                "DefaultCache": cache,
                "Size": self.size(volume.size_bytes),
                "Name": volume.name,
            }
        return line | {
            "Consist": "No" if card.is_initializing(volume, self.now) else "Yes",
            "Cache": f"{read}{write}D",
            "Cac": "-",
            "sCC": "ON",
            "Size": self.size(volume.size_bytes),
            "Name": volume.name,
        }

    def volumes(self, card: MegaraidCard, chosen: list[MegaraidVolume]) -> dict[str, Any]:
        """`Response Data` of `/cN/vX show all`."""
        told: dict[str, Any] = {}
        for volume in chosen:
            lines = [self._drive_line(d) for row in volume.rows if (d := card.find(row)) is not None]
            if self.second:
                entry = {
                    "VD Info": self._volume_line(card, volume),
                    "PDs": lines,
                    "VD Properties": self._volume_properties(card, volume),
                }
                told.setdefault("Virtual Drives", []).append(entry)
            else:
                told[f"/c{card.number}/v{volume.number}"] = [self._volume_line(card, volume)]
                told[f"PDs for VD {volume.number}"] = lines
                told[f"VD{volume.number} Properties"] = self._volume_properties(card, volume)
        return told

    def _volume_properties(self, card: MegaraidCard, volume: MegaraidVolume) -> dict[str, Any]:
        now = "None"
        if card.is_initializing(volume, self.now) and volume.init_at is not None:
            kind = "Background Initialization" if volume.init_kind != "full" else "Full Initialization"
            now = f"{kind} ({int((self.now - volume.init_at) * 100 / INIT_S)}%)"
        unit = "KiB" if self.second else "KB"
        told: dict[str, Any] = {
            "Strip Size": f"{volume.strip_kib} {unit}",
            "Number of Blocks": volume.size_bytes // 512,
            "Span Depth": volume.spans,
            ("Number of Drives" if self.second else "Number of Drives Per Span"): len(volume.rows)
            // (1 if self.second else volume.spans),
        }
        told |= {"Block Size": 512} if self.second else {}
        if not self.second:
            words = {"wt": "WriteThrough", "wb": "WriteBack", "awb": "AlwaysWriteBack"}
            told["Write Cache(initial setting)"] = words[volume.write]
        return told | {"Active Operations": now, "Exposed to OS": "Yes", "SCSI NAA Id": volume.naa}

    def drives(self, card: MegaraidCard) -> dict[str, Any]:
        """`Response Data` of `/cN/eall/sall show all`."""
        if self.second:
            return {
                "Drives List": [
                    {
                        "Drive Information": self._drive_line(d),
                        "Drive Detailed Information": self._attributes(d),
                    }
                    for d in card.drives
                ]
            }
        told: dict[str, Any] = {}
        for drive in card.drives:
            at = f"Drive /c{card.number}/e{drive.enclosure}/s{drive.slot}"
            told[at] = [self._drive_line(drive)]
            told[f"{at} - Detailed Information"] = {f"{at} Device attributes": self._attributes(drive)}
        return told

    def _attributes(self, drive: MegaraidDrive) -> dict[str, Any]:
        serial, firmware = (
            ("Serial Number", "Firmware Revision Level") if self.second else ("SN", "Firmware Revision")
        )
        return {
            serial: drive.serial,
            "WWN": drive.wwn,
            firmware: drive.firmware,
            "Raw size": f"{self.size(drive.size_bytes)} [0x{drive.size_bytes // 512:x} Sectors]",
            "Coerced size": f"{self.size(drive.usable_bytes)} [0x{drive.usable_bytes // 512:x} Sectors]",
            "Logical Sector Size": "512B",
            "Physical Sector Size": "4 KB",
        }

    def foreign(self, card: MegaraidCard) -> dict[str, Any]:
        """`Response Data` of `/cN/fall show`: the one foreign drive group."""
        own = [drive for drive in card.drives if drive.state == "Frgn"]
        data = count_data(card.foreign_level or 0, len(own), 1)
        size = self.size(min(drive.usable_bytes for drive in own) * data)
        return {
            "Total foreign DG Count": 1,
            "Total foreign drive Count": len(own),
            "FOREIGN DG LIST": [{"DG": 0, "Type": f"RAID{card.foreign_level}", "Size": size}],
            "FOREIGN PD LIST": [
                {"EID:Slt": d.id, "DID": d.slot, "DG": 0, "State": "Foreign", "Model": d.model} for d in own
            ],
        }
