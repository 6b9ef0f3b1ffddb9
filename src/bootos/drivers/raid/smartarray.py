"""`raid.smartarray`: HPE Smart Array controllers by ssacli, or its forerunners hpssacli and hpacucli.

The tool speaks prose: it is read by `hardware.smartarray`, and every "Error:" is a DriverError that names the array.
Logical drives keep a label, which is the array's name; the two older tools set none, so there arrays are known by
their drives. Hot spares are always of an array. A drive of an array is lost to others only with all of it, so arrays
that share drives (`Array.group`) exist, but are not made here.
"""

from pathlib import Path

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.raid import order
from bootos.drivers.raid.card import CardDriver
from bootos.drivers.raid.kerneldisk import find_disk
from bootos.drivers.storage.controller import (
    Array,
    ArrayState,
    Capability,
    Controller,
    Drive,
    DriveState,
    Mode,
    number_drives,
)
from bootos.drivers.storage.newdisk import find_linked_node, receive_disk
from bootos.drivers.storage.state import Storage
from bootos.hardware import smartarray as ssa
from bootos.hardware.program import TIMEOUT_S, find_program
from bootos.process import ToolError
from bootos.wire.inventory import Disk

APPLY_TIMEOUT_S = 600.0
STRIPS = tuple(kib * 1024 for kib in (8, 16, 32, 64, 128, 256, 512, 1024))
LABEL_LENGTH = 64
_MIB = 1024**2


class SmartArrayDriver(CardDriver):
    name = "raid.smartarray"
    title = "HPE Smart Array"

    def read_controllers(self, machine: Machine, storage: Storage) -> tuple[Controller, ...]:
        program = _find_program(machine)
        is_labelled = Path(program).name == "ssacli"
        return tuple(
            build_controller(entry, number, storage, is_labelled=is_labelled)
            for number, entry in enumerate(_read_config(machine, program))
        )

    def carry_out(self, machine: Machine, detail: order.Order) -> None:
        Hand(machine, _find_program(machine), detail.controller).carry_out(detail)


