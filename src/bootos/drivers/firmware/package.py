"""`firmware.package`: the vendor's own package is run with the options that its maker documents (`vendor.toml`).

The exit code alone is no proof: the version is read again, after the reboot if the package needs one.
"""

import contextlib
import logging
from collections.abc import Mapping, Sequence

import msgspec

from bootos.drivers.contract import Action, DriverError, Forecast, Machine, Match, Planned
from bootos.drivers.firmware.download import fetched_package, unpacked_package
from bootos.drivers.firmware.flasher import Flasher
from bootos.drivers.firmware.plan import NAMES, Hop, Recipe, plan_firmware
from bootos.drivers.firmware.settle import MOST_S, USUAL_S, tell_hop, wait_for_version
from bootos.drivers.firmware.source import Finder, find_programs
from bootos.drivers.firmware.state import FirmwareState, Installed
from bootos.drivers.firmware.vendor import Format, find_format, list_formats
from bootos.drivers.firmware.version import compare_versions
from bootos.drivers.program import find_program
from bootos.errors import Problem
from bootos.process import Completed, ToolError
from bootos.template.firmware import FirmwareWanted, find_hops
from bootos.template.model import Template
from bootos.waiting import CLOCK, Clock
from bootos.wire.inventory import Inventory

log = logging.getLogger(__name__)

_MOST_SAID = 600


class PackageData(msgspec.Struct, frozen=True, kw_only=True):
    """How a package is run: its format with the item's own words laid over. `vendor` is the machine's."""

    vendor: str | None
    format: Format


class PackageDriver(Flasher):
    name = "firmware.package"
    section = "firmware.package"
    title = "Firmware by the vendor's packages"
    method = "package"

    def __init__(self, find_program: Finder = find_program, *, clock: Clock = CLOCK) -> None:
        super().__init__(find_program)
        self._clock = clock

    def match(self, inventory: Inventory) -> Match | None:
        vendor = inventory.system.vendor or "an unknown maker"
        return Match(reason=f"packages run on the machine itself, which is from {vendor}")

    def read(self, machine: Machine, inventory: Inventory) -> FirmwareState:
        state = super().read(machine, inventory)
        state.programs = find_programs(self._find_program)
        return state

    def plan(
        self, state: FirmwareState, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        def prepare(item: FirmwareWanted, parts: Sequence[Installed]) -> Recipe | Problem:
            return build_recipe(item, state)

        return plan_firmware(self.name, self.method, state, template.firmware, prepare)

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        hop: Hop = action.detail
        data: PackageData = hop.recipe.data
        format = data.format
        going_back = any(
            compare_versions(hop.package.version, part.version or "", hop.component) == -1
            for part in hop.parts
        )
        with contextlib.ExitStack() as stack:
            path = stack.enter_context(fetched_package(machine, hop.package))
            directory = stack.enter_context(unpacked_package(path)) if format.unpack else path.parent
            places = {"{package}": str(path), "{directory}": str(directory), "{stem}": path.stem}
            words = [_fill(word, places) for word in format.command]
            words += format.downgrade if going_back else ()
            try:
                done = machine.run(
                    words,
                    timeout_s=hop.recipe.timeout_s,
                    check=False,
                    cwd=path.parent,
                    on_line=lambda line: log.info("%s | %s", NAMES[hop.component], line),
                )
            except ToolError as cause:
                if isinstance(cause.__cause__, OSError):
                    raise DriverError(f"{tell_hop(hop)}: the package cannot be run: {cause}") from cause
                raise DriverError(
                    f"{tell_hop(hop)}: the package did not end by itself, and how far it came is not known: {cause}",
                    hint="do not switch the machine off before its console or BMC shows that nothing is being flashed",
                ) from cause
        self._judge(hop, format, done)
        if not hop.recipe.reboot:
            wait_for_version(machine, hop, data.vendor, self._find_program, self._clock)

    def _judge(self, hop: Hop, format: Format, done: Completed) -> None:
        code = done.returncode
        if code in format.done or (code in format.reboot and hop.recipe.reboot):
            return
        if code in format.reboot:
            message = f"{tell_hop(hop)}: the package asks for a reboot (exit code {code}), which the plan does not hold"
            raise DriverError(message, hint="reboot: true")
        if code in format.rebooting:
            message = (
                f"{tell_hop(hop)}: the package says that it reboots the machine by itself (exit code {code})"
            )
            raise DriverError(message, hint="options that leave the reboot to BootOS")
        meaning = format.meaning.get(str(code), "")
        if code in format.current:
            meaning = meaning or "this version is installed already"
        said = " ".join((done.stderr.strip() or done.stdout.strip()).split())[-_MOST_SAID:]
        detail = ": ".join(part for part in (meaning, said) if part)
        raise DriverError(
            f"{tell_hop(hop)}: the {format.title} ended with exit code {code}"
            + (f": {detail}" if detail else "")
        )


def _fill(word: str, places: Mapping[str, str]) -> str:
    for name, value in places.items():
        word = word.replace(name, value)
    return word


def build_recipe(item: FirmwareWanted, state: FirmwareState) -> Recipe | Problem:
    """How the packages of an item are run here. Pure."""
    formats = list_formats()
    if item.format is not None and item.format not in formats:
        known = ", ".join(formats)
        return Problem(path="format", message=f"{item.format!r} is not known", hint=f"known: {known}")
    found = {item.format or find_format(state.vendor, item.component, hop.package) for hop in find_hops(item)}
    key = found.pop()
    if found:
        message = "its packages are of different formats"
        return Problem(path="packages", message=message, hint="give each its own item, or name the format")
    if key is None:
        message = f"nobody knows how this package of {state.vendor or 'an unknown maker'} is run"
        return Problem(path="format", message=message, hint=f"format: one of {', '.join(formats)}")
    format = formats[key]
    program = next((name for name in format.programs if name in state.programs), "")
    if format.programs and not program:
        names = " or ".join(format.programs)
        message = f"a {format.title} is applied by {names}, which is not in this image"
        return Problem(path="method", message=message, hint="a layer brings it: bootos image --help")
    return _build(item, format, program, state.vendor)


def _build(item: FirmwareWanted, format: Format, program: str, vendor: str | None) -> Recipe:
    words = tuple(word.replace("{program}", program) for word in format.command)
    # These options replace the vendor's. Where the package itself is run, they follow its name.
    if item.options is not None:
        kept = words[: words.index("{package}") + 1] if words[0] == "{package}" else words
        words = (*kept, *item.options)
    laid_over = msgspec.structs.replace(
        format,
        command=words,
        downgrade=() if item.options is not None else format.downgrade,
        done=(*format.done, *(item.done_codes or ())),
        reboot=(*format.reboot, *(item.reboot_codes or ())),
    )
    return Recipe(
        reboot=item.reboot if item.reboot is not None else item.component in format.takes_reboot,
        estimate_s=USUAL_S[item.component],
        timeout_s=float(item.timeout_s or MOST_S[item.component]),
        resumable=item.component in format.resumable,
        data=PackageData(vendor=vendor, format=laid_over),
    )
