"""`raid.adaptec`: Adaptec, Microsemi and Microchip controllers by arcconf.

Two families speak through one tool (`hardware.adaptec.is_smart`): those of aacraid (series 2 to 8), whose drives must
be initialised before use and which have global hot spares, and SmartRAID (smartpqi), whose hot spares are of an array.
What does not say "Command completed successfully." has failed, whatever its exit code.
"""

from collections.abc import Set

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.raid import order
from bootos.drivers.raid.adaptecmodel import build_controller, find_id, find_volume_disk
from bootos.drivers.raid.card import CardDriver
from bootos.drivers.raid.hand import ToolHand, need_tool, understand
from bootos.drivers.storage.controller import Controller
from bootos.drivers.storage.newdisk import (
    find_kernel_node,
    find_linked_node,
    read_appearances,
    receive_disk,
)
from bootos.drivers.storage.state import Storage
from bootos.hardware import adaptec as arc
from bootos.hardware.program import TIMEOUT_S
from bootos.process import ToolError

_MIB = 1024**2
_METHODS = {"fast": "quick", "full": "clear", "background": "build", "none": "skip"}
_READ = {"none": "roff", "ahead": "ron"}
_WRITE = {"through": "wt", "back": "wbb", "always-back": "wb"}
_CACHING = {"through": "coff", "back": "con"}
_MODES = {False: {"raid": "0", "hba": "2"}, True: {"raid": "3", "hba": "2"}}


class AdaptecDriver(CardDriver):
    name = "raid.adaptec"
    title = "Adaptec RAID"

    def read_controllers(self, machine: Machine, storage: Storage) -> tuple[Controller, ...]:
        program = _find_program(machine)
        configs = understand(program, arc.read_configs, machine.run, program)
        return tuple(
            build_controller(config, config.number - 1, _read_status(machine, program, config), storage)
            for config in configs
        )

    def carry_out(self, machine: Machine, detail: order.Order) -> None:
        Hand(machine, _find_program(machine), detail.controller).carry_out(detail)


