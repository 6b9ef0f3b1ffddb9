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
from bootos.drivers.raid.hand import ToolHand, need_tool, understand
from bootos.drivers.raid.smartarraymodel import build_controller, find_id
from bootos.drivers.storage.controller import Controller
from bootos.drivers.storage.newdisk import find_linked_node, receive_disk
from bootos.drivers.storage.state import Storage
from bootos.hardware import smartarray as ssa

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


class Hand(ToolHand):
    """Carries out orders on one controller."""

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
                pass  # in mixed mode an array can take a drive that the system sees
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
        volume, who = self.take_made(about, made, "logical drives"), f"array {wanted.name!r}"
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
        """Find it by its identity: the tool may have given its number or letter to another by now."""
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
        self.call(about, [self.program, "controller", self.controller, *words], ssa.parse_error)


def _find_program(machine: Machine) -> str:
    hint = "a layer with the ssacli package brings it; raid.driver: raid.mdadm makes software RAID instead"
    message = "ssacli (hpssacli, hpacucli) is not installed: no Smart Array can be configured"
    return need_tool(machine, ssa.PROGRAMS, ["version"], DriverError(message, hint=hint))


def _read_config(machine: Machine, program: str) -> list[ssa.SsaController]:
    return understand(program, ssa.read_config, machine.run, program)
