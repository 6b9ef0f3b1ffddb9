"""A driver that carries out one section of `raid`: all of it, or one of a list.

It is asked with a template that has this section alone; what it says of `raid.arrays[0]` is said of `raid[1].arrays[0]`
where that is the section's place. Made by `registry.choose_drivers`.
"""

import re
from typing import Any

import msgspec

from bootos.drivers.contract import Action, ArrayForecast, Driver, Forecast, Planned
from bootos.errors import Problem, Problems
from bootos.template.model import Raid, Template
from bootos.template.raid import list_sections

_WORD = re.compile(rf"(?<![\w.\]-])raid(?=\.(?:{'|'.join(Raid.__struct_fields__)})\b)")


def narrow(template: Template, section: Raid | None) -> Template:
    """The template with this section of `raid` alone."""
    return msgspec.structs.replace(template, raid=section)


class SectionDriver:
    """The driver of the section at `at` (`raid`, `raid[1]`); all but its planning is the driver's own."""

    def __init__(self, driver: Driver, at: str) -> None:
        self._driver = driver
        self._at = at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def plan(self, state: Any, template: Template, secrets: dict[str, str], forecast: Forecast) -> Planned:
        """What the driver plans for its section, with the places of the whole template."""
        section = dict(list_sections(template.raid))[self._at]
        arrays, taken = dict(forecast.arrays), set(forecast.taken)
        planned = self._driver.plan(state, narrow(template, section), secrets, forecast)
        problems = self._settle_names(template, section, arrays, forecast)
        for device in forecast.taken.keys() - taken:
            forecast.taken[device] = self._tell(forecast.taken[device])
        return Planned(
            actions=[self._place_action(action) for action in planned.actions],
            problems=Problems([*map(self._place_problem, planned.problems), *problems]),
            notes=[self._tell(note) for note in planned.notes],
        )

    def _settle_names(
        self, template: Template, section: Raid, before: dict[str, ArrayForecast], forecast: Forecast
    ) -> list[Problem]:
        """A namespace, or an array of an earlier section's driver, may have the name of one of this driver's arrays:
        the name means the one that the template has. When it has neither, a disk cannot be selected by it."""
        own = {array.name for array in section.arrays}
        wanted = {array.name for _, section in list_sections(template.raid) for array in section.arrays}
        wanted |= {item.name for drive in template.nvme for item in drive.namespaces if item.name is not None}
        problems = Problems()
        for name, array in before.items():
            other = forecast.arrays.get(name)
            if name in own or other == array:
                continue
            forecast.arrays[name] = array
            if other is None or name in wanted:
                continue
            for index, disk in enumerate(template.disks):
                if disk.select.array == name:
                    message = f"more than one array is called {name!r}"
                    hint = "select the disk by its wwn"
                    problems.complain(f"disks[{index}].select.array", message, hint)
        return problems

    def _place_problem(self, problem: Problem) -> Problem:
        return Problem(
            path=self._place(problem.path), message=self._tell(problem.message), hint=self._tell(problem.hint)
        )

    def _place_action(self, action: Action) -> Action:
        return msgspec.structs.replace(
            action,
            path=self._place(action.path),
            allowed=action.allowed and self._tell(action.allowed),
        )

    def _place(self, path: str) -> str:
        """A path of the narrowed template as one of the whole."""
        is_own = path == "raid" or path.startswith("raid.")
        return f"{self._at}{path.removeprefix('raid')}" if is_own else path

    def _tell(self, text: str) -> str:
        """Words that name places (`raid.clear`); names of drivers (`raid.mdadm`) are none."""
        return _WORD.sub(self._at, text)
