"""Waiting for what a machine shall bring about elsewhere, as at the server: no longer than the machine is on."""

from collections.abc import Callable
from typing import TypeVar

from bootos.lab.machine import Machine

T = TypeVar("T")


def while_on(machine: Machine, find: Callable[[], T | None]) -> Callable[[], T | None]:
    """A `find` for `bootos.waiting.wait_for` that raises MachineEnded when the machine is off and nothing was found."""

    def look() -> T | None:
        # Read before `find`: what the machine did before it went off can then be found.
        was_on = machine.is_on()
        found = find()
        if not found and not was_on:
            machine.check_on()
        return found

    return look