class Hand:
    """Carries out orders on one controller."""

    def __init__(self, machine: Machine, program: str, controller: str) -> None:
        self.machine = machine
        self.program = program
        self.controller = controller

    def carry_out(self, detail: order.Order) -> None:
        match detail:
            case order.CreateArray():
                self._create(detail)
            case order.DeleteArray(array=array, name=name):
                volume = self._find(array)
                self._do(f"array {name!r} was not deleted", "ld", volume.id, "delete", "forced")
            case order.AddSpare(drive=drive, array=str(array)):
                volume = self._find(array)
                self._add_spares(volume.array, (drive,), self._tell(volume))
            case order.RemoveSpare(drive=drive, array=str(array)):
                volume = self._find(array)
                about = f"hot spare {drive} was not taken from {self._tell(volume)}"
                self._do(about, "array", volume.array, "remove", f"spares={drive}")
            case order.SetPolicy(array=array, name=name, write_policy=str(policy)):
                self._set_caching(self._find(array), policy, f"array {name!r}")
            case order.SetBootArray(array=array, name=name):
                self._set_boot(self._find(array), f"array {name!r}")
            case order.SetJbod(on=False):
                pass  # mixed mode: an array takes a drive as it is
            case order.SetMode(mode=mode):
                about = f"the controller was not switched to {mode} mode"
                self._do(about, "modify", f"hbamode={'on' if mode == 'hba' else 'off'}", "forced")
            case _:
                raise DriverError(f"Smart Array controllers cannot do this: {type(detail).__name__}")

    def _create(self, wanted: order.CreateArray) -> None:
        about = f"array {wanted.name!r} was not created"
        is_labelled = Path(self.program).name == "ssacli"
        before = {volume.id for volume in self._read().volumes}
        words = [
            "create",
            "type=ld",
            f"drives={','.join(wanted.drives)}",
            f"raid={'1+0' if wanted.level == 10 else wanted.level}",
        ]
        if wanted.size_bytes is not None:
            words.append(f"size={-(-wanted.size_bytes // _MIB)}")
        if wanted.strip_bytes is not None:
            words.append(f"stripsize={wanted.strip_bytes // 1024}")
        if wanted.level in (50, 60) and len(wanted.spans) > 2:
            words.append(f"numberparitygroups={len(wanted.spans)}")
        if wanted.initialize is not None and wanted.level in (5, 6, 50, 60):
            words.append(
                f"parityinitializationmethod={'rapid' if wanted.initialize == 'full' else 'default'}"
            )
        if is_labelled:
            words.append(f"logicaldrivelabel={wanted.name}")
        self._do(about, *words, "forced")
        made = [volume for volume in self._read().volumes if volume.id not in before]
        if len(made) != 1:
            count = len(made) or "no"
            raise DriverError(
                f"{about}: {self.program} reported success and shows {count} new logical drives"
            )
        volume, who = made[0], f"array {wanted.name!r}"
        if wanted.write_policy is not None:
            self._set_caching(volume, wanted.write_policy, who)
        if wanted.hotspares:
            self._add_spares(volume.array, wanted.hotspares, who)
        if wanted.boot:
            self._set_boot(volume, who)
        root, wwn = self.machine.root, volume.values.get("Unique Identifier", "")
        receive_disk(self.machine, lambda: find_linked_node(root, wwn), who)

    def _add_spares(self, letter: str, drives: tuple[str, ...], who: str) -> None:
        about = f"{who} did not get its hot spare {', '.join(drives)}"
        self._do(about, "array", letter, "add", f"spares={','.join(drives)}", "forced")

    def _set_caching(self, volume: ssa.SsaVolume, policy: str, who: str) -> None:
        """SSD arrays go around the cache (Smart Path) until that is switched off."""
        about = f"the write policy of {who} was not set"
        is_on = policy != "through"
        if is_on and self._read().arrays.get(volume.array, {}).get("Smart Path", "") == "enable":
            self._do(about, "array", volume.array, "modify", "ssdsmartpath=disable", "forced")
        self._do(about, "ld", volume.id, "modify", f"caching={'enable' if is_on else 'disable'}", "forced")

    def _set_boot(self, volume: ssa.SsaVolume, who: str) -> None:
        self._do(f"{who} was not made the boot volume", "ld", volume.id, "modify", "bootvolume=primary")

    def _tell(self, volume: ssa.SsaVolume) -> str:
        name = ssa.find_label(volume.values, self._read().values.get("Serial Number", ""))
        return f"array {name or find_id(volume)!r}"

    def _find(self, array: str) -> ssa.SsaVolume:
        """By its identity: numbers and letters are the tool's, and may be another's by now."""
        found = next((volume for volume in self._read().volumes if find_id(volume) == array), None)
        if found is None:
            raise DriverError(f"there is no logical drive {array} at {self.controller} any more")
        return found

    def _read(self) -> ssa.SsaController:
        for entry in _read_config(self.machine, self.program):
            if f"slot={entry.slot}" == self.controller:
                return entry
        raise DriverError(f"{self.program} does not show the controller at {self.controller} any more")

    def _do(self, about: str, *words: str) -> None:
        argv = [self.program, "controller", self.controller, *words]
        try:
            done = self.machine.run(argv, timeout_s=APPLY_TIMEOUT_S, check=False)
        except ToolError as cause:
            raise DriverError(about) from cause
        error = ssa.parse_error(done.stdout + "\n" + done.stderr)
        if error or done.returncode:
            said = error or (done.stderr or done.stdout).strip()[-500:] or "nothing"
            raise DriverError(f"{about}: {self.program} says (exit code {done.returncode}): {said}")


def find_id(volume: ssa.SsaVolume) -> str:
    """What a logical drive is known by, for ever."""
    return volume.values.get("Unique Identifier") or volume.id


def _find_program(machine: Machine) -> str:
    found = find_program(machine.run, machine.root, ssa.PROGRAMS, ["version"])
    if found is None:
        hint = (
            "a layer with the ssacli package brings it; raid.driver: raid.mdadm makes software RAID instead"
        )
        raise DriverError(
            "ssacli (hpssacli, hpacucli) is not installed: no Smart Array can be configured", hint=hint
        )
    return found


