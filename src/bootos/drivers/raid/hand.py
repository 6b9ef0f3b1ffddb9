"""What carries out orders on one hardware RAID controller, by its maker's tool: each driver has its own."""

from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.raid import order
from bootos.hardware.cardlist import Card, CardList, list_places, split_id
from bootos.hardware.program import find_tool
from bootos.process import ToolError

Made = TypeVar("Made")
Read = TypeVar("Read")
C = TypeVar("C", bound=Card)
P = ParamSpec("P")

APPLY_TIMEOUT_S = 600.0


class ToolHand:
    """The base of them. `controller` is how `program` addresses it."""

    def __init__(self, machine: Machine, program: str, controller: str) -> None:
        self.machine = machine
        self.program = program
        self.controller = controller

    def carry_out(self, detail: order.Order) -> None:
        """Carry out one order by the vendor's tool. Raises DriverError that names the array or drive, ToolError."""
        raise NotImplementedError

    def call(self, about: str, argv: Sequence[str], parse_error: Callable[[str], str]) -> None:
        """Run a tool that speaks prose, in which `parse_error` finds a refusal. Raises DriverError, with `about`."""
        try:
            done = self.machine.run(argv, timeout_s=APPLY_TIMEOUT_S, check=False)
        except ToolError as cause:
            raise DriverError(f"{about}: {cause}", hint=cause.hint) from cause
        error = parse_error(done.stdout + "\n" + done.stderr)
        if error or done.returncode:
            said = error or (done.stderr or done.stdout).strip()[-500:] or "nothing"
            raise DriverError(f"{about}: {self.program} says (exit code {done.returncode}): {said}")

    def take_made(self, about: str, made: Sequence[Made], noun: str) -> Made:
        """The one that a creation made. Raises DriverError, with `about`, when the tool shows none, or more."""
        if len(made) != 1:
            count = len(made) or "no"
            raise DriverError(f"{about}: {self.program} reported success and shows {count} new {noun}")
        return made[0]


def need_tool(machine: Machine, programs: Sequence[str], ask: Sequence[str], missing: DriverError) -> str:
    """The maker's tool, as `find_tool` finds it. Raises `missing`, ToolError."""
    found = find_tool(machine.run, machine.root, programs, ask)
    if found is None:
        raise missing
    return found


def understand(program: str, read: Callable[P, Read], *args: P.args, **kwargs: P.kwargs) -> Read:
    """What `read` makes of a tool's answer. Raises DriverError for its ValueError, and what else it raises."""
    try:
        return read(*args, **kwargs)
    except ValueError as cause:
        raise build_misunderstood(program) from cause


def build_misunderstood(program: str) -> DriverError:
    """The error of a tool whose answer is none."""
    return DriverError(f"{program} cannot be understood")


def need_cards(found: CardList[C] | None, missing: DriverError, *, is_none_known: bool) -> list[C]:
    """The cards that the programs of a family list together. Raises `missing`; ToolError and DriverError for a program
    that failed before one that lists cards, as what the numbers of those mean is not known then, or where none does.

    `is_none_known`: it is known how the programs say that there is no card. Else one that cannot be understood is
    taken to have none, where another has cards.
    """
    if found is None:
        raise missing
    for failure in found.failures:
        if failure.is_first or not found.cards:
            if isinstance(failure.cause, ToolError):
                raise failure.cause
            if is_none_known or not found.cards:
                raise build_misunderstood(failure.program) from failure.cause
    return found.cards


def need_card_tool(
    machine: Machine, programs: Sequence[str], ask: Sequence[str], card_id: str, missing: DriverError
) -> tuple[str, str]:
    """(the program that lists a card of a family, its number there), by the card's id. Raises `missing`, ToolError."""
    name, number = split_id(card_id)
    return need_tool(machine, list_places(programs, name), ask, missing), number
