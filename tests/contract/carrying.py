"""What the agent's engine does with drivers, in its shortest form: plan all, apply one by one, plan again."""

from typing import Any

from bootos.drivers.contract import Action, Forecast, Machine, Planned
from bootos.drivers.registry import choose_drivers
from bootos.template.check import read_template
from bootos.template.model import Template
from bootos.wire.inventory import Inventory


def read(document: Any) -> Template:
    template, problems = read_template(document)
    assert template is not None
    assert problems == []
    return template


def plan(
    template: Template, machine: Machine, inventory: Inventory, secrets: dict[str, str] | None = None
) -> Planned:
    """One plan over all drivers."""
    whole, forecast = Planned(), Forecast()
    chosen, whole.problems = choose_drivers(inventory, template)
    for choice in chosen:
        state = choice.driver.read(machine, inventory)
        planned = choice.driver.plan(state, template, secrets or {}, forecast)
        whole.actions += planned.actions
        whole.problems += planned.problems
        whole.notes += planned.notes
    return whole


def apply(
    template: Template, machine: Machine, inventory: Inventory, secrets: dict[str, str] | None = None
) -> list[Action]:
    """Carry the template out as the engine does; returns the actions."""
    assert plan(template, machine, inventory, secrets).problems == []
    done: list[Action] = []
    settled = Forecast()
    for choice in choose_drivers(inventory, template)[0]:
        driver = choice.driver
        before = Forecast(
            arrays=dict(settled.arrays),
            partitions=list(settled.partitions),
            taken=dict(settled.taken),
            freed=set(settled.freed),
        )
        planned = driver.plan(driver.read(machine, inventory), template, secrets or {}, settled)
        assert planned.problems == []
        for action in planned.actions:
            assert not action.destroys or action.allowed
            driver.apply(machine, action, secrets or {})
        again = driver.plan(driver.read(machine, inventory), template, secrets or {}, before)
        assert again.actions == []
        assert again.problems == []
        settled = before
        done += planned.actions
    return done
