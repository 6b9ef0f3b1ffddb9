"""The root shell of BootOS on a lab machine's serial line: a key opens it, `exit` gives the status page back.

Log lines do not go to a console while its shell is open, so a command is one visit: open, run, exit.
"""

import itertools
import re

from bootos.errors import BootosError
from bootos.lab.machine import Machine
from bootos.lab.serial import SerialTimeout

PROMPT = r"\[BootOS\] \S+ #$"
KEY_S = 5.0
"""How long a key may take: the console may not have been opened when it came, and then it is lost."""

_numbers = itertools.count(1)


def run_in_shell(machine: Machine, command: str, deadline_s: float = 120) -> tuple[int, str]:
    """Run a command in the shell; returns its exit code and what it printed. Raises SerialTimeout."""
    open_shell(machine, deadline_s)
    # Each command has a number of its own, so that the end of an earlier one is never taken for its end.
    number = next(_numbers)
    seen = len(machine.serial.lines)
    machine.type_text(f"{command}; echo END-OF-COM''MAND-{number}=$?.\n")
    end = machine.wait_for_serial(rf"END-OF-COMMAND-{number}=\d+\.", deadline_s, after=seen)
    match = re.search(rf"MAND-{number}=(\d+)\.", end.text)
    if match is None:
        raise BootosError(f"the shell printed no exit code: {end.text}")
    machine.type_text("exit\n")
    machine.wait_for_serial(r"^logout$", deadline_s, after=end.number)
    return int(match[1]), "\n".join(line.text for line in machine.serial.lines[seen : end.number])


def open_shell(machine: Machine, deadline_s: float = 120) -> None:
    """Press Enter until there is a prompt; in a shell that is open already it only gives another one."""
    until_s = machine.elapsed_s() + deadline_s
    while True:
        seen = len(machine.serial.lines)
        machine.type_text("\r")
        try:
            machine.wait_for_serial(PROMPT, min(KEY_S, max(0.0, until_s - machine.elapsed_s())), after=seen)
        except SerialTimeout:
            if machine.elapsed_s() >= until_s or not machine.is_on():
                raise
        else:
            return
