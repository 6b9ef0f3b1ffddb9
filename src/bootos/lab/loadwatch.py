"""Whether a boot loader has come to a standstill in the middle of a file, for good.

On a busy host a boot card of QEMU now and then takes no packet any more: the server sends the same one again and again,
the guest's ROM waits for an interrupt, and neither gives up. On such a machine somebody presses the reset button.
"""

import contextlib
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bootos.errors import BootosError
from bootos.lab.control import MachineControl
from bootos.lab.serial import SerialLog
from bootos.waiting import CLOCK

LOOK_EVERY_S = 10.0
STANDSTILL_S = 60.0
RESETS_MAX = 3  # of one power-on: what does not load then has another reason
# Of the recording in this time, which keeps the first qemu.CAPTURE_BYTES of a packet. The slowest card that loads
# (rtl8139, 50 kB/s) makes some 600 KiB; what is sent again, some packets.
MOVES_BYTES = 64 * 1024
_LOADS = re.compile(r"Loading http://\S+$")


class LoadWatch:
    """Looks at one power-on of a machine; pure. `look` is called about every LOOK_EVERY_S seconds."""

    def __init__(self) -> None:
        self.resets = 0
        self._since_s: float | None = None
        self._words, self._size_bytes = "", 0

    def look(self, now_s: float, words: str, size_bytes: int) -> bool:
        """Whether the machine is to be reset. `now_s`: seconds of any clock; `words`: the last ones of its serial line;
        `size_bytes`: the size of the recording of what its boot card has sent and received."""
        moves = size_bytes - self._size_bytes >= MOVES_BYTES or size_bytes < self._size_bytes
        if self._since_s is None or moves or words != self._words or _LOADS.search(words) is None:
            self._since_s, self._words, self._size_bytes = now_s, words, size_bytes
            return False
        if now_s - self._since_s < STANDSTILL_S or self.resets >= RESETS_MAX:
            return False
        self.resets += 1
        self._since_s = now_s
        return True


def start_watch(machine: MachineControl, serial: SerialLog, capture: Path, is_on: Callable[[], bool]) -> None:
    """Press the machine's reset button where its boot loader stands still, and say so on its serial line. `serial` is
    the line, `capture` the packets of the boot card of this power-on; `is_on` says whether it still lasts."""
    threading.Thread(target=_watch, args=[machine, serial, capture, is_on], name="load", daemon=True).start()


def _watch(machine: MachineControl, serial: SerialLog, capture: Path, is_on: Callable[[], bool]) -> None:
    watch = LoadWatch()
    while is_on():
        size_bytes = capture.stat().st_size if capture.exists() else 0
        if watch.look(time.monotonic(), serial.read_last_words(), size_bytes):
            serial.note(f"lab: the boot card has taken nothing for {STANDSTILL_S:g} s; the machine is reset")
            with contextlib.suppress(BootosError):  # it goes off just now
                machine.reset()
        CLOCK.sleep(LOOK_EVERY_S)
