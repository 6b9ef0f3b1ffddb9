"""Intel's firmware RAID (IMSM: RSTe, VROC) as it is: containers of drives, and the volumes in them, each an md array.

`read_containers` is what `read` asks beside `mdread.read_arrays`. It starts what does not run *read-only*, and without
mdmon, mdadm's monitor of such metadata: that would write to the drives of a volume that lacks one (mdadm(8), "External
Metadata"; MDADM_NO_MDMON in super-intel and util of mdadm's source). On a machine that is only looked at it starts
nothing, and volumes that do not run are as their superblocks tell of them.
"""

from collections.abc import Iterable, Sequence

import msgspec

from bootos.drivers.contract import Machine
from bootos.drivers.storage import md, mdread
from bootos.drivers.storage.settle import settle
from bootos.hardware.mdexamine import Superblock, list_parts, parse_examine

METADATA = "imsm"
NO_MONITOR = {"MDADM_NO_MDMON": "1"}
_NOT_STARTED = "does not run, and is not started to be looked at"
_SPARE = "00000000:00000000:00000000:00000000"  # the UUID of a spare, which any container may take


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """`node` is the kernel's device, empty when it does not run. `members` are its drives, hot spares as well; a drive
    that has failed and is still in it is one of `failed`. `uuid` is empty for spares that are in no container."""

    uuid: str
    node: str = ""
    members: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


class Found(msgspec.Struct, kw_only=True):
    """What there is of it on a machine. `started`: something was started now."""

    arrays: list[md.Array] = []
    containers: list[Container] = []
    notes: list[str] = []
    started: bool = False


def read_containers(machine: Machine, suspects: Iterable[str]) -> Found:
    """All containers and volumes, running or not; `suspects` are the devices that carry such a signature."""
    entries = mdread.read_mdstat(machine)
    inside = [member.node for entry in entries if is_container(entry) for member in entry.members]
    blocks = _read_superblocks(machine, dict.fromkeys([*suspects, *inside]))
    found = Found()
    _start_containers(machine, blocks, entries, found)
    for entry in [entry for entry in mdread.read_mdstat(machine) if is_container(entry)]:
        _start_volumes(machine, entry, blocks, found)
    if found.started:
        settle(machine)
    _list_running(machine, blocks, found)
    _list_idle(blocks, found)
    return found


def is_container(entry: md.MdstatEntry) -> bool:
    """Whether it is a container of Intel's."""
    return entry.metadata == f"external:{METADATA}"


def read_volume_name(machine: Machine, entry: md.MdstatEntry, said: dict[str, str]) -> str:
    """What the volume is called in Intel's metadata; md does not keep its name. `said` is its
    `mdadm --detail --export`. Empty: it is no volume."""
    if not entry.container:
        return ""
    blocks = _read_superblocks(machine, [member.node for member in entry.members])
    return _find_names(blocks.values()).get(said.get("MD_UUID", ""), "")


def read_subarrays(machine: Machine, nodes: Iterable[str]) -> dict[str, str]:
    """The numbers that the volumes on these drives have in their container, by UUID."""
    blocks = [block for block in _read_superblocks(machine, nodes).values() if block.volumes]
    if not blocks:
        return {}
    return {part.volume.uuid or "": part.subarray for part in list_parts(_find_newest(blocks))}


def _read_superblocks(machine: Machine, nodes: Iterable[str]) -> dict[str, Superblock]:
    listed = list(nodes)
    if not listed:
        return {}
    # it ends with 1 when the last device has none, and prints what the others have all the same
    done = machine.run(["mdadm", "--examine", *listed], check=False, env={"LC_ALL": "C"})
    return {block.device: block for block in parse_examine(done.stdout) if block.container == "IMSM"}


def _find_names(blocks: Iterable[Superblock]) -> dict[str, str]:
    """The names of volumes by their UUIDs."""
    volumes = [part.volume for block in blocks for part in list_parts(block)]
    return {volume.uuid or "": volume.name for volume in volumes}


def _find_newest(blocks: Sequence[Superblock]) -> Superblock:
    """The one that was written last: a drive that was away tells of how it was before."""
    return max(blocks, key=lambda block: int(block.values.get("generation", "0"), 16))


def _start_containers(
    machine: Machine, blocks: dict[str, Superblock], entries: Sequence[md.MdstatEntry], found: Found
) -> None:
    running = [entry for entry in entries if is_container(entry)]
    taken = {member.node for entry in running for member in entry.members}
    groups: dict[str, list[str]] = {}
    for node, block in blocks.items():
        if node not in taken:
            groups.setdefault(block.uuid, []).append(node)
    loose = groups.pop(_SPARE, [])
    for uuid, nodes in groups.items():
        if machine.only_looks:
            found.notes.append(f"Intel RAID (IMSM) on {', '.join(nodes)} {_NOT_STARTED}")
            found.containers.append(Container(uuid=uuid, members=tuple(nodes)))
            continue
        # with several containers nobody can tell whose the spares are
        more = loose if len(groups) == 1 and not running else []
        node = mdread.find_free_node(machine)
        argv = ["mdadm", "--assemble", "--readonly", "--run", node, *nodes, *more]
        done = machine.run(argv, check=False, env=NO_MONITOR)
        if done.returncode == 0:
            found.started = True
            continue
        mdread.stop_leftovers(machine, set(nodes))
        said = mdread.tell_refusal(done.stderr or done.stdout)
        found.notes.append(f"Intel RAID (IMSM) on {', '.join(nodes)} cannot be started: {said}")
        found.containers.append(Container(uuid=uuid, members=tuple(nodes)))
    if loose and (len(groups) != 1 or running or machine.only_looks):
        found.containers.append(Container(uuid="", members=tuple(loose)))


