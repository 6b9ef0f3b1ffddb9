"""`raid.mvcli`: Marvell's controllers for two M.2 drives, by mvcli (Dell BOSS-S1 and S2, Lenovo's mirroring kits) and
mnv_cli (NVMe: Dell BOSS-N1, HPE NS204i, Lenovo's NVMe kit).

They make one array, of level 0 or 1, and keep its name in ten characters. There are no hot spares and no policies: a
new drive in the place of a dead one is filled by the controller itself. A drive in no array is a disk of the system
with the SATA ones, and is hidden with the NVMe ones.
"""

import re
from collections.abc import Set

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.raid import order
from bootos.drivers.raid.card import CardDriver
from bootos.drivers.raid.hand import ToolHand, need_card_tool, need_cards, understand
from bootos.drivers.raid.kerneldisk import find_disk
from bootos.drivers.storage.controller import (
    Array,
    ArrayState,
    Capability,
    Controller,
    Drive,
    DriveState,
    number_drives,
)
from bootos.drivers.storage.newdisk import find_kernel_node, read_appearances, receive_disk
from bootos.drivers.storage.state import Storage
from bootos.hardware import mvcli as mv
from bootos.wire.inventory import Disk, DiskType

NAME_LENGTH = 10
_VOLUME_MODELS = (  # how the disk of an array calls itself
    "dellboss", "marvell", "mr-raid", "dell boss", "thinksystem m.2",
    "m.2 nvme 2-bay raid kit", "hpe ns204i",
)  # fmt: skip
_OTHERS = {
    True: ("dellboss", "thinksystem m.2 vd"),
    False: ("dell boss-n", "m.2 nvme 2-bay raid kit", "hpe ns204i"),
}
"""Those of the other kind of card, by whether it is NVMe."""
_STATES: dict[str, ArrayState] = {
    "functional": "optimal", "degraded": "degraded", "degrade": "degraded",
    "partially optimal": "degraded", "rebuilding": "rebuilding",
    "offline": "failed", "failed": "failed", "missing": "failed", "initializing": "initializing",
}  # fmt: skip
_SOUND = ("online", "idle")  # of drives
_DEAD = re.compile(r"offline|fail|missing|dead|error")


class MvcliDriver(CardDriver):
    name = mv.DRIVER
    title = "Marvell (Dell BOSS)"

    def read_controllers(self, machine: Machine, storage: Storage) -> tuple[Controller, ...]:
        # what mvcli says where there is no card of its own was never published
        is_there = mv.has_sata_card(machine.root)
        found = need_cards(mv.read_cards(machine.run, machine.root), _build_missing(), is_none_known=is_there)
        return tuple(build_controller(entry, storage) for entry in found)

    def carry_out(self, machine: Machine, detail: order.Order) -> None:
        program, number = need_card_tool(machine, mv.PROGRAMS, mv.ASK, detail.controller, _build_missing())
        Hand(machine, program, number).carry_out(detail)


def build_controller(found: mv.MvController, storage: Storage) -> Controller:
    """The tool's words in those of `controller`. Pure."""
    values = found.values
    modes = values.get("supported raid mode", "").upper().split()
    most = values.get("maximum disk in one vd", "")
    arrays = values.get("maximum supported vd", "")
    strips = [mv.parse_size(word) for word in values.get("stripe size supported", "").split()]
    taken = {id for volume in found.volumes for id in mv.list_members(volume)}
    drives = number_drives([_build_drive(drive, taken, storage) for drive in found.drives])
    return Controller(
        id=found.id,
        number=found.number,
        model=found.model,
        pci_address=found.pci_address,
        serial=values.get("serialno", ""),
        firmware=values.get("firmware version", ""),
        mode="mixed",
        capability=Capability(
            levels=tuple(level for level in (0, 1, 10) if f"RAID{level}" in modes),
            most_drives=int(most) if most.isdigit() else None,
            most_drives_of={1: 2},
            most_arrays=int(arrays) if arrays.isdigit() else None,
            strip_bytes=tuple(size for size in strips if size),
            pairs_only=True,
            name_length=NAME_LENGTH,
        ),
        drives=drives,
        arrays=tuple(_build_array(found, volume, drives, storage) for volume in found.volumes),
        remarks=tuple(found.remarks),
    )


def _build_drive(values: dict[str, str], taken: Set[str], storage: Storage) -> Drive:
    id, serial = values.get("pd id", ""), values.get("serial", "")
    is_used = id in taken or mv.is_used(values)
    disk = find_disk(storage, serial=serial) if not is_used else None
    size_bytes, type = mv.find_size(values), mv.find_type(values)
    state = _find_state(values, is_used, is_hidden=type is DiskType.NVME and disk is None)
    return Drive(
        id=id,
        number=0,
        slot=id,
        model=" ".join(values.get("model", "").split()),
        serial=serial,
        wwn=values.get("wwn", ""),
        firmware=values.get("firmware version", ""),
        size_bytes=size_bytes,
        usable_bytes=mv.parse_size(values.get("pd valid size", "")) or size_bytes,
        type=type,
        interface=values.get("type", "NVME").partition(" ")[0].upper(),
        state=state,
        trouble=f"its state is {mv.find_status(values) or 'not shown'}"
        if state in ("failed", "unusable")
        else "",
        device=disk.path if disk is not None else "",
    )


