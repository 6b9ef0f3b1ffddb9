"""What is refused because the tool did not show what it depends on. Pure; called by `hardware.plan_controllers`.

Only that: a controller that cannot be read takes nothing from the others, and a drive that cannot be read nothing from
its controller.
"""

from bootos.drivers.raid.draft import ControllerDraft
from bootos.drivers.raid.resolve import find_unread_parts

HINT = "what is not known cannot be planned on; see what the tool says on the machine itself"


def refuse_unread(draft: ControllerDraft) -> None:
    """Add a problem for every part of the template that means something which could not be read."""
    raid = draft.raid
    for index, wanted in enumerate(raid.arrays):
        controller = draft.find_controller(wanted)
        if controller is not None and (why := find_unread_parts(controller)):
            draft.planned.complain(f"raid.arrays[{index}]", f"{controller.title}: {why}", HINT)
    for controller in draft.whole:
        why = find_unread_parts(controller)
        parts = {"clear": raid.clear, "mode": raid.mode, "hotspares": raid.hotspares, "jbod": raid.jbod}
        for key, value in parts.items():
            if value and why:
                draft.planned.complain(f"raid.{key}", f"{controller.title}: {why}", HINT)
        lost = controller.find_unread("foreign")
        if raid.foreign is not None and lost:
            draft.planned.complain("raid.foreign", f"{controller.title}: {lost}", HINT)
