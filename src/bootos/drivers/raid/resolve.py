"""What the `raid` section means on this machine: which controller, and which of its drives, are those of every array.
Pure; called by `hardware.plan_controllers`. Every problem is found, with its reason.
"""

from bootos.drivers.contract import Planned
from bootos.drivers.raid.demand import Demand, Whole, find_incapable
from bootos.drivers.raid.draft import ControllerDraft
from bootos.drivers.raid.pick import Candidate, Picker, find_named, tell_drives
from bootos.drivers.storage.content import find_on_drive
from bootos.drivers.storage.controller import Array, Controller, Drive, describe_drive
from bootos.drivers.storage.desk import find_trouble
from bootos.template.raid import ArrayWanted, Drives
from bootos.template.raidcheck import find_need


def build_demands(draft: ControllerDraft) -> tuple[list[Demand], list[Whole]]:
    """Say which drives every part means; problems go to the draft."""
    raid, planned = draft.raid, draft.planned
    pickers: dict[str, Picker] = {}
    demands: list[Demand] = []
    for index, wanted in enumerate(raid.arrays):
        at = f"raid.arrays[{index}]"
        if wanted.metadata is not None:
            hint = "leave it out, or raid.driver: raid.mdadm"
            planned.complain(f"{at}.metadata", "only arrays of Linux md have it", hint)
        controller = draft.need_controller(wanted, at)
        if controller is None or find_unread_parts(controller):
            continue  # refused already, by `unread`
        picker = pickers.get(controller.id) or _build_picker(draft, controller)
        pickers[controller.id] = picker
        demands.append(_build_demand(wanted, at, controller, picker, demands, planned))
    whole: list[Whole] = []
    if raid.hotspares is not None or raid.jbod is not None:
        controller = draft.need_meant()
        if controller is not None and not find_unread_parts(controller):
            picker = pickers.get(controller.id) or _build_picker(draft, controller)
            spares = jbod = None
            if raid.hotspares is not None:
                own = _numbers(controller, frozenset(controller.hotspares))
                lost = _numbers(controller, controller.doubtful)
                numbers = picker.pick(raid.hotspares, "raid.hotspares", own, lost)
                spares = [controller.drives[number] for number in numbers]
            if raid.jbod is not None:
                own = frozenset(d.number for d in controller.drives if d.state == "jbod")
                jbod = [controller.drives[n] for n in picker.pick(raid.jbod, "raid.jbod", own)]
            whole.append(Whole(controller=controller, hotspares=spares, jbod=jbod or []))
    return demands, whole


def find_unread_parts(controller: Controller) -> str:
    """Why nothing can be planned on this controller's arrays and drives: its tool does not show them."""
    return controller.find_unread("arrays", "drives")


def _numbers(controller: Controller, ids: frozenset[str]) -> frozenset[int]:
    return frozenset(drive.number for drive in controller.drives if drive.id in ids)


def _build_picker(draft: ControllerDraft, controller: Controller) -> Picker:
    values: list[Drives | None] = [draft.raid.hotspares, draft.raid.jbod]
    arrays = [array for array in draft.raid.arrays if draft.is_meant(controller, array)]
    for array in arrays:
        values += [array.drives, array.hotspares]
    wanted = {array.name for array in arrays}
    candidates = [_build_candidate(draft, controller, drive, wanted) for drive in controller.drives]
    return Picker(candidates, find_named(values), draft.planned, noun="drive", where=controller.title)


def _build_candidate(
    draft: ControllerDraft, controller: Controller, drive: Drive, wanted: set[str]
) -> Candidate:
    trouble = find_trouble(controller, drive, is_cleared=draft.is_cleared(controller))
    busy = ""
    array = controller.find_array_of(drive.id)
    emptied = draft.is_emptied(controller)
    if array is not None and not emptied and array.name not in wanted:
        busy = f"it is in array {array.title!r}"
    elif drive.id in controller.hotspares and draft.raid.hotspares is None and not emptied:
        busy = "it is a hot spare"
    elif find_on_drive(draft.state.storage, drive).content:
        busy = f"it is a single disk with data ({drive.device or 'which the system does not show'})"
    return Candidate(
        number=drive.number,
        title=describe_drive(drive),
        size_bytes=drive.size_bytes,
        type=drive.type,
        trouble=trouble,
        busy=busy,
    )


def _build_demand(
    wanted: ArrayWanted,
    at: str,
    controller: Controller,
    picker: Picker,
    earlier: list[Demand],
    planned: Planned,
) -> Demand:
    before = len(planned.problems)
    existing = _find_existing(wanted, controller, earlier)
    own = lost = frozenset[int]()
    if existing is not None:
        # A drive that failed in this array is still counted. Without it `2-` would name other drives, so another
        # array, and raid.clear would delete this one, which works on with its hot spare.
        ids = frozenset([*existing.drives, *existing.hotspares])
        own, lost = _numbers(controller, ids), _numbers(controller, controller.doubtful)
    drives = picker.pick(wanted.drives, f"{at}.drives", own, lost)
    spares = picker.pick(wanted.hotspares, f"{at}.hotspares", own, lost)
    needs = find_need(wanted.level, len(drives), wanted.span)
    if needs and len(planned.problems) == before:
        planned.complain(f"{at}.drives", f"{needs}; {tell_drives(wanted.drives)} means {len(drives)} here")
    able = controller.capability.hotspares
    demand = Demand(
        at=at,
        wanted=wanted,
        controller=controller,
        drives=[controller.drives[number] for number in drives],
        hotspares=[controller.drives[number] for number in spares],
        kind=wanted.hotspare_kind or ("global" if able and "dedicated" not in able else "dedicated"),
        existing=existing,
        sound=True,
    )
    planned.problems += find_incapable(demand)
    demand.sound = len(planned.problems) == before
    return demand


def _find_existing(wanted: ArrayWanted, controller: Controller, earlier: list[Demand]) -> Array | None:
    """The array of this name; on controllers that keep no names, the one on the drives that are named."""
    if controller.capability.name_length:
        return next((array for array in controller.arrays if array.name == wanted.name), None)
    taken = {demand.existing.id for demand in earlier if demand.existing is not None}
    numbers = find_named([wanted.drives, wanted.hotspares])
    meant = {drive.id for drive in controller.drives if drive.number in numbers}
    found = [array for array in controller.arrays if array.id not in taken and meant & set(array.drives)]
    found.sort(key=lambda array: (array.level != str(wanted.level), -len(meant & set(array.drives))))
    return found[0] if found else None
