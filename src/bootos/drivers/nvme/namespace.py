"""NVMe drives with their namespaces, as nvme-cli and sysfs tell them. `disk.nvme` reads and changes them with this.

A drive without any namespace has no disk, so drives come from the kernel's controllers. Reading changes nothing; what
a drive does not answer is its `trouble`, which only those hear who want something of it.
"""

import json
import re
from typing import Any

import msgspec

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.nvme.lbaformat import LbaFormat, build_flbas, find_format, parse_current, parse_formats
from bootos.drivers.storage.device import clear_device
from bootos.drivers.storage.newdisk import receive_disk, wait_for_disk
from bootos.hardware.tree import Tree
from bootos.process import ToolError
from bootos.wire.inventory import Disk, DiskType

MIB = 1024**2
COMMAND_TIMEOUT_S = 600.0
_ALL = 0xFFFFFFFF  # the namespace id that means all namespaces
_MANAGES, _GRANULARITY, _SEVERAL = 8, 128, 2  # bits of OACS, CTRATT and CMIC
_CONTROLLER, _DISK = re.compile(r"nvme\d+"), re.compile(r"nvme\d+n\d+")


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A namespace. `device` is empty while the kernel has no disk of it; `attached` None: the drive does not tell."""

    nsid: int
    size_bytes: int
    sector_bytes: int
    metadata_bytes: int = 0
    device: str = ""
    attached: tuple[int, ...] | None = None


class NvmeDrive(msgspec.Struct, frozen=True, kw_only=True):
    """`disk` stands for the whole drive where one is selected. `controller` is its number in the NVM subsystem,
    `peers` are the other controllers of that, `most` is how many namespaces there can be."""

    node: str
    disk: Disk
    trouble: str = ""
    manages: bool = False
    several: bool = False
    controller: int = 0
    peers: tuple[str, ...] = ()
    most: int = 0
    total_bytes: int = 0
    free_bytes: int = 0
    granule_bytes: int = MIB
    formats: tuple[LbaFormat, ...] = ()
    held: tuple[Held, ...] = ()

    @property
    def title(self) -> str:
        """The drive in words that find it in the rack."""
        return tell_drive(self.node, self.disk)


class Coming(msgspec.Struct, frozen=True, kw_only=True):
    """`is_rest`: the namespace takes what is left, and may be smaller: some drives round its size down."""

    size_bytes: int
    sector_bytes: int
    lbaf: int
    is_rest: bool = False


class Rebuild(msgspec.Struct, frozen=True, kw_only=True):
    """`doomed` are devices by NSID (empty: no disk). Those of `loose` only want a disk (`attached`: to be looked
    for, no more); with `own` this job made them."""

    node: str
    title: str
    controller: int
    granule_bytes: int
    doomed: dict[int, str] = {}
    loose: tuple[int, ...] = ()
    attached: tuple[int, ...] = ()
    own: bool = False
    coming: tuple[Coming, ...] = ()


def tell_drive(node: str, disk: Disk) -> str:
    """`/dev/nvme0 (MODEL, serial S)`: enough to find the drive in the rack."""
    return f"{node} ({', '.join(filter(None, [disk.model, disk.serial and f'serial {disk.serial}']))})"


def find_namespace_disks(tree: Tree, node: str) -> dict[int, str]:
    """The kernel's disks of a controller's namespaces by NSID; with multipath they hang off the subsystem."""
    found: dict[int, str] = {}
    for name in tree.names("sys/block"):
        if not _DISK.fullmatch(name):
            continue
        parent = tree.resolve(f"sys/block/{name}").rpartition("/")[0]
        own = parent.rpartition("/")[2]
        controllers = [own] if _CONTROLLER.fullmatch(own) else tree.names(parent)
        nsid = tree.read_int(f"sys/block/{name}/nsid")
        if nsid is not None and node.removeprefix("/dev/") in controllers:
            found[nsid] = f"/dev/{name}"
    return found


def read_drives(machine: Machine, disks: tuple[Disk, ...]) -> tuple[NvmeDrive, ...]:
    """All NVMe drives on PCI, by the kernel's name."""
    tree = Tree(machine.root)
    by_path = {disk.path: disk for disk in disks}
    found = []
    for place, name in enumerate(tree.names("sys/class/nvme")):
        if (tree.read(f"sys/class/nvme/{name}/transport") or "pcie") != "pcie":
            continue
        node, kept = f"/dev/{name}", find_namespace_disks(tree, f"/dev/{name}")
        shown = next((by_path[path] for _, path in sorted(kept.items()) if path in by_path), None)
        index = shown.index if shown is not None else len(disks) + place
        found.append(_read_drive(machine, _build_disk(tree, name, index, shown), node, kept))
    return tuple(found)


