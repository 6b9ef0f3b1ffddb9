"""The base of the BIOS drivers: one section, planned, exported and carried out alike over any way to the settings."""

from collections.abc import Sequence
from typing import Any

from bootos.drivers.bios.section import SECTION, BiosState, export_section, plan_bios
from bootos.drivers.bios.setting import SetDetail
from bootos.drivers.contract import Action, Forecast, Machine, Planned
from bootos.template.bios import find_wanted
from bootos.template.model import Template


class BiosDriver:
    """A subclass has `name`, `title`, `match`, `read` and `set`."""

    name: str
    title: str
    section: str = SECTION
    state_type: Any = BiosState

    def wants(self, template: Template) -> bool:
        """Whether the template asks for any BIOS setting."""
        return template.bios is not None and bool(find_wanted(template.bios) or template.bios.vendor)

    def plan(self, state: Any, template: Template, secrets: dict[str, str], forecast: Forecast) -> Planned:
        """What differs from the template. Pure."""
        return plan_bios(state.settings, template, state.vendor, self.name, secrets)

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        """One action as a batch. Raises as `set`."""
        self.apply_batch(machine, [action], secrets)

    def apply_batch(self, machine: Machine, actions: Sequence[Action], secrets: dict[str, str]) -> None:
        """`set` all of them, with the setup's password. Raises as that."""
        details: list[SetDetail] = [action.detail for action in actions]
        password = next((secrets[detail.secret] for detail in details if detail.secret in secrets), None)
        self.set(machine, details, password)

    def set(self, machine: Machine, details: Sequence[SetDetail], password: str | None) -> None:
        """Have all of them take effect with the next start, or none. `password` opens the setup; None: it has none.
        Raises DriverError, ToolError."""
        raise NotImplementedError

    def export(self, state: Any) -> dict[str, Any]:
        """The settings as a template's section. Pure."""
        return export_section(state.settings, state.vendor)
