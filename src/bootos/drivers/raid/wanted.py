"""One wanted array of a hardware controller: it is created, or repaired where it is there. Pure; called by
`hardware.plan_controllers`.
"""

import msgspec

from bootos.drivers.contract import ArrayForecast, Change
from bootos.drivers.raid.compare import count_data, split_spans, tell_drives
from bootos.drivers.raid.demand import Demand
from bootos.drivers.raid.draft import ControllerDraft
from bootos.drivers.raid.order import CreateArray, SetBootArray, SetPolicy
from bootos.drivers.storage.controller import Array, Drive, describe_drive
from bootos.drivers.storage.mark import COMING_ARRAY
from bootos.template.size import format_size, parse_bytes

CREATE_S = 30.0


def free_drives(draft: ControllerDraft, demand: Demand, existing: Array | None) -> None:
    """JBOD drives and hot spares become free for the array."""
    controller, there = demand.controller, set(existing.drives) if existing is not None else set()
    for drive in [*demand.drives, *demand.hotspares]:
        if drive.state == "jbod" and drive.id not in there:
            draft.take_jbod(controller, drive, demand.at, demand.wanted.wipe)
    if existing is None:
        for drive in demand.drives:
            draft.take_spare(controller, drive.id, demand.at)


def plan_create(draft: ControllerDraft, demand: Demand) -> None:
    """Plan an array that is not there; what it will be goes to the forecast."""
    wanted, controller, at = demand.wanted, demand.controller, demand.at
    before = len(draft.planned.problems)
    for drive in [*demand.drives, *demand.hotspares]:
        if drive.id in controller.failed:
            draft.planned.complain(
                f"{at}.drives", f"{describe_drive(drive)} cannot be used: it is {drive.state}"
            )
    most = controller.capability.most_arrays
    left = sum((controller.id, array.id) not in draft.doomed for array in controller.arrays)
    if most is not None and left >= most:
        draft.planned.complain(at, f"{controller.title} holds at most {most} arrays, and has {left}")
    room = min(drive.room_bytes for drive in demand.drives)
    spans = split_spans(wanted.level, [drive.id for drive in demand.drives], wanted.span)
    size_bytes = room * count_data(wanted.level, spans)
    asked = parse_bytes(wanted.size) if wanted.size is not None else None
    if asked is not None and asked > size_bytes:
        draft.planned.complain(
            f"{at}.size", f"{wanted.size} is too large: these drives give {format_size(size_bytes)}"
        )
    ids = tuple(drive.id for drive in demand.drives)
    spares = tuple(drive.id for drive in demand.hotspares)
    draft.forecast.arrays[wanted.name] = ArrayForecast(
        name=wanted.name,
        device=f"{COMING_ARRAY}{wanted.name}",
        size_bytes=asked or size_bytes - size_bytes // 100,
        exists=False,
        members=(*ids, *spares),
    )
    if demand.blocked or len(draft.planned.problems) > before:
        return
    after = f"RAID {wanted.level} on {tell_drives(controller, ids)}"
    if spares:
        after += (
            f"; {demand.kind} hot spare{'s' if len(spares) > 1 else ''} {tell_drives(controller, spares)}"
        )
    draft.act(
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


def plan_repair(draft: ControllerDraft, demand: Demand, array: Array) -> None:
    """Plan what differs in an array that exists: spares, policies, the boot flag."""
    controller, wanted, at = demand.controller, demand.wanted, demand.at
    present = draft.forecast.arrays.get(array.title)
    # this controller stores no names, so the array is known by its drives
    if present is not None and array.title != wanted.name:
        draft.forecast.arrays[wanted.name] = msgspec.structs.replace(
            present, name=wanted.name, place=f"{COMING_ARRAY}{wanted.name}"
        )
    if demand.blocked:
        return
    count = len(draft.planned.actions)
    ids = demand.ids
    for spare in sorted(set(array.hotspares) - ids):
        draft.take_spare(controller, spare, at)
    for drive in [*demand.drives, *demand.hotspares]:
        _plan_absent(draft, demand, array, drive)
    changed = {
        key: getattr(wanted, key)
        for key in ("read_policy", "write_policy")
        if getattr(wanted, key) is not None and getattr(array, key) not in (None, getattr(wanted, key))
    }
    if changed:
        draft.act(
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
        draft.act(
            f"boot:{array.title}",
            f"boot from array {array.title}",
            SetBootArray(controller=controller.id, array=array.id, name=array.title),
            at,
            Change(what=f"boot array of controller {controller.number}", after=array.title),
        )
    if not array.device and any(disk.select.array == wanted.name for disk in draft.template.disks):
        message = f"array {array.title!r} exists ({array.state}), but the system sees no disk of it"
        draft.planned.complain(at, message)
    if len(draft.planned.actions) == count:
        state = f", {array.state}" if array.state != "optimal" else ""
        progress = f" ({array.progress})" if array.progress else ""
        draft.planned.notes.append(f"array {array.title!r} is as wanted: RAID {array.level}{state}{progress}")


def _plan_absent(draft: ControllerDraft, demand: Demand, array: Array, drive: Drive) -> None:
    """A drive that is named and is not in the array becomes its hot spare: where the array lacks one, the
    controller rebuilds on it."""
    controller, at = demand.controller, demand.at
    if drive.id in array.drives or drive.id in array.hotspares:
        return
    is_spare = drive in demand.hotspares
    if drive.id in controller.failed:
        why = drive.trouble or drive.state
        advice = "" if drive.state == "unusable" else ": replace it"
        draft.planned.notes.append(f"{describe_drive(drive)} of array {array.title!r}: {why}{advice}")
        return
    if drive.id in controller.hotspares and (demand.kind == "global" or not is_spare):
        return
    owner = next((other for other in controller.arrays if drive.id in other.drives), None)
    if owner is not None and (controller.id, owner.id) not in draft.doomed:
        if demand.kind == "dedicated":
            draft.planned.complain(at, f"{describe_drive(drive)} is in array {owner.title!r}")
        return
    if demand.kind not in controller.capability.hotspares:
        draft.planned.complain(at, f"{describe_drive(drive)} cannot be added to array {array.title!r}")
        return
    if demand.kind == "global" and is_spare:
        return  # it is planned with all global spares
    draft.take_spare(controller, drive.id, at)
    draft.add_spare(controller, drive, array if demand.kind == "dedicated" else None, at)