def _build_disk(tree: Tree, name: str, index: int, shown: Disk | None) -> Disk:
    """The drive as a whole. It has the name of its first namespace, but not the world wide name of that namespace."""
    place = f"sys/class/nvme/{name}"
    return Disk(
        index=index,
        name=name,
        path=shown.path if shown is not None else f"/dev/{name}n1",
        by_path=shown.by_path if shown is not None else f"pci-{tree.read(f'{place}/address')}-nvme-1",
        model=tree.read(f"{place}/model") or (shown.model if shown is not None else None),
        serial=tree.read(f"{place}/serial") or (shown.serial if shown is not None else None),
        size_bytes=0,
        type=DiskType.NVME,
        transport="nvme",
    )


def _read_drive(machine: Machine, disk: Disk, node: str, kept: dict[int, str]) -> NvmeDrive:
    tree = Tree(machine.root)
    try:
        ctrl = _ask(machine, "id-ctrl", node)
        drive = NvmeDrive(
            node=node,
            disk=msgspec.structs.replace(disk, size_bytes=int(ctrl.get("tnvmcap") or 0)),
            manages=bool(int(ctrl["oacs"]) & _MANAGES),
            several=bool(int(ctrl.get("cmic") or 0) & _SEVERAL),
            controller=int(ctrl["cntlid"]),
            peers=_find_peers(tree, node),
            most=int(ctrl.get("mnan") or 0) or int(ctrl["nn"]),
            total_bytes=int(ctrl.get("tnvmcap") or 0),
            free_bytes=int(ctrl.get("unvmcap") or 0),
        )
        if not drive.manages:
            return drive
        formats = parse_formats(_ask(machine, "id-ns", node, f"--namespace-id={_ALL:#x}"))
        granule = MIB
        if int(ctrl.get("ctratt") or 0) & _GRANULARITY:
            granule = parse_granule(_ask(machine, "id-ns-granularity", node))
        nsids = parse_namespace_list(_ask(machine, "list-ns", node, "--all"))
        held = tuple(_read_held(machine, node, nsid, kept.get(nsid, "")) for nsid in nsids)
    except (DriverError, ToolError, ValueError, KeyError, TypeError, IndexError) as cause:
        return NvmeDrive(node=node, disk=disk, trouble=str(cause) or repr(cause))
    return msgspec.structs.replace(drive, formats=formats, granule_bytes=granule, held=held)


def _find_peers(tree: Tree, node: str) -> tuple[str, ...]:
    for subsystem in tree.names("sys/class/nvme-subsystem"):
        names = [n for n in tree.names(f"sys/class/nvme-subsystem/{subsystem}") if _CONTROLLER.fullmatch(n)]
        if node.removeprefix("/dev/") in names:
            return tuple(f"/dev/{name}" for name in names if f"/dev/{name}" != node)
    return ()


def _read_held(machine: Machine, node: str, nsid: int, device: str) -> Held:
    identity = _ask(machine, "id-ns", node, f"--namespace-id={nsid}", "--force")
    used = find_format(parse_formats(identity), parse_current(identity))
    if used is None:
        raise DriverError(f"nvme says of namespace {nsid} of {node} that it has a format which is not there")
    argv = ["nvme", "list-ctrl", node, f"--namespace-id={nsid}", "--output-format=json"]
    told = machine.run(argv, check=False)
    return Held(
        nsid=nsid,
        size_bytes=int(identity["nsze"]) * used.sector_bytes,
        sector_bytes=used.sector_bytes,
        metadata_bytes=used.metadata_bytes,
        device=device,
        attached=parse_controller_list(json.loads(told.stdout)) if told.returncode == 0 else None,
    )


def parse_namespace_list(told: dict[str, Any]) -> list[int]:
    """`nvme list-ns --all -o json`, in the order of the numbers."""
    return sorted(int(item["nsid"]) for item in told["nsid_list"])


