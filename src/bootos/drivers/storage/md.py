"""Linux md as it is: superblocks on the drives, arrays in the kernel. Read by every driver that looks at disks.

In BootOS nothing assembles arrays by itself. To see what is on them, `read_arrays` starts those that are whole
enough *read-only*: md then writes neither superblock nor bitmap, and nothing is rebuilt.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from bootos.drivers.contract import Machine
from bootos.drivers.storage.settle import settle
from bootos.process import ToolError

_MDSTAT_HEAD = re.compile(r"^(md[^\s:]*) : (active|inactive)(.*)$")
_MEMBER = re.compile(r"^(\S+?)\[(\d+)\]((?:\([A-Z]\))*)$")
_CHUNK = re.compile(r"(\d+)k chunk", re.IGNORECASE)
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
                active=head.group(2) == "active",
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


def read_arrays(machine: Machine, suspects: Iterable[str]) -> tuple[list[Array], list[str], bool]:
    """All md arrays on the machine, running or not; returns (arrays, notes, whether one was started now).

    `suspects` are the devices that carry an md signature. Inactive arrays are started read-only first. What Intel's
    containers hold is not among them (`imsm`).
    """
    entries = _leave_containers(read_mdstat(machine))
    running_on = {member.node for entry in entries if entry.active for member in entry.members}
    superblocks = read_superblocks(machine, [node for node in suspects if node not in running_on])
    notes: list[str] = []
    details = {entry.name: ask_detail(machine, entry.name, notes) for entry in entries if entry.active}
    # A member that was dropped from a running array still has its superblock. It is not another array.
    running = {said.get("MD_UUID", "") for said in details.values()}
    idle = [block for block in superblocks if block.uuid not in running]
    started = False
    if not notes:  # else a member that was dropped could be one of an array that says nothing
        notes, started = _start_inactive(machine, idle, entries)
    arrays: list[Array] = []
    for entry in _leave_containers(read_mdstat(machine)) if started else entries:
        if not entry.active:
            continue
        if entry.name not in details:
            details[entry.name] = ask_detail(machine, entry.name, notes)
        said = details[entry.name]
        recorded = {block.uuid: block for block in superblocks}.get(said.get("MD_UUID", ""))
        name = read_name(said.get("MD_NAME", "")) or (recorded.name if recorded else "") or entry.name
        arrays.append(
            Array(
                name=name,
                device=f"/dev/md/{name}",
                node=f"/dev/{entry.name}",
                uuid=said.get("MD_UUID", ""),
                level=said.get("MD_LEVEL", entry.level).removeprefix("raid"),
                drive_count=count_drives(said, entry),
                metadata=said.get("MD_METADATA") or entry.metadata or "1.2",
                members=entry.members,
                chunk_bytes=entry.chunk_bytes,
                progress=entry.progress,
                read_only=entry.read_only,
            )
        )
    running = {array.uuid for array in arrays}
    for uuid in dict.fromkeys(block.uuid for block in superblocks):
        if uuid in running:
            continue
        parts = [block for block in superblocks if block.uuid == uuid]
        first = parts[0]
        name = first.name or f"md-{uuid.replace(':', '')[:8]}"
        arrays.append(
            Array(
                name=name,
                device=f"/dev/md/{name}",
                node="",
                uuid=uuid,
                level=first.level,
                drive_count=first.drive_count,
                metadata=first.metadata,
                members=tuple(Member(node=block.node) for block in parts),
            )
        )
    return arrays, notes, started


def _leave_containers(entries: Sequence[MdstatEntry]) -> list[MdstatEntry]:
    """All but Intel's containers and their volumes."""
    homes = {entry.name for entry in entries if entry.metadata == "external:imsm"}
    return [entry for entry in entries if entry.name not in homes and entry.container not in homes]


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


def read_mdstat(machine: Machine) -> list[MdstatEntry]:
    """What /proc/mdstat lists; empty when md is not loaded."""
    path = machine.root / "proc/mdstat"
    try:
        return parse_mdstat(path.read_text())
    except FileNotFoundError:
        return []  # the md module is not loaded: no array runs


def read_detail(machine: Machine, name: str) -> dict[str, str]:
    """The fields of `mdadm --detail --export` of an array that runs (`md127`). Raises ToolError."""
    return parse_export(machine.run(["mdadm", "--detail", "--export", f"/dev/{name}"]).stdout)


def ask_detail(machine: Machine, name: str, notes: list[str]) -> dict[str, str]:
    """The same; empty, and one of `notes`, where mdadm fails: what the kernel lists is all that is known then."""
    try:
        return read_detail(machine, name)
    except ToolError as error:
        notes.append(f"mdadm tells nothing of the array /dev/{name}: {error}")
        return {}


def count_drives(said: dict[str, str], entry: MdstatEntry) -> int:
    """How many drives an array has, hot spares not counted: as mdadm says, else those that the kernel lists."""
    listed = sum(member.role is not None for member in entry.members)
    return int(said.get("MD_DEVICES", "0")) if said else listed


def read_superblocks(machine: Machine, nodes: Iterable[str]) -> list[Superblock]:
    """The superblocks on these devices, as `mdadm --examine --export` says; a device without one is left out."""
    found: list[Superblock] = []
    for node in nodes:
        done = machine.run(["mdadm", "--examine", "--export", node], check=False)
        block = parse_superblock(node, done.stdout) if done.returncode == 0 else None
        if block is not None:
            found.append(block)
    return found


def _start_inactive(
    machine: Machine, superblocks: Sequence[Superblock], entries: Sequence[MdstatEntry]
) -> tuple[list[str], bool]:
    notes: list[str] = []
    started = False
    groups: dict[str, list[Superblock]] = {}
    for block in superblocks:
        if not block.metadata.startswith(("imsm", "ddf")):
            groups.setdefault(block.uuid, []).append(block)
    if not groups:
        return notes, started
    if machine.only_looks:
        titles = [blocks[0].name or blocks[0].uuid for blocks in groups.values()]
        return [
            f"md array {name!r} does not run, and is not started to be looked at" for name in titles
        ], started
    for entry in entries:
        if not entry.active and not entry.metadata.startswith(
            "external:"
        ):  # one that was assembled and not started; to stop it writes nothing
            machine.run(["mdadm", "--stop", f"/dev/{entry.name}"], check=False)
    names: set[str] = set()
    for blocks in groups.values():
        name = blocks[0].name
        free = name and name not in names and not (machine.root / "dev/md" / name).exists()
        target = f"/dev/md/{name}" if free else find_free_node(machine)
        names.add(name)
        nodes = [block.node for block in blocks]
        done = machine.run(["mdadm", "--assemble", "--readonly", "--run", target, *nodes], check=False)
        if done.returncode != 0:
            notes.append(
                f"md array {name or blocks[0].uuid!r} on {', '.join(nodes)} cannot be started: members are missing"
            )
            stop_leftovers(machine, set(nodes))
        else:
            started = True
    if started:
        settle(machine)
    return notes, started


def stop_leftovers(machine: Machine, nodes: set[str]) -> None:
    """Stop what was assembled of these devices and could not be started."""
    for entry in read_mdstat(machine):
        if not entry.active and nodes & {member.node for member in entry.members}:
            machine.run(["mdadm", "--stop", f"/dev/{entry.name}"], check=False)


def find_free_node(machine: Machine) -> str:
    """A kernel's device that no array has: `/dev/md127`."""
    used = {entry.name for entry in read_mdstat(machine)}
    number = next(n for n in range(127, 0, -1) if f"md{n}" not in used)
    return f"/dev/md{number}"
