"""The one planner for hardware RAID controllers: from `ControllerState` and the `raid` section to orders. Pure.

An array is compared by what it *is*: name, level, number of drives, and which drives hold it. Which of them is the
hot spare at the moment, and whether it is being built or rebuilt, is the controller's business and no difference.
An array that is not in the template is left alone unless `raid.clear` says otherwise.
"""

from bootos.drivers.contract import ArrayForecast, Forecast, Planned
from bootos.drivers.raid.compare import find_differences
from bootos.drivers.raid.demand import Demand, Whole
from bootos.drivers.raid.draft import ControllerDraft
from bootos.drivers.raid.resolve import build_demands, find_unread_parts
from bootos.drivers.raid.unread import refuse_unread
from bootos.drivers.raid.wanted import free_drives, plan_create, plan_repair
from bootos.drivers.raid.whole import (
    plan_foreign,
    plan_global_spares,
    plan_global_spares_away,
    plan_jbod,
    plan_mode,
)
from bootos.drivers.storage.controller import Array, Controller, ControllerState, describe_drive
from bootos.drivers.storage.desk import find_word, keep_array
from bootos.drivers.storage.mark import COMING_ARRAY
from bootos.hardware.remark import tell_remarks
from bootos.template.model import Raid, Template
from bootos.template.raid import find_only


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
    raid = find_only(template.raid)
    draft = ControllerDraft(state, template, raid or Raid(), forecast, planned, driver)
    found, ambiguous = find_forecasts(draft)
    forecast.arrays.update(found)
    for index, disk in enumerate(template.disks):
        if disk.select.array in ambiguous:
            message = f"more than one array is called {disk.select.array!r}"
            hint = "name it in raid.arrays with its controller, or select the disk by its wwn"
            planned.complain(f"disks[{index}].select.array", message, hint)
    if raid is not None:
        _plan(draft)
    return planned


def find_forecasts(draft: ControllerDraft) -> tuple[dict[str, ArrayForecast], set[str]]:
    """The arrays whose disks the kernel has, by name. Of several with one name, that on the controller which the
    template names for it; else none of them, and the name is in the second value."""
    named: dict[str, list[tuple[Controller, Array]]] = {}
    for controller in draft.state.controllers:
        for array in controller.arrays:
            named.setdefault(array.title, []).append((controller, array))
    found: dict[str, ArrayForecast] = {}
    ambiguous: set[str] = set()
    for title, pairs in named.items():
        meant = pairs if len(pairs) == 1 else [pair for pair in pairs if _is_named(draft, pair[0], title)]
        if len(meant) != 1:
            ambiguous.add(title)
        elif meant[0][1].device:
            found[title] = _build_forecast(draft.state, meant[0][1])
    return found, ambiguous


def _is_named(draft: ControllerDraft, controller: Controller, title: str) -> bool:
    return any(draft.is_meant(controller, array) for array in draft.raid.arrays if array.name == title)


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


def _plan(draft: ControllerDraft) -> None:
    refuse_unread(draft)
    if draft.raid.controller is not None and (draft.raid.clear or draft.raid.foreign is not None):
        draft.need_meant()
    if plan_mode(draft):
        return
    demands, whole = build_demands(draft)
    plan_foreign(draft)
    kept = _sort_out(draft, demands, whole)
    for demand in demands:
        if demand.sound and not demand.blocked:
            free_drives(draft, demand, kept.get(demand.at))
    plan_global_spares_away(draft, demands, whole)
    for demand in demands:
        existing = kept.get(demand.at)
        if existing is not None:
            plan_repair(draft, demand, existing)
        elif demand.sound:
            plan_create(draft, demand)
    plan_global_spares(draft, demands, whole)
    for part in whole:
        plan_jbod(draft, part)


def _sort_out(draft: ControllerDraft, demands: list[Demand], whole: list[Whole]) -> dict[str, Array]:
    """Existing arrays that are what is wanted, by its place. Those that must go are planned away; those in the
    way that may not go block what they are in the way of."""
    kept: dict[str, Array] = {}
    matched: set[tuple[str, str]] = set()
    saved: set[tuple[str, str]] = set()
    for demand in demands:
        same = demand.existing
        if same is None:
            continue
        hard, by_drives = find_differences(demand, same, _find_global_ids(demand, demands, whole))
        if not hard and not by_drives:
            kept[demand.at] = same
            matched.add((demand.controller.id, same.id))
        elif not hard and same.state in ("degraded", "rebuilding") and demand.wanted.level != 0:
            message = f"array {same.title!r} is {same.state} and is on other drives: {'; '.join(by_drives)}"
            hint = "repair it first, or delete it with raid: {clear: true} alone"
            draft.planned.complain(demand.at, message, hint)
            demand.blocked = True
            saved.add((demand.controller.id, same.id))
        elif demand.sound:
            told = "; ".join([*hard, *by_drives])
            draft.planned.notes.append(f"array {same.title!r} exists and is not as wanted: {told}")
    for controller in draft.state.controllers:
        for array in controller.arrays if not find_unread_parts(controller) else ():
            if (controller.id, array.id) not in matched | saved:
                _sort_out_one(draft, controller, array, demands)
    return kept


def _find_global_ids(demand: Demand, demands: list[Demand], whole: list[Whole]) -> frozenset[str]:
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


def _sort_out_one(
    draft: ControllerDraft, controller: Controller, array: Array, demands: list[Demand]
) -> None:
    members = set(array.drives)
    here = [demand for demand in demands if demand.controller is controller]
    wiping = [(demand.at, demand.ids) for demand in here if demand.wanted.wipe and demand.sound]
    word = find_word(draft.is_emptied(controller), array.known_drives, wiping)
    if word.is_given:
        draft.delete_array(controller, array, word)
        return
    named = controller.capability.name_length > 0
    in_way = [
        demand
        for demand in here
        if (named and demand.wanted.name == array.name) or demand.ids & (members | set(array.hotspares))
    ]
    for demand in in_way:
        draft.planned.problems.append(keep_array(array.title, array.level, array.drives, demand.at))
        demand.blocked = True
    if not in_way:
        draft.planned.notes.append(f"array {array.title!r} is not in the template and is left alone")
