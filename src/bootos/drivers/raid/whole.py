"""What is planned for a controller as a whole: its mode, foreign configurations, global hot spares, single drives.
Pure; called by `hardware.plan_controllers`.
"""

from typing import Literal

from bootos.drivers.contract import Change
from bootos.drivers.raid.demand import Demand, Whole, find_controller
from bootos.drivers.raid.desk import Desk
from bootos.drivers.raid.order import (
    ClearForeign,
    ImportForeign,
    SetJbod,
    SetMode,
)
from bootos.drivers.storage.controller import Controller, Drive, describe_drive


def plan_mode(desk: Desk) -> bool:
    """Whether the mode changes: everything else is planned after the reboot."""
    wanted = desk.raid.mode
    if wanted is None:
        if desk.raid.arrays:
            for controller in desk.state.controllers:
                if controller.mode == "hba":
                    message = f"{controller.title} is in HBA mode and has no arrays"
                    desk.complain("raid.mode", message, "raid.mode: raid switches it")
        return False
    meant = find_controller(desk.state, desk.raid.controller, "raid.controller", desk.planned)
    if meant is None or meant.mode == wanted:
        return False
    return plan_switch(desk, meant, wanted)


def plan_switch(desk: Desk, controller: Controller, wanted: Literal["raid", "hba"]) -> bool:
    if controller.mode == "mixed" and wanted == "raid":
        return False
    if wanted not in controller.capability.modes:
        desk.complain("raid.mode", f"{controller.model or controller.title} cannot be switched to {wanted}")
        return False
    if controller.arrays and wanted == "hba":
        names = ", ".join(array.title for array in controller.arrays)
        if not desk.raid.clear:
            hint = "raid.clear: true deletes them"
            desk.complain("raid.mode", f"{controller.title} has arrays: {names}", hint)
            return True
        for array in controller.arrays:
            desk.delete_array(controller, array, "raid.clear")
    desk.act(
        f"mode:{controller.number}",
        f"switch {controller.title} to {wanted} mode",
        SetMode(controller=controller.id, mode=wanted),
        "raid.mode",
        Change(what=f"mode of controller {controller.number}", before=controller.mode, after=wanted),
        reboot=True,
    )
    desk.planned.notes.append(f"the rest of raid is planned once {controller.title} is in {wanted} mode")
    return True


def plan_foreign(desk: Desk) -> None:
    if desk.raid.foreign is None:
        return
    asked = desk.raid.controller
    one = find_controller(desk.state, asked, "raid.controller", desk.planned) if asked is not None else None
    for controller in desk.state.controllers:
        if not controller.foreign or (asked is not None and controller is not one):
            continue
        titles = [entry.title or entry.id for entry in controller.foreign]
        what = f"foreign configuration on controller {controller.number}"
        if not controller.capability.foreign:
            desk.complain("raid.foreign", f"{controller.title} cannot import or clear: {'; '.join(titles)}")
        elif desk.raid.foreign == "import":
            desk.act(
                f"import:{controller.number}",
                f"import what drives brought with them: {'; '.join(titles)}",
                ImportForeign(controller=controller.id),
                "raid.foreign",
                Change(what=what, before="; ".join(titles), after="arrays of this controller"),
            )
        else:
            desk.act(
                f"clear-foreign:{controller.number}",
                f"forget what drives brought with them: {'; '.join(titles)}",
                ClearForeign(controller=controller.id),
                "raid.foreign",
                Change(what=what, before="; ".join(titles)),
                destroys=[f"foreign configuration {title}" for title in titles],
                allowed="raid.foreign",
            )


def wanted_globals(
    desk: Desk, controller: Controller, demands: list[Demand], whole: list[Whole]
) -> dict[str, tuple[Drive, str]]:
    found: dict[str, tuple[Drive, str]] = {}
    for demand in demands:
        if demand.controller is controller and demand.kind == "global" and not demand.blocked:
            found |= {drive.id: (drive, f"{demand.at}.hotspares") for drive in demand.hotspares}
    for part in whole:
        if part.controller is controller:
            found |= {drive.id: (drive, "raid.hotspares") for drive in part.hotspares or ()}
    return found


def plan_global_spares_away(desk: Desk, demands: list[Demand], whole: list[Whole]) -> None:
    for controller in desk.state.controllers:
        said = any(part.controller is controller and part.hotspares is not None for part in whole)
        if not desk.raid.clear and not said:
            continue
        meant = set(wanted_globals(desk, controller, demands, whole))
        for demand in demands:
            if demand.controller is controller:
                meant |= {drive.id for drive in demand.drives}  # fell back to being a spare
        for spare in controller.hotspares:
            if spare not in meant:
                desk.take_spare(controller, spare, "raid.hotspares" if said else "raid.clear")


def plan_global_spares(desk: Desk, demands: list[Demand], whole: list[Whole]) -> None:
    for controller in desk.state.controllers:
        for drive_id, (drive, at) in wanted_globals(desk, controller, demands, whole).items():
            gone = (controller.id, drive_id) in desk.removed
            if drive_id in controller.hotspares and not gone:
                continue
            if "global" not in controller.capability.hotspares:
                if at == "raid.hotspares":
                    desk.complain(at, f"{controller.title} has no global hot spares")
                continue
            if drive_id in controller.failed:
                desk.planned.notes.append(f"{describe_drive(drive)} has failed: replace it")
                continue
            owner = controller.find_array_of(drive_id)
            if owner is not None and (controller.id, owner.id) not in desk.doomed:
                if drive_id in owner.hotspares and not gone:
                    desk.take_spare(controller, drive_id, at)
                elif drive_id in owner.drives:
                    continue  # it has taken over
            if drive.state == "jbod":
                desk.take_jbod(controller, drive, at.removesuffix(".hotspares"), False)
            desk.add_spare(controller, drive, None, at)


def plan_jbod(desk: Desk, part: Whole) -> None:
    controller = part.controller
    for drive in part.jbod:
        if drive.state == "jbod":
            continue
        owner = controller.find_array_of(drive.id)
        if not controller.capability.jbod:
            message = f"{controller.model or controller.title} cannot hand single drives to the system"
            desk.complain("raid.jbod", message, "an array of level 0 on one drive does nearly the same")
            return
        if owner is not None and (controller.id, owner.id) not in desk.doomed:
            hint = "raid.clear: true deletes arrays that are not in the template"
            desk.complain("raid.jbod", f"{describe_drive(drive)} is in array {owner.title!r}", hint)
            continue
        desk.take_spare(controller, drive.id, "raid.jbod")
        desk.act(
            f"jbod:{controller.number}:{drive.id}",
            f"hand {describe_drive(drive)} to the system as a single disk",
            SetJbod(controller=controller.id, drive=drive.id, on=True),
            "raid.jbod",
            Change(what=describe_drive(drive), before=drive.state, after="JBOD"),
        )
