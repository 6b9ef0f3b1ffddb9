"""Linux md as it is: superblocks on the drives, arrays in the kernel; what /proc/mdstat and mdadm print of them. Pure.

Read by every driver that looks at disks (`mdread`).
"""

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

_MDSTAT_HEAD = re.compile(r"^(md[^\s:]*) : (active|broken|inactive)(.*)$")
_MEMBER = re.compile(r"^(\S+?)\[(\d+)\]((?:\([A-Z]\))*)$")
_CHUNK = re.compile(r"(?<!\d)(\d+)k chunk", re.IGNORECASE)
_METADATA = re.compile(r"\bsuper (\S+)")
_VOLUME = re.compile(r"^external:[-/](\w+)/(\d+)$")
_PROGRESS = re.compile(r"\b(recovery|resync|reshape|check)\s*=\s*([\d.]+%|DELAYED|PENDING)")


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A drive or partition in an array. `role` is its place; None: a hot spare."""

    node: str
    role: int | None = None
    faulty: bool = False


class Superblock(msgspec.Struct, frozen=True, kw_only=True):
    """What `mdadm --examine --export` says of one member."""

    node: str
    uuid: str
    name: str
    level: str
    drive_count: int
    metadata: str
    events: int = 0


class Array(msgspec.Struct, frozen=True, kw_only=True):
    """An md array. `node` is the kernel's device, empty when it is not running (members missing);
    `device` is the name used everywhere in plans: `/dev/md/NAME`. `container` is the UUID of the container that it
    lies in (`imsm`), and `subarray` its number there; empty: it lies in none."""

    name: str
    device: str
    node: str
    uuid: str
    level: str  # "0", "1", "5", "6", "10", or another word of md's
    drive_count: int
    metadata: str = "1.2"
    members: tuple[Member, ...] = ()
    chunk_bytes: int | None = None
    progress: str = ""
    read_only: bool = False
    container: str = ""
    subarray: str = ""

    @property
    def nodes(self) -> frozenset[str]:
        """The devices of all members that work, hot spares as well."""
        return frozenset(member.node for member in self.members if not member.faulty)


class MdstatEntry(msgspec.Struct, frozen=True, kw_only=True):
    """`metadata` is `1.2`, `external:imsm` of a container, `external:/md127/0` of a volume in one."""

    name: str
    active: bool
    level: str
    members: tuple[Member, ...]
    chunk_bytes: int | None
    progress: str
    read_only: bool
    metadata: str = ""

    @property
    def container(self) -> str:
        """The kernel's name of the container that it is a volume of; empty: it is none."""
        found = _VOLUME.match(self.metadata)
        return found[1] if found else ""

    @property
    def subarray(self) -> str:
        """The number that it has in its container."""
        found = _VOLUME.match(self.metadata)
        return found[2] if found else ""


def parse_mdstat(text: str) -> list[MdstatEntry]:
    """`/proc/mdstat`."""
    entries: list[MdstatEntry] = []
    lines = text.splitlines()
    heads = [(place, head) for place, line in enumerate(lines) if (head := _MDSTAT_HEAD.match(line))]
    ends = [place for place, _ in heads]
    for (place, head), end in zip(heads, [*ends[1:], len(lines)], strict=False):
        words = head.group(3).split()
        for line in lines[place + 1 : end]:  # where it was wrapped on its way here
            if not line.split() or not all(map(_MEMBER.match, line.split())):
                break
            words += line.split()
        members: list[Member] = []
        level = ""
        for word in words:
            found = _MEMBER.match(word)
            if found:
                name, number, flags = found.groups()
                spare = "(S)" in flags
                node = f"/dev/{name.replace('!', '/')}"
                members.append(Member(node=node, role=None if spare else int(number), faulty="(F)" in flags))
            elif not level and not word.startswith("("):
                level = word.removeprefix("raid")
        body = "\n".join(lines[place + 1 : end])
        chunk = _CHUNK.search(body)
        progress = _PROGRESS.search(body)
        metadata = _METADATA.search(body)
        entries.append(
            MdstatEntry(
                name=head.group(1),
                active=head.group(2) != "inactive",  # a broken one runs: too many of its members are gone
                level=level,
                members=tuple(members),
                chunk_bytes=int(chunk.group(1)) * 1024 if chunk else None,
                progress=f"{progress.group(1)} {progress.group(2)}" if progress else "",
                read_only="(read-only)" in words,
                metadata=metadata.group(1) if metadata else "",
            )
        )
    return entries


def parse_export(text: str) -> dict[str, str]:
    """The `KEY=value` lines of `mdadm --examine --export` and `--detail --export`."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def parse_superblock(node: str, text: str) -> Superblock | None:
    """`mdadm --examine --export NODE`; None when it tells of no array (or only of a container)."""
    said = parse_export(text)
    if "MD_UUID" not in said or "MD_LEVEL" not in said:
        return None
    return Superblock(
        node=node,
        uuid=said["MD_UUID"],
        name=read_name(said.get("MD_NAME", "")),
        level=said["MD_LEVEL"].removeprefix("raid"),
        drive_count=int(said.get("MD_DEVICES", "0")),
        metadata=said.get("MD_METADATA", "1.2"),
        events=int(said.get("MD_EVENTS", "0")),
    )


def read_name(recorded: str) -> str:
    """An array's own name: version 1 superblocks put the host before it (`any:os`)."""
    return recorded.rsplit(":", 1)[-1]


def name_apart(arrays: Iterable[Array]) -> list[Array]:
    """Two arrays of one name: `/dev/md/NAME` means the first that runs, the others go by the kernel's name."""
    seen: set[str] = set()
    told: list[Array] = []
    for array in sorted(arrays, key=lambda array: (not array.node, array.node)):
        if array.device in seen:
            short = array.uuid.replace(":", "")[:8]
            device = array.node or f"{array.device}-{short}"
            array = msgspec.structs.replace(array, name=Path(device).name, device=device)
        seen.add(array.device)
        told.append(array)
    return told
