"""Volume groups and logical volumes being made: what `disk.lvm` orders, and how it is carried out by LVM's tools."""

import msgspec

from bootos.drivers.contract import Machine
from bootos.drivers.storage import volume
from bootos.drivers.storage.array import make_writable
from bootos.drivers.storage.device import empty_place, find_node
from bootos.drivers.storage.mark import UNFINISHED
from bootos.drivers.storage.settle import settle
from bootos.template.size import parse_size


class CreateGroup(msgspec.Struct, frozen=True, kw_only=True):
    """`members` are (disk, partition number or None, UUID of the physical volume)."""

    group: str
    extent_bytes: int
    members: tuple[tuple[str, int | None, str], ...]


class ExtendGroup(msgspec.Struct, frozen=True, kw_only=True):
    """`member` is one more physical volume, as in `CreateGroup`."""

    group: str
    member: tuple[str, int | None, str]


class MakeVolume(msgspec.Struct, frozen=True, kw_only=True):
    """`size` is the template's: the group's real number of extents is known when it exists."""

    group: str
    name: str
    size: str
    disks: tuple[str, ...]


class GrowVolume(MakeVolume, frozen=True, kw_only=True):
    """A volume that is there already."""


class FinishVolume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume whose making was cut off."""

    group: str
    name: str


def count_wanted(size: str, total: int, extent_bytes: int) -> int | None:
    """Extents of a volume in a group of `total`; None: all that are left."""
    wanted = parse_size(size)
    if wanted.share is not None:
        return int(total * wanted.share)
    return None if wanted.size_bytes is None else -(-wanted.size_bytes // extent_bytes)


def run_lvm(machine: Machine, *argv: str) -> str:
    """What one of LVM's tools prints. Raises ToolError."""
    return machine.run([*argv], timeout_s=volume.LVM_TIMEOUT_S).stdout


def make_member(machine: Machine, member: tuple[str, int | None, str]) -> str:
    """Make a physical volume, with the job's mark where there is one; returns its node."""
    disk, number, uuid = member
    node = empty_place(machine, disk, number)
    named = ["--uuid", uuid, "--norestorefile"] if uuid else []
    run_lvm(machine, "pvcreate", "--yes", "--force", *named, node)
    return node


def apply_create(machine: Machine, wanted: CreateGroup) -> None:
    """Physical volumes first, then the group over them: cut off in between, the job knows them by their mark."""
    nodes = [make_member(machine, member) for member in wanted.members]
    extent = f"{wanted.extent_bytes}b"
    run_lvm(machine, "vgcreate", "--yes", "--physicalextentsize", extent, wanted.group, *nodes)
    settle(machine)


def apply_size(machine: Machine, wanted: MakeVolume) -> None:
    """Create or extend a volume. A new one is tagged until what shone through from before is wiped."""
    for disk in wanted.disks:
        make_writable(machine, find_node(machine, disk))
    columns = "vg_extent_size,vg_extent_count,vg_free_count"
    argv = ["vgs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", columns, wanted.group]
    found = volume.parse_report(run_lvm(machine, *argv), "vg")[0]
    free = int(found["vg_free_count"])
    count = count_wanted(wanted.size, int(found["vg_extent_count"]), int(found["vg_extent_size"]))
    place = f"{wanted.group}/{wanted.name}"
    if isinstance(wanted, GrowVolume):
        extents = f"+{free}" if count is None else str(count)
        run_lvm(machine, "lvextend", "--yes", "--extents", extents, place)
        return
    extents = str(free if count is None else count)
    argv = ["lvcreate", "--yes", "--activate", "n", "--wipesignatures", "n", "--zero", "n"]
    argv += ["--addtag", UNFINISHED, "--extents", extents, "--name", wanted.name, wanted.group]
    run_lvm(machine, *argv)
    with volume.opened(machine, wanted.group, wanted.name) as node:
        machine.run(["wipefs", "--all", "--force", "--quiet", node])
