"""The one planner for hardware RAID controllers: from `ControllerState` and the `raid` section to orders. Pure.

An array is compared by what it *is*: name, level, number of drives, and which drives hold it. Which of them is the
hot spare at the moment, and whether it is being built or rebuilt, is the controller's business and no difference.
An array that is not in the template is left alone unless `raid.clear` says otherwise.
"""

import msgspec

from bootos.drivers.contract import ArrayForecast, Change, Forecast, Planned
from bootos.drivers.raid.compare import count_data, find_differences, split_spans, tell_drives
from bootos.drivers.raid.demand import Demand, Whole, build_demands, find_unread_parts, is_meant
from bootos.drivers.raid.draft import ControllerDraft
from bootos.drivers.raid.order import CreateArray, SetBootArray, SetPolicy
from bootos.drivers.raid.unread import refuse_unread
from bootos.drivers.raid.whole import (
    plan_foreign,
    plan_global_spares,
    plan_global_spares_away,
    plan_jbod,
    plan_mode,
)
from bootos.drivers.storage.controller import Array, Controller, ControllerState, Drive, describe_drive
from bootos.drivers.storage.desk import find_word, keep_array
from bootos.drivers.storage.mark import COMING_ARRAY
from bootos.hardware.remark import tell_remarks
from bootos.template.model import Raid, Template
from bootos.template.size import format_size, parse_bytes

CREATE_S = 30.0


def plan_controllers(
    state: ControllerState, template: Template, forecast: Forecast, *, driver: str
) -> Planned:
    """Orders in the order they are to be carried out, and all problems. Adds to `forecast`."""
    planned = Planned(notes=list(state.notes))
    for controller in state.controllers:
        planned.notes += tell_remarks(controller.title, controller.remarks)
        for drive in controller.drives:
            if drive.state == "hotspare" and drive.trouble:
                planned.notes.append(f"{describe_drive(drive)} is a hot spare: {drive.trouble}")
    found, ambiguous = find_forecasts(state, template.raid)
    forecast.arrays.update(found)
    for index, disk in enumerate(template.disks):
        if disk.select.array in ambiguous:
            message = f"more than one array is called {disk.select.array!r}"
            hint = "name it in raid.arrays with its controller, or select the disk by its wwn"
            planned.complain(f"disks[{index}].select.array", message, hint)
    if template.raid is not None:
        _Planner(ControllerDraft(state, template, template.raid, forecast, planned, driver)).plan()
    return planned


def find_forecasts(state: ControllerState, raid: Raid | None) -> tuple[dict[str, ArrayForecast], set[str]]:
    """The arrays whose disks the kernel has, by name. Of several with one name, that on the controller which the
    template names for it; else none of them, and the name is in the second value."""
    named: dict[str, list[tuple[Controller, Array]]] = {}
    for controller in state.controllers:
        for array in controller.arrays:
            named.setdefault(array.title, []).append((controller, array))
    found: dict[str, ArrayForecast] = {}
    ambiguous: set[str] = set()
    for title, pairs in named.items():
        meant = (
            pairs if len(pairs) == 1 else [pair for pair in pairs if _is_named(state, pair[0], title, raid)]
        )
        if len(meant) != 1:
            ambiguous.add(title)
        elif meant[0][1].device:
            found[title] = _build_forecast(state, meant[0][1])
    return found, ambiguous


def _is_named(state: ControllerState, controller: Controller, title: str, raid: Raid | None) -> bool:
    wanted = [array for array in raid.arrays if array.name == title] if raid is not None else []
    return raid is not None and any(is_meant(state, controller, array, raid) for array in wanted)


def _build_forecast(state: ControllerState, array: Array) -> ArrayForecast:
    block = state.storage.blocks.get(array.device)
    return ArrayForecast(
        name=array.title,
        device=array.device,
        size_bytes=block.size_bytes if block is not None else array.size_bytes,
        exists=True,
        members=tuple(sorted([*array.drives, *array.hotspares])),
        place=f"{COMING_ARRAY}{array.title}",
    )