def parse_controller_list(told: dict[str, Any]) -> tuple[int, ...]:
    """`nvme list-ctrl -o json`"""
    return tuple(int(item["ctrl_id"]) for item in told["ctrl_list"])


def parse_granule(told: dict[str, Any]) -> int:
    """`nvme id-ns-granularity -o json`: the coarsest unit of any format, in whole MiB."""
    keys = ("namespace-size-granularity", "namespace-capacity-granularity")
    coarsest = max((int(item[key]) for item in told["namespace-granularity-list"] for key in keys), default=0)
    return max(MIB, -(-coarsest // MIB) * MIB)


def parse_created(text: str) -> int:
    """`create-ns: Success, created nsid:28`. Raises ValueError."""
    found = re.search(r"created nsid:\s*(\d+)", text)
    if found is None:
        raise ValueError(f"nvme does not say which namespace it created: {text.strip()!r}")
    return int(found[1])


def _ask(machine: Machine, command: str, node: str, *words: str) -> dict[str, Any]:
    told = json.loads(machine.run(["nvme", command, node, *words, "--output-format=json"]).stdout)
    if not isinstance(told, dict):
        raise ValueError(f"nvme {command} {node} answers what is not understood")
    return told


def apply_rebuild(machine: Machine, wanted: Rebuild) -> None:
    """Delete, the last one first so that what is left after a cut is never taken for what is wanted; then attach and
    create one by one, so that the kernel's names follow the order. Raises DriverError."""
    for nsid, device in sorted(wanted.doomed.items(), reverse=True):
        if device:
            clear_device(machine, device)
        _do(machine, wanted, f"namespace {nsid} was not deleted", "delete-ns", f"--namespace-id={nsid}")
    _rescan(machine, wanted)
    for nsid in wanted.doomed:
        wait_for_disk(
            machine,
            lambda nsid=nsid: None if nsid in _find_disks(machine, wanted) else "gone",  # type: ignore[misc]
            f"namespace {nsid} of {wanted.title} was deleted, but the system shows its disk still",
        )
    for nsid in wanted.loose:
        _attach(machine, wanted, nsid, is_new=wanted.own)
    for item in wanted.coming:
        size_bytes = item.size_bytes
        if item.is_rest:
            free_bytes = int(_ask(machine, "id-ctrl", wanted.node).get("unvmcap") or 0)
            size_bytes = min(size_bytes, free_bytes // wanted.granule_bytes * wanted.granule_bytes)
        sectors = size_bytes // item.sector_bytes
        words = [f"--nsze={sectors}", f"--ncap={sectors}", f"--flbas={build_flbas(item.lbaf)}"]
        text = _do(machine, wanted, f"no namespace of {size_bytes} bytes was created", "create-ns", *words)
        try:
            nsid = parse_created(text)
        except ValueError as cause:
            raise DriverError(f"{wanted.title}: {cause}") from cause
        _attach(machine, wanted, nsid, is_new=True)


def _attach(machine: Machine, wanted: Rebuild, nsid: int, *, is_new: bool) -> None:
    if nsid not in wanted.attached:
        words = [f"--namespace-id={nsid}", f"--controllers={wanted.controller}"]
        _do(machine, wanted, f"namespace {nsid} was not attached", "attach-ns", *words)
    _rescan(machine, wanted)
    title = f"namespace {nsid} of {wanted.title}"

    def find() -> str | None:
        return _find_disks(machine, wanted).get(nsid)

    if is_new:
        receive_disk(machine, find, title)
    else:
        wait_for_disk(machine, find, f"{title} was attached, but the system shows no disk of it")


def _find_disks(machine: Machine, wanted: Rebuild) -> dict[int, str]:
    return find_namespace_disks(Tree(machine.root), wanted.node)


def _rescan(machine: Machine, wanted: Rebuild) -> None:
    # the drive tells most kernels of the change, and for the others this is needed
    machine.run(["nvme", "ns-rescan", wanted.node], check=False)


def _do(machine: Machine, wanted: Rebuild, failure: str, command: str, *words: str) -> str:
    try:
        return machine.run(["nvme", command, wanted.node, *words], timeout_s=COMMAND_TIMEOUT_S).stdout
    except ToolError as cause:
        hint = "the next attempt goes on from what the drive has by then"
        raise DriverError(f"{wanted.title}: {failure}: {cause}", hint=hint) from cause
