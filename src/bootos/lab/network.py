"""A network of its own for a run: a namespace with a bridge, and taps for machines. What answers DHCP and TFTP there is
`bootos serve --netboot`, as on a real one; QEMU's user network knows neither HTTP Boot nor what a client is.

Needs root. Nothing of the host's own network is touched; `close` removes all of it.
"""

import ipaddress
import os
from pathlib import Path

from bootos.errors import BootosError
from bootos.process import run

BRIDGE = "boot0"
ADDRESS = ipaddress.IPv4Interface("10.91.0.1/24")
DHCP_RANGE = "10.91.0.100-10.91.0.200"


class LabNetwork:
    """The namespace `name`; `prefix` before a command runs it in there."""

    def __init__(self, name: str = "") -> None:
        if os.geteuid() != 0 or not Path("/dev/net/tun").exists():
            raise BootosError(
                "a network for boot servers needs root and /dev/net/tun", hint="run it as root: modprobe tun"
            )
        self.name = name or f"bootos-lab-{os.getpid()}"
        self._taps = 0
        run(["ip", "netns", "add", self.name])
        try:
            self._ip("link", "set", "lo", "up")
            self._ip("link", "add", BRIDGE, "type", "bridge", "stp_state", "0", "forward_delay", "0")
            self._ip("addr", "add", str(ADDRESS), "dev", BRIDGE)
            self._ip("link", "set", BRIDGE, "up")
        except BootosError:
            self.close()
            raise

    @property
    def prefix(self) -> tuple[str, ...]:
        """The words before a command that shall run in this network."""
        return ("ip", "netns", "exec", self.name)

    @property
    def address(self) -> str:
        """The host's address in it."""
        return str(ADDRESS.ip)

    def add_tap(self) -> str:
        """A port of the bridge for one card; returns its name."""
        name = f"tap{self._taps}"
        self._taps += 1
        self._ip("tuntap", "add", name, "mode", "tap")
        self._ip("link", "set", name, "master", BRIDGE, "up")
        return name

    def close(self) -> None:
        """Remove it; what still runs in there loses its network."""
        run(["ip", "netns", "del", self.name], check=False)

    def _ip(self, *words: str) -> None:
        run(["ip", "-n", self.name, *words])