def _read_config(machine: Machine, program: str) -> list[ssa.SsaController]:
    done = machine.run([program, *ssa.SHOW], timeout_s=TIMEOUT_S, check=False)
    error = ssa.parse_error(done.stdout + "\n" + done.stderr)
    if ssa.NO_CONTROLLERS in error:
        return []
    if error or done.returncode:
        said = error or (done.stderr or done.stdout).strip()[-500:]
        raise DriverError(f"{program} cannot show its controllers (exit code {done.returncode}): {said}")
    try:
        return ssa.parse_config(done.stdout)
    except ValueError as cause:
        raise DriverError(f"{program} cannot be understood") from cause


def build_controller(
    found: ssa.SsaController, number: int, storage: Storage, *, is_labelled: bool = True
) -> Controller:
    """The tool's words in those of `controller`. Pure."""
    values = found.values
    serial = values.get("Serial Number", "")
    mode = _find_mode(values)
    pending = _read_mode(values.get("Pending Controller Mode", "")) or mode
    spares = [drive for drive in found.drives if drive.values.get("Drive Type", "").startswith("Spare")]
    return Controller(
        id=f"slot={found.slot}",
        number=number,
        model=found.model,
        serial=serial,
        firmware=values.get("Firmware Version", ""),
        pci_address=values.get("PCI Address (Domain:Bus:Device.Function)", "").lower(),
        mode=mode,
        pending_mode=pending if pending != mode else None,
        capability=_find_capability(values, mode, is_labelled=is_labelled),
        drives=number_drives([_build_drive(drive, storage) for drive in found.drives]),
        arrays=tuple(
            _build_array(found, volume, storage, {drive.id for drive in spares}) for volume in found.volumes
        ),
    )


def _read_mode(text: str) -> Mode | None:
    word = text.removesuffix(" Mode").strip().lower()
    return "raid" if word == "raid" else "hba" if word == "hba" else "mixed" if word == "mixed" else None


def _find_mode(values: dict[str, str]) -> Mode:
    if values.get("HBA Mode Enabled") == "True" or "(HBA Mode)" in values.get("Title", ""):
        return "hba"
    return _read_mode(values.get("Controller Mode", "")) or "raid"


def _find_capability(values: dict[str, str], mode: Mode, *, is_labelled: bool) -> Capability:
    has_six = any(
        value == "Enabled" for key, value in values.items() if key.startswith("RAID 6") and "Status" in key
    )
    has_cache = values.get("Cache Board Present") == "True"
    can_switch = "HBA Mode Enabled" in values or (mode != "mixed" and "Controller Mode" in values)
    return Capability(
        levels=(0, 1, 5, 6, 10, 50, 60) if has_six or mode == "hba" else (0, 1, 5, 10, 50),
        most_drives_of={1: 2},
        strip_bytes=STRIPS,
        default_strip_bytes=256 * 1024,
        hotspares=("dedicated",),
        jbod=False,
        modes=("raid", "hba") if can_switch or mode == "hba" else (),
        boot="Primary Boot Volume" in values,
        write_policies=("through", "back") if has_cache else ("through",),
        initializations=("background", "full"),
        partial=True,
        pairs_only=True,
        name_length=LABEL_LENGTH if is_labelled else 0,
    )


def _build_drive(found: ssa.SsaDrive, storage: Storage) -> Drive:
    values = found.values
    size_bytes, least_bytes = _read_size(values.get("Size", ""), 1000)
    state, trouble = _find_drive_state(values)
    enclosure, _, slot = found.id.rpartition(":")
    interface = values.get("Interface Type", "")
    disk = None
    if values.get("Drive exposed to OS", "False") == "True":
        disk = find_disk(storage, serial=values.get("Serial Number", ""), node=values.get("Disk Name", ""))
    status = values.get("Status", "")
    return Drive(
        id=found.id,
        number=0,
        enclosure=enclosure,
        slot=slot,
        model=" ".join(values.get("Model", "").split()),
        serial=values.get("Serial Number", ""),
        wwn=values.get("WWID", ""),
        firmware=values.get("Firmware Revision", ""),
        size_bytes=size_bytes,
        usable_bytes=least_bytes,
        sector_bytes=_read_sector(values),
        type=ssa.find_type(interface),
        interface=interface.removeprefix("Solid State").strip() or interface,
        state=state,
        trouble=trouble,
        progress=status.partition(", ")[2] if "%" in status else "",
        device=disk.path if disk else "",
    )


def _read_size(text: str, unit: int) -> tuple[int, int]:
    try:
        return ssa.parse_size(text, unit)
    except ValueError:
        return 0, 0  # a failed drive has none


