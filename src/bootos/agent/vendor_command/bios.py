"""`bios.sh`: virtualization and C-states, as the `bios` section of a template."""

from collections.abc import Sequence

from bootos.agent.vendor_command.option import COMMON, Given, Option
from bootos.agent.vendor_command.request import Request, VendorScript
from bootos.drivers.contract import Driver, Machine
from bootos.errors import BootosError, Problem, Problems
from bootos.wire.inventory import Inventory

SETTINGS = {"virtualization": "virtualization", "cstates": "c_states"}
STATES = {"enable": "enabled", "disable": "disabled"}
SECTION = "bios"


class BiosScript(VendorScript):
    name = "bios.sh"
    summary = "set BIOS options"
    options: Sequence[Option] = (
        Option(
            letter="t",
            word="virtualization",
            value="enable|disable",
            help="hardware virtualization (VT-x, SVM)",
        ),
        Option(letter="c", word="cstates", value="enable|disable", help="sleep states of the processors"),
        *COMMON,
    )
    examples: Sequence[str] = ("-t enable -c disable",)

    def check(self, given: Given) -> list[Problem]:
        problems = Problems()
        for word in SETTINGS:
            value = given.get(word)
            if value is not None and value not in STATES:
                option = next(option for option in self.options if option.word == word)
                problems.complain(option.shown, f"{value!r} is neither enable nor disable")
        if not any(word in given for word in SETTINGS):
            problems.complain("", "nothing is asked for: give -t or -c")
        return problems

    def build(
        self, given: Given, machine: Machine, inventory: Inventory, drivers: Sequence[Driver]
    ) -> Request:
        if not any(driver.section == SECTION and driver.match(inventory) for driver in drivers):
            system = inventory.system
            words = (
                system.vendor,
                system.product,
                "with BIOS",
                inventory.bios.vendor,
                inventory.bios.version,
            )
            title = " ".join(word for word in words if word)
            present = ", ".join(driver.name for driver in drivers)
            raise BootosError(
                f"the BIOS of this machine ({title}) cannot be set up: the image has no BIOS driver for it",
                hint=f"drivers in this image: {present}",
            )
        return Request(document=build_document(given))

    def name_place(self, given: Given, path: str) -> str:
        return {"bios.virtualization": "-t", "bios.c_states": "-c"}.get(path, "")


def build_document(given: Given) -> dict[str, object]:
    """The template: `bios: {virtualization: enabled, c_states: disabled}`."""
    wanted = {place: STATES[given.values[word]] for word, place in SETTINGS.items() if word in given}
    return {"name": BiosScript.name, SECTION: wanted}
