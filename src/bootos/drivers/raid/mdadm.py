"""`raid.mdadm`: Linux md arrays of levels 0, 1, 5, 6 and 10 with hot spares.

The comparison is by what an array *is*: name, level, number of drives, and which drives hold it. Which of them is
the hot spare at the moment is md's business (after a failure the spare has taken over, and a fresh RAID 5 or 6
shows its last drive as a spare until it is built), so that is no difference. Nothing waits for a resync.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from bootos.drivers.contract import (
    Action,
    ArrayForecast,
    Change,
    DriverError,
    Forecast,
    Machine,
    Match,
    Planned,
)
from bootos.drivers.raid.drives import (
    Resolved,
    data_drives,
    find_unsupported,
    resolve_arrays,
    round_member,
    tell_waste,
    usable_bytes,
)
from bootos.drivers.storage import md
from bootos.drivers.storage.array import find_array_node, make_writable, resync_slowed, stop_array
from bootos.drivers.storage.content import find_on_device, find_on_md
from bootos.drivers.storage.desk import (
    NOTHING_LOST,
    Taking,
    Verdict,
    Word,
    find_word,
    join_verdicts,
    judge,
    keep_array,
    wipe_word,
)
from bootos.drivers.storage.device import clear_device, find_node
from bootos.drivers.storage.mark import ARRAY, draw_uuid
from bootos.drivers.storage.own import is_own_array
from bootos.drivers.storage.read import read_storage
from bootos.drivers.storage.settle import settle
from bootos.drivers.storage.state import Storage, describe_disk
from bootos.errors import Problem
from bootos.template.model import ArrayWanted, Raid, Template
from bootos.template.size import format_size, parse_bytes
from bootos.wire.inventory import Disk, Inventory

CREATE_TIMEOUT_S = 120.0
CHANGE_S = 5.0  # of one change, about; a new array is built in the background


class Create(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    device: str
    level: int
    drives: tuple[str, ...]
    hotspares: tuple[str, ...] = ()
    chunk_bytes: int | None = None
    member_bytes: int | None = None
    mark: str = ""


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    device: str
    running: bool
    members: tuple[str, ...]


class Add(msgspec.Struct, frozen=True, kw_only=True):
    device: str
    drive: str


class Remove(msgspec.Struct, frozen=True, kw_only=True):
    device: str
    drive: str


class MdadmDriver:
    """Priority 0: a driver for a hardware controller that the machine has comes before it."""

    name = "raid.mdadm"
    section = "raid"
    title = "Software RAID (Linux md)"
    state_type = Storage

    def match(self, inventory: Inventory) -> Match | None:
        fixed = [disk for disk in inventory.disks if not disk.removable]
        if not fixed:
            return None
        count = f"{len(fixed)} disk{'s' if len(fixed) > 1 else ''}"
        return Match(reason=f"{count} directly attached: Linux md can build arrays on them")

    def wants(self, template: Template) -> bool:
        return template.raid is not None and bool(template.raid.arrays or template.raid.clear)

    def read(self, machine: Machine, inventory: Inventory) -> Storage:
        return read_storage(machine, inventory)

    def plan(
        self, state: Storage, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        planned = Planned(notes=list(state.notes))
        forecast.arrays.update(state.find_forecasts())
        if template.raid is not None:
            planned.problems += find_unsupported(template.raid)
            _plan_raid(state.without(forecast.freed), template, template.raid, forecast, planned)
        return planned

    def export(self, state: Storage) -> dict[str, Any]:
        """Arrays of whole disks; others cannot be said in a template."""
        numbers = {name: disk.index for disk in state.disks for name in (disk.path, f"/dev/{disk.name}")}
        arrays: list[dict[str, Any]] = []
        for array in state.arrays:
            members = [member for member in array.members if not member.faulty]
            is_whole = all(member.node in numbers for member in members)
            if not members or not is_whole or array.level not in ("0", "1", "5", "6", "10") or not array.node:
                continue
            # fewer than the array needs: a fresh RAID 5 or 6 shows its last drive as a spare until it is built
            ordered = sorted(members, key=lambda member: (member.role is None, member.role or 0))
            drives = sorted(numbers[member.node] for member in ordered[: array.drive_count])
            spares = sorted(numbers[member.node] for member in ordered[array.drive_count :])
            said: dict[str, Any] = {
                "name": array.name,
                "level": int(array.level),
                "drives": join_numbers(drives),
            }
            if spares:
                said["hotspares"] = join_numbers(spares)
            if array.chunk_bytes and array.level != "1":
                said["strip"] = f"{array.chunk_bytes // 1024}KiB"
            arrays.append(said)
        return {"raid": {"arrays": arrays}} if arrays else {}

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        match action.detail:
            case Create():
                with resync_slowed(machine):  # of the arrays that are there already
                    apply_create(machine, action.detail)
            case Delete():
                apply_delete(machine, action.detail)
            case Add(device=device, drive=drive):
                node = find_node(machine, device)
                clear_device(machine, drive)
                make_writable(machine, node)
                machine.run(["mdadm", "--manage", node, "--add", drive])
            case Remove(device=device, drive=drive):
                node = find_node(machine, device)
                make_writable(machine, node)
                machine.run(["mdadm", "--manage", node, "--remove", drive])
                machine.run(["mdadm", "--zero-superblock", drive])
            case _:
                raise DriverError(f"{self.name} has no action like {action.id}")


def join_numbers(numbers: Iterable[int]) -> str:
    """A drive list: `0,1`."""
    return ",".join(str(number) for number in numbers)


def _plan_raid(state: Storage, template: Template, raid: Raid, forecast: Forecast, planned: Planned) -> None:
    resolved = resolve_arrays(state, template, raid, planned)
    for item in resolved:
        for disk in item.disks:
            forecast.taken.setdefault(disk.path, item.at)
    kept, doomed = _sort_out(state, raid, resolved, planned)
    for array, word in doomed:
        _plan_delete(state, array, word, forecast, planned)
    for item in resolved:
        existing = kept.get(item.at)
        if existing is not None:
            _plan_repair(state, item, existing, forecast, planned)
        elif item.sound:
            _plan_create(state, item, forecast, planned)


def _sort_out(
    state: Storage, raid: Raid, resolved: list[Resolved], planned: Planned
) -> tuple[dict[str, md.Array], list[tuple[md.Array, Word]]]:
    """(existing arrays that are what is wanted, by its place; existing arrays that must go, by which word)."""
    kept: dict[str, md.Array] = {}
    doomed: list[tuple[md.Array, Word]] = []
    wiping = [(item.at, item.paths) for item in resolved if item.wanted.wipe]
    matched: set[str] = set()
    for item in resolved:
        same = next((array for array in state.arrays if array.name == item.wanted.name), None)
        if same is None:
            continue
        differences = find_differences(state, item.wanted, item.paths, len(item.drives), same)
        if not differences:
            kept[item.at] = same
            matched.add(same.device)
        elif item.sound:
            planned.notes.append(f"array {same.name!r} exists and is not as wanted: {'; '.join(differences)}")
    for array in state.arrays:
        if array.device in matched:
            continue
        word = find_word(raid.clear, array.nodes, wiping)
        if word is None and is_own_array(state, array):
            word = Word(path="raid.clear", is_given=False)
        if word is not None:
            doomed.append((array, word))
            continue
        in_way = [item for item in resolved if item.wanted.name == array.name or item.paths & _disks(array)]
        for item in in_way:
            planned.problems.append(keep_array(array.name, array.level, sorted(array.nodes), item.at))
            item.blocked = True
        if not in_way:
            planned.notes.append(f"array {array.name!r} is not in the template and is left alone")
    return kept, doomed


def _disks(array: md.Array) -> set[str]:
    return {member.node for member in array.members}


def find_differences(
    state: Storage, wanted: ArrayWanted, paths: frozenset[str], drive_count: int, array: md.Array
) -> list[str]:
    """Why an existing array cannot be what is wanted, not even by adding or removing a spare."""
    told: list[str] = []
    if not array.node:
        told.append("it cannot be started")
    if array.level != str(wanted.level):
        told.append(f"level {array.level}, not {wanted.level}")
    if array.drive_count != drive_count:
        told.append(f"{array.drive_count} drives, not {drive_count}")
    spares = {member.node for member in array.members if member.role is None}
    strangers = array.nodes - paths - spares
    if strangers:
        told.append(f"{', '.join(sorted(strangers))} should not be in it")
    elif not array.nodes & paths:
        told.append("it is on other drives")
    if wanted.strip is not None and array.chunk_bytes not in (None, parse_bytes(wanted.strip)):
        told.append(f"strip {format_size(array.chunk_bytes or 0)}, not {wanted.strip}")
    if wanted.size is not None and array.device in state.blocks:
        asked, has = parse_bytes(wanted.size), state.blocks[array.device].size_bytes
        member_bytes = round_member(wanted, drive_count, asked)
        if has != member_bytes * data_drives(wanted.level, drive_count):
            told.append(f"size {format_size(has)}, not {wanted.size}")
    return told


def _plan_delete(state: Storage, array: md.Array, word: Word, forecast: Forecast, planned: Planned) -> None:
    half = is_own_array(state, array)
    at = word.path.removesuffix(".wipe")
    verdict = judge(
        Taking(title=f"array {array.name!r}", path=word.path, cannot="cannot be deleted"),
        find_on_md(state, array),
        word,
        is_own=half,
    )
    planned.problems += verdict.problems
    members = tuple(sorted(member.node for member in array.members))
    where = ", ".join(members)
    if not verdict.problems:
        planned.actions.append(
            Action(
                id=f"raid.mdadm:delete:{array.name}",
                driver=MdadmDriver.name,
                estimate_s=CHANGE_S,
                summary=f"delete {'half-made ' if half else ''}array {array.name} (RAID {array.level} on {where})",
                changes=(Change(what=f"array {array.name}", before=f"RAID {array.level} on {where}"),),
                destroys=verdict.destroys,
                allowed=verdict.allowed,
                path=at,
                detail=Delete(
                    name=array.name, device=array.device, running=bool(array.node), members=members
                ),
            )
        )
    forecast.arrays.pop(array.name, None)
    forecast.freed |= {array.device, *members}


def _plan_repair(
    state: Storage, item: Resolved, array: md.Array, forecast: Forecast, planned: Planned
) -> None:
    """An array that is right but for a drive that is missing or a spare too many."""
    if item.blocked:
        return
    absent = [disk for disk in item.disks if disk.path not in array.nodes]
    extra = sorted(array.nodes - item.paths)
    for disk in absent:
        verdict = _judge_disk(state, disk, item, forecast)
        planned.problems += verdict.problems
        if verdict.problems:
            continue
        planned.actions.append(
            Action(
                id=f"raid.mdadm:add:{array.name}:{disk.path}",
                driver=MdadmDriver.name,
                estimate_s=CHANGE_S,
                summary=f"add {describe_disk(disk)} to array {array.name}",
                changes=(Change(what=f"array {array.name}", after=f"with {disk.path}"),),
                destroys=verdict.destroys,
                allowed=verdict.allowed,
                path=item.at,
                detail=Add(device=array.device, drive=disk.path),
            )
        )
    for node in extra:
        planned.actions.append(
            Action(
                id=f"raid.mdadm:remove:{array.name}:{node}",
                driver=MdadmDriver.name,
                estimate_s=CHANGE_S,
                summary=f"take the hot spare {node} out of array {array.name}",
                changes=(Change(what=f"array {array.name}", before=f"hot spare {node}"),),
                path=item.at,
                detail=Remove(device=array.device, drive=node),
            )
        )
    if not absent and not extra:
        progress = f" ({array.progress})" if array.progress else ""
        planned.notes.append(f"array {array.name!r} is as wanted: RAID {array.level}{progress}")


def _judge_disk(state: Storage, disk: Disk, item: Resolved, forecast: Forecast) -> Verdict:
    """Whether a drive may become part of an array."""
    if item.blocked:
        return NOTHING_LOST  # nothing is planned: `_sort_out` has told about the array that is in the way
    return judge(
        Taking(
            title=describe_disk(disk), path=item.at, cannot="cannot be used", content_path=f"{item.at}.drives"
        ),
        find_on_device(state, disk.path, forecast.freed),
        wipe_word(item.at, item.wanted.wipe),
    )


def _plan_create(state: Storage, item: Resolved, forecast: Forecast, planned: Planned) -> None:
    wanted, at = item.wanted, item.at
    before = len(planned.problems)
    verdict = join_verdicts(_judge_disk(state, disk, item, forecast) for disk in item.disks)
    planned.problems += verdict.problems
    sizes = [state.blocks[disk.path].size_bytes for disk in item.drives]
    tell_waste(item, sizes, planned)
    member_bytes: int | None = None
    room = usable_bytes(min(sizes))
    size_bytes = room * data_drives(wanted.level, len(item.drives))
    if wanted.size is not None:
        member_bytes = round_member(wanted, len(item.drives), parse_bytes(wanted.size))
        if member_bytes > room:
            message = f"{wanted.size} is too large: these drives give {format_size(size_bytes)}"
            planned.problems.append(Problem(path=f"{at}.size", message=message))
        size_bytes = member_bytes * data_drives(wanted.level, len(item.drives))
    for disk in item.hotspares:
        if usable_bytes(state.blocks[disk.path].size_bytes) < (member_bytes or room):
            message = (
                f"{describe_disk(disk)} is too small to stand in for a drive of {format_size(min(sizes))}"
            )
            planned.problems.append(Problem(path=f"{at}.hotspares", message=message))
    device = f"/dev/md/{wanted.name}"
    drives = tuple(disk.path for disk in item.drives)
    spares = tuple(disk.path for disk in item.hotspares)
    forecast.arrays[wanted.name] = ArrayForecast(
        name=wanted.name,
        device=device,
        size_bytes=size_bytes,
        exists=False,
        members=(*drives, *spares),
    )
    forecast.freed |= {device, *drives, *spares}
    if item.blocked or len(planned.problems) > before:
        return
    after = f"RAID {wanted.level} on {', '.join(drives)}"
    if spares:
        after += f"; hot spare{'s' if len(spares) > 1 else ''} {', '.join(spares)}"
    planned.actions.append(
        Action(
            id=f"{ARRAY}{wanted.name}",
            driver=MdadmDriver.name,
            estimate_s=CHANGE_S,
            summary=f"create array {wanted.name}: {after}",
            changes=(Change(what=f"array {wanted.name}", after=after),),
            destroys=verdict.destroys,
            allowed=verdict.allowed,
            path=at,
            detail=Create(
                name=wanted.name,
                device=device,
                level=wanted.level,
                drives=drives,
                hotspares=spares,
                chunk_bytes=parse_bytes(wanted.strip) if wanted.strip else None,
                member_bytes=member_bytes,
                mark=draw_uuid(state.owner, device),
            ),
        )
    )


def apply_create(machine: Machine, wanted: Create) -> None:
    """Wipe the drives, create the array, and wipe what shines through from before. Never waits for a resync."""
    drives = [*wanted.drives, *wanted.hotspares]
    for drive in drives:
        clear_device(machine, drive)
    machine.run(_create_argv(wanted, drives), timeout_s=CREATE_TIMEOUT_S)
    settle(machine)
    with resync_slowed(machine):
        clear_device(machine, find_node(machine, wanted.device))


def _create_argv(wanted: Create, drives: Iterable[str]) -> list[str]:
    argv = ["mdadm", "--create", wanted.device, "--run", "--metadata=1.2", "--homehost=any"]
    argv += [f"--name={wanted.name}", f"--level={wanted.level}", f"--raid-devices={len(wanted.drives)}"]
    if wanted.mark:
        argv.append(f"--uuid={wanted.mark.replace('-', '')}")
    if wanted.level != 0:
        # without a bitmap every crash of the installed system costs a full resync; asked for by name because
        # mdadm's own default depends on its version and on the size
        argv.append("--bitmap=internal")
    if wanted.hotspares:
        argv.append(f"--spare-devices={len(wanted.hotspares)}")
    if wanted.chunk_bytes is not None:
        argv.append(f"--chunk={wanted.chunk_bytes // 1024}")
    if wanted.member_bytes is not None:
        argv.append(f"--size={wanted.member_bytes // 1024}")
    return [*argv, *drives]


def apply_delete(machine: Machine, unwanted: Delete) -> None:
    """Stop the array and remove its superblocks, so that nothing finds it again."""
    if unwanted.running:
        node = find_array_node(machine, unwanted.device)
        if node is not None:
            stop_array(machine, node)
    for member in unwanted.members:
        machine.run(["mdadm", "--zero-superblock", member])
        machine.run(["wipefs", "--all", "--force", "--quiet", member])
    settle(machine)
