"""`raid.mdadm`: Linux md arrays of levels 0, 1, 5, 6 and 10 with hot spares.

The comparison is by what an array *is*: name, level, number of drives, and which drives hold it. Which of them is
the hot spare at the moment is md's business (after a failure the spare has taken over, and a fresh RAID 5 or 6
shows its last drive as a spare until it is built), so that is no difference. Nothing waits for a resync.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from bootos.drivers.contract import Action, DriverError, Forecast, Machine, Match, Planned
from bootos.drivers.raid.drives import find_unsupported
from bootos.drivers.raid.imsmplatform import MdState, read_platform
from bootos.drivers.raid.mdcreate import Create
from bootos.drivers.raid.mdimsm import add_drive, create_volume, delete_volume, remove_drive
from bootos.drivers.raid.mdplan import Add, Delete, Remove, find_siblings, plan_raid
from bootos.drivers.storage.array import find_array_node, find_home, make_writable, resync_slowed, stop_array
from bootos.drivers.storage.device import clear_device, find_node
from bootos.drivers.storage.imsm import METADATA as IMSM
from bootos.drivers.storage.read import read_storage
from bootos.drivers.storage.settle import settle
from bootos.drivers.storage.state import Storage
from bootos.template.model import Template
from bootos.template.raid import SOFTWARE, find_only, list_sections
from bootos.wire.inventory import Inventory

CREATE_TIMEOUT_S = 120.0


class MdadmDriver:
    """Priority 0: a driver for a hardware controller that the machine has comes before it."""

    name = SOFTWARE
    section = "raid"
    title = "Software RAID (Linux md)"
    state_type = MdState

    def match(self, inventory: Inventory) -> Match | None:
        fixed = [disk for disk in inventory.disks if not disk.removable]
        if not fixed:
            return None
        count = f"{len(fixed)} disk{'s' if len(fixed) > 1 else ''}"
        return Match(reason=f"{count} directly attached: Linux md can build arrays on them")

    def wants(self, template: Template) -> bool:
        raid = find_only(template.raid)
        return raid is not None and bool(raid.arrays or raid.clear)

    def read(self, machine: Machine, inventory: Inventory) -> MdState:
        storage = read_storage(machine, inventory)
        sections = list_sections(machine.template.raid) if machine.template is not None else []
        is_asked = any(array.metadata == IMSM for _, raid in sections for array in raid.arrays)
        platform = read_platform(machine) if is_asked else None
        return MdState(**msgspec.structs.asdict(storage), platform=platform)

    def plan(
        self, state: MdState, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        planned = Planned(notes=list(state.notes))
        forecast.arrays.update(state.find_forecasts())
        raid = find_only(template.raid)
        if raid is not None:
            planned.problems += find_unsupported(raid)
            plan_raid(state.without(forecast.freed), template, raid, forecast, planned)
        return planned

    def export(self, state: Storage) -> dict[str, Any]:
        """Arrays of whole disks; others cannot be said in a template."""
        numbers = {name: disk.index for disk in state.disks for name in (disk.path, f"/dev/{disk.name}")}
        arrays: list[dict[str, Any]] = []
        for array in sorted(state.arrays, key=lambda array: (array.container, array.subarray)):
            members = [member for member in array.members if not member.faulty]
            is_whole = all(member.node in numbers for member in members)
            if not members or not is_whole or array.level not in ("0", "1", "5", "6", "10") or not array.node:
                continue
            # A new RAID 5 or 6 shows its last drive as a spare until it is built, so members without a role fill up
            # the drives.
            ordered = sorted(members, key=lambda member: (member.role is None, member.role or 0))
            drives = sorted(numbers[member.node] for member in ordered[: array.drive_count])
            spares = sorted(numbers[member.node] for member in ordered[array.drive_count :])
            said: dict[str, Any] = {
                "name": array.name,
                "level": int(array.level),
                "drives": join_numbers(drives),
            }
            if array.metadata == IMSM:
                said["metadata"] = IMSM
                if find_siblings(state, array) and array.device in state.blocks:
                    said["size"] = f"{state.blocks[array.device].size_bytes // 1024**2}MiB"
            if spares and array.subarray in ("", "0"):
                said["hotspares"] = join_numbers(spares)
            if array.chunk_bytes and array.level != "1":
                said["strip"] = f"{array.chunk_bytes // 1024}KiB"
            arrays.append(said)
        return {"raid": {"arrays": arrays}} if arrays else {}

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        match action.detail:
            case Create(metadata=metadata):
                with resync_slowed(machine):  # slows the resync of other arrays down
                    (create_volume if metadata == IMSM else apply_create)(machine, action.detail)
            case Delete(metadata=metadata):
                (delete_volume if metadata == IMSM else apply_delete)(machine, action.detail)
            case Add(device=device, drive=drive):
                node = find_node(machine, device)
                if find_home(machine, node):
                    add_drive(machine, node, drive)
                    return
                clear_device(machine, drive)
                make_writable(machine, node)
                machine.run(["mdadm", "--manage", node, "--add", drive])
            case Remove(device=device, drive=drive):
                node = find_node(machine, device)
                if find_home(machine, node):
                    remove_drive(machine, node, drive)
                    return
                make_writable(machine, node)
                machine.run(["mdadm", "--manage", node, "--remove", drive])
                machine.run(["mdadm", "--zero-superblock", drive])
            case _:
                raise DriverError(f"{self.name} has no action like {action.id}")


def join_numbers(numbers: Iterable[int]) -> str:
    """A drive list: `0,1`."""
    return ",".join(str(number) for number in numbers)


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
    if wanted.level == 5:
        # mdadm(8) would leave out the last drive and rebuild it from the others, which is faster. But as long as that
        # lasts the array is degraded, and after a power cut md starts no array that is degraded and was being written.
        argv.append("--force")
    if wanted.level != 0:
        # Without a bitmap each crash of the installed system needs a full resync. It is named here because mdadm's
        # default depends on its version and on the size.
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