class _Planner:
    def __init__(self, draft: ControllerDraft) -> None:
        self.draft = draft

    def plan(self) -> None:
        refuse_unread(self.draft)
        if plan_mode(self.draft):
            return
        demands, whole = build_demands(self.draft.state, self.draft.raid, self.draft.planned)
        plan_foreign(self.draft)
        kept = self._sort_out(demands, whole)
        for demand in demands:
            if demand.sound and not demand.blocked:
                self._free_drives(demand, kept.get(demand.at))
        plan_global_spares_away(self.draft, demands, whole)
        for demand in demands:
            existing = kept.get(demand.at)
            if existing is not None:
                self._plan_repair(demand, existing)
            elif demand.sound:
                self._plan_create(demand)
        plan_global_spares(self.draft, demands, whole)
        for part in whole:
            plan_jbod(self.draft, part)

    def _sort_out(self, demands: list[Demand], whole: list[Whole]) -> dict[str, Array]:
        """Existing arrays that are what is wanted, by its place. Those that must go are planned away; those in the
        way that may not go block what they are in the way of."""
        kept: dict[str, Array] = {}
        matched: set[tuple[str, str]] = set()
        saved: set[tuple[str, str]] = set()
        for demand in demands:
            same = demand.existing
            if same is None:
                continue
            hard, by_drives = find_differences(demand, same, self._find_global_ids(demand, demands, whole))
            if not hard and not by_drives:
                kept[demand.at] = same
                matched.add((demand.controller.id, same.id))
            elif not hard and same.state in ("degraded", "rebuilding") and demand.wanted.level != 0:
                message = (
                    f"array {same.title!r} is {same.state} and is on other drives: {'; '.join(by_drives)}"
                )
                hint = "repair it first, or delete it with raid: {clear: true} alone"
                self.draft.planned.complain(demand.at, message, hint)
                demand.blocked = True
                saved.add((demand.controller.id, same.id))
            elif demand.sound:
                told = "; ".join([*hard, *by_drives])
                self.draft.planned.notes.append(f"array {same.title!r} exists and is not as wanted: {told}")
        for controller in self.draft.state.controllers:
            for array in controller.arrays if not find_unread_parts(controller) else ():
                if (controller.id, array.id) not in matched | saved:
                    self._sort_out_one(controller, array, demands)
        return kept

    def _find_global_ids(self, demand: Demand, demands: list[Demand], whole: list[Whole]) -> frozenset[str]:
        """Drives that may have taken over for one of the array: global hot spares."""
        controller = demand.controller
        found = set(controller.hotspares)
        for part in whole:
            if part.controller is controller and part.hotspares:
                found |= {drive.id for drive in part.hotspares}
        for other in demands:
            if other.controller is controller and other.kind == "global":
                found |= {drive.id for drive in other.hotspares}
        return frozenset(found)

    def _sort_out_one(self, controller: Controller, array: Array, demands: list[Demand]) -> None:
        members = set(array.drives)
        here = [demand for demand in demands if demand.controller is controller]
        wiping = [(demand.at, demand.ids) for demand in here if demand.wanted.wipe and demand.sound]
        word = find_word(self.draft.raid.clear, array.known_drives, wiping)
        if word.is_given:
            self.draft.delete_array(controller, array, word)
            return
        named = controller.capability.name_length > 0
        in_way = [
            demand
            for demand in here
            if (named and demand.wanted.name == array.name) or demand.ids & (members | set(array.hotspares))
        ]
        for demand in in_way:
            self.draft.planned.problems.append(keep_array(array.title, array.level, array.drives, demand.at))
            demand.blocked = True
        if not in_way:
            self.draft.planned.notes.append(f"array {array.title!r} is not in the template and is left alone")

    def _free_drives(self, demand: Demand, existing: Array | None) -> None:
        """JBOD drives and hot spares become free for the array."""
        controller, there = demand.controller, set(existing.drives) if existing is not None else set()
        for drive in [*demand.drives, *demand.hotspares]:
            if drive.state == "jbod" and drive.id not in there:
                self.draft.take_jbod(controller, drive, demand.at, demand.wanted.wipe)
        if existing is None:
            for drive in demand.drives:
                self.draft.take_spare(controller, drive.id, demand.at)

    def _plan_create(self, demand: Demand) -> None:
        wanted, controller, at = demand.wanted, demand.controller, demand.at
        before = len(self.draft.planned.problems)
        for drive in [*demand.drives, *demand.hotspares]:
            if drive.id in controller.failed:
                self.draft.planned.complain(
                    f"{at}.drives", f"{describe_drive(drive)} cannot be used: it is {drive.state}"
                )
        most = controller.capability.most_arrays
        left = sum((controller.id, array.id) not in self.draft.doomed for array in controller.arrays)
        if most is not None and left >= most:
            self.draft.planned.complain(at, f"{controller.title} holds at most {most} arrays, and has {left}")
        room = min(drive.room_bytes for drive in demand.drives)
        spans = split_spans(wanted.level, [drive.id for drive in demand.drives], wanted.span)
        size_bytes = room * count_data(wanted.level, spans)
        asked = parse_bytes(wanted.size) if wanted.size is not None else None
        if asked is not None and asked > size_bytes:
            self.draft.planned.complain(
                f"{at}.size", f"{wanted.size} is too large: these drives give {format_size(size_bytes)}"
            )
        ids = tuple(drive.id for drive in demand.drives)
        spares = tuple(drive.id for drive in demand.hotspares)
        self.draft.forecast.arrays[wanted.name] = ArrayForecast(
            name=wanted.name,
            device=f"{COMING_ARRAY}{wanted.name}",
            size_bytes=asked or size_bytes - size_bytes // 100,
            exists=False,
            members=(*ids, *spares),
        )
        if demand.blocked or len(self.draft.planned.problems) > before:
            return
        after = f"RAID {wanted.level} on {tell_drives(controller, ids)}"
        if spares:
            after += (
                f"; {demand.kind} hot spare{'s' if len(spares) > 1 else ''} {tell_drives(controller, spares)}"
            )
        self.draft.act(
            f"create:{wanted.name}",
            f"create array {wanted.name}: {after}",
            CreateArray(
                controller=controller.id,
                name=wanted.name,
                level=wanted.level,
                drives=ids,
                spans=spans,
                hotspares=spares if demand.kind == "dedicated" else (),
                strip_bytes=parse_bytes(wanted.strip) if wanted.strip is not None else None,
                size_bytes=asked,
                read_policy=wanted.read_policy,
                write_policy=wanted.write_policy,
                initialize=wanted.initialize,
                boot=wanted.boot,
            ),
            at,
            Change(what=f"array {wanted.name}", after=after),
            estimate_s=CREATE_S,
        )

    def _plan_repair(self, demand: Demand, array: Array) -> None:
        """Plan what differs in an array that exists: spares, policies, the boot flag."""
        controller, wanted, at = demand.controller, demand.wanted, demand.at
        present = self.draft.forecast.arrays.get(array.title)
        # this controller stores no names, so the array is known by its drives
        if present is not None and array.title != wanted.name:
            self.draft.forecast.arrays[wanted.name] = msgspec.structs.replace(
                present, name=wanted.name, place=f"{COMING_ARRAY}{wanted.name}"
            )
        if demand.blocked:
            return
        count = len(self.draft.planned.actions)
        ids = demand.ids
        for spare in sorted(set(array.hotspares) - ids):
            self.draft.take_spare(controller, spare, at)
        for drive in [*demand.drives, *demand.hotspares]:
            self._plan_absent(demand, array, drive)
        changed = {
            key: getattr(wanted, key)
            for key in ("read_policy", "write_policy")
            if getattr(wanted, key) is not None and getattr(array, key) not in (None, getattr(wanted, key))
        }
        if changed:
            self.draft.act(
                f"policy:{array.title}",
                f"set of array {array.title}: {', '.join(f'{k} {v}' for k, v in changed.items())}",
                SetPolicy(controller=controller.id, array=array.id, name=array.title, **changed),
                at,
                Change(
                    what=f"array {array.title}",
                    before=", ".join(f"{key} {getattr(array, key)}" for key in changed),
                    after=", ".join(f"{key} {value}" for key, value in changed.items()),
                ),
            )
        if wanted.boot and array.is_boot is False:
            self.draft.act(
                f"boot:{array.title}",
                f"boot from array {array.title}",
                SetBootArray(controller=controller.id, array=array.id, name=array.title),
                at,
                Change(what=f"boot array of controller {controller.number}", after=array.title),
            )
        if not array.device and any(disk.select.array == wanted.name for disk in self.draft.template.disks):
            message = f"array {array.title!r} exists ({array.state}), but the system sees no disk of it"
            self.draft.planned.complain(at, message)
        if len(self.draft.planned.actions) == count:
            state = f", {array.state}" if array.state != "optimal" else ""
            progress = f" ({array.progress})" if array.progress else ""
            self.draft.planned.notes.append(
                f"array {array.title!r} is as wanted: RAID {array.level}{state}{progress}"
            )

    def _plan_absent(self, demand: Demand, array: Array, drive: Drive) -> None:
        """A drive that is named and is not in the array becomes its hot spare: where the array lacks one, the
        controller rebuilds on it."""
        controller, at = demand.controller, demand.at
        if drive.id in array.drives or drive.id in array.hotspares:
            return
        is_spare = drive in demand.hotspares
        if drive.id in controller.failed:
            why = drive.trouble or drive.state
            advice = "" if drive.state == "unusable" else ": replace it"
            self.draft.planned.notes.append(
                f"{describe_drive(drive)} of array {array.title!r}: {why}{advice}"
            )
            return
        if drive.id in controller.hotspares and (demand.kind == "global" or not is_spare):
            return
        owner = next((other for other in controller.arrays if drive.id in other.drives), None)
        if owner is not None and (controller.id, owner.id) not in self.draft.doomed:
            if demand.kind == "dedicated":
                self.draft.planned.complain(at, f"{describe_drive(drive)} is in array {owner.title!r}")
            return
        if demand.kind not in controller.capability.hotspares:
            self.draft.planned.complain(
                at, f"{describe_drive(drive)} cannot be added to array {array.title!r}"
            )
            return
        if demand.kind == "global" and is_spare:
            return  # it is planned with all global spares
        self.draft.take_spare(controller, drive.id, at)
        self.draft.add_spare(controller, drive, array if demand.kind == "dedicated" else None, at)