class Hand(ToolHand):
    """Carries out orders on one controller."""

    def carry_out(self, detail: order.Order) -> None:
        match detail:
            case order.CreateArray():
                self._create(detail)
            case order.DeleteArray(array=array, name=name):
                self._do(f"array {name!r} was not deleted", "DELETE", "LOGICALDRIVE", self._find(array).id)
            case order.AddSpare(drive=drive, array=None):
                self._add_spare(drive, None, "the controller")
            case order.AddSpare(drive=drive, array=str(array)):
                volume = self._find(array)
                self._add_spare(drive, volume, _tell(volume))
            case order.RemoveSpare(drive=drive, array=array):
                who = _tell(self._find(array)) if array is not None else "the controller"
                about = f"hot spare {drive} was not taken from {who}"
                self._do(about, "SETSTATE", "DEVICE", *drive.split(","), "RDY")
            case order.SetPolicy(array=array, name=name, read_policy=read, write_policy=write):
                self._set_policies(self._find(array), f"array {name!r}", read, write)
            case order.SetBootArray(array=array, name=name):
                self._set_boot(self._find(array), f"array {name!r}")
            case order.SetJbod(drive=drive, on=False):
                self._initialise((drive,), f"drive {drive} was not taken back for arrays")
            case order.SetMode(mode=mode):
                self._set_mode(mode)
            case _:
                raise DriverError(f"Adaptec controllers cannot do this: {type(detail).__name__}")

    def _create(self, wanted: order.CreateArray) -> None:
        about, who = f"array {wanted.name!r} was not created", f"array {wanted.name!r}"
        config = self._read()
        smart = arc.is_smart(config)
        before = {volume.id for volume in config.volumes}
        disks = read_appearances(self.machine.root)
        self._initialise(wanted.drives, about)
        options: list[str] = []
        if wanted.strip_bytes is not None:
            options += ["Stripesize", str(wanted.strip_bytes // 1024)]
        if len(wanted.spans) > 2 and wanted.level in (50, 60):
            options += ["Legs", str(len(wanted.spans))]
        options += ["Name", wanted.name]
        if wanted.initialize is not None and not smart:
            options += ["Method", _METHODS[wanted.initialize]]
        if wanted.read_policy is not None and not smart:
            options += ["Rcache", _READ[wanted.read_policy]]
        if wanted.write_policy is not None and not smart:
            options += ["Wcache", _WRITE[wanted.write_policy]]
        size = "MAX" if wanted.size_bytes is None else str(-(-wanted.size_bytes // _MIB))
        places = [word for drive in wanted.drives for word in drive.split(",")]
        self._do(about, "CREATE", "LOGICALDRIVE", *options, size, str(wanted.level), *places)
        made = [volume for volume in self._read().volumes if volume.id not in before]
        volume = self.take_made(about, made, "logical devices")
        if smart and wanted.write_policy is not None:
            self._set_policies(volume, who, None, wanted.write_policy)
        for spare in wanted.hotspares:
            self._add_spare(spare, volume, who)
        if wanted.boot:
            self._set_boot(volume, who)
        self._receive_disk(volume, smart, who, disks)

    def _receive_disk(self, volume: arc.ArcVolume, smart: bool, who: str, before: Set[str]) -> None:
        """SmartRAID gives its disks world wide names; those of aacraid are known by serial number, in sysfs alone, or
        by the array's name, which a disk that was there `before` may have too."""
        root, wwn = self.machine.root, volume.values.get("volume unique identifier", "")

        def find() -> str | None:
            if smart:
                return find_linked_node(root, wwn)
            return find_kernel_node(root, lambda storage: find_volume_disk(volume, storage), before)

        receive_disk(self.machine, find, who)

    def _initialise(self, drives: tuple[str, ...], about: str) -> None:
        """Controllers of aacraid take no raw drive."""
        config = self._read()
        raw = {device.id for device in config.devices if device.values.get("state", "").startswith("Raw")}
        for drive in drives if not arc.is_smart(config) else ():
            if drive in raw:
                self._do(about, "TASK", "START", "DEVICE", *drive.split(","), "INITIALIZE")

    def _add_spare(self, drive: str, volume: arc.ArcVolume | None, who: str) -> None:
        about = f"{who} did not get its hot spare {drive}"
        self._initialise((drive,), about)
        words = ["SETSTATE", "DEVICE", *drive.split(","), "HSP"]
        if volume is not None and "array" in volume.values:  # SmartRAID
            words += ["ARRAY", volume.values["array"], "SPARETYPE", "1"]
        elif volume is not None:
            words += ["LOGICALDRIVE", volume.id]
        self._do(about, *words)

    def _set_policies(self, volume: arc.ArcVolume, who: str, read: str | None, write: str | None) -> None:
        about = f"a cache policy of {who} was not set"
        if arc.is_smart(self._read()):
            is_on = volume.values.get("caching") == "Enabled"
            # arcconf refuses to set a value that is set already
            if write is not None and is_on != (write != "through"):
                self._do(about, "SETCACHE", "LOGICALDRIVE", volume.id, _CACHING[write])
            return
        if read is not None:
            self._do(about, "SETCACHE", "LOGICALDRIVE", volume.id, _READ[read])
        if write is not None:
            self._do(about, "SETCACHE", "LOGICALDRIVE", volume.id, _WRITE[write])

    def _set_boot(self, volume: arc.ArcVolume, who: str) -> None:
        about = f"{who} was not made the boot volume"
        self._do(about, "SETBOOT", "LOGICALDRIVE", volume.id, "TYPE", "Primary")

    def _set_mode(self, mode: str) -> None:
        number = _MODES[arc.is_smart(self._read())].get(mode)
        if number is None:
            raise DriverError(f"arcconf has no controller mode {mode!r}")
        self._do(f"the controller was not switched to {mode} mode", "SETCONTROLLERMODE", number)

    def _find(self, array: str) -> arc.ArcVolume:
        """Find the volume by its identity: its number may belong to another volume by now."""
        found = next((volume for volume in self._read().volumes if find_id(volume) == array), None)
        if found is None:
            raise DriverError(f"there is no logical device {array} on controller {self.controller} any more")
        return found

    def _read(self) -> arc.ArcController:
        try:
            config = arc.read_config(self.machine.run, self.program, int(self.controller))
        except ValueError as cause:
            raise DriverError(f"{self.program} cannot show controller {self.controller}") from cause
        if config.remarks:
            raise DriverError(f"{self.program}, controller {self.controller}: {config.remarks[0].text}")
        return config

    def _do(self, about: str, command: str, *words: str) -> None:
        argv = [self.program, command, self.controller, *words]
        if command == "TASK":  # the number of the controller follows START
            argv = [self.program, command, words[0], self.controller, *words[1:]]
        if command != "SETBOOT":
            argv.append("noprompt")
        self.call(about, argv, arc.parse_error)


def _tell(volume: arc.ArcVolume) -> str:
    return f"array {volume.values.get('logical device name') or find_id(volume)!r}"


def _find_program(machine: Machine) -> str:
    hint = "a layer with the Arcconf package brings it; raid.driver: raid.mdadm makes software RAID instead"
    missing = DriverError("arcconf is not installed: no Adaptec controller can be configured", hint=hint)
    return need_tool(machine, arc.PROGRAMS, ["GETVERSION"], missing)


def _read_status(machine: Machine, program: str, config: arc.ArcController) -> list[arc.ArcTask]:
    """The tasks that run on a controller; none where the tool does not tell."""
    if config.remarks:
        return []
    try:
        done = machine.run([program, "GETSTATUS", str(config.number)], timeout_s=TIMEOUT_S, check=False)
    except ToolError:
        return []
    return arc.parse_status(done.stdout)
