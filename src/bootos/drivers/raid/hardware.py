"""The one planner for hardware RAID controllers: from `ControllerState` and the `raid` section to orders. Pure.

An array is compared by what it *is*: name, level, number of drives, and which drives hold it. Which of them is the
hot spare at the moment, and whether it is being built or rebuilt, is the controller's business and no difference.
An array that is not in the template is left alone unless `raid.clear` says otherwise.
"""

from collections.abc import Iterable
from typing import Literal

from bootos.drivers.contract import Action, ArrayForecast, Change, Forecast, Planned
from bootos.drivers.raid.compare import count_data, find_differences, split_spans, tell_drives
from bootos.drivers.raid.controller import Array, Controller, ControllerState, Drive, describe_drive
from bootos.drivers.raid.demand import Demand, Whole, build_demands, find_controller
from bootos.drivers.raid.order import (
    AddSpare,
    ClearForeign,
    CreateArray,
    DeleteArray,
    ImportForeign,
    Order,
    RemoveSpare,
    SetBootArray,
    SetJbod,
    SetMode,
    SetPolicy,
)
from bootos.errors import Problem
from bootos.template.model import Raid, Template
from bootos.template.size import format_size, parse_bytes

CREATE_S, CHANGE_S = 30.0, 5.0
COMING = "/dev/raid/"  # where plans say an array will be: the kernel's name comes with the disk


def plan_controllers(
    state: ControllerState, template: Template, forecast: Forecast, *, driver: str
) -> Planned:
    """Orders in the order they are to be carried out, and all problems. Adds to `forecast`."""
    planned = Planned(notes=list(state.notes))
    forecast.arrays.update(find_forecasts(state))
    if template.raid is not None:
        _Planner(state, template, template.raid, forecast, planned, driver).plan()
    return planned


def find_forecasts(state: ControllerState) -> dict[str, ArrayForecast]:
    """The arrays whose disks the kernel has, by name."""
    return {
        array.title: ArrayForecast(
            name=array.title,
            device=array.device,
            size_bytes=state.storage.blocks[array.device].size_bytes
            if array.device in state.storage.blocks
            else array.size_bytes,
            exists=True,
            members=tuple(sorted([*array.drives, *array.hotspares])),
        )
        for controller in state.controllers
        for array in controller.arrays
        if array.device
    }


