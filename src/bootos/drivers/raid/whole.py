"""What is planned for a controller as a whole: its mode, foreign configurations, global hot spares, single drives.
Pure; called by `hardware.plan_controllers`.
"""

from typing import Literal

from bootos.drivers.contract import Change
from bootos.drivers.raid.demand import Demand, Whole
from bootos.drivers.raid.draft import ControllerDraft
from bootos.drivers.raid.order import ClearForeign, ImportForeign, SetJbod, SetMode
from bootos.drivers.storage.content import Occupancy
from bootos.drivers.storage.controller import Controller, Drive, describe_drive
from bootos.drivers.storage.desk import Taking, Word, find_word, judge

_NO_RAID = "it cannot be switched: raid.mdadm makes software RAID of the disks that the system shows"


def plan_mode(draft: ControllerDraft) -> bool:
    """Whether the mode changes: everything else is planned after the reboot."""
    wanted = draft.raid.mode
    if wanted is None:
        if draft.raid.arrays:
            for controller in draft.state.controllers:
                if controller.mode == "hba":
                    message = f"{controller.title} is in HBA mode and has no arrays"
                    hint = (
                        "raid.mode: raid switches it" if "raid" in controller.capability.modes else _NO_RAID
                    )
                    draft.planned.complain("raid.mode", message, hint)
        return False
    meant = draft.need_meant()
    if meant is None or meant.mode == wanted:
        return False
    return plan_switch(draft, meant, wanted)


def plan_switch(draft: ControllerDraft, controller: Controller, wanted: Literal["raid", "hba"]) -> bool:
    """Plan another mode of the controller. Returns whether nothing more is to be planned on it."""
    if controller.mode == "mixed" and wanted == "raid":
        return False
    if wanted not in controller.capability.modes:
        draft.planned.complain(
            "raid.mode", f"{controller.model or controller.title} cannot be switched to {wanted}"
        )
        return False
    if controller.arrays and wanted == "hba":
        names = ", ".join(array.title for array in controller.arrays)
        word = find_word(draft.raid.clear, frozenset(), ())
        if not word.is_given:
            hint = "raid.clear: true deletes them"
            draft.planned.complain("raid.mode", f"{controller.title} has arrays: {names}", hint)
            return True
        for array in controller.arrays:
            draft.delete_array(controller, array, word)
    draft.act(
        f"mode:{controller.number}",
        f"switch {controller.title} to {wanted} mode",
        SetMode(controller=controller.id, mode=wanted),
        "raid.mode",
        Change(what=f"mode of controller {controller.number}", before=controller.mode, after=wanted),
        reboot=True,
    )
    draft.planned.notes.append(f"the rest of raid is planned once {controller.title} is in {wanted} mode")
    return True


def plan_foreign(draft: ControllerDraft) -> None:
    """Plan what the template says of foreign configurations: import them, or clear them if the desk allows it."""
    if draft.raid.foreign is None:
        return
    for controller in draft.whole:
        if not controller.foreign:
            continue
        titles = [entry.title or entry.id for entry in controller.foreign]
        what = f"foreign configuration on controller {controller.number}"
        if not controller.capability.foreign:
            draft.planned.complain(
                "raid.foreign", f"{controller.title} cannot import or clear: {'; '.join(titles)}"
            )
        elif draft.raid.foreign == "import" and (
            why := "; ".join(f.trouble for f in controller.foreign if f.trouble)
        ):
            hint = "put in the drives that are missing, or clear: what is on the others is lost then"
            message = f"what drives brought to {controller.title} cannot be imported: {why}"
            draft.planned.complain("raid.foreign", message, hint)
        elif draft.raid.foreign == "import":
            draft.act(
                f"import:{controller.number}",
                f"import what drives brought with them: {'; '.join(titles)}",
                ImportForeign(controller=controller.id),
                "raid.foreign",
                Change(what=what, before="; ".join(titles), after="arrays of this controller"),
            )
        else:
            lost = tuple(f"foreign configuration {title.removeprefix('configuration ')}" for title in titles)
            ruling = judge(
                Taking(title=controller.title, path="raid.foreign", cannot="cannot be cleared"),
                Occupancy(content=lost),
                Word(path="raid.foreign", is_given=draft.raid.foreign == "clear"),
            )
            if draft.planned.take(ruling):
                draft.act(
                    f"clear-foreign:{controller.number}",
                    f"forget what drives brought with them: {'; '.join(titles)}",
                    ClearForeign(controller=controller.id),
                    "raid.foreign",
                    Change(what=what, before="; ".join(titles)),
                    ruling=ruling,
                )


