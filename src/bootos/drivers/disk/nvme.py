"""`disk.nvme`: the size of the logical blocks of NVMe namespaces (LBA formats). Changing it erases the namespace.

Comes after `disk.erase` and before all that lies on disks.
"""

import json

import msgspec

from bootos.drivers.contract import Action, Change, DriverError, Forecast, Machine, Match, Planned
from bootos.drivers.disk import block
from bootos.drivers.disk.block import Storage, describe_disk
from bootos.drivers.raid import md
from bootos.drivers.selection import select_targets
from bootos.errors import Problem
from bootos.template.model import NvmeWanted, Template
from bootos.wire.inventory import Disk, Inventory

FORMAT_TIMEOUT_S = 3600.0
PERFORMANCE = ("best", "better", "good", "degraded")


class LbaFormat(msgspec.Struct, frozen=True, kw_only=True):
    """`performance`: 0 is the best of this drive (RP in NVM Express)."""

    index: int
    sector_bytes: int
    metadata_bytes: int
    performance: int


class Namespace(msgspec.Struct, frozen=True, kw_only=True):
    """`formats_all`: the drive's format command concerns all its namespaces. `neighbours` are the other ones."""

    current: int
    formats: tuple[LbaFormat, ...]
    can_format: bool
    formats_all: bool
    neighbours: tuple[str, ...] = ()

    def find_format(self, index: int) -> LbaFormat | None:
        return next((item for item in self.formats if item.index == index), None)


class NvmeState(msgspec.Struct, frozen=True, kw_only=True):
    storage: Storage
    namespaces: dict[str, Namespace] = {}


class Format(msgspec.Struct, frozen=True, kw_only=True):
    device: str
    lbaf: int
    sector_bytes: int


