"""What a vendor script's options become: a template, the secrets it refers to, and the way back from places in the
template to options, so that every message speaks of what the operator wrote. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec

from bootos.agent.vendor_command.option import Given, Option
from bootos.drivers.contract import Driver, Machine
from bootos.errors import Problem
from bootos.wire.inventory import Inventory

WORDS = (
    ("raid.clear: true deletes arrays that are not in the template", "-c deletes the arrays that are there"),
    ("raid.arrays[0].wipe: true allows", "-i allows"),
    ("store it on the server, or give it to bootos-agent by hand", "give -p"),
    ("is not in the template and is left alone", "is not asked for here and is left alone"),
    ("raid.arrays[0].drives: ", "-d: "),
    ("raid.arrays[0].hotspares: ", "-H: "),
    ("raid.arrays[0]: ", ""),
)


class Request(msgspec.Struct, kw_only=True):
    """`notes` tell how options were understood on this machine."""

    document: dict[str, Any]
    secrets: dict[str, str] = {}
    notes: list[str] = []


class VendorScript:
    """The base of the scripts. Each has these four, `check`, `build` and `name_place`."""

    name: str
    summary: str
    options: Sequence[Option]
    examples: Sequence[str]

    def check(self, given: Given) -> list[Problem]:
        """Every wrong use that can be seen without the machine."""
        raise NotImplementedError

    def build(
        self, given: Given, machine: Machine, inventory: Inventory, drivers: Sequence[Driver]
    ) -> Request:
        """The template for this machine. Raises BootosError when it cannot be had here."""
        raise NotImplementedError

    def defer(self, given: Given, problems: Sequence[Problem]) -> str:
        """Why a plan with these problems is no failure yet: the next call of the script solves them. Empty when it is a
        failure."""
        return ""

    def finish(self, given: Given, machine: Machine) -> None:
        """Called when all is as wanted, or deferred."""

    def name_place(self, given: Given, path: str) -> str:
        """The option that a place in the template came from."""
        raise NotImplementedError


def name_problem(script: VendorScript, given: Given, problem: Problem) -> Problem:
    """A driver's problem in the words of the script."""
    return Problem(
        path=script.name_place(given, problem.path),
        message=problem.message,
        hint=name_words(problem.hint),
    )


def name_words(text: str) -> str:
    """Drivers speak of the template; the caller of a vendor script has options."""
    for theirs, ours in WORDS:
        text = text.replace(theirs, ours)
    return text
