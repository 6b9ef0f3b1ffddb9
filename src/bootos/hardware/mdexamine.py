"""What `mdadm --examine` prints of the superblocks on disks, as values. Pure; used by `raid`.

md's own formats (1.x and 0.90) describe one array on each member. Intel's (IMSM: "RSTe", "VROC") and SNIA's DDF tell
of a container of disks with volumes on them, each under a title (`[Data]:`) or by keys with a number (`Raid Level[0]`).
"""

import re
from typing import NamedTuple

from bootos.wire.inventory import RaidArray

_TITLE = re.compile(r"^\[(.+)\]:$")
_NUMBERED = re.compile(r"^(.+?)\[(\d+)\]$")
_DISK = re.compile(r"^disk(?:\s*\d+)?\s+serial$", re.IGNORECASE)
_DDF_DISK = re.compile(r"^\s*(\d+)\s+[0-9a-f]{8}\s.*\s(/\S+)\s")  # number, RefNo, size, device, state
_LEVEL = re.compile(r"^(?:raid)?-?\s*(\d+)\b", re.IGNORECASE)
_FORMATS = {"intel raid ism cfg sig.": "IMSM", "de11de11": "DDF"}


class Superblock:
    """One member's superblock: `values` are mdadm's own words, by its keys in lower case; `volumes` those of the
    volumes of a container, by name or number."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.values: dict[str, str] = {}
        self.volumes: dict[str, dict[str, str]] = {}
        self.is_told = False  # of a container: mdadm knows it by its serial number

    @property
    def container(self) -> str:
        """The format of a container's member: IMSM, DDF. Empty: the superblock is md's own."""
        return _FORMATS.get(self.values.get("magic", "").lower(), "")

    @property
    def uuid(self) -> str:
        """The array's UUID; empty for what is no md member (a partition table)."""
        said = self.values.get("array uuid") or self.values.get("uuid", "")
        return said.partition(" ")[0]

    @property
    def is_spare(self) -> bool:
        """Whether the member is a hot spare."""
        return self.role == "spare"

    @property
    def role(self) -> str:
        """`active 0`, `spare`, or what mdadm says."""
        said = self.values.get("device role", "").lower()
        found = re.match(r"active device (\d+)", said)
        return f"active {found[1]}" if found else said


def parse_examine(text: str) -> list[Superblock]:
    """The text of `mdadm --examine DEVICE...`, only those with a superblock."""
    blocks: list[Superblock] = []
    values: dict[str, str] = {}
    for line in text.splitlines():
        text = line.strip()
        if line.startswith("/") and text.endswith(":"):
            blocks.append(Superblock(text[:-1]))
            values = blocks[-1].values
        elif not blocks:
            continue
        elif title := _TITLE.match(line.rstrip()):
            values = blocks[-1].volumes.setdefault(title[1], {})
        else:
            values = _keep(blocks[-1], values, line)
    return [block for block in blocks if block.container or (block.uuid and "raid level" in block.values)]


def _keep(block: Superblock, values: dict[str, str], line: str) -> dict[str, str]:
    """Take a line of values. Returns the values that the next lines belong to."""
    key, colon, value = (part.strip() for part in line.partition(" : "))
    if colon and _DISK.match(key):
        # one without a number is the device itself, which is a spare
        block.is_told = block.is_told or not block.volumes or not any(letter.isdigit() for letter in key)
        values = {}  # the disks of the container, which say nothing of its volumes
    if colon and (found := _NUMBERED.match(key)):
        block.volumes.setdefault(found[2], {}).setdefault(found[1].strip().lower(), value)
    elif colon:
        values.setdefault(key.lower(), value)
    elif re.match(r"^this\s+\d+", line):
        block.values.setdefault("device role", _role_of_old_format(line))
    elif (found := _DDF_DISK.match(line)) and found[2] == block.device:
        block.values.setdefault("device role", f"Active device {found[1]}")
    return values


def _role_of_old_format(line: str) -> str:
    """0.90 has a table of members instead: `this     2       8       49        2      spare   /dev/sdd1`."""
    words = line.split()
    state = " ".join(word for word in words[5:] if not word.startswith("/"))
    return "spare" if "spare" in state else f"Active device {words[4]}" if "active" in state else state


def parse_level(text: str) -> str:
    """SNIA's number: `raid5`, `RAID1`, `5 <-- 5` (that of a volume which is being migrated); another word stays."""
    found = _LEVEL.match(text)
    return found[1] if found else text


class Part(NamedTuple):
    """What a device is in a volume of its container. `volume` is without drives; `subarray` the number that the kernel
    knows it by, the last part of `external:/md127/0`; `member_count` how many members it has, None: not told. `role` is
    `active 0`, `spare` or `member`; `slot` the member's number, None: it has none, or mdadm does not know it."""

    volume: RaidArray
    subarray: str
    member_count: int | None
    role: str
    slot: int | None


def list_parts(block: Superblock) -> list[Part]:
    """The volumes of a container that the device belongs to."""
    found: list[Part] = []
    for title, values in block.volumes.items():
        state = values.get("map state", values.get("state", "")).partition(" <--")[0].strip().lower()
        volume = RaidArray(
            name=values.get("name") or title,
            level=parse_level(values.get("raid level", "")),
            size_bytes=_parse_volume_size(block.container, values),
            state=", ".join(filter(None, ["not assembled", block.container, state])),
            uuid=values.get("uuid") or values.get("vd guid") or f"{block.uuid}/{title}",
        )
        said = values.get("this slot", "").partition(" ")[0]
        slot = _parse_number(said)
        role = f"active {slot}" if slot is not None else _find_role(block, said)
        count = _parse_number(values.get("members", "").partition(" ")[0])
        found.append(Part(volume, values.get("subarray", title), count, role, slot))
    return found


def _parse_number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _find_role(block: Superblock, slot: str) -> str:
    """The slot `?` is that of a spare, or, behind an adapter that hides the serial number, that of a member which
    mdadm cannot tell from the others."""
    return "spare" if slot and block.is_told else block.role or "member"


def _parse_volume_size(container: str, values: dict[str, str]) -> int | None:
    """IMSM counts in sectors of 512 bytes, DDF in KiB."""
    found = re.match(r"(\d+)", values.get("array size", ""))
    return int(found[1]) * (512 if container == "IMSM" else 1024) if found else None