class NvmeDriver:
    name = "disk.nvme"
    section = "disks.nvme"
    title = "NVMe formats"
    state_type = NvmeState

    def match(self, inventory: Inventory) -> Match | None:
        found = [disk for disk in inventory.disks if disk.path.startswith("/dev/nvme")]
        return Match(reason=f"the machine has {len(found)} NVMe namespace(s)") if found else None

    def wants(self, template: Template) -> bool:
        return bool(template.nvme)

    def read(self, machine: Machine, inventory: Inventory) -> NvmeState:
        storage = block.read_storage(machine, inventory)
        named = [disk for disk in storage.disks if disk.path.startswith("/dev/nvme")]
        return NvmeState(
            storage=storage, namespaces={disk.path: _read_namespace(machine, disk, named) for disk in named}
        )

    def plan(
        self, state: NvmeState, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        planned = Planned()
        for index, wanted in enumerate(template.nvme):
            at = f"nvme[{index}]"
            # what the template does with the drive afterwards does not stand in the way
            earlier = Forecast(freed=set(forecast.freed))
            targets, problems = select_targets(wanted.select, at, state.storage, earlier)
            planned.problems += problems
            for target in targets:
                disk = next(disk for disk in state.storage.disks if disk.path == target.device)
                _plan_format(state, wanted, at, disk, forecast, planned)
        return planned

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        if not isinstance(action.detail, Format):
            raise DriverError(f"{self.name} has no action like {action.id}")
        device = action.detail.device
        block.clear_device(machine, device)
        limit = f"--timeout={int(FORMAT_TIMEOUT_S * 1000)}"
        argv = ["nvme", "format", device, f"--lbaf={action.detail.lbaf}", "--ses=0", "--force", limit]
        machine.run(argv, timeout_s=FORMAT_TIMEOUT_S + 60)
        machine.run(["blockdev", "--rereadpt", device], check=False)
        md.settle(machine)
        found = block.read_size(machine, device)[1]
        if found != action.detail.sector_bytes:
            message = f"{device} still has sectors of {found} bytes for the kernel"
            raise DriverError(message, hint="the drive may want a reboot after a format")


def parse_namespace(identity: str, controller: str, neighbours: tuple[str, ...] = ()) -> Namespace:
    """`nvme id-ns -o json` and `nvme id-ctrl -o json`. FLBAS: bits 0 to 3, and 5 to 6 above them."""
    found, ctrl = json.loads(identity), json.loads(controller)
    flbas = int(found["flbas"])
    formats = tuple(
        LbaFormat(
            index=index,
            sector_bytes=1 << int(item["ds"]),
            metadata_bytes=int(item["ms"]),
            performance=int(item["rp"]),
        )
        for index, item in enumerate(found["lbafs"])
        if int(item["ds"])
    )
    return Namespace(
        current=flbas & 15 | (flbas >> 5 & 3) << 4,
        formats=formats,
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


def choose_format(namespace: Namespace, sector_bytes: int) -> LbaFormat | None:
    """The fastest format with this sector size and without metadata; the present one when it is such."""
    fitting = [
        item for item in namespace.formats if item.sector_bytes == sector_bytes and item.metadata_bytes == 0
    ]
    present = namespace.find_format(namespace.current)
    return present if present in fitting else min(fitting, key=lambda item: item.performance, default=None)


def _plan_format(
    state: NvmeState, wanted: NvmeWanted, at: str, disk: Disk, forecast: Forecast, planned: Planned
) -> None:
    title = describe_disk(disk)
    namespace = state.namespaces.get(disk.path)
    if namespace is None:
        planned.problems.append(Problem(path=f"{at}.select", message=f"{title} is not an NVMe drive"))
        return
    present, chosen = namespace.find_format(namespace.current), choose_format(namespace, wanted.sector_bytes)
    problem, hint = "", ""
    if chosen is None:
        has = ", ".join(
            f"{item.sector_bytes}" + (f"+{item.metadata_bytes}" if item.metadata_bytes else "")
            for item in namespace.formats
        )
        problem, hint = (
            f"{title} has no format of {wanted.sector_bytes} bytes without metadata",
            f"it has {has}",
        )
    elif chosen == present:
        planned.notes.append(f"{title} has sectors of {wanted.sector_bytes} bytes already")
        return
    elif not namespace.can_format:
        problem = f"{title} cannot be formatted: the drive has no such command"
    elif namespace.formats_all and namespace.neighbours:
        problem = f"{title} cannot be formatted alone: {', '.join(namespace.neighbours)} would be, too"
    if problem or chosen is None:
        planned.problems.append(Problem(path=f"{at}.sector_bytes", message=problem, hint=hint))
        return
    found = state.storage.blocks[disk.path]
    if found.used_by:
        message = f"{title} cannot be formatted: it is {', '.join(found.used_by)}"
        planned.problems.append(Problem(path=at, message=message))
    content = state.storage.find_content(disk.path, freed=forecast.freed)
    if content and not wanted.wipe:
        hint = f"{at}.wipe: true allows this data to be lost"
        planned.problems.append(Problem(path=at, message=f"{title} holds {'; '.join(content)}", hint=hint))
        return
    before = f"{present.sector_bytes} bytes" if present is not None else ""
    speed = PERFORMANCE[chosen.performance & 3]
    planned.actions.append(
        Action(
            id=f"disk.nvme:format:{disk.path}",
            driver=NvmeDriver.name,
            summary=f"format {title} with sectors of {chosen.sector_bytes} bytes",
            changes=(
                Change(
                    what=f"sectors of {disk.path}",
                    before=before,
                    after=f"{chosen.sector_bytes} bytes (LBA format {chosen.index}, {speed} performance)",
                ),
            ),
            destroys=tuple(content),
            allowed=f"{at}.wipe" if wanted.wipe else None,
            path=at,
            estimate_s=60.0,
            detail=Format(device=disk.path, lbaf=chosen.index, sector_bytes=chosen.sector_bytes),
        )
    )
    forecast.freed.add(disk.path)
