"""What `hardware.plan_controllers` and its helpers share: the plan so far, and the moves that several of them need.
Pure; nothing here decides whether a move is wanted.
"""

from collections.abc import Iterable

from bootos.drivers.contract import Action, Change, Forecast, Planned
from bootos.drivers.raid.compare import tell_drives
from bootos.drivers.raid.order import (
    AddSpare,
    DeleteArray,
    Order,
    RemoveSpare,
    SetJbod,
)
from bootos.drivers.storage.controller import Array, Controller, ControllerState, Drive, describe_drive
from bootos.errors import Problem
from bootos.template.model import Raid, Template

CHANGE_S = 5.0


class Desk:
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
        self.doomed: set[tuple[str, str]] = set()  # (controller, array) that are deleted
        self.removed: set[tuple[str, str]] = set()  # (controller, drive) spares that are taken away
        self.freed_jbod: set[tuple[str, str]] = set()

    def complain(self, path: str, message: str, hint: str = "") -> None:
        self.planned.problems.append(Problem(path=path, message=message, hint=hint))

    def act(
        self,
        id: str,
        summary: str,
        order: Order,
        path: str,
        change: Change,
        *,
        destroys: Iterable[str] = (),
        allowed: str | None = None,
        reboot: bool = False,
        estimate_s: float = CHANGE_S,
    ) -> None:
        self.planned.actions.append(
            Action(
                id=f"{self.driver}:{id}",
                driver=self.driver,
                summary=summary,
                changes=(change,),
                destroys=tuple(dict.fromkeys(destroys)),
                allowed=allowed,
                path=path,
                reboot=reboot,
                estimate_s=estimate_s,
                detail=order,
            )
        )

    def delete_array(self, controller: Controller, array: Array, allowed: str) -> None:
        storage = self.state.storage
        block = storage.blocks.get(array.device)
        if block is not None and block.used_by:
            message = f"array {array.title!r} cannot be deleted: it is {', '.join(block.used_by)}"
            self.complain(allowed, message)
        what = f"RAID {array.level} on {tell_drives(controller, array.drives)}"
        content = storage.find_content(array.device, freed=self.forecast.freed) if array.device else []
        lost = f'array "{array.title}" ({what})'
        if not array.device:
            lost += ", whose data could not be looked at"
        self.act(
            f"delete:{controller.number}:{array.title}",
            f"delete array {array.title} ({what})",
            DeleteArray(controller=controller.id, array=array.id, name=array.title),
            allowed.removesuffix(".wipe"),
            Change(what=f"array {array.title}", before=what),
            destroys=[lost, *content],
            allowed=allowed,
        )
        self.doomed.add((controller.id, array.id))
        self.removed |= {(controller.id, spare) for spare in array.hotspares}  # they go with it
        self.forecast.arrays.pop(array.title, None)
        if array.device:
            self.forecast.freed.add(array.device)
            self.forecast.taken.setdefault(array.device, f"array {array.title!r}, which is deleted")

    def take_spare(self, controller: Controller, drive_id: str, at: str) -> None:
        """Take a hot spare away from what it is a spare of, unless that goes anyway."""
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
        if (controller.id, drive.id) in self.freed_jbod:
            return
        self.freed_jbod.add((controller.id, drive.id))
        storage = self.state.storage
        block = storage.blocks.get(drive.device)
        content = storage.find_content(drive.device, freed=self.forecast.freed)
        if block is not None and block.used_by:
            self.complain(at, f"{describe_drive(drive)} cannot be used: it is {', '.join(block.used_by)}")
        if content and not wipe:
            hint = f"{at}.wipe: true allows this data to be lost"
            self.complain(f"{at}.drives", f"{describe_drive(drive)} holds {'; '.join(content)}", hint)
            return
        if drive.device:
            self.forecast.taken.setdefault(drive.device, at)
            self.forecast.freed.add(drive.device)
        self.act(
            f"jbod-off:{controller.number}:{drive.id}",
            f"take {describe_drive(drive)} back from the system, for arrays",
            SetJbod(controller=controller.id, drive=drive.id, on=False),
            at,
            Change(what=describe_drive(drive), before="JBOD", after="free"),
            destroys=content,
            allowed=f"{at}.wipe" if wipe else None,
        )

    def add_spare(self, controller: Controller, drive: Drive, array: Array | None, at: str) -> None:
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
