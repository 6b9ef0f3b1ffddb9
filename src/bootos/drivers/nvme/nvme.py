"""`disk.nvme`: the namespaces of NVMe drives, and the size of their logical blocks (LBA formats). Changing either
loses what they hold.

Comes after `disk.erase` and before all that lies on disks.
"""

import json

import msgspec

from bootos.drivers.contract import Action, Change, DriverError, Forecast, Machine, Match, Planned
from bootos.drivers.nvme.lbaformat import (
    PERFORMANCE,
    LbaFormat,
    choose_format,
    find_format,
    parse_current,
    parse_formats,
    tell_formats,
)
from bootos.drivers.nvme.namespace import NvmeDrive, Rebuild, apply_rebuild, read_drives
from bootos.drivers.nvme.namespaceplan import NamespacePlan, find_meant
from bootos.drivers.storage.content import find_on_device
from bootos.drivers.storage.current import find_nvme_drives
from bootos.drivers.storage.desk import Taking, judge, wipe_word
from bootos.drivers.storage.device import clear_device, read_size
from bootos.drivers.storage.read import read_storage
from bootos.drivers.storage.selection import select_targets
from bootos.drivers.storage.settle import settle
from bootos.drivers.storage.state import Storage, describe_disk
from bootos.template.model import NvmeWanted, Template
from bootos.wire.inventory import Disk, Inventory

FORMAT_TIMEOUT_S = 3600.0


class Namespace(msgspec.Struct, frozen=True, kw_only=True):
    """`formats_all`: the drive's format command concerns all its namespaces. `neighbours` are the other ones."""

    current: int
    formats: tuple[LbaFormat, ...]
    can_format: bool
    formats_all: bool
    neighbours: tuple[str, ...] = ()


class NvmeState(msgspec.Struct, frozen=True, kw_only=True):
    storage: Storage
    namespaces: dict[str, Namespace] = {}
    drives: tuple[NvmeDrive, ...] = ()


class Format(msgspec.Struct, frozen=True, kw_only=True):
    device: str
    lbaf: int
    sector_bytes: int


