"""For random controllers and templates: carrying the plan out gives what is wanted, a second plan is empty, and what
is not named is as it was."""

import random
from typing import Any

import msgspec
import pytest
from controllermodel import build_controller, build_drive, obey

from bootos.drivers.contract import Forecast, Planned
from bootos.drivers.raid.hardware import plan_controllers
from bootos.drivers.storage.controller import Array, Controller, ControllerState
from bootos.template.check import read_template
from bootos.template.raidcheck import FEWEST_DRIVES, find_need
from bootos.wire.inventory import DiskType

SEEDS = range(400)
LEVELS = (0, 1, 5, 6, 10, 50, 60)


def plan(state: ControllerState, document: dict[str, Any]) -> Planned:
    template, problems = read_template({"name": "random", "raid": document})
    assert template is not None
    assert problems == []
    return plan_controllers(state, template, Forecast(), driver="raid.test")


def draw_controller(dice: random.Random, number: int) -> Controller:
    """Some drives, some arrays on them, hot spares, JBOD drives, a rebuild, failed ones."""
    count = dice.randint(4, 14)
    kinds = (
        [DiskType.SSD] * count if dice.random() < 0.6 else dice.choices([DiskType.SSD, DiskType.HDD], k=count)
    )
    drives = [build_drive(n, type=kinds[n]) for n in range(count)]
    free = list(range(count))
    dice.shuffle(free)
    arrays: list[Array] = []
    global_spares: list[str] = []
    for index in range(dice.randint(0, 3)):
        level = dice.choice((0, 1, 5))
        size = FEWEST_DRIVES[level]
        members = [free.pop() for _ in range(size) if len(free) > 2]
        if len(members) < size:
            break
        spares = [free.pop()] if level and len(free) > 2 and dice.random() < 0.4 else []
        arrays.append(
            Array(
                id=f"{index}/{index}",
                name=dice.choice([f"old{index}", f"a{index}", "os"]) if index == 0 else f"old{index}",
                level=str(level),
                drives=tuple(f"252:{n}" for n in members),
                drive_count=size,
                hotspares=tuple(f"252:{n}" for n in spares),
                strip_bytes=65536,
                size_bytes=10**11,
                state=dice.choice(["optimal", "optimal", "initializing"]),
                read_policy=dice.choice(["none", "ahead"]),
                write_policy="back",
                is_boot=False,
                device=f"/dev/sd{number}{index}",
            )
        )
        for n in members:
            drives[n] = msgspec.structs.replace(drives[n], state="online")
        for n in spares:
            drives[n] = msgspec.structs.replace(drives[n], state="hotspare")
    for n in list(free):
        chance = dice.random()
        if chance < 0.1:
            drives[n] = msgspec.structs.replace(drives[n], state="jbod")
        elif chance < 0.2:
            drives[n] = msgspec.structs.replace(drives[n], state="hotspare")
            global_spares.append(f"252:{n}")
        elif chance < 0.25:
            drives[n] = msgspec.structs.replace(drives[n], state="failed")
    return build_controller(
        id=f"/c{number}",
        number=number,
        serial=f"SV{number}",
        drives=tuple(drives),
        arrays=tuple(arrays),
        hotspares=tuple(global_spares),
    )