def _find_state(values: dict[str, str], is_used: bool, *, is_hidden: bool) -> DriveState:
    """A drive is used with the words alone that are known; most releases of mvcli print none."""
    status = mv.find_status(values).lower()
    if _DEAD.search(status):
        return "failed"
    if is_used and status.startswith("rebuild"):
        return "rebuilding"
    if status not in _SOUND and (status or mv.find_type(values) is DiskType.NVME):
        return "unusable"
    # a SATA drive is the system's also where its disk is not found: what is on it is not known then
    return "online" if is_used else "good" if is_hidden else "jbod"


def find_volume_disk(found: mv.MvController, storage: Storage) -> Disk | None:
    """The disk of the one array that there is: a namespace of the controller, where the tool says which device that is;
    else the one that calls itself so."""
    own = re.compile(rf"{re.escape(found.node)}n\d+")
    spaces = [disk for disk in storage.disks if found.node and own.fullmatch(disk.path)]
    if spaces:
        return spaces[0] if len(spaces) == len(found.volumes) == 1 else None
    others = _OTHERS[found.program in mv.NVME_PROGRAMS]
    models = [(disk, (disk.model or "").lower()) for disk in storage.disks]
    same = [
        disk for disk, model in models if model.startswith(_VOLUME_MODELS) and not model.startswith(others)
    ]
    return same[0] if len(same) == len(found.volumes) == 1 else None


def _build_array(
    found: mv.MvController, volume: dict[str, str], drives: tuple[Drive, ...], storage: Storage
) -> Array:
    disk = find_volume_disk(found, storage)
    there = {drive.id for drive in drives if drive.state != "failed"}
    members = mv.list_members(volume)
    count = volume.get("# of pds", "")
    running = mv.find_running(volume)
    state = _STATES.get(volume.get("status", "").lower(), "unknown")
    if state == "degraded" and "rebuild" in running.lower():
        state = "rebuilding"
    return Array(
        id=volume.get("id", ""),
        name=volume.get("name", ""),
        level=mv.find_level(volume),
        drives=tuple(id for id in members if id in there),
        drive_count=max(len(members), int(count) if count.isdigit() else 0),
        strip_bytes=mv.parse_size(volume.get("stripe size", "")) or None,
        size_bytes=mv.parse_size(volume.get("size", "")),
        state=state,
        progress=running,
        device=disk.path if disk is not None else "",
    )


class Hand(ToolHand):
    """Carries out orders on the first controller."""

    def carry_out(self, detail: order.Order) -> None:
        match detail:
            case order.CreateArray():
                self._create(detail)
            case order.DeleteArray(array=array, name=name):
                words = ["delete", "-o", "vd", "-i", array, "-f", "--waiveconfirmation"]
                if self.program in mv.NVME_PROGRAMS:
                    words = ["vd", "-a", "delete", "-i", array]
                self._do(f"array {name!r} was not deleted", *words)
            case order.SetJbod(on=False):
                pass  # an array takes a drive as it is
            case _:
                raise DriverError(f"Marvell controllers cannot do this: {type(detail).__name__}")

    def _create(self, wanted: order.CreateArray) -> None:
        who = f"array {wanted.name!r}"
        about = f"{who} was not created"
        before = {volume.get("id") for volume in self._read().volumes}
        root = self.machine.root
        disks = read_appearances(root)
        words = ["create", "-o", "vd", "-r", str(wanted.level)]
        if self.program in mv.NVME_PROGRAMS:
            words = ["vd", "-a", "create", f"-r{wanted.level}"]
        words += ["-d", ",".join(wanted.drives), "-n", wanted.name]
        if wanted.strip_bytes is not None:
            words += ["-b", str(wanted.strip_bytes // 1024)]
        self._do(about, *words)
        found = self._read()
        made = [volume for volume in found.volumes if volume.get("id") not in before]
        self.take_made(about, made, "virtual disks")
        receive_disk(
            self.machine,
            lambda: find_kernel_node(root, lambda storage: find_volume_disk(found, storage), disks),
            who,
        )

    def _read(self) -> mv.MvController:
        for entry in understand(self.program, mv.read_controllers, self.machine.run, self.program):
            if str(entry.number) == self.controller and not entry.remarks:
                return entry
        raise DriverError(f"{self.program} does not show controller {self.controller}")

    def _do(self, about: str, *words: str) -> None:
        self.call(about, [self.program, *words], mv.parse_error)


def _build_missing() -> DriverError:
    hint = (
        "a layer with mvcli (BOSS-N1: mnv_cli) brings it; raid.driver: raid.mdadm makes software RAID instead"
    )
    return DriverError("mvcli is not installed: no Marvell controller can be configured", hint=hint)