class NvmeDriver:
    name = "disk.nvme"
    section = "disks.nvme"
    title = "NVMe namespaces"
    state_type = NvmeState

    def match(self, inventory: Inventory) -> Match | None:
        found = [disk for disk in inventory.disks if disk.path.startswith("/dev/nvme")]
        if found:
            return Match(reason=f"the machine has {len(found)} NVMe namespace(s)")
        drives = find_nvme_drives(inventory)
        return Match(reason=f"the machine has {len(drives)} NVMe drive(s)") if drives else None

    def wants(self, template: Template) -> bool:
        return bool(template.nvme)

    def read(self, machine: Machine, inventory: Inventory) -> NvmeState:
        storage = read_storage(machine, inventory)
        named = [disk for disk in storage.disks if disk.path.startswith("/dev/nvme")]
        return NvmeState(
            storage=storage,
            namespaces={disk.path: _read_namespace(machine, disk, named) for disk in named},
            drives=read_drives(machine, storage.disks),
        )

    def plan(
        self, state: NvmeState, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        planned = Planned()
        whole = NamespacePlan(state.storage, state.drives, forecast, planned)
        for index, wanted in enumerate(template.nvme):
            if wanted.namespaces:
                whole.plan_entry(wanted, f"nvme[{index}]")
        for index, wanted in enumerate(template.nvme):
            at = f"nvme[{index}]"
            if wanted.sector_bytes is None:
                continue
            # A forecast without later steps: what the template does with the drive later is no obstacle.
            earlier = Forecast(freed=set(forecast.freed))
            targets, problems = select_targets(wanted.select, at, state.storage, earlier)
            planned.problems += problems
            for target in targets:
                disk = next(disk for disk in state.storage.disks if disk.path == target.device)
                other = find_meant(whole.meant, state.drives, disk.path)
                if other:
                    message = f"{describe_disk(disk)} is on a drive whose namespaces {other} gives"
                    planned.complain(f"{at}.select", message)
                else:
                    _plan_format(state, wanted, wanted.sector_bytes, at, disk, forecast, planned)
        return planned

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        if isinstance(action.detail, Rebuild):
            apply_rebuild(machine, action.detail)
            return
        if not isinstance(action.detail, Format):
            raise DriverError(f"{self.name} has no action like {action.id}")
        device = action.detail.device
        clear_device(machine, device)
        limit = f"--timeout={int(FORMAT_TIMEOUT_S * 1000)}"
        argv = ["nvme", "format", device, f"--lbaf={action.detail.lbaf}", "--ses=0", "--force", limit]
        machine.run(argv, timeout_s=FORMAT_TIMEOUT_S + 60)
        machine.run(["blockdev", "--rereadpt", device], check=False)
        settle(machine)
        found = read_size(machine, device)[1]
        if found != action.detail.sector_bytes:
            message = f"{device} still has sectors of {found} bytes for the kernel"
            raise DriverError(message, hint="the drive may want a reboot after a format")


def parse_namespace(identity: str, controller: str, neighbours: tuple[str, ...] = ()) -> Namespace:
    """`nvme id-ns -o json` and `nvme id-ctrl -o json`."""
    found, ctrl = json.loads(identity), json.loads(controller)
    return Namespace(
        current=parse_current(found),
        formats=parse_formats(found),
        can_format=bool(int(ctrl.get("oacs") or 0) & 2),
        formats_all=bool(int(ctrl.get("fna") or 0) & 1),
        neighbours=neighbours,
    )


def _read_namespace(machine: Machine, disk: Disk, disks: list[Disk]) -> Namespace:
    identity = machine.run(["nvme", "id-ns", disk.path, "--output-format=json"]).stdout
    controller = machine.run(["nvme", "id-ctrl", disk.path, "--output-format=json"]).stdout
    own = disk.path.rpartition("n")[0]
    neighbours = tuple(
        other.path for other in disks if other.path != disk.path and other.path.rpartition("n")[0] == own
    )
    try:
        return parse_namespace(identity, controller, neighbours)
    except (ValueError, KeyError, TypeError) as cause:
        raise DriverError(f"nvme says of {disk.path} what is not understood: {cause!r}") from cause


def _plan_format(
    state: NvmeState,
    wanted: NvmeWanted,
    sector_bytes: int,
    at: str,
    disk: Disk,
    forecast: Forecast,
    planned: Planned,
) -> None:
    title = describe_disk(disk)
    namespace = state.namespaces.get(disk.path)
    if namespace is None:
        planned.complain(f"{at}.select", f"{title} is not an NVMe drive")
        return
    present = find_format(namespace.formats, namespace.current)
    chosen = choose_format(namespace.formats, sector_bytes, present)
    problem, hint = "", ""
    if chosen is None:
        problem = f"{title} has no format of {sector_bytes} bytes without metadata"
        hint = f"it has {tell_formats(namespace.formats)}"
    elif chosen == present:
        planned.notes.append(f"{title} has sectors of {sector_bytes} bytes already")
        return
    elif not namespace.can_format:
        problem = f"{title} cannot be formatted: the drive has no such command"
    elif namespace.formats_all and namespace.neighbours:
        problem = f"{title} cannot be formatted alone: {', '.join(namespace.neighbours)} would be, too"
    if problem or chosen is None:
        planned.complain(f"{at}.sector_bytes", problem, hint)
        return
    ruling = judge(
        Taking(title=title, path=at, cannot="cannot be formatted"),
        find_on_device(state.storage, disk.path, forecast.freed),
        wipe_word(at, wanted.wipe),
    )
    if not planned.take(ruling):
        return
    before = f"{present.sector_bytes} bytes" if present is not None else ""
    speed = PERFORMANCE[chosen.performance & 3]
    planned.act(
        f"disk.nvme:format:{disk.path}",
        f"format {title} with sectors of {chosen.sector_bytes} bytes",
        Format(device=disk.path, lbaf=chosen.index, sector_bytes=chosen.sector_bytes),
        at,
        Change(
            what=f"sectors of {disk.path}",
            before=before,
            after=f"{chosen.sector_bytes} bytes (LBA format {chosen.index}, {speed} performance)",
        ),
        ruling=ruling,
        estimate_s=60.0,
    )
    forecast.freed.add(disk.path)
