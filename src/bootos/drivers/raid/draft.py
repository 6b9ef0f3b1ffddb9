"""What `hardware.plan_controllers` and its helpers share: the plan so far, and the moves that several of them need.
Pure; nothing here decides whether a move is wanted.
"""

import msgspec

from bootos.drivers.contract import Change, Forecast, Planned, Ruling
from bootos.drivers.raid.compare import tell_drives
from bootos.drivers.raid.order import AddSpare, DeleteArray, Order, RemoveSpare, SetJbod
from bootos.drivers.storage.content import find_on_array, find_on_drive
from bootos.drivers.storage.controller import Array, Controller, ControllerState, Drive, describe_drive
from bootos.drivers.storage.desk import NOTHING_LOST, Taking, Word, judge, wipe_word
from bootos.template.model import ArrayWanted, Raid, Template

CHANGE_S = 5.0


class ControllerDraft:
    """One planning: what is read, what is wanted, and what is planned so far."""

    def __init__(
        self,
        state: ControllerState,
        template: Template,
        raid: Raid,
        forecast: Forecast,
        planned: Planned,
        driver: str,
    ) -> None:
        self.state = state
        self.template = template
        self.raid = raid
        self.forecast = forecast
        self.planned = planned
        self.driver = driver
        self.doomed: set[tuple[str, str]] = set()  # (controller, array) that the plan deletes
        self.removed: set[tuple[str, str]] = set()  # (controller, drive) of spares that the plan takes away
        self.freed_jbod: set[tuple[str, str]] = set()
        # the controller that `raid.controller` means: the only one, where it names none; None: it is not clear which
        self.meant = state.find_controller(raid.controller)

    @property
    def whole(self) -> tuple[Controller, ...]:
        """The controllers that the template speaks of as a whole (`clear`, `mode`, `foreign`, ...): the one that
        `raid.controller` names, or all."""
        if self.raid.controller is None:
            return self.state.controllers
        return (self.meant,) if self.meant is not None else ()

    def is_emptied(self, controller: Controller) -> bool:
        """Whether `raid.clear` speaks of the arrays of this controller."""
        return self.raid.clear and any(one is controller for one in self.whole)

    def is_cleared(self, controller: Controller) -> bool:
        """Whether the plan makes this controller forget the configurations of others."""
        if self.raid.foreign != "clear" or not controller.foreign or not controller.capability.foreign:
            return False
        return any(one is controller for one in self.whole)

    def is_meant(self, controller: Controller, wanted: ArrayWanted) -> bool:
        """Whether an array of the template is, or may be, one of this controller."""
        if wanted.controller is None and self.raid.controller is None:
            return True
        return self.find_controller(wanted) is controller

    def find_controller(self, wanted: ArrayWanted) -> Controller | None:
        """The controller of an array of the template; None: it is not clear which."""
        return self.meant if wanted.controller is None else self.state.find_controller(wanted.controller)

    def need_meant(self) -> Controller | None:
        """`meant`; a problem says so, once, when it is not clear which that is."""
        if self.meant is None:
            self.refuse_controller(self.raid.controller, "raid.controller")
        return self.meant

    def need_controller(self, wanted: ArrayWanted, at: str) -> Controller | None:
        """The controller of the array at `at`; a problem says so when it is not clear which that is."""
        found = self.find_controller(wanted)
        if found is None:
            asked = wanted.controller if wanted.controller is not None else self.raid.controller
            self.refuse_controller(asked, f"{at}.controller")
        return found

    def refuse_controller(self, asked: str | int | None, path: str) -> None:
        """Say, once for a place, that it is not clear which controller is meant."""
        if any(problem.path == path for problem in self.planned.problems):
            return
        listed = "; ".join(entry.title for entry in self.state.controllers)
        if asked is not None:
            hint = f"this machine has {listed or 'none'}"
            self.planned.complain(path, f"there is no controller {asked!r}", hint)
        else:
            hint = "say which one: controller, by its number, serial number or PCI address"
            count = len(self.state.controllers)
            self.planned.complain(path, f"this machine has {count} controllers: {listed}", hint)

    def act(
        self,
        id: str,
        summary: str,
        order: Order,
        path: str,
        change: Change,
        *,
        ruling: Ruling = NOTHING_LOST,
        reboot: bool = False,
        estimate_s: float = CHANGE_S,
    ) -> None:
        """Add an action. `ruling` is the desk's: what is lost, and the word that allows it."""
        self.planned.act(
            f"{self.driver}:{id}",
            summary,
            order,
            path,
            change,
            ruling=ruling,
            reboot=reboot,
            estimate_s=estimate_s,
        )

    def delete_array(self, controller: Controller, array: Array, word: Word) -> None:
        """Plan that an array is deleted, if the desk allows it; it is reckoned as gone from then on."""
        what = f"RAID {array.level} on {tell_drives(controller, array.drives)}"
        ruling = judge(
            Taking(title=f"array {array.title!r}", path=word.path, cannot="cannot be deleted"),
            find_on_array(self.state.storage, array, what, self.forecast.freed),
            word,
        )
        if self.planned.take(ruling):
            self.act(
                f"delete:{controller.number}:{array.title}",
                f"delete array {array.title} ({what})",
                DeleteArray(controller=controller.id, device=array.device, array=array.id, name=array.title),
                word.path.removesuffix(".wipe"),
                Change(what=f"array {array.title}", before=what),
                ruling=ruling,
            )
        self.doomed.add((controller.id, array.id))
        # the spares of a deleted array are gone, too
        self.removed |= {(controller.id, spare) for spare in array.hotspares}
        present = self.forecast.arrays.get(array.title)
        # an array of that name on another controller stays
        if present is not None and present.device == array.device:
            del self.forecast.arrays[array.title]
        if array.device:
            self.forecast.freed.add(array.device)
            self.forecast.taken.setdefault(array.device, f"array {array.title!r}, which is deleted")

    def take_spare(self, controller: Controller, drive_id: str, at: str) -> None:
        """Plan that a drive stops being a hot spare, unless its array is deleted anyway."""
        if (controller.id, drive_id) in self.removed:
            return
        owner = next((array for array in controller.arrays if drive_id in array.hotspares), None)
        if owner is None and drive_id not in controller.hotspares:
            return
        self.removed.add((controller.id, drive_id))
        kind = f"hot spare of array {owner.title}" if owner is not None else "global hot spare"
        drive = controller.find_drive(drive_id)
        name = describe_drive(drive) if drive is not None else drive_id
        self.act(
            f"spare-off:{controller.number}:{drive_id}",
            f"{name} is no {kind} any more",
            RemoveSpare(controller=controller.id, drive=drive_id, array=owner.id if owner else None),
            at,
            Change(what=name, before=kind, after="free"),
        )

    def take_jbod(self, controller: Controller, drive: Drive, at: str, wipe: bool) -> None:
        """Plan that a drive which the system has is taken back for arrays, once, if the desk allows it."""
        if (controller.id, drive.id) in self.freed_jbod:
            return
        self.freed_jbod.add((controller.id, drive.id))
        place = f"{at}.drives" if at != "raid" else "raid.hotspares"
        ruling = judge(
            Taking(title=describe_drive(drive), path=at, cannot="cannot be used", content_path=place),
            find_on_drive(self.state.storage, drive, self.forecast.freed),
            wipe_word(at, wipe),
        )
        if at == "raid":  # where no word allows it
            hint = "erase it first, or name it in the hotspares of an array, with hotspare_kind: global and wipe: true"
            told = tuple(msgspec.structs.replace(problem, hint=hint) for problem in ruling.problems)
            ruling = msgspec.structs.replace(ruling, problems=told)
        if not self.planned.take(ruling):
            return
        if drive.device:
            self.forecast.taken.setdefault(drive.device, at)
            self.forecast.freed.add(drive.device)
        self.act(
            f"jbod-off:{controller.number}:{drive.id}",
            f"take {describe_drive(drive)} back from the system, for arrays",
            SetJbod(controller=controller.id, device=drive.device, drive=drive.id, on=False),
            at,
            Change(what=describe_drive(drive), before="JBOD", after="free"),
            ruling=ruling,
        )

    def add_spare(self, controller: Controller, drive: Drive, array: Array | None, at: str) -> None:
        """Plan a hot spare: of one array, or (None) of the controller."""
        kind = f"hot spare of array {array.title}" if array is not None else "global hot spare"
        self.act(
            f"spare:{controller.number}:{drive.id}",
            f"make {describe_drive(drive)} a {kind}",
            AddSpare(
                controller=controller.id,
                drive=drive.id,
                kind="dedicated" if array is not None else "global",
                array=array.id if array is not None else None,
            ),
            at,
            Change(what=describe_drive(drive), after=kind),
        )
