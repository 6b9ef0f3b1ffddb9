"""Linux md is read: /proc/mdstat, and mdadm about what runs and about the superblocks of what does not.

In BootOS nothing assembles arrays by itself. To see what is on them, `read_arrays` starts those that are whole
enough *read-only*: md then writes neither superblock nor bitmap, and nothing is rebuilt.
"""

from collections.abc import Iterable, Sequence

from bootos.drivers.contract import Machine
from bootos.drivers.storage.md import (
    Array,
    MdstatEntry,
    Member,
    Superblock,
    parse_export,
    parse_mdstat,
    parse_superblock,
    read_name,
)
from bootos.drivers.storage.settle import settle
from bootos.process import ToolError


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
            title = f"md array {name or blocks[0].uuid!r} on {', '.join(nodes)}"
            notes.append(f"{title} cannot be started: {tell_refusal(done.stderr or done.stdout)}")
            stop_leftovers(machine, set(nodes))
        else:
            started = True
    if started:
        settle(machine)
    return notes, started


def tell_refusal(said: str) -> str:
    """Why mdadm did not start an array or a container, in its own words. It says nothing of an array that lacks no
    drive and was not whole when it was last written: the kernel does not start that either."""
    lines = (line.removeprefix("mdadm:").strip() for line in said.splitlines())
    return (
        "; ".join(filter(None, lines)) or "drives are missing, or were not up to date when the power failed"
    )


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