def _start_volumes(
    machine: Machine, entry: md.MdstatEntry, blocks: dict[str, Superblock], found: Found
) -> None:
    own = [blocks[member.node] for member in entry.members if member.node in blocks]
    if not own:
        return
    entries = mdread.read_mdstat(machine)
    running = {other.subarray for other in entries if other.container == entry.name and other.active}
    for part in list_parts(_find_newest(own)):
        volume = part.volume
        if part.subarray in running:
            continue
        if machine.only_looks:
            found.notes.append(f"Intel RAID array {volume.name!r} {_NOT_STARTED}")
            continue
        is_free = not (machine.root / "dev/md" / volume.name).is_symlink()
        target = f"/dev/md/{volume.name}" if is_free else mdread.find_free_node(machine)
        argv = [
            "mdadm",
            "--assemble",
            "--readonly",
            "--run",
            target,
            f"--uuid={volume.uuid}",
            f"/dev/{entry.name}",
        ]
        done = machine.run(argv, check=False, env=NO_MONITOR)
        if done.returncode == 0:
            found.started = True
            continue
        found.notes.append(
            f"Intel RAID array {volume.name!r} cannot be started: {mdread.tell_refusal(done.stderr or done.stdout)}"
        )
        for other in mdread.read_mdstat(machine):
            if (other.container, other.subarray) == (entry.name, part.subarray):
                machine.run(["mdadm", "--stop", f"/dev/{other.name}"], check=False)


def _list_running(machine: Machine, blocks: dict[str, Superblock], found: Found) -> None:
    entries = mdread.read_mdstat(machine)
    names = _find_names(
        sorted(blocks.values(), key=lambda block: int(block.values.get("generation", "0"), 16))
    )
    for home in (entry for entry in entries if is_container(entry)):
        volumes = [entry for entry in entries if entry.container == home.name and entry.active]
        working = {member.node for volume in volumes for member in volume.members if not member.faulty}
        nodes = [member.node for member in home.members]
        idle = [node for node in nodes if node not in working]
        # Intel's metadata marks a drive as failed on the others only, so its own still tells of volumes
        failed = [node for node in idle if volumes and node in blocks and blocks[node].volumes]
        uuid = next((blocks[n].uuid for n in nodes if n in blocks and blocks[n].uuid != _SPARE), home.name)
        found.containers.append(
            Container(
                uuid=uuid,
                node=f"/dev/{home.name}",
                members=tuple(node for node in nodes if node not in failed),
                failed=tuple(failed),
            )
        )
        for entry in volumes:
            own = {member.node for member in entry.members}
            rest = (md.Member(node=node, faulty=node in failed) for node in nodes if node not in own)
            said = mdread.ask_detail(machine, entry.name, found.notes)
            name = names.get(said.get("MD_UUID", "")) or said.get("MD_DEVNAME") or entry.name
            found.arrays.append(
                md.Array(
                    name=name,
                    device=f"/dev/md/{name}",
                    node=f"/dev/{entry.name}",
                    uuid=said.get("MD_UUID", ""),
                    level=said.get("MD_LEVEL", entry.level).removeprefix("raid"),
                    drive_count=mdread.count_drives(said, entry),
                    metadata=METADATA,
                    members=(*entry.members, *rest),
                    chunk_bytes=entry.chunk_bytes,
                    progress=entry.progress,
                    read_only=entry.read_only,
                    container=uuid,
                    subarray=entry.subarray,
                )
            )


def _list_idle(blocks: dict[str, Superblock], found: Found) -> None:
    """Volumes that do not run, as their superblocks tell of them."""
    running = {array.uuid for array in found.arrays}
    places = {(array.container, array.subarray) for array in found.arrays}
    groups: dict[str, list[Superblock]] = {}
    for block in blocks.values():
        groups.setdefault(block.uuid, []).append(block)
    for uuid, group in groups.items():
        for part in list_parts(_find_newest(group)):
            volume = part.volume
            if volume.uuid in running or (uuid, part.subarray) in places:
                continue
            members = tuple(
                md.Member(node=block.device, role=other.slot)
                for block in group
                for other in list_parts(block)
                if other.volume.uuid == volume.uuid and other.role != "spare"
            )
            found.arrays.append(
                md.Array(
                    name=volume.name,
                    device=f"/dev/md/{volume.name}",
                    node="",
                    uuid=volume.uuid or "",
                    level=volume.level or "",
                    drive_count=len(members) if part.member_count is None else part.member_count,
                    metadata=METADATA,
                    members=members,
                    container=uuid,
                    subarray=part.subarray,
                )
            )
