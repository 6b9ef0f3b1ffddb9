"""Random machines and random templates: what a plan promises holds for all of them, not for the examples alone.

A plan changes nothing by being made; carried out, it leaves nothing to plan; and what it did not name is as it was.
"""

import copy
import random
import re
from pathlib import Path
from typing import Any

import pytest
from carrying import apply, plan
from storagemachine import MIB, StorageMachine

from bootos.drivers.contract import Action
from bootos.template.check import read_template

CASES = 120
LEVELS = {0: 2, 1: 2, 5: 3, 6: 4, 10: 4}
NAMES = ("os", "data", "scratch")
FILESYSTEMS = ("ext4", "xfs", "vfat", "swap", "btrfs")


def draw_template(dice: random.Random, disk_count: int) -> dict[str, Any]:
    """A template that passes the static checks or not; which one is up to `read_template`."""
    free = list(range(disk_count))
    dice.shuffle(free)
    arrays, disks = [], []
    for name in dice.sample(NAMES, dice.randint(0, 2)):
        level = dice.choice([level for level, fewest in LEVELS.items()])
        count = LEVELS[level] + dice.choice([0, 0, 2 if level == 10 else 1])
        if count > len(free):
            continue
        drives, free = free[:count], free[count:]
        array: dict[str, Any] = {"name": name, "level": level, "drives": ",".join(map(str, drives))}
        if level and free and dice.random() < 0.3:
            array["hotspares"] = str(free.pop())
        if dice.random() < 0.6:
            array["wipe"] = True
        arrays.append(array)
        if dice.random() < 0.8:
            disks.append({"select": {"array": name}, **draw_content(dice)})
    for number in dice.sample(free, min(len(free), dice.randint(0, 2))):
        disks.append({"select": {"drives": number}, **draw_content(dice)})
    template: dict[str, Any] = {"name": "random", "disks": disks}
    if arrays or dice.random() < 0.3:
        template["raid"] = {"arrays": arrays, "clear": dice.random() < 0.4}
    return template


def draw_content(dice: random.Random) -> dict[str, Any]:
    content: dict[str, Any] = {"wipe": dice.random() < 0.6}
    if dice.random() < 0.3:
        return {**content, "filesystem": dice.choice(FILESYSTEMS)}
    sizes = [dice.choice(["100MiB", "20%", "300MiB"]) for _ in range(dice.randint(0, 2))] + ["rest"]
    parts: list[dict[str, Any]] = []
    for number, size in enumerate(sizes):
        part: dict[str, Any] = {"name": f"p{number}", "size": size}
        if dice.random() < 0.7:
            part["filesystem"] = dice.choice(FILESYSTEMS)
        parts.append(part)
    return {**content, "table": dice.choice(["gpt", "mbr"]), "partitions": parts}


def draw_whole(dice: random.Random, disk_count: int) -> dict[str, Any]:
    """The first that has no mistakes of its own."""
    while True:
        document = draw_template(dice, disk_count)
        if not read_template(document)[1]:
            return document


def build_machine(dice: random.Random, root: Path) -> StorageMachine:
    """Disks with a past: made by another template, or used by hand, running or just booted."""
    count = dice.randint(3, 8)
    fake = StorageMachine(
        root, {f"sd{'abcdefgh'[n]}": dice.choice([2048, 2048, 4096]) * MIB for n in range(count)}
    )
    inventory = fake.build_inventory()
    if dice.random() < 0.7:
        past = draw_whole(dice, count)
        if not plan(past, fake.machine, inventory).problems:
            apply(past, fake.machine, inventory)
    for node, device in fake.devices.items():
        if not device.signatures and not device.parts and not device.table and dice.random() < 0.2:
            fake.put(node, dice.choice(["ext4", "xfs", "LVM2_member"]), label="old")
    if dice.random() < 0.5:
        fake.restart()
    return fake


def picture(fake: StorageMachine) -> dict[str, Any]:
    """What is on the disks and arrays, by the names an operator knows; what merely runs is left out."""
    found: dict[str, Any] = {
        node: (device.signatures, device.table, device.parts) for node, device in fake.devices.items()
    }
    for array in fake.arrays:
        content = (array.device.signatures, array.device.table, array.device.parts)
        found[f"/dev/md/{array.name}"] = (array.level, sorted(array.drives), content)
    return copy.deepcopy(found)


def is_named(node: str, actions: list[Action]) -> bool:
    """Whether an action says that something on this disk or array is lost."""
    word = re.compile(rf"{re.escape(node)}(?:p?\d+)?(?![\w/])")
    name = re.escape(node.removeprefix("/dev/md/"))
    array = re.compile(rf'md array "{name}"') if node.startswith("/dev/md/") else None
    lost = [text for action in actions for text in action.destroys]
    return any(word.search(text) or (array and array.search(text)) for text in lost)


def holds_data(content: Any) -> bool:
    return bool(content[0] or content[1] or content[2])


@pytest.mark.parametrize("seed", range(CASES))
def test_a_plan_keeps_its_word(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    fake = build_machine(dice, tmp_path)
    inventory = fake.build_inventory()
    template = draw_whole(dice, len(fake.devices))
    before = picture(fake)
    planned = plan(template, fake.machine, inventory)
    assert picture(fake) == before, "planning changed the machine"
    if planned.problems:
        return
    assert all(action.allowed for action in planned.actions if action.destroys)
    apply(template, fake.machine, inventory)
    again = plan(template, fake.machine, inventory)
    assert (again.actions, again.problems) == ([], [])
    after = picture(fake)
    for node, content in before.items():
        if holds_data(content) and not is_named(node, planned.actions):
            assert after.get(node) == content, f"{node} was changed and not named: {planned.actions}"


def test_the_random_cases_reach_what_they_are_for(tmp_path: Path) -> None:
    """Enough of them are carried out, and enough of those lose something with permission; a sample tells."""
    carried, losing, seeds = 0, 0, range(0, CASES, 3)
    for seed in seeds:
        dice = random.Random(seed)
        fake = build_machine(dice, tmp_path / str(seed))
        template = draw_whole(dice, len(fake.devices))
        planned = plan(template, fake.machine, fake.build_inventory())
        carried += bool(planned.actions) and not planned.problems
        losing += any(action.destroys for action in planned.actions) and not planned.problems
    assert carried >= len(seeds) // 4
    assert losing >= len(seeds) // 12
