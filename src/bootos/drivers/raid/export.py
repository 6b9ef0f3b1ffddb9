"""What hardware RAID controllers hold, in the words of a template: applying that to the same machine plans nothing.

Pure; the `export` of every driver that plans with `hardware.plan_controllers`.
Arrays that a template cannot say (a label made up by the controller, one with spaces, a RAID 0 of one drive) are left
out: a template that does not have them leaves them alone.
"""

import re
from typing import Any, get_args

from bootos.drivers.storage.controller import Array, Controller, ControllerState
from bootos.template.raid import ArrayWanted
from bootos.template.raidcheck import find_need

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,35}$")
_LEVELS = frozenset(str(level) for level in get_args(ArrayWanted.__annotations__["level"]))


def export_controllers(state: ControllerState) -> dict[str, Any]:
    """`{"raid": {...}}`; empty when there is nothing to say."""
    raid: dict[str, Any] = {}
    several = len(state.controllers) > 1
    arrays: list[dict[str, Any]] = []
    for controller in state.controllers:
        for number, array in enumerate(controller.arrays):
            found = _export_array(controller, array, number)
            if found is not None:
                arrays.append(found | ({"controller": controller.number} if several else {}))
    if arrays:
        raid["arrays"] = arrays
    if not several and state.controllers:
        (controller,) = state.controllers
        if controller.mode == "hba" and "hba" in controller.capability.modes:
            raid["mode"] = "hba"
        if controller.hotspares:
            raid["hotspares"] = _tell_numbers(controller, controller.hotspares)
        single = [drive.id for drive in controller.drives if drive.state == "jbod"]
        if single and controller.capability.jbod and controller.mode != "hba":
            raid["jbod"] = _tell_numbers(controller, single)
    return {"raid": raid} if raid else {}


def _export_array(controller: Controller, array: Array, number: int) -> dict[str, Any] | None:
    name = array.name if controller.capability.name_length else array.name or f"array{number}"
    missing = array.drive_count > len(array.drives)
    if not _NAME.match(name) or array.level not in _LEVELS or missing or not array.drives:
        return None
    span = array.span if array.level in ("50", "60") else None
    if find_need(int(array.level), len(array.drives), span):
        return None
    found: dict[str, Any] = {
        "name": name,
        "level": int(array.level),
        "drives": _tell_numbers(controller, array.drives),
    }
    if array.hotspares:
        found["hotspares"] = _tell_numbers(controller, array.hotspares)
        if "global" in controller.capability.hotspares:
            found["hotspare_kind"] = "dedicated"
    if span is not None:
        found["span"] = span
    if array.strip_bytes is not None and array.level != "1":
        found["strip"] = f"{array.strip_bytes // 1024}KiB"
    if array.read_policy in controller.capability.read_policies:
        found["read_policy"] = array.read_policy
    if array.write_policy in controller.capability.write_policies:
        found["write_policy"] = array.write_policy
    if array.is_boot:
        found["boot"] = True
    return found


def _tell_numbers(controller: Controller, ids: tuple[str, ...] | list[str]) -> str:
    """`0,1,2`"""
    numbers = [drive.number for drive in controller.drives if drive.id in ids]
    return ",".join(str(number) for number in numbers)
