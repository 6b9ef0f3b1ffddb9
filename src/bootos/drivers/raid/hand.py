"""What carries out orders on one hardware RAID controller, by its maker's tool: each driver has its own."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.raid import order
from bootos.hardware.program import find_tool
from bootos.process import ToolError

Made = TypeVar("Made")

APPLY_TIMEOUT_S = 600.0


class ToolHand:
    """The base of them. `controller` is the tool's own id."""

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
