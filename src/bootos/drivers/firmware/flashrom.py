"""`firmware.flashrom`: writes an image into the BIOS's flash chip, by the programmer that the board itself is.

Only for templates that say `may_brick: true`. The chip is read first (a chip that cannot be read is not written), and
flashrom compares after writing; when it does not print `VERIFIED`, the action fails.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from bootos.drivers.contract import Action, DriverError, Forecast, Machine, Planned
from bootos.drivers.firmware.download import DIRECTORY, fetched_package
from bootos.drivers.firmware.flasher import ProgramFlasher
from bootos.drivers.firmware.plan import Hop, Recipe, plan_firmware
from bootos.drivers.firmware.settle import MOST_S, USUAL_S, tell_hop
from bootos.drivers.firmware.state import FirmwareState, Installed
from bootos.errors import Problem
from bootos.process import ToolError
from bootos.template.firmware import FirmwareWanted
from bootos.template.model import Template

log = logging.getLogger(__name__)

PROGRAM = "flashrom"
READ_TIMEOUT_S = 600.0
VERIFIED = ("VERIFIED", "Chip content is identical")


class FlashromDriver(ProgramFlasher):
    name = "firmware.flashrom"
    section = "firmware.flashrom"
    title = "BIOS by flashrom"
    method = "flashrom"
    program = PROGRAM
    layer = "flashrom"
    why = "the template asks for flashrom"

    def plan(
        self, state: FirmwareState, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        return plan_firmware(self.name, self.method, state, template.firmware, build_recipe)

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        hop: Hop = action.detail
        options: tuple[str, ...] = hop.recipe.data
        with fetched_package(machine, hop.package) as image:
            before = machine.root / DIRECTORY / "bios-before.rom"
            self._read_chip(machine, hop, before)
            if not options and before.stat().st_size != image.stat().st_size:
                sizes = f"the chip has {before.stat().st_size} bytes, the image {image.stat().st_size}"
                raise DriverError(
                    f"{tell_hop(hop)}: {sizes}; nothing was written",
                    hint="options with a layout write a part of the chip",
                )
            self._write_chip(machine, hop, options, image, before)
            before.unlink(missing_ok=True)

    def _read_chip(self, machine: Machine, hop: Hop, path: Path) -> None:
        try:
            machine.run([PROGRAM, "-p", "internal", "-r", str(path)], timeout_s=READ_TIMEOUT_S)
            path.stat()
        except (ToolError, OSError) as cause:
            message = f"{tell_hop(hop)}: the chip cannot be read, so it is not written: {cause}"
            raise DriverError(message) from cause

    def _write_chip(
        self, machine: Machine, hop: Hop, options: Sequence[str], image: Path, before: Path
    ) -> None:
        words = [PROGRAM, "-p", "internal", *options, "-w", str(image)]
        hint = f"do not switch it off: what was in the chip is in {before}, and flashrom can write it back"
        try:
            done = machine.run(words, timeout_s=hop.recipe.timeout_s, check=False)
        except ToolError as cause:
            message = (
                f"{tell_hop(hop)}: flashrom did not come to an end, and the chip may be half written: {cause}"
            )
            raise DriverError(message, hint=hint) from cause
        said = f"{done.stdout}\n{done.stderr}"
        if done.returncode != 0 or not any(word in said for word in VERIFIED):
            last = " ".join(said.split())[-400:]
            message = f"{tell_hop(hop)}: flashrom did not verify what it wrote (exit code {done.returncode}): {last}"
            raise DriverError(message, hint=hint)


def build_recipe(item: FirmwareWanted, parts: Sequence[Installed]) -> Recipe | Problem:
    """Always with a reboot, and never safe to repeat without a word. Pure."""
    return Recipe(
        reboot=True,
        estimate_s=USUAL_S[item.component],
        timeout_s=float(item.timeout_s or MOST_S[item.component]),
        data=tuple(item.options or ()),
    )
