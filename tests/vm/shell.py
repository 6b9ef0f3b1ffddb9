"""Typing into the shell on a lab machine's serial line."""

import re

from bootos.lab.machine import Machine


def run_in_shell(machine: Machine, command: str, deadline_s: float = 120) -> tuple[int, str]:
    """Run a command in the shell; returns its exit code and what it printed."""
    seen = len(machine.serial.lines)
    machine.type_text(f"{command}; echo END-OF-$(printf COMMAND)=$?\n")
    end = machine.wait_for_serial(r"END-OF-COMMAND=\d+", deadline_s, after=seen)
    match = re.search(r"END-OF-COMMAND=(\d+)", end.text)
    assert match
    return int(match[1]), "\n".join(line.text for line in machine.serial.lines[seen : end.number])
