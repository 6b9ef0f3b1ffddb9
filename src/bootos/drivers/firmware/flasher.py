"""The base of the firmware drivers that flash from the running system. The item's method chooses the driver; all read
the same parts and versions. `firmware.redfish` lets the BMC flash and has another base.
"""

from typing import Any

from bootos.drivers.contract import Machine, Match
from bootos.drivers.firmware.source import Finder, read_installed
from bootos.drivers.firmware.state import FirmwareState
from bootos.drivers.program import find_program
from bootos.template.firmware import Method, find_method
from bootos.template.model import Template
from bootos.wire.inventory import Inventory


class Flasher:
    """The base of them. A subclass has `method`, `name` and `section` ("firmware.METHOD") and `title`."""

    method: Method
    state_type: Any = FirmwareState
    name: str
    reboot_after_each = True

    def __init__(self, find_program: Finder = find_program) -> None:
        self._find_program = find_program

    def wants(self, template: Template) -> bool:
        """Whether an item of the template is flashed by this method."""
        return any(find_method(item) == self.method for item in template.firmware)

    def read(self, machine: Machine, inventory: Inventory) -> FirmwareState:
        """The installed versions, and which hops this job began already."""
        return FirmwareState(
            installed=read_installed(machine, inventory, self._find_program),
            vendor=inventory.system.vendor,
            begun=sorted(id for id in machine.begun if id.startswith(f"{self.name}:")),
        )


class ProgramFlasher(Flasher):
    """One that works with `program`, which a layer with `layer` brings. `why` it is chosen, as a clause."""

    program: str
    layer: str
    why: str

    def match(self, inventory: Inventory) -> Match | None:
        """Always a match: an image without the program fails the plan, with a hint, and not the choice."""
        if self._is_here():
            return Match(reason=f"{self.why}, and {self.program} is here")
        return Match(reason=f"{self.why}, but {self.program} is not in this image")

    def read(self, machine: Machine, inventory: Inventory) -> FirmwareState:
        """As every firmware driver; with an obstacle when the program is not in the image."""
        state = super().read(machine, inventory)
        if not self._is_here():
            state.obstacle = f"{self.program} is not in this image"
            state.hint = f"a layer with {self.layer} brings it: bootos image --help"
        return state

    def _is_here(self) -> bool:
        return self._find_program(self.program) is not None