def draw_document(dice: random.Random, state: ControllerState) -> dict[str, Any]:
    document: dict[str, Any] = {"clear": dice.random() < 0.4, "arrays": []}
    left = {c.number: list(range(len(c.drives))) for c in state.controllers}
    for index in range(dice.randint(0, 3)):
        number = dice.choice(list(left))
        level = dice.choice(LEVELS)
        need = FEWEST_DRIVES[level]
        free = left[number]
        take = need + dice.choice((0, 0, 2))
        if find_need(level, take, None) or len(free) < take:
            continue
        array: dict[str, Any] = {"name": "os" if index == 0 else f"a{index}", "level": level}
        if dice.random() < 0.2:
            array["drives"] = {"type": dice.choice(["ssd", "hdd"]), "count": take}
            left[number] = []
        else:
            chosen = free[:take] if dice.random() < 0.5 else dice.sample(free, take)
            array["drives"] = ",".join(str(n) for n in chosen)
            left[number] = [n for n in free if n not in chosen]
            if level and left[number] and dice.random() < 0.4:
                array["hotspares"] = str(left[number].pop())
                array["hotspare_kind"] = dice.choice(["dedicated", "global"])
        if len(state.controllers) > 1 or dice.random() < 0.2:
            array["controller"] = number
        array["wipe"] = dice.random() < 0.5
        if dice.random() < 0.3:
            array["read_policy"] = dice.choice(["none", "ahead"])
        if level != 1 and dice.random() < 0.3:
            array["strip"] = dice.choice(["64KiB", "256KiB"])
        document["arrays"].append(array)
    if document["arrays"] and dice.random() < 0.3:
        document["arrays"][0]["boot"] = True
    if len(state.controllers) == 1 and left[0] and dice.random() < 0.4:
        document[dice.choice(["hotspares", "jbod"])] = str(left[0].pop())
    return document


def find_array(state: ControllerState, name: str) -> Array | None:
    return next((a for c in state.controllers for a in c.arrays if a.name == name), None)


def check_wanted(state: ControllerState, document: dict[str, Any]) -> None:
    for wanted in document["arrays"]:
        array = find_array(state, wanted["name"])
        assert array is not None
        assert array.level == str(wanted["level"])
        controller = next(c for c in state.controllers if array in c.arrays)
        assert controller.number == wanted.get("controller", 0)
        numbers = {d.number for d in controller.drives if d.id in array.drives}
        if isinstance(wanted["drives"], str):
            meant = {int(n) for n in wanted["drives"].split(",")}
            spares = {int(wanted["hotspares"])} if "hotspares" in wanted else set()
            assert numbers <= meant | spares
        else:
            assert len(numbers) == wanted["drives"]["count"]
            kinds = {d.type.value for d in controller.drives if d.id in array.drives}
            assert kinds == {wanted["drives"]["type"]}
        assert array.read_policy == wanted.get("read_policy", array.read_policy)
        assert not wanted.get("boot") or array.is_boot


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_carried_out_is_what_was_wanted_and_nothing_else(seed: int) -> None:
    dice = random.Random(seed)
    before = ControllerState(
        controllers=tuple(draw_controller(dice, n) for n in range(dice.choice((1, 1, 2))))
    )
    document = draw_document(dice, before)
    planned = plan(before, document)
    if planned.problems:
        return
    state = before
    for action in planned.actions:
        assert not action.destroys or action.allowed
        state = obey(state, action.detail)
    check_wanted(state, document)
    again = plan(state, document)
    assert again.problems == []
    assert [action.summary for action in again.actions] == []
    named = {array["name"] for array in document["arrays"]}
    wiped = [array for array in document["arrays"] if array["wipe"]]
    for controller in before.controllers:
        for array in controller.arrays:
            if array.name in named or document["clear"] or find_array(state, array.name) is not None:
                continue
            # gone without raid.clear: then it lay wholly on drives of arrays that may be wiped
            on = {d.number for d in controller.drives if d.id in array.drives}
            assert wiped, f"{array.name} was deleted and nothing allows it"
            listed = {
                int(n)
                for entry in wiped
                if isinstance(entry["drives"], str)
                for n in [*entry["drives"].split(","), *entry.get("hotspares", "").split(",")]
                if n
            }
            assert on <= listed or any(not isinstance(entry["drives"], str) for entry in wiped)


def test_the_random_plans_are_not_all_refused() -> None:
    carried = 0
    for seed in SEEDS:
        dice = random.Random(seed)
        state = ControllerState(
            controllers=tuple(draw_controller(dice, n) for n in range(dice.choice((1, 1, 2))))
        )
        planned = plan(state, draw_document(dice, state))
        carried += bool(planned.actions) and not planned.problems
    assert carried > len(SEEDS) // 5
