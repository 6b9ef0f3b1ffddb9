"""`raid.megaraid`: Broadcom MegaRAID and Dell PERC controllers, by storcli, perccli and their second generation.

The tools exit with 0 whatever happened: every answer's own status counts (`hardware.storclireply`), and a refusal
becomes a DriverError that names the array. A virtual drive keeps a name of up to 15 characters, which is the array's.
"""

from collections.abc import Sequence

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.raid import order
from bootos.drivers.raid.card import CardDriver
from bootos.drivers.raid.hand import APPLY_TIMEOUT_S, ToolHand, need_tool
from bootos.drivers.raid.megaraidcard import build_card
from bootos.drivers.storage.controller import Controller
from bootos.drivers.storage.newdisk import find_linked_node, receive_disk
from bootos.drivers.storage.settle import settle
from bootos.drivers.storage.state import Storage
from bootos.hardware import storcli, storclireply
from bootos.hardware.storcli import StorController
from bootos.hardware.storcliarray import StorArray
from bootos.hardware.storclireply import Reply, find_rows
from bootos.process import ToolError
from bootos.waiting import CLOCK, Clock

READ = {"none": "nora", "ahead": "ra", "adaptive": "ra"}
WRITE = {"through": "wt", "back": "wb", "always-back": "awb"}
_MIB = 1024**2


class MegaraidDriver(CardDriver):
    name = storcli.DRIVER
    title = "Broadcom MegaRAID, Dell PERC"

    def __init__(self, clock: Clock = CLOCK) -> None:
        self.clock = clock

    def read_controllers(self, machine: Machine, storage: Storage) -> tuple[Controller, ...]:
        program = _find_program(machine)
        try:
            found = storcli.read_controllers(machine.run, program)
        except ValueError as cause:
            raise DriverError(f"the controllers cannot be read: {cause}") from cause
        if found and all(card.is_hba for card in found):
            models = ", ".join(card.model for card in found)
            hint = "raid.driver: raid.mdadm makes software RAID of its drives"
            raise DriverError(f"{models}: an HBA, which makes no arrays", hint=hint)
        return tuple(
            build_card(card, _read_boot(machine, program, card), storage) for card in found if not card.is_hba
        )

    def carry_out(self, machine: Machine, detail: order.Order) -> None:
        Hand(machine, _find_program(machine), detail.controller, self.clock).carry_out(detail)


def _find_program(machine: Machine) -> str:
    missing = DriverError(
        "neither storcli nor perccli is installed: the RAID controller cannot be configured",
        hint="a layer with the storcli (Dell: perccli) package brings it into the image; "
        "MegaRAID 96xx and PERC 12 need storcli2 or perccli2",
    )
    return need_tool(machine, storcli.PROGRAMS, ["show", "J"], missing)


def _read_boot(machine: Machine, program: str, card: StorController) -> int | None:
    """The VD number that the controller boots from; None: it does not say."""
    if not card.data:
        return None
    try:
        replies = storclireply.read_reply(machine.run, program, [f"/c{card.number}", "show", "bootdrive"])
    except (ToolError, ValueError):
        return None
    for entry in (row for reply in replies for row in find_rows(reply.data, "Controller Properties")):
        value = storclireply.find_text(entry, "Value")
        if "boot" in storclireply.find_text(entry, "Ctrl_Prop").lower():
            digits = value.upper().removeprefix("VD:").strip()
            return int(digits) if digits.isdigit() else -1
    return None