def _read_sector(values: dict[str, str]) -> int:
    said = values.get("Logical/Physical Block Size") or values.get("Native Block Size", "")
    logical = said.partition("/")[0]
    return int(logical) if logical.isdigit() else 512


def _find_drive_state(values: dict[str, str]) -> tuple[DriveState, str]:
    """(state, what is wrong with it)."""
    status, kind = values.get("Status", ""), values.get("Drive Type", "")
    if status.startswith("Failed"):
        return "failed", status
    if status.startswith(("Rebuilding", "Recovering")):
        return "rebuilding", ""
    if status.startswith("Erase") or "Not Supported" in status or status == "Offline":
        return "unusable", status
    trouble = "" if status == "OK" else status  # Predictive Failure
    if kind.startswith("Data"):
        return "online", trouble
    if kind.startswith("Spare"):
        return "hotspare", trouble
    if kind.startswith("HBA"):
        return "jbod", trouble
    if kind.startswith("Unassigned"):
        if (
            values.get("Drive exposed to OS") == "True"
        ):  # mixed mode: a disk of the system until an array takes it
            return "jbod", trouble
        return ("unusable" if trouble else "good"), trouble
    return "unusable", f"it is a {kind}" if kind else "its state is not known"


def _build_array(
    found: ssa.SsaController, volume: ssa.SsaVolume, storage: Storage, spares: set[str]
) -> Array:
    values = volume.values
    mine = [drive.id for drive in found.drives if drive.array == volume.array]
    drives = tuple(drive for drive in mine if drive not in spares)
    wwn = values.get("Unique Identifier", "")
    disk = _find_volume_disk(volume, storage)
    block = storage.blocks.get(disk.path) if disk else None
    state, progress = _find_array_state(values)
    caching = values.get("Caching") or values.get("Array Accelerator")
    boot = found.values.get("Primary Boot Volume")
    level = ssa.parse_level(values.get("Fault Tolerance", ""))
    return Array(
        id=find_id(volume),
        name=ssa.find_label(values, found.values.get("Serial Number", "")),
        level=level,
        group=volume.array,
        drives=drives,
        drive_count=len(drives),
        hotspares=tuple(drive for drive in mine if drive in spares),
        span=_find_span(level, volume, values, len(drives)),
        strip_bytes=ssa.read_bytes(values.get("Strip Size")),
        size_bytes=block.size_bytes if block else _read_size(values.get("Size", ""), 1024)[1],
        state=state,
        progress=progress,
        write_policy=None if caching is None else "back" if caching == "Enabled" else "through",
        is_boot=None if boot is None else boot.startswith(f"logicaldrive {volume.id} "),
        wwn=f"0x{wwn.lower()}" if wwn else "",
        device=disk.path if disk else "",
    )


def _find_volume_disk(volume: ssa.SsaVolume, storage: Storage) -> Disk | None:
    values = volume.values
    return find_disk(storage, wwn=values.get("Unique Identifier", ""), node=values.get("Disk Name", ""))


def _find_span(level: str, volume: ssa.SsaVolume, values: dict[str, str], drive_count: int) -> int:
    said = values.get("Number of Parity Groups", "")
    if level in ("50", "60"):
        return int(said) if said.isdigit() else max(len(volume.groups), 1)
    return drive_count // 2 if level == "10" else 1


def _find_array_state(values: dict[str, str]) -> tuple[ArrayState, str]:
    """(state, progress in the tool's words)."""
    status = values.get("Status", "")
    progress = status.partition(", ")[2]
    if status.startswith(("Failed", "Offline")):
        return "failed", ""
    if status.startswith(("Recovering", "Rebuilding")):
        return "rebuilding", f"rebuild {progress}".strip()
    if status.startswith(
        ("Interim Recovery", "Ready for Rebuild", "Waiting for Rebuild", "Queued for Rebuild")
    ):
        return "degraded", ""
    parity = values.get("Parity Initialization Status", "Initialization Completed")
    if "Completed" not in parity:
        how_far = values.get("Parity Initialization Progress", "").removesuffix(" complete")
        return "initializing", f"initialization {how_far or parity.lower()}"
    return ("optimal" if status == "OK" else "unknown"), progress
