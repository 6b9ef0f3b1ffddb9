"""systemd-networkd, as far as `uplink` needs it: its files, the signal to read them again, its leases, a new start of
DHCP.

There is no D-Bus in the image: systemd sends the signal (Type=notify-reload).
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from bootos.agent.network.finding import Finding
from bootos.agent.network.link import Interface
from bootos.agent.network.networkfile import PREFIX, Names, parse_lease
from bootos.process import Runner, ToolError
from bootos.waiting import Clock

log = logging.getLogger(__name__)

NETWORK_DIRECTORY = Path("run/systemd/network")
LEASE_DIRECTORY = Path("run/systemd/netif/leases")
UNIT = "systemd-networkd.service"


class Networkd:
    """`retry_s`: after so many seconds without an answer DHCP is started again, and a signal that failed is sent
    again."""

    def __init__(self, run: Runner, root: Path, *, retry_s: float, clock: Clock) -> None:
        self._run = run
        self._directory = root / NETWORK_DIRECTORY
        self._leases = root / LEASE_DIRECTORY
        self._retry_s = retry_s
        self._clock = clock
        self._retried_at: dict[str, float] = {}
        self._tell_at: float | None = None  # when networkd must read its files again

    def write(self, files: Mapping[str, str]) -> None:
        """Write the files that differ, and let it read them again."""
        self._directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            file = self._directory / name
            if not file.exists() or file.read_text() != text:
                file.write_text(text)
        self._tell()

    def tell_again(self) -> None:
        """Send the signal again, when it failed `retry_s` seconds ago."""
        if self._tell_at is not None and self._clock.now() >= self._tell_at:
            self._tell()

    def retry_dhcp(self, findings: Sequence[Finding]) -> None:
        """Begin DHCP anew where a link is up and no answer came for a while: a file with a new time is read again
        (systemd compares them), and only its interface is set up again. The link stays up: after a link loss a switch
        port may wait (spanning tree) before it forwards again."""
        late = []
        for item in findings:
            is_waiting = item.carrier and item.address is None and item.port.addressing.address is None
            since = self._retried_at.setdefault(item.port.name, self._clock.now()) if is_waiting else None
            if since is None:
                self._retried_at.pop(item.port.name, None)
            elif self._clock.now() - since >= self._retry_s:
                self._retried_at[item.port.name] = self._clock.now()
                late.append(item.port.name)
        for name in late:
            (self._directory / f"{PREFIX}{name}.network").touch()
        if late:
            self._tell()

    def read_leased(self, item: Interface) -> Names:
        """The name servers of the interface's lease; none without one."""
        try:
            return parse_lease((self._leases / str(item.index)).read_text())
        except OSError:
            return Names()

    def _tell(self) -> None:
        """Let networkd read its files again. Interfaces whose files are unchanged stay as they are."""
        verbs = ("reload-or-restart", "restart")
        is_told = any(is_done(self._run, ["systemctl", verb, UNIT], timeout_s=60) for verb in verbs)
        self._tell_at = None if is_told else self._clock.now() + self._retry_s


def is_done(run: Runner, argv: Sequence[str], timeout_s: float) -> bool:
    """Run a command that is given again when it fails; returns whether it did what it should, and logs why not."""
    try:
        run(argv, timeout_s=timeout_s)
    except ToolError as error:
        log.warning("%s", error)
        return False
    return True
