"""The RMCP+ cipher suites of a lab machine's BMC: which it has, and up to which privilege each lets somebody in.

`kcs` asks it when the guest reads or sets LAN parameters 22 to 24 (IPMI 2.0, table 23-4), `rmcp` when a session begins.
Parameter 24 holds 15 levels; which of them is a suite's, real BMCs do not agree on, so it is a part of the
specification. The levels persist.
"""

import json
from pathlib import Path

from bootos.lab.ipmi import Request
from bootos.lab.spec import BmcSpec

NETFN_TRANSPORT = 0x0C
SET_LAN, GET_LAN = 0x01, 0x02
COUNT, ENTRIES, LEVELS = 22, 23, 24
REVISION = 0x11
LENGTH_INVALID = 0xC7
PRIVILEGES = "XcuoaO"  # as ipmitool shows them; the index is the number of the level
ADMINISTRATOR = 4
_LEVEL_BYTES = 8


class Ciphers:
    """`file` is where the levels are kept."""

    def __init__(self, spec: BmcSpec, file: Path) -> None:
        self._spec = spec
        self._file = file

    def read_levels(self) -> str:
        """The 15 levels, as ipmitool shows them."""
        if self._file.exists():
            levels: str = json.loads(self._file.read_text())
            return levels
        return self._spec.cipher_levels

    def find_limit(self, suite: int) -> int:
        """The privilege up to which a session of this suite may go; 0: nobody gets in with it. One without a level has
        no limit."""
        if suite not in self._spec.cipher_suites:
            return 0
        levels = self.read_levels()
        place = suite if self._spec.cipher_index == "number" else self._spec.cipher_suites.index(suite)
        return PRIVILEGES.index(levels[place]) if place < len(levels) else ADMINISTRATOR

    def answer(self, request: Request) -> bytes | None:
        """Completion code and data of a request of the guest; None: it is not about cipher suites."""
        if request.netfn != NETFN_TRANSPORT or len(request.data) < 2:
            return None
        parameter, data = request.data[1], request.data[2:]
        if request.command == GET_LAN and parameter in (COUNT, ENTRIES, LEVELS):
            return bytes((0, REVISION)) + self._read_parameter(parameter)
        if request.command == SET_LAN and parameter == LEVELS:
            if len(data) < 1 + _LEVEL_BYTES:
                return bytes((LENGTH_INVALID,))
            self._file.write_text(json.dumps(parse_levels(data[1 : 1 + _LEVEL_BYTES])))
            return bytes((0,))
        return None

    def _read_parameter(self, parameter: int) -> bytes:
        suites = self._spec.cipher_suites
        if parameter == COUNT:
            return bytes((len(suites),))
        if parameter == ENTRIES:
            return bytes((0, *suites)).ljust(17, b"\0")
        return b"\0" + build_levels(self.read_levels())


def parse_levels(data: bytes) -> str:
    """Two levels to a byte, the lower half first; the last half is reserved."""
    halves = [half for byte in data for half in (byte & 0x0F, byte >> 4)]
    return "".join(PRIVILEGES[half] if half < len(PRIVILEGES) else "X" for half in halves[:15])


def build_levels(levels: str) -> bytes:
    """The reverse."""
    halves = [PRIVILEGES.index(level) for level in levels.ljust(2 * _LEVEL_BYTES, "X")]
    return bytes(low | high << 4 for low, high in zip(halves[::2], halves[1::2], strict=True))
