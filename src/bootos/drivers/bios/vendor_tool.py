"""What the drivers over a vendor's command have in common: chosen by vendor, all settings in one go, read again.

A subclass reads all settings (`read_settings`) and hands over what shall be changed (`set_settings`). A tool that says
yes and does nothing is found out at once, where it shows what is pending: no reboot is spent on it.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from bootos.drivers.bios.driver import BiosDriver
from bootos.drivers.bios.namefile import find_vendor
from bootos.drivers.bios.section import PRIORITY_VENDOR_TOOL, BiosState
from bootos.drivers.bios.setting import SetDetail, Setting, get_future, show
from bootos.drivers.contract import DriverError, Machine, Match
from bootos.drivers.program import find_program
from bootos.process import SCRATCH, Completed
from bootos.wire.inventory import Inventory

OUTPUT_MOST_CHARACTERS = 400


class VendorTool(BiosDriver):
    """A BIOS driver over a vendor's command. `programs`: its names, the best first; `shows_pending`: whether reading
    again before the reboot tells what was taken."""

    vendors: ClassVar[tuple[str, ...]]
    programs: ClassVar[tuple[str, ...]]
    shows_pending: ClassVar[bool] = True

    def __init__(self, find_program: Callable[[str], str | None] = find_program) -> None:
        self._find_program = find_program

    def match(self, inventory: Inventory) -> Match | None:
        """The vendor decides. Without the tool it is the last choice, so that what is missing can be said."""
        vendor = inventory.system.vendor
        if find_vendor(vendor) not in self.vendors:
            return None
        program = self._find()
        if program is None:
            missing = " or ".join(self.programs)
            return Match(
                reason=f"the machine is from {vendor}, but {missing} is not in this image", priority=1
            )
        return Match(
            reason=f"the machine is from {vendor}, and {program} is here", priority=PRIORITY_VENDOR_TOOL
        )

    def read(self, machine: Machine, inventory: Inventory) -> BiosState:
        settings = self.read_settings(machine, self._require())
        if not settings:
            raise DriverError(
                f"{self.programs[0]} shows no BIOS setting at all",
                hint="try it by hand on this machine; an old version may not know the model",
            )
        return BiosState(vendor=find_vendor(inventory.system.vendor), settings=settings)

    def set(self, machine: Machine, details: Sequence[SetDetail], password: str | None) -> None:
        program = self._require()
        self.set_settings(machine, program, details, password or "")
        if self.shows_pending:
            check_taken(self.read_settings(machine, program), details, program)

    def read_settings(self, machine: Machine, program: str) -> list[Setting]:
        """All settings of the machine. Raises DriverError, ToolError."""
        raise NotImplementedError

    def set_settings(
        self, machine: Machine, program: str, details: Sequence[SetDetail], password: str
    ) -> None:
        """Have all of them take effect with the next start, or none. Raises DriverError, ToolError."""
        raise NotImplementedError

    def _find(self) -> str | None:
        return next((program for program in self.programs if self._find_program(program)), None)

    def _require(self) -> str:
        program = self._find()
        if program is None:
            missing = " or ".join(self.programs)
            hint = "add the vendor's package to the image: bootos driver add, or a layer of the recipe"
            raise DriverError(f"{missing} is not in this image, and {self.name} cannot do without", hint=hint)
        return program


def check_taken(settings: Sequence[Setting], details: Sequence[SetDetail], program: str) -> None:
    """Raise DriverError that names every setting which is not pending as it was set."""
    known = {setting.name: setting for setting in settings}
    wrong = []
    for detail in details:
        setting = known.get(detail.name)
        future = None if setting is None else get_future(setting)
        if str(future) != str(detail.value):
            wrong.append(f"{detail.name} (wanted {show(detail.value)}, it will be {show(future)})")
    if wrong:
        raise DriverError(f"{program} reported success, but did not take: {', '.join(wrong)}")


def quote_output(completed: Completed) -> str:
    """What a tool said, on one line, cut: for error messages."""
    text = " ".join(f"{completed.stdout} {completed.stderr}".split())
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text[:OUTPUT_MOST_CHARACTERS] or "nothing"


def make_scratch(machine: Machine, name: str) -> Path:
    """A file for the tool below the machine's root; what was there is gone. Raises DriverError where a link leads out
    of the root."""
    file = machine.root / SCRATCH / name
    if not Path(os.path.realpath(file.parent)).is_relative_to(os.path.realpath(machine.root)):
        raise DriverError(f"/{SCRATCH} leads out of the machine's files")
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.unlink(missing_ok=True)
    return file
