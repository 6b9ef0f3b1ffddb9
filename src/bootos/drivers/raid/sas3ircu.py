"""`raid.sas3ircu`: LSI's and Broadcom's SAS 2 and SAS 3 controllers with IR firmware, by sas2ircu and sas3ircu.

They make a few arrays of levels 0, 1 and 10 and have hot spares of the whole controller. A drive in no array is a disk
of the system until an array takes it. Not every release prints the names of arrays, so they are known by their drives.
"""

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.raid import order
from bootos.drivers.raid.card import CardDriver
from bootos.drivers.raid.hand import ToolHand, need_card_tool, need_cards
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
from bootos.drivers.storage.newdisk import find_linked_node, receive_disk
from bootos.drivers.storage.state import Storage
from bootos.hardware import sasircu as ir

_MIB = 1024**2
# after LSI's SAS-2 Integrated RAID Configuration Utility User Guide
_DRIVES: dict[str, DriveState] = {
    "RDY": "jbod", "AVL": "jbod", "OPT": "online", "ONL": "online", "DGD": "online", "OSY": "rebuilding",
    "RBLD": "rebuilding", "RBD": "rebuilding", "HSP": "hotspare", "FLD": "failed", "MIS": "missing",
}  # fmt: skip
_VOLUMES: dict[str, ArrayState] = {
    "OKY": "optimal", "ONL": "optimal", "OPT": "optimal", "DGD": "degraded", "FLD": "failed", "MIS": "failed",
    "INIT": "initializing", "RBLD": "rebuilding",
}  # fmt: skip


class SasIrcuDriver(CardDriver):
    name = ir.DRIVER
    title = "LSI and Broadcom IR"

    def read_controllers(self, machine: Machine, storage: Storage) -> tuple[Controller, ...]:
        found = need_cards(ir.read_cards(machine.run, machine.root), _build_missing(), is_none_known=True)
        if found and all(entry.is_hba for entry in found):
            hint = "raid.driver: raid.mdadm makes software RAID of its drives"
            raise DriverError("its firmware is IT, which makes no arrays", hint=hint)
        return tuple(build_controller(entry, storage) for entry in found if not entry.is_hba)

    def carry_out(self, machine: Machine, detail: order.Order) -> None:
        program, number = need_card_tool(machine, ir.PROGRAMS, ir.ASK, detail.controller, _build_missing())
        Hand(machine, program, number).carry_out(detail)


def build_controller(found: ir.IrController, storage: Storage) -> Controller:
    """The tool's words in those of `controller`. Pure."""
    used = {id for volume in found.volumes for id in volume.members}
    drives = number_drives([_build_drive(drive, drive.id in used, storage) for drive in found.drives])
    return Controller(
        id=found.id,
        number=found.number,
        model=found.model,
        firmware=found.values.get("firmware version", ""),
        pci_address=found.pci_address,
        mode="mixed",
        capability=Capability(
            levels=(0, 1, 10),
            most_drives=10,
            most_drives_of={1: 2},
            most_arrays=2,
            hotspares=("global",),
            partial=True,
            pairs_only=True,
        ),
        drives=drives,
        arrays=tuple(_build_array(volume, drives, storage) for volume in found.volumes),
        hotspares=tuple(drive.id for drive in drives if drive.state == "hotspare"),
        remarks=tuple(found.remarks),
    )


def _build_drive(found: ir.IrDrive, is_used: bool, storage: Storage) -> Drive:
    values = found.values
    state = _DRIVES.get(found.state, "unusable")
    if is_used and state == "jbod":  # some releases call members of volumes ready
        state = "online"
    serial, wwn = values.get("serial no", ""), values.get("guid", "").lower()
    wwn = "" if wwn == "n/a" else wwn
    disk = find_disk(storage, wwn=wwn, serial=serial) if state == "jbod" else None
    bad = state in ("failed", "missing", "unusable")
    return Drive(
        id=found.id,
        number=0,
        enclosure=values.get("enclosure #", ""),
        slot=values.get("slot #", ""),
        model=" ".join(values.get("model number", "").split()),
        serial=serial,
        wwn=wwn,
        firmware=values.get("firmware revision", ""),
        size_bytes=found.size_bytes,
        # the controller keeps its configuration in the last 64 MiB
        usable_bytes=max(0, found.size_bytes - 64 * _MIB),
        type=ir.find_type(found),
        interface=values.get("protocol", "").upper(),
        state=state,
        trouble=f"its state is {values.get('state') or 'not shown'}" if bad else "",
        device=disk.path if disk is not None else "",
    )