class Hand(ToolHand):
    """Carries out orders on one controller (`/c0`)."""

    def __init__(self, machine: Machine, program: str, controller: str, clock: Clock) -> None:
        super().__init__(machine, program, controller)
        self.clock = clock

    def carry_out(self, detail: order.Order) -> None:
        match detail:
            case order.CreateArray():
                self._create(detail)
            case order.DeleteArray(array=array, name=name):
                self._do(f"array {name!r} was not deleted", f"/v{array}", self._delete_word(), "force")
                settle(self.machine)
            case order.AddSpare(drive=drive, array=array):
                self._add_spare(drive, array)
            case order.RemoveSpare(drive=drive):
                self._do(f"hot spare {drive} was not taken away", _place(drive), "delete", "hotsparedrive")
            case order.SetJbod(drive=drive, on=True):
                self._do(f"drive {drive} was not handed to the system", _place(drive), "set", "jbod")
            case order.SetJbod(drive=drive):
                words = ("set", "uconf", "force") if self._is_second() else ("set", "good", "force")
                self._do(f"drive {drive} was not taken back", _place(drive), *words)
            case order.SetPolicy(array=array, name=name, read_policy=read, write_policy=write):
                self._set_policies(array, name, read, write)
            case order.SetBootArray(array=array, name=name):
                self._set_boot(array, name)
            case order.SetMode(mode=mode):
                self._do(
                    f"the controller was not switched to {mode} mode",
                    "",
                    "set",
                    f"personality={mode.upper()}",
                )
            case order.ImportForeign():
                self._do("the foreign configuration was not imported", "/fall", "import")
            case order.ClearForeign():
                self._do("the foreign configuration was not cleared", "/fall", self._delete_word())
            case _:
                raise DriverError(f"MegaRAID controllers cannot do this: {type(detail).__name__}")

    def _create(self, wanted: order.CreateArray) -> None:
        about = f"array {wanted.name!r} was not created"
        before = {array.number for array in self._list()}
        words = ["add", "vd", f"r{wanted.level}", f"name={wanted.name}", f"drives={_join(wanted.drives)}"]
        if wanted.size_bytes is not None:
            words.append(f"size={-(-wanted.size_bytes // _MIB)}MB")
        if wanted.level in (10, 50, 60):
            words.append(f"pdperarray={len(wanted.spans[0])}")
        words += [WRITE[wanted.write_policy]] if wanted.write_policy is not None else []
        words += [READ[wanted.read_policy]] if wanted.read_policy is not None else []
        words += [f"strip={wanted.strip_bytes // 1024}"] if wanted.strip_bytes is not None else []
        self._do(about, "", *words)
        made = [array for array in self._list() if array.number not in before]
        array = self.take_made(about, made, "arrays")
        number = str(array.number)
        for drive in wanted.hotspares:
            self._add_spare(drive, number, f"array {wanted.name!r} did not get its hot spare {drive}")
        if wanted.boot:
            self._set_boot(number, wanted.name)
        if wanted.initialize in ("fast", "full"):
            kind = ("full",) if wanted.initialize == "full" else ()
            self._do(f"array {wanted.name!r} was not initialised", f"/v{number}", "start", "init", *kind)
        # During a full initialisation the array takes no writes, so its disk is not waited for.
        if wanted.initialize != "full":
            receive_disk(
                self.machine,
                lambda: find_linked_node(self.machine.root, array.naa),
                f"array {wanted.name!r}",
                clock=self.clock,
            )

    def _add_spare(self, drive: str, array: str | None, about: str = "") -> None:
        words = ["add", "hotsparedrive"]
        if array is not None:
            group = next((entry.group for entry in self._list() if str(entry.number) == array), None)
            if group is None:
                raise DriverError(f"there is no virtual drive {array} on {self.controller} any more")
            words.append(f"dgs={group}")
        self._do(about or f"drive {drive} was not made a hot spare", _place(drive), *words)

    def _set_policies(self, array: str, name: str, read: str | None, write: str | None) -> None:
        """One setting a call: the second generation takes no more."""
        for word in ([f"rdcache={READ[read]}"] if read else []) + (
            [f"wrcache={WRITE[write]}"] if write else []
        ):
            self._do(f"{word} of array {name!r} was not set", f"/v{array}", "set", word)

    def _set_boot(self, array: str, name: str) -> None:
        self._do(f"array {name!r} was not made the boot drive", f"/v{array}", "set", "bootdrive=on")

    def _delete_word(self) -> str:
        return "delete" if self._is_second() else "del"

    def _is_second(self) -> bool:
        replies = storclireply.read_reply(self.machine.run, self.program, ["show"])
        return bool(replies) and storcli.is_second(replies[0].version)

    def _list(self) -> Sequence[StorArray]:
        try:
            cards = storcli.read_controllers(self.machine.run, self.program)
        except ValueError as cause:
            raise DriverError(f"the arrays of {self.controller} cannot be read: {cause}") from cause
        for card in cards:
            if f"/c{card.number}" == self.controller:
                unread = [entry.text for entry in card.remarks if entry.part in ("controller", "arrays")]
                if unread:
                    raise DriverError(f"{self.program}, controller {self.controller}: {unread[0]}")
                return card.arrays
        raise DriverError(f"{self.program} does not show the controller {self.controller} any more")

    def _do(self, about: str, place: str, *words: str) -> None:
        argv = [f"{self.controller}{place}", *words]
        try:
            replies: list[Reply] = storclireply.read_reply(
                self.machine.run, self.program, argv, APPLY_TIMEOUT_S
            )
        except (ToolError, ValueError) as cause:  # the tool hangs, or prints something else than an answer
            raise DriverError(f"{about}: {cause}") from cause
        errors = [reply.error for reply in replies if reply.error]
        if errors or not replies:
            raise DriverError(f"{about}: {self.program} says: {'; '.join(errors) or 'nothing'}")


def _place(drive: str) -> str:
    """`252:3` as `/e252/s3`; drives without an enclosure have only a slot."""
    enclosure, _, slot = drive.partition(":")
    return f"/e{enclosure}/s{slot}" if enclosure.strip() else f"/s{slot}"


def _join(drives: Sequence[str]) -> str:
    return ",".join(drive.removeprefix(":") for drive in drives)
