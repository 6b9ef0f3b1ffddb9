"""Typing into the shell on a lab machine's serial line."""

import itertools
import re

from bootos.lab.machine import Machine

NUMBERS = itertools.count(1)


def run_in_shell(machine: Machine, command: str, deadline_s: float = 120) -> tuple[int, str]:
    """Run a command in the shell; returns its exit code and what it printed."""
    seen = len(machine.serial.lines)
    number = next(NUMBERS)  # the end of one command is not taken for the end of the next
    machine.type_text(f"{command}; echo END-OF-COM''MAND-{number}=$?\n")
    end = machine.wait_for_serial(rf"END-OF-COMMAND-{number}=\d+", deadline_s, after=seen)
    match = re.search(r"=(\d+)", end.text)
    assert match
    return int(match[1]), "\n".join(line.text for line in machine.serial.lines[seen : end.number])
