"""`disk.partition`: GPT and MBR tables on disks and md arrays, written by sfdisk.

A table is compared as a whole (places, types, names, boot flags): right means nothing to do, anything else
means a new table, which loses what the old one held and therefore needs `wipe: true` when it held something.
"""

from typing import Any

import msgspec

from bootos.drivers.contract import Change, DriverError, Forecast, Machine, PartitionForecast, Planned
from bootos.drivers.disk.driver import DiskDriver
from bootos.drivers.disk.export import export_tables
from bootos.drivers.storage.content import find_on_device
from bootos.drivers.storage.desk import NOTHING_LOST, Taking, judge, wipe_word
from bootos.drivers.storage.device import check_partitions, empty_place, read_size
from bootos.drivers.storage.mark import TABLE, draw_uuid
from bootos.drivers.storage.own import is_own_table
from bootos.drivers.storage.selection import Target, reserve_disks, select_targets
from bootos.drivers.storage.settle import settle
from bootos.drivers.storage.state import Block, Storage, partition_path
from bootos.drivers.storage.table import ALIGN_BYTES, Placed, build_script, find_difference, place_partitions
from bootos.template.model import DiskWanted, Partition, Table, Template
from bootos.template.parttype import find_type_name
from bootos.template.size import format_size, parse_bytes


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """The partitions are placed again on the device's real size: an array's is only known once it exists."""

    device: str
    table: Table
    partitions: tuple[Partition, ...]
    path: str
    align_bytes: int = ALIGN_BYTES
    mark: str = ""


class PartitionDriver(DiskDriver):
    name = "disk.partition"
    section = "disks.partitions"
    title = "Disk partitions"
    can = "hold a partition table"
    details = (Write,)

    def wants(self, template: Template) -> bool:
        return any(wants_table(disk) for disk in template.disks)

    def plan(
        self, state: Storage, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        planned = Planned()
        reserve_disks(template, state, forecast)
        for index, wanted in enumerate(template.disks):
            if not wants_table(wanted):
                continue
            at = f"disks[{index}]"
            targets, problems = select_targets(wanted.select, at, state, forecast)
            planned.problems += problems
            for target in targets:
                forecast.taken.setdefault(target.device, at)
                _plan_table(state, wanted, at, target, forecast, planned)
        return planned

    def change(self, machine: Machine, detail: Write, secrets: dict[str, str]) -> None:
        apply_table(machine, detail)

    def export(self, state: Storage) -> dict[str, Any]:
        found = export_tables(state)
        return {"disks": found} if found else {}


def wants_table(disk: DiskWanted) -> bool:
    """Whether an entry of `disks` asks for a partition table."""
    return bool(disk.partitions) or disk.table is not None


def _plan_table(
    state: Storage, wanted: DiskWanted, at: str, target: Target, forecast: Forecast, planned: Planned
) -> None:
    table = wanted.table or Table.GPT
    align_bytes = parse_bytes(wanted.align) if wanted.align else ALIGN_BYTES
    placed, problems = place_partitions(
        wanted.partitions, table, target.size_bytes, target.sector_bytes, at, align_bytes
    )
    planned.problems += problems
    found = state.blocks.get(target.device)
    fresh = not target.exists or target.device in forecast.freed
    difference = find_difference(found.layout if found is not None else None, table, placed)
    right = not fresh and not problems and difference is None
    _forecast_partitions(wanted, at, target, placed, right, forecast)
    if problems:
        return
    count = f"{len(placed)} partition{'s' if len(placed) != 1 else ''}"
    if right:
        planned.notes.append(f"{target.title} has its {count} already")
        return
    ruling, before = NOTHING_LOST, list[Change]()
    if not fresh:
        is_told = found is not None and found.layout is not None and found.layout.slices and difference
        more = f"; its table is not as wanted: {difference}" if is_told else ""
        ruling = judge(
            Taking(title=target.title, path=at, cannot="cannot be partitioned", more=more),
            find_on_device(state, target.device, forecast.freed),
            wipe_word(at, wanted.wipe),
            is_own=is_own_table(state, found, target.place),
        )
        if not planned.take(ruling):
            return
        before = _tell_present(found) if found is not None else []
    changes = [*before, *(_tell_wanted(part, target) for part in placed)]
    if not changes:
        changes = [Change(what=target.device, after=f"empty {table.value.upper()}")]
    planned.act(
        f"{TABLE}{target.place}",
        f"write a {table.value.upper()} table with {count} on {target.title}",
        Write(
            device=target.device,
            table=table,
            partitions=tuple(wanted.partitions),
            path=at,
            align_bytes=align_bytes,
            mark=draw_uuid(state.owner, target.device),
        ),
        at,
        *changes,
        ruling=ruling,
    )
    forecast.freed.add(target.device)


def _forecast_partitions(
    wanted: DiskWanted, at: str, target: Target, placed: list[Placed], kept: bool, forecast: Forecast
) -> None:
    sizes = {part.number: part.sectors * target.sector_bytes for part in placed}
    for index, _ in enumerate(wanted.partitions):
        forecast.partitions.append(
            PartitionForecast(
                path=f"{at}.partitions[{index}]",
                disk=target.device,
                device=partition_path(target.device, index + 1),
                place=partition_path(target.place, index + 1),
                size_bytes=sizes.get(index + 1),
                kept=kept,
            )
        )


def _tell_present(found: Block) -> list[Change]:
    parts = found.layout.slices if found.layout else ()
    return [
        Change(
            what=part.device,
            before=" ".join(
                filter(
                    None,
                    [part.name, format_size(part.sectors * found.sector_bytes), find_type_name(part.type)],
                )
            ),
        )
        for part in parts
    ]


def _tell_wanted(part: Placed, target: Target) -> Change:
    size = format_size(part.sectors * target.sector_bytes)
    size = size if target.exists else f"about {size}"
    boot = " bootable" if part.bootable else ""
    return Change(
        what=partition_path(target.device, part.number),
        after=f"{part.name} {size} {find_type_name(part.type)}{boot}",
    )


def apply_table(machine: Machine, wanted: Write) -> None:
    """Wipe the device, write the table, and see that the kernel has the new partitions."""
    node = empty_place(machine, wanted.device)
    settle(machine)  # udev must have closed the old partitions before sfdisk opens the disk
    size_bytes, sector_bytes = read_size(machine, node)
    placed, problems = place_partitions(
        wanted.partitions, wanted.table, size_bytes, sector_bytes, wanted.path, wanted.align_bytes
    )
    if problems:
        raise DriverError(f"{wanted.device} has {format_size(size_bytes)}: {problems[0]}")
    machine.run(
        ["sfdisk", "--quiet", "--wipe", "always", "--wipe-partitions", "always", node],
        input=build_script(placed, wanted.table, wanted.mark),
    )
    settle(machine)
    check_partitions(machine, node, [part.number for part in placed])
    if placed:
        # sfdisk --wipe-partitions leaves signatures of partition tables, which the content of a former array may show
        # here.
        nodes = [partition_path(node, part.number) for part in placed]
        machine.run(["wipefs", "--all", "--force", "--quiet", *nodes])
        settle(machine)
