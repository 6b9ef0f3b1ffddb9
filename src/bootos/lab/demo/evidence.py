"""What a run of the demo gathers on its way, for `check`. Filled by `run`."""

from typing import Any

from bootos.lab.capture import Capture
from bootos.lab.serial import SerialLine


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
