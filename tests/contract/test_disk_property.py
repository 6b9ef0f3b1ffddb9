"""Planners of partitions, volume groups and file systems against a model: for machines and templates drawn at random,
what is planned and applied is what was wanted, a second plan is empty, and nothing that no word allows is lost."""

import random
from pathlib import Path
from typing import Any

import pytest
from carrying import apply, plan
from storagemachine import MIB, StorageMachine

from bootos.errors import Problem
from bootos.template.check import read_template

LETTERS = "abcde"
FEWEST_APPLIED = 12
FILESYSTEMS = ("ext4", "xfs", "swap", "btrfs")


class Draw:
    """Machines with somebody's data on them, and templates; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def dirty(self, fake: StorageMachine) -> dict[str, str]:
        """Put precious data on some disks; returns label by device."""
        found = {}
        for letter in LETTERS:
            if self.random.random() < 0.3:
                node = f"/dev/sd{letter}"
                fake.put(node, self.random.choice(FILESYSTEMS), f"precious-{letter}")
                found[node] = f"precious-{letter}"
        return found

    def filesystem(self) -> dict[str, Any]:
        if self.random.random() < 0.3:
            return {}
        kind = self.random.choice(FILESYSTEMS)
        label = self.random.choice([None, "one", "two"])
        return {"filesystem": {"type": kind, **({"label": label} if label else {})}}

    def size(self) -> str:
        return self.random.choice(["300MiB", "500MB", "10%", "20%", "777MiB", "1GiB"])

    def table(self, groups: list[str]) -> dict[str, Any]:
        parts: list[dict[str, Any]] = []
        for number in range(self.random.randint(1, 3)):
            content: dict[str, Any] = self.filesystem()
            if groups and self.random.random() < 0.4:
                content = {"volume_group": self.random.choice(groups)}
            parts.append({"name": f"p{number}", "size": self.size(), **content})
        if self.random.random() < 0.5:
            parts[-1]["size"] = "rest"
        return {"table": self.random.choice(["gpt", "mbr"]), "partitions": parts}

    def template(self) -> dict[str, Any]:
        groups = self.random.sample(["vg0", "vg1"], self.random.randint(0, 2))
        disks: list[dict[str, Any]] = []
        for letter in self.random.sample(LETTERS, self.random.randint(1, 4)):
            kind = self.random.random()
            body = self.table(groups)
            if kind < 0.2:
                body = self.filesystem() or {"filesystem": "ext4"}
            elif kind < 0.4 and groups:
                body = {"volume_group": self.random.choice(groups)}
            wipe = {"wipe": True} if self.random.random() < 0.6 else {}
            disks.append({"select": {"path": f"/dev/sd{letter}"}, **wipe, **body})
        used = {disk.get("volume_group") for disk in disks}
        used |= {part.get("volume_group") for disk in disks for part in disk.get("partitions", [])}
        return {
            "name": "drawn",
            "disks": disks,
            "volume_groups": [self.group(name) for name in groups if name in used],
        }

    def group(self, name: str) -> dict[str, Any]:
        volumes = [
            {"name": f"v{number}", "size": self.size(), **self.filesystem()}
            for number in range(self.random.randint(0, 3))
        ]
        if volumes and self.random.random() < 0.4:
            volumes[self.random.randrange(len(volumes))]["size"] = "rest"
        return {"name": name, "volumes": volumes, **({"wipe": True} if self.random.random() < 0.5 else {})}


def find_labels(fake: StorageMachine) -> dict[str, str]:
    """Label of each file system in the model, by its place."""
    found: dict[str, str] = {}
    for node, device in fake.devices.items():
        for number, part in [(0, device), *device.parts.items()]:
            for signature in part.signatures:
                found[f"{node}{number or ''}"] = signature["label"]
    for name, group in fake.groups.items():
        for volume_name, volume in group.volumes.items():
            for signature in volume.signatures:
                found[f"/dev/{name}/{volume_name}"] = signature["label"]
    return found


def find_kinds(fake: StorageMachine) -> dict[str, str]:
    """Type of each file system, by its place."""
    found: dict[str, str] = {}
    for node, device in fake.devices.items():
        for number, part in [(0, device), *device.parts.items()]:
            found |= {f"{node}{number or ''}": signature["type"] for signature in part.signatures}
    for name, group in fake.groups.items():
        for volume_name, volume in group.volumes.items():
            found |= {f"/dev/{name}/{volume_name}": signature["type"] for signature in volume.signatures}
    return found


def find_wanted(document: dict[str, Any]) -> dict[str, str]:
    """Type of each file system that the template asks for, by its place."""
    found = {}
    for disk in document["disks"]:
        node = disk["select"]["path"]
        for number, place in [(0, disk), *enumerate(disk.get("partitions", []), 1)]:
            if "filesystem" in place:
                kind = place["filesystem"]
                found[f"{node}{number or ''}"] = kind if isinstance(kind, str) else kind["type"]
    for group in document["volume_groups"]:
        for volume in group["volumes"]:
            if "filesystem" in volume:
                found[f"/dev/{group['name']}/{volume['name']}"] = volume["filesystem"]["type"]
    return found


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_what_is_planned_is_what_is_wanted_and_nothing_else_is_lost(first: int, tmp_path: Path) -> None:
    applied = sum(check_history(seed, tmp_path / str(seed)) for seed in range(first, first + 10))
    assert applied >= FEWEST_APPLIED, "the generator draws too much that cannot be carried out"


def check_history(seed: int, tmp_path: Path) -> int:
    """Four templates, one after the other, each on what the last one left; returns how many could be carried out."""
    draw = Draw(seed)
    fake = StorageMachine(tmp_path, {f"sd{letter}": 4096 * MIB for letter in LETTERS})
    inventory = fake.build_inventory()
    draw.dirty(fake)
    applied = 0
    for _ in range(4):
        document = draw.template()
        if read_template(document)[1]:
            continue
        before, calls = find_labels(fake), len(fake.calls)
        planned = plan(document, fake.machine, inventory)
        changing = [call for call in fake.calls[calls:] if is_changing(call)]
        assert changing == [], "planning changed something"
        if planned.problems:
            assert find_labels(fake) == before
            assert all(isinstance(problem, Problem) and problem.path for problem in planned.problems)
            continue
        named = " ".join(lost for action in planned.actions for lost in action.destroys)
        # apply plans again after each driver, and fails when an action is left
        apply(document, fake.machine, inventory)
        applied += 1
        again = plan(document, fake.machine, inventory)
        assert (again.actions, again.problems) == ([], [])
        wanted, kinds = find_wanted(document), find_kinds(fake)
        assert {place: kinds.get(place) for place in wanted} == wanted
        allowed = {disk["select"]["path"] for disk in document["disks"] if disk.get("wipe")}
        allowed |= {f"/dev/{group['name']}/" for group in document["volume_groups"] if group.get("wipe")}
        after = find_labels(fake)
        for place, label in before.items():
            if after.get(place) != label and label.startswith("precious"):
                assert place in allowed, f"{place} lost its data without a word"
                assert label in named, f"{label} was lost and not named"
        for name, group in fake.groups.items():
            assert not [volume for volume in group.volumes.values() if volume.active or volume.tags], name
    return applied


def is_changing(call: list[str]) -> bool:
    if call[0] in ("lsblk", "pvs", "vgs", "lvs", "blkid", "udevadm"):
        return False
    return not (call[0] == "wipefs" and "--all" not in call) and not (
        call[0] == "sfdisk" and "--json" in call
    )
