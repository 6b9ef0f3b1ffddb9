"""Devices while they are changed: the kernel's node of what a plan names, emptied, measured, looked at again.

Called by `apply` of the drivers.
"""

from typing import Any

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.storage.array import find_array_node, make_writable, stop_arrays_on
from bootos.drivers.storage.lsblk import find_device, find_parts, find_users, read_device
from bootos.drivers.storage.settle import settle
from bootos.drivers.storage.state import partition_path


def find_node(machine: Machine, device: str) -> str:
    """The kernel's device of a disk or array of the plan. Raises DriverError when it is not there."""
    if not device.startswith("/dev/md"):
        return device
    node = find_array_node(machine, device)
    if node is None:
        raise DriverError(f"the array {device} is not there", hint="`cat /proc/mdstat` shows what runs")
    return node


def check_unused(machine: Machine, node: str) -> None:
    """Raise DriverError when a device was taken into use since it was planned, for one whose content goes away with it.
    A device that is not there any more is in no use."""
    item = find_device(machine, node)
    if item is not None:
        _check_users(node, item)


def _check_users(node: str, item: dict[str, Any]) -> None:
    if users := find_users(item):
        raise DriverError(f"{node} was taken into use: it is {', '.join(dict.fromkeys(users))}")


def clear_device(machine: Machine, node: str) -> None:
    """Stop md arrays that have `node` or one of its partitions as a member, then remove every signature from the
    partitions and from `node` itself (tables included). Raises DriverError (it was taken into use since it was planned:
    earlier actions may have taken hours), ToolError."""
    item = read_device(machine, node)
    _check_users(node, item)
    parts = [child["path"] for child in find_parts(item)]
    stop_arrays_on(machine, [node, *parts])
    machine.run(["wipefs", "--all", "--force", "--quiet", *parts, node])


def empty_place(machine: Machine, device: str, number: int | None = None) -> str:
    """Make a disk or array of the plan, or one partition of it, writable and empty; returns its node.

    Raises DriverError, ToolError."""
    disk_node = find_node(machine, device)
    make_writable(machine, disk_node)
    node = disk_node if number is None else partition_path(disk_node, number)
    clear_device(machine, node)
    return node


def read_size(machine: Machine, node: str) -> tuple[int, int]:
    """(bytes, bytes of a logical sector) of a device as the kernel has it now."""
    item = read_device(machine, node)
    return int(item["size"] or 0), int(item.get("log-sec") or 512)


def check_partitions(machine: Machine, node: str, numbers: list[int]) -> None:
    """Raises DriverError unless the kernel has exactly these partitions of `node`; asks it to look once more."""
    expected = {partition_path(node, number) for number in numbers}
    if {part["path"] for part in find_parts(read_device(machine, node))} == expected:
        return
    machine.run(["blockdev", "--rereadpt", node], check=False)
    settle(machine)
    found = {part["path"] for part in find_parts(read_device(machine, node))}
    if found != expected:
        listed = ", ".join(sorted(found)) or "none"
        raise DriverError(
            f"the kernel does not see the new partitions of {node}: it has {listed}",
            hint="something uses the disk",
        )