class _Planner:
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

    def plan(self) -> None:
        if self._plan_mode():
            return
        demands, whole = build_demands(self.state, self.raid, self.planned)
        self._plan_foreign()
        kept = self._sort_out(demands, whole)
        for demand in demands:
            if demand.sound and not demand.blocked:
                self._free_drives(demand, kept.get(demand.at))
        self._plan_global_spares_away(demands, whole)
        for demand in demands:
            existing = kept.get(demand.at)
            if existing is not None:
                self._plan_repair(demand, existing)
            elif demand.sound:
                self._plan_create(demand)
        self._plan_global_spares(demands, whole)
        for part in whole:
            self._plan_jbod(part)

    # what is common

    def _complain(self, path: str, message: str, hint: str = "") -> None:
        self.planned.problems.append(Problem(path=path, message=message, hint=hint))

    def _act(
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

    # the whole controller

    def _plan_mode(self) -> bool:
        """Whether the mode changes: everything else is planned after the reboot."""
        wanted = self.raid.mode
        if wanted is None:
            if self.raid.arrays:
                for controller in self.state.controllers:
                    if controller.mode == "hba":
                        message = f"{controller.title} is in HBA mode and has no arrays"
                        self._complain("raid.mode", message, "raid.mode: raid switches it")
            return False
        meant = find_controller(self.state, self.raid.controller, "raid.controller", self.planned)
        if meant is None or meant.mode == wanted:
            return False
        return self._plan_switch(meant, wanted)

    def _plan_switch(self, controller: Controller, wanted: Literal["raid", "hba"]) -> bool:
        if controller.mode == "mixed" and wanted == "raid":
            return False
        if wanted not in controller.capability.modes:
            self._complain(
                "raid.mode", f"{controller.model or controller.title} cannot be switched to {wanted}"
            )
            return False
        if controller.arrays and wanted == "hba":
            names = ", ".join(array.title for array in controller.arrays)
            if not self.raid.clear:
                hint = "raid.clear: true deletes them"
                self._complain("raid.mode", f"{controller.title} has arrays: {names}", hint)
                return True
            for array in controller.arrays:
                self._plan_delete(controller, array, "raid.clear")
        self._act(
            f"mode:{controller.number}",
            f"switch {controller.title} to {wanted} mode",
            SetMode(controller=controller.id, mode=wanted),
            "raid.mode",
            Change(what=f"mode of controller {controller.number}", before=controller.mode, after=wanted),
            reboot=True,
        )
        self.planned.notes.append(f"the rest of raid is planned once {controller.title} is in {wanted} mode")
        return True

    def _plan_foreign(self) -> None:
        if self.raid.foreign is None:
            return
        asked = self.raid.controller
        one = (
            find_controller(self.state, asked, "raid.controller", self.planned) if asked is not None else None
        )
        for controller in self.state.controllers:
            if not controller.foreign or (asked is not None and controller is not one):
                continue
            titles = [entry.title or entry.id for entry in controller.foreign]
            what = f"foreign configuration on controller {controller.number}"
            if not controller.capability.foreign:
                self._complain(
                    "raid.foreign", f"{controller.title} cannot import or clear: {'; '.join(titles)}"
                )
            elif self.raid.foreign == "import":
                self._act(
                    f"import:{controller.number}",
                    f"import what drives brought with them: {'; '.join(titles)}",
                    ImportForeign(controller=controller.id),
                    "raid.foreign",
                    Change(what=what, before="; ".join(titles), after="arrays of this controller"),
                )
            else:
                self._act(
                    f"clear-foreign:{controller.number}",
                    f"forget what drives brought with them: {'; '.join(titles)}",
                    ClearForeign(controller=controller.id),
                    "raid.foreign",
                    Change(what=what, before="; ".join(titles)),
                    destroys=[f"foreign configuration {title}" for title in titles],
                    allowed="raid.foreign",
                )

    # arrays that are there

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
                self._complain(demand.at, message, hint)
                demand.blocked = True
                saved.add((demand.controller.id, same.id))
            elif demand.sound:
                told = "; ".join([*hard, *by_drives])
                self.planned.notes.append(f"array {same.title!r} exists and is not as wanted: {told}")
        for controller in self.state.controllers:
            for array in controller.arrays:
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
        wiping = [demand for demand in here if demand.wanted.wipe and demand.sound]
        covered = frozenset[str]().union(*(demand.ids for demand in wiping))
        if self.raid.clear:
            self._plan_delete(controller, array, "raid.clear")
            return
        if members and members <= covered:
            at = next(demand.at for demand in wiping if demand.ids & members)
            self._plan_delete(controller, array, f"{at}.wipe")
            return
        named = controller.capability.name_length > 0
        in_way = [
            demand
            for demand in here
            if (named and demand.wanted.name == array.name) or demand.ids & (members | set(array.hotspares))
        ]
        for demand in in_way:
            where = ", ".join(array.drives)
            message = (
                f"array {array.title!r} (RAID {array.level}) exists on {where} and is not what is wanted"
            )
            hint = "raid.clear: true deletes arrays that are not in the template"
            self._complain(demand.at, message, hint)
            demand.blocked = True
        if not in_way:
            self.planned.notes.append(f"array {array.title!r} is not in the template and is left alone")

    def _plan_delete(self, controller: Controller, array: Array, allowed: str) -> None:
        storage = self.state.storage
        block = storage.blocks.get(array.device)
        if block is not None and block.used_by:
            message = f"array {array.title!r} cannot be deleted: it is {', '.join(block.used_by)}"
            self._complain(allowed, message)
        what = f"RAID {array.level} on {tell_drives(controller, array.drives)}"
        content = storage.find_content(array.device, freed=self.forecast.freed) if array.device else []
        lost = f'array "{array.title}" ({what})'
        if not array.device:
            lost += ", whose data could not be looked at"
        self._act(
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

    # drives that an array needs

    def _free_drives(self, demand: Demand, existing: Array | None) -> None:
        """JBOD drives and hot spares become free for the array."""
        controller, there = demand.controller, set(existing.drives) if existing is not None else set()
        for drive in [*demand.drives, *demand.hotspares]:
            if drive.state == "jbod" and drive.id not in there:
                self._plan_jbod_away(controller, drive, demand.at, demand.wanted.wipe)
        if existing is None:
            for drive in demand.drives:
                self._plan_spare_away(controller, drive.id, demand.at)

    def _plan_jbod_away(self, controller: Controller, drive: Drive, at: str, wipe: bool) -> None:
        if (controller.id, drive.id) in self.freed_jbod:
            return
        self.freed_jbod.add((controller.id, drive.id))
        storage = self.state.storage
        block = storage.blocks.get(drive.device)
        content = storage.find_content(drive.device, freed=self.forecast.freed)
        if block is not None and block.used_by:
            self._complain(at, f"{describe_drive(drive)} cannot be used: it is {', '.join(block.used_by)}")
        if content and not wipe:
            hint = f"{at}.wipe: true allows this data to be lost"
            self._complain(f"{at}.drives", f"{describe_drive(drive)} holds {'; '.join(content)}", hint)
            return
        if drive.device:
            self.forecast.taken.setdefault(drive.device, at)
            self.forecast.freed.add(drive.device)
        self._act(
            f"jbod-off:{controller.number}:{drive.id}",
            f"take {describe_drive(drive)} back from the system, for arrays",
            SetJbod(controller=controller.id, drive=drive.id, on=False),
            at,
            Change(what=describe_drive(drive), before="JBOD", after="free"),
            destroys=content,
            allowed=f"{at}.wipe" if wipe else None,
        )

    def _plan_spare_away(self, controller: Controller, drive_id: str, at: str) -> None:
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
        self._act(
            f"spare-off:{controller.number}:{drive_id}",
            f"{name} is no {kind} any more",
            RemoveSpare(controller=controller.id, drive=drive_id, array=owner.id if owner else None),
            at,
            Change(what=name, before=kind, after="free"),
        )

    # arrays that are made or put right

    def _plan_create(self, demand: Demand) -> None:
        wanted, controller, at = demand.wanted, demand.controller, demand.at
        before = len(self.planned.problems)
        for drive in [*demand.drives, *demand.hotspares]:
            if drive.id in controller.failed:
                self._complain(f"{at}.drives", f"{describe_drive(drive)} cannot be used: it is {drive.state}")
        most = controller.capability.most_arrays
        left = sum((controller.id, array.id) not in self.doomed for array in controller.arrays)
        if most is not None and left >= most:
            self._complain(at, f"{controller.title} holds at most {most} arrays, and has {left}")
        room = min(drive.room_bytes for drive in demand.drives)
        spans = split_spans(wanted.level, [drive.id for drive in demand.drives], wanted.span)
        size_bytes = room * count_data(wanted.level, spans)
        asked = parse_bytes(wanted.size) if wanted.size is not None else None
        if asked is not None and asked > size_bytes:
            self._complain(
                f"{at}.size", f"{wanted.size} is too large: these drives give {format_size(size_bytes)}"
            )
        ids = tuple(drive.id for drive in demand.drives)
        spares = tuple(drive.id for drive in demand.hotspares)
        self.forecast.arrays[wanted.name] = ArrayForecast(
            name=wanted.name,
            device=f"{COMING}{wanted.name}",
            size_bytes=asked or size_bytes - size_bytes // 100,
            exists=False,
            members=(*ids, *spares),
        )
        if demand.blocked or len(self.planned.problems) > before:
            return
        after = f"RAID {wanted.level} on {tell_drives(controller, ids)}"
        if spares:
            after += (
                f"; {demand.kind} hot spare{'s' if len(spares) > 1 else ''} {tell_drives(controller, spares)}"
            )
        self._act(
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
            allowed=f"{at}.wipe" if wanted.wipe else None,
            estimate_s=CREATE_S,
        )

    def _plan_repair(self, demand: Demand, array: Array) -> None:
        """An array that is right but for spares, policies or the boot flag."""
        controller, wanted, at = demand.controller, demand.wanted, demand.at
        if demand.blocked:
            return
        count = len(self.planned.actions)
        ids = demand.ids
        for spare in sorted(set(array.hotspares) - ids):
            self._plan_spare_away(controller, spare, at)
        for drive in [*demand.drives, *demand.hotspares]:
            self._plan_absent(demand, array, drive)
        changed = {
            key: getattr(wanted, key)
            for key in ("read_policy", "write_policy")
            if getattr(wanted, key) is not None and getattr(array, key) not in (None, getattr(wanted, key))
        }
        if changed:
            self._act(
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
            self._act(
                f"boot:{array.title}",
                f"boot from array {array.title}",
                SetBootArray(controller=controller.id, array=array.id, name=array.title),
                at,
                Change(what=f"boot array of controller {controller.number}", after=array.title),
            )
        if not array.device and any(disk.select.array == wanted.name for disk in self.template.disks):
            message = f"array {array.title!r} exists ({array.state}), but the system sees no disk of it"
            self._complain(at, message)
        if len(self.planned.actions) == count:
            state = f", {array.state}" if array.state != "optimal" else ""
            progress = f" ({array.progress})" if array.progress else ""
            self.planned.notes.append(
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
            self.planned.notes.append(f"{describe_drive(drive)} of array {array.title!r}: {why}: replace it")
            return
        if drive.id in controller.hotspares and (demand.kind == "global" or not is_spare):
            return
        owner = next((other for other in controller.arrays if drive.id in other.drives), None)
        if owner is not None and (controller.id, owner.id) not in self.doomed:
            if demand.kind == "dedicated":
                self._complain(at, f"{describe_drive(drive)} is in array {owner.title!r}")
            return
        if demand.kind not in controller.capability.hotspares:
            self._complain(at, f"{describe_drive(drive)} cannot be added to array {array.title!r}")
            return
        if demand.kind == "global" and is_spare:
            return  # with the others
        self._plan_spare_away(controller, drive.id, at)
        self._add_spare(controller, drive, array if demand.kind == "dedicated" else None, at)

    def _add_spare(self, controller: Controller, drive: Drive, array: Array | None, at: str) -> None:
        kind = f"hot spare of array {array.title}" if array is not None else "global hot spare"
        self._act(
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

    # global hot spares and single drives

    def _wanted_globals(
        self, controller: Controller, demands: list[Demand], whole: list[Whole]
    ) -> dict[str, tuple[Drive, str]]:
        found: dict[str, tuple[Drive, str]] = {}
        for demand in demands:
            if demand.controller is controller and demand.kind == "global" and not demand.blocked:
                found |= {drive.id: (drive, f"{demand.at}.hotspares") for drive in demand.hotspares}
        for part in whole:
            if part.controller is controller:
                found |= {drive.id: (drive, "raid.hotspares") for drive in part.hotspares or ()}
        return found

    def _plan_global_spares_away(self, demands: list[Demand], whole: list[Whole]) -> None:
        for controller in self.state.controllers:
            said = any(part.controller is controller and part.hotspares is not None for part in whole)
            if not self.raid.clear and not said:
                continue
            meant = set(self._wanted_globals(controller, demands, whole))
            for demand in demands:
                if demand.controller is controller:
                    meant |= {drive.id for drive in demand.drives}  # fell back to being a spare
            for spare in controller.hotspares:
                if spare not in meant:
                    self._plan_spare_away(controller, spare, "raid.hotspares" if said else "raid.clear")

    def _plan_global_spares(self, demands: list[Demand], whole: list[Whole]) -> None:
        for controller in self.state.controllers:
            for drive_id, (drive, at) in self._wanted_globals(controller, demands, whole).items():
                gone = (controller.id, drive_id) in self.removed
                if drive_id in controller.hotspares and not gone:
                    continue
                if "global" not in controller.capability.hotspares:
                    if at == "raid.hotspares":
                        self._complain(at, f"{controller.title} has no global hot spares")
                    continue
                if drive_id in controller.failed:
                    self.planned.notes.append(f"{describe_drive(drive)} has failed: replace it")
                    continue
                owner = controller.find_array_of(drive_id)
                if owner is not None and (controller.id, owner.id) not in self.doomed:
                    if drive_id in owner.hotspares and not gone:
                        self._plan_spare_away(controller, drive_id, at)
                    elif drive_id in owner.drives:
                        continue  # it has taken over
                if drive.state == "jbod":
                    self._plan_jbod_away(controller, drive, at.removesuffix(".hotspares"), False)
                self._add_spare(controller, drive, None, at)

    def _plan_jbod(self, part: Whole) -> None:
        controller = part.controller
        for drive in part.jbod:
            if drive.state == "jbod":
                continue
            owner = controller.find_array_of(drive.id)
            if not controller.capability.jbod:
                message = f"{controller.model or controller.title} cannot hand single drives to the system"
                self._complain("raid.jbod", message, "an array of level 0 on one drive does nearly the same")
                return
            if owner is not None and (controller.id, owner.id) not in self.doomed:
                hint = "raid.clear: true deletes arrays that are not in the template"
                self._complain("raid.jbod", f"{describe_drive(drive)} is in array {owner.title!r}", hint)
                continue
            self._plan_spare_away(controller, drive.id, "raid.jbod")
            self._act(
                f"jbod:{controller.number}:{drive.id}",
                f"hand {describe_drive(drive)} to the system as a single disk",
                SetJbod(controller=controller.id, drive=drive.id, on=True),
                "raid.jbod",
                Change(what=describe_drive(drive), before=drive.state, after="JBOD"),
            )
