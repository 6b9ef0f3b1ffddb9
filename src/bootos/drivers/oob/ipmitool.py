"""The local BMC by ipmitool (/dev/ipmi0): commands, and passwords, which nobody sees.

Passwords go to ipmitool as bytes of a raw command on its standard input, so they are in no process list and in
no log. Whether a password is right is asked of the BMC (Test Password, IPMI 2.0, 22.30), never read.
"""

import logging
import re
from collections.abc import Sequence

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.oob.bmc import LONG_BYTES, SHORT_BYTES, build_password_request
from bootos.process import Completed, ToolError

log = logging.getLogger(__name__)

LAN_CHANNELS = range(1, 12)
MISMATCH_CODES = ("rsp=0x80", "rsp=0x81")  # the password differs; its stored size differs


class Ipmitool:
    """`interface` are ipmitool's words for another way to the BMC than /dev/ipmi0."""

    def __init__(self, machine: Machine, interface: Sequence[str] = ()) -> None:
        self._machine = machine
        self._interface = tuple(interface)

    def run(self, *words: str, check: bool = True, timeout_s: float = 60.0) -> Completed:
        """What a command did. Raises DriverError."""
        try:
            return self._machine.run(["ipmitool", *self._interface, *words], check=check, timeout_s=timeout_s)
        except ToolError as cause:
            raise DriverError(
                f"the BMC did not do `{' '.join(words)}`", hint="see whether /dev/ipmi0 is there"
            ) from cause

    def ask(self, *words: str) -> str:
        """What a command printed, whatever status it ended with: a BMC that does not tell one thing (an address
        source of 0.0.0.0) makes ipmitool fail after it printed all the others. Raises DriverError for one that printed
        nothing."""
        done = self.run(*words, check=False)
        if done.returncode != 0 and not done.stdout.strip():
            said = " ".join(done.stderr.split())[-300:]
            message = f"the BMC did not do `{' '.join(words)}`" + (f": {said}" if said else "")
            raise DriverError(message, hint="see whether /dev/ipmi0 is there")
        if done.returncode != 0:
            log.info("`%s` ended with %s; what it printed is used", " ".join(words), done.returncode)
        return done.stdout

    def _run_raw(self, data: Sequence[int]) -> Completed:
        """A raw command on standard input: what it holds must not be seen in the list of processes."""
        text = " ".join(f"0x{byte:02x}" for byte in data)
        argv = ["ipmitool", *self._interface, "exec", "/dev/stdin"]
        return self._machine.run(argv, input=f"raw {text}\n", check=False, secrets=[text])

    def find_channel(self) -> int:
        """The first channel that is a LAN. Raises DriverError: there is none."""
        for channel in LAN_CHANNELS:
            done = self.run("channel", "info", str(channel), check=False)
            if "802.3 LAN" in done.stdout:
                return channel
        raise DriverError("the BMC has no LAN channel", hint="`ipmitool channel info 1` shows what it has")

    def test_password(self, slot: int, password: str) -> bool | None:
        """Whether it is the user's password; None: this BMC cannot tell. Raises DriverError, ToolError."""
        sizes = [LONG_BYTES] if len(password.encode()) > SHORT_BYTES else [SHORT_BYTES, LONG_BYTES]
        for size in sizes:
            done = self._run_raw(build_password_request(slot, 3, password, size))
            if done.returncode == 0:
                return True
            if not any(code in done.stdout + done.stderr for code in MISMATCH_CODES):
                return None
        return False

    def set_password(self, slot: int, password: str) -> None:
        """Set a user's password (Set User Password, IPMI 2.0, 22.30). Raises DriverError: the BMC refused it."""
        size = LONG_BYTES if len(password.encode()) > SHORT_BYTES else SHORT_BYTES
        done = self._run_raw(build_password_request(slot, 2, password, size))
        if done.returncode != 0:
            code = re.search(r"rsp=0x[0-9a-f]+", done.stdout + done.stderr)
            reason = code.group(0) if code else f"exit code {done.returncode}"
            raise DriverError(
                f"the BMC refused the password for user {slot} ({reason})",
                hint="it may have rules for length or characters",
            )
