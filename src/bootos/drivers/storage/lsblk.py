"""Block devices as `lsblk` lists them: what lies in what, and what holds it. Used by `read` and `device`."""

import json
from typing import Any

from bootos.drivers.contract import DriverError, Machine

LSBLK_COLUMNS = "NAME,PATH,TYPE,SIZE,RO,LOG-SEC,MOUNTPOINTS"


def parse_lsblk(text: str) -> dict[str, dict[str, Any]]:
    """`lsblk -J -b`: every device by path, children kept inside."""
    found: dict[str, dict[str, Any]] = {}

    def walk(items: list[dict[str, Any]]) -> None:
        for item in items:
            found.setdefault(item["path"], item)
            walk(item.get("children", []))

    walk(json.loads(text or "{}").get("blockdevices", []))
    return found


def find_users(item: dict[str, Any]) -> list[str]:
    """Mount points, swap and mappings (LVM, LUKS) on a device of `lsblk` or anything above it, but not what
    is on md arrays: those are blocks of their own."""
    users = [f"mounted on {point}" for point in item.get("mountpoints") or [] if point and point != "[SWAP]"]
    if "[SWAP]" in (item.get("mountpoints") or []):
        users.append("in use as swap")
    for child in item.get("children", []):
        if child["type"].startswith("raid") or child["type"] == "md":
            continue
        if child["type"] != "part":
            users.append(f"in use by {child['path']} ({child['type']})")
        users += find_users(child)
    return users


def read_devices(machine: Machine) -> dict[str, dict[str, Any]]:
    """Every block device by its path, as `lsblk -J -b` lists it. Raises ToolError."""
    return parse_lsblk(machine.run(["lsblk", "-J", "-b", "-o", LSBLK_COLUMNS]).stdout)


def find_device(machine: Machine, node: str) -> dict[str, Any] | None:
    """One device with what is on it; None: it is not there."""
    done = machine.run(["lsblk", "-J", "-b", "-o", LSBLK_COLUMNS, node], check=False)
    return parse_lsblk(done.stdout).get(node) if done.returncode == 0 else None


def read_device(machine: Machine, node: str) -> dict[str, Any]:
    """One device with what is on it. Raises DriverError when it is not there."""
    item = find_device(machine, node)
    if item is None:
        raise DriverError(f"{node} is not there", hint="the disk may have failed or been pulled")
    return item


def find_parts(item: dict[str, Any]) -> list[dict[str, Any]]:
    """The partitions of a device of `lsblk`."""
    return [child for child in item.get("children", []) if child["type"] == "part"]