def _build_array(found: ir.IrVolume, drives: tuple[Drive, ...], storage: Storage) -> Array:
    known = {drive.id: drive for drive in drives}
    there = tuple(id for id in found.members if id in known and known[id].state not in ("failed", "missing"))
    disk = find_disk(storage, wwn=found.wwn)
    state = _VOLUMES.get(ir.find_word(found.values.get("status of volume", "")), "unknown")
    if any(known[id].state == "rebuilding" for id in there):
        state = "rebuilding"
    boot = found.values.get("boot")
    return Array(
        id=find_id(found),
        name=found.name,
        level=found.level,
        drives=there,
        drive_count=len(found.members),
        span=len(found.members) // 2 if found.level == "10" else 1,
        size_bytes=found.size_bytes,
        state=state,
        is_boot=boot.lower().startswith("primary") if boot is not None else None,
        wwn=f"0x{found.wwn}" if found.wwn else "",
        device=disk.path if disk is not None else "",
    )


def find_id(volume: ir.IrVolume) -> str:
    """What a volume is known by, for ever; its number, where nothing else is printed."""
    return volume.wwn or volume.id


class Hand(ToolHand):
    """Carries out orders on one controller. The tool numbers volumes anew now and then, so each is found again."""

    def carry_out(self, detail: order.Order) -> None:
        match detail:
            case order.CreateArray():
                self._create(detail)
            case order.DeleteArray(array=array, name=name):
                self._delete(array, name)
            case order.AddSpare(drive=drive):
                self._do(f"drive {drive} was not made a hot spare", "HOTSPARE", drive)
            case order.RemoveSpare(drive=drive):
                self._do(f"hot spare {drive} was not taken away", "HOTSPARE", "DELETE", drive)
            case order.SetJbod(on=False):
                pass  # an array takes a drive as it is
            case _:
                raise DriverError(f"IR controllers cannot do this: {type(detail).__name__}")

    def _delete(self, array: str, name: str) -> None:
        about = f"array {name!r} was not deleted"
        found = [volume for volume in self._read().volumes if find_id(volume) == array]
        if len(found) != 1 or (found[0].name or array) != name:
            raise DriverError(
                f"{about}: there is no volume {array} of that name on controller {self.controller}"
            )
        self._do(about, "DELETEVOLUME", found[0].id, "noprompt")

    def _create(self, wanted: order.CreateArray) -> None:
        who = f"array {wanted.name!r}"
        about = f"{who} was not created"
        before = {find_id(volume) for volume in self._read().volumes}
        size = "MAX" if wanted.size_bytes is None else str(-(-wanted.size_bytes // _MIB))
        self._do(about, "CREATE", f"RAID{wanted.level}", size, *wanted.drives, wanted.name[:15], "noprompt")
        new = [volume for volume in self._read().volumes if find_id(volume) not in before]
        made = self.take_made(about, new, "volumes")
        if not made.wwn:
            raise DriverError(f"{who} was created, but {self.program} prints no WWID to know its disk by")
        receive_disk(self.machine, lambda: find_linked_node(self.machine.root, f"0x{made.wwn}"), who)

    def _read(self) -> ir.IrController:
        found = ir.read_controller(self.machine.run, self.program, int(self.controller))
        if found.remarks:
            raise DriverError(f"{self.program}, controller {self.controller}: {found.remarks[0].text}")
        return found

    def _do(self, about: str, *words: str) -> None:
        self.call(about, [self.program, self.controller, *words], ir.parse_error)


def _build_missing() -> DriverError:
    hint = "a layer with sas3ircu (SAS 2: sas2ircu) brings it; raid.driver: raid.mdadm makes software RAID instead"
    return DriverError(
        "neither sas3ircu nor sas2ircu is installed: no IR controller can be configured", hint=hint
    )