def wanted_globals(
    controller: Controller, demands: list[Demand], whole: list[Whole]
) -> dict[str, tuple[Drive, str]]:
    """The drives that are to be global hot spares of a controller, by id, each with its place in the template."""
    found: dict[str, tuple[Drive, str]] = {}
    for demand in demands:
        if demand.controller is controller and demand.kind == "global" and not demand.blocked:
            found |= {drive.id: (drive, f"{demand.at}.hotspares") for drive in demand.hotspares}
    for part in whole:
        if part.controller is controller:
            found |= {drive.id: (drive, "raid.hotspares") for drive in part.hotspares or ()}
    return found


def plan_global_spares_away(draft: ControllerDraft, demands: list[Demand], whole: list[Whole]) -> None:
    """Plan that global hot spares which nobody wants are taken away."""
    for controller in draft.state.controllers:
        said = any(part.controller is controller and part.hotspares is not None for part in whole)
        if not draft.is_emptied(controller) and not said:
            continue
        meant = set(wanted_globals(controller, demands, whole))
        for demand in demands:
            if demand.controller is controller:
                meant |= {drive.id for drive in demand.drives}  # a drive of an array that is a spare again
        for spare in controller.hotspares:
            if spare not in meant:
                draft.take_spare(controller, spare, "raid.hotspares" if said else "raid.clear")


def plan_global_spares(draft: ControllerDraft, demands: list[Demand], whole: list[Whole]) -> None:
    """Plan the global hot spares that are wanted and are none yet."""
    for controller in draft.state.controllers:
        for drive_id, (drive, at) in wanted_globals(controller, demands, whole).items():
            gone = (controller.id, drive_id) in draft.removed
            if drive_id in controller.hotspares and not gone:
                continue
            if "global" not in controller.capability.hotspares:
                if at == "raid.hotspares":
                    draft.planned.complain(at, f"{controller.title} has no global hot spares")
                continue
            if drive_id in controller.failed:
                is_fit = drive.state != "unusable"
                why = "has failed: replace it" if is_fit else f"cannot be a hot spare: {drive.trouble}"
                draft.planned.notes.append(f"{describe_drive(drive)} {why}")
                continue
            owner = controller.find_array_of(drive_id)
            if owner is not None and (controller.id, owner.id) not in draft.doomed:
                if drive_id in owner.hotspares and not gone:
                    draft.take_spare(controller, drive_id, at)
                elif drive_id in owner.drives:
                    continue  # this spare has replaced a drive of the array
            if drive.state == "jbod":
                draft.take_jbod(controller, drive, at.removesuffix(".hotspares"), False)
            draft.add_spare(controller, drive, None, at)


def plan_jbod(draft: ControllerDraft, part: Whole) -> None:
    """Plan that single drives are handed to the system."""
    controller = part.controller
    for drive in part.jbod:
        if drive.state == "jbod":
            continue
        owner = controller.find_array_of(drive.id)
        if not controller.capability.jbod:
            message = f"{controller.model or controller.title} cannot hand single drives to the system"
            draft.planned.complain(
                "raid.jbod", message, "an array of level 0 on one drive does nearly the same"
            )
            return
        if owner is not None and (controller.id, owner.id) not in draft.doomed:
            hint = "raid.clear: true deletes arrays that are not in the template"
            draft.planned.complain("raid.jbod", f"{describe_drive(drive)} is in array {owner.title!r}", hint)
            continue
        draft.take_spare(controller, drive.id, "raid.jbod")
        draft.act(
            f"jbod:{controller.number}:{drive.id}",
            f"hand {describe_drive(drive)} to the system as a single disk",
            SetJbod(controller=controller.id, drive=drive.id, on=True),
            "raid.jbod",
            Change(what=describe_drive(drive), before=drive.state, after="JBOD"),
        )
