"""What a run of the demo gathers on its way, for `check`. Filled by `run`."""

import re
from typing import Any

from bootos.lab.capture import Capture
from bootos.lab.serial import REGISTERED, SerialLine


class Evidence:
    """What is gathered on the way, for the checks at the end."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.pxe_file = ""
        self.machine: dict[str, Any] = {}
        self.job: dict[str, Any] = {}
        self.log: list[dict[str, Any]] = []
        self.serial: list[SerialLine] = []
        self.capture: Capture | None = None
        self.pxe_file_left = True

    @property
    def report(self) -> dict[str, Any]:
        """The job's last report; one without steps where its agent sent none."""
        return self.job.get("report") or {"steps": []}

    def read_timings(self) -> dict[str, float]:
        """Seconds since power-on at which the console said it first."""
        marks = {
            "kernel": r"Linux version",
            "rootfs extracted": r"rootfs extracted",
            "init": r"BootOS: init",
            "agent": r"BootOS: agent",
            "registered": REGISTERED,
            "job": r"bootos: job \d+: demo",
            "configured": r"job \d+: succeeded",
        }
        found = {}
        for name, pattern in marks.items():
            line = next((line for line in self.serial if re.search(pattern, line.text)), None)
            if line is not None:
                found[name] = round(line.at_s, 1)
        if self.serial:
            found["powered off after the second boot"] = round(self.serial[-1].at_s, 1)
        return found
