"""md arrays that run: found by the name that plans give them, stopped, made writable.

Called by `apply` of the drivers; reading arrays is `md`.
"""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.storage.imsm import is_container, read_volume_name
from bootos.drivers.storage.md import MdstatEntry, read_name
from bootos.drivers.storage.mdread import read_detail, read_mdstat
from bootos.drivers.storage.settle import settle
from bootos.process import ToolError

SLOW_KIB_PER_S = "1000"


def find_array_node(machine: Machine, device: str) -> str | None:
    """The kernel's device (`/dev/md127`) of an array that a plan calls `/dev/md/NAME`; None: it is not there."""
    running = {f"/dev/{entry.name}": entry for entry in read_mdstat(machine) if entry.active}
    if device in running:
        return device
    link = machine.root / device.removeprefix("/")
    hinted = f"/dev/{link.readlink().name}" if link.is_symlink() else ""
    for node in sorted(running, key=lambda node: (node != hinted, node)):  # udev's link is only a hint
        if f"/dev/md/{_read_name(machine, running[node])}" == device:
            return node
    return None


def find_home(machine: Machine, node: str) -> str:
    """The kernel's device of the container that this array lies in; empty: it lies in none."""
    entry = next((entry for entry in read_mdstat(machine) if f"/dev/{entry.name}" == node), None)
    return f"/dev/{entry.container}" if entry is not None and entry.container else ""


def _read_name(machine: Machine, entry: MdstatEntry) -> str:
    said = read_detail(machine, entry.name)
    return read_name(said.get("MD_NAME", "")) or read_volume_name(machine, entry, said)


def stop_arrays_on(machine: Machine, nodes: Iterable[str]) -> None:
    """Stop every running array that has one of `nodes` as a member. Raises DriverError."""
    wanted = set(nodes)
    # a container can be stopped only after the arrays in it
    for entry in sorted(read_mdstat(machine), key=is_container):
        if wanted & {member.node for member in entry.members}:
            stop_array(machine, f"/dev/{entry.name}")


def stop_array(machine: Machine, node: str) -> None:
    """Stop one array. udev may hold it open for a moment after an event: settle, then once more."""
    settle(machine)
    try:
        machine.run(["mdadm", "--stop", node])
    except ToolError:
        settle(machine)
        try:
            machine.run(["mdadm", "--stop", node])
        except ToolError as cause:
            raise DriverError(f"the array {node} could not be stopped", hint="something uses it") from cause


def make_writable(machine: Machine, node: str) -> None:
    """End the read-only state in which `read_arrays` started an array; others stay as they are. One in a container
    needs mdadm's monitor to be written, which mdadm starts when it assembles it."""
    for entry in read_mdstat(machine):
        if f"/dev/{entry.name}" != node or not entry.read_only:
            continue
        if not entry.container:
            machine.run(["mdadm", "--readwrite", node])
            continue
        uuid = read_detail(machine, entry.name)["MD_UUID"]
        stop_array(machine, node)
        machine.run(["mdadm", "--assemble", "--run", node, f"--uuid={uuid}", f"/dev/{entry.container}"])
        settle(machine)


@contextlib.contextmanager
def resync_slowed(machine: Machine) -> Iterator[None]:
    """Let arrays that are being built wait for us: at full speed a resync takes the disks away from mkfs."""
    limits = sorted((machine.root / "sys/block").glob("md*/md/sync_speed_max"))
    _write_limits(limits, SLOW_KIB_PER_S)
    try:
        yield
    finally:
        _write_limits(limits, "system")


def _write_limits(limits: Iterable[Path], text: str) -> None:
    for path in limits:
        with contextlib.suppress(OSError):  # the array is gone, or is of a level that has no resync
            path.write_text(text)
