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
from bootos.template.model import Raid, Template

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
