"""A machine with several cards, each in a network of its own: network namespaces, veth pairs, dnsmasq, networkd.

The machine's side runs the agent's code (`netns_driver`) and systemd-networkd, with a `systemctl` on PATH that does
what systemd does with the unit: a signal to reload. networkd is the image's where one was built here, else the host's.
Nothing of the host's own network is touched.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from bootos import waiting
from bootos.errors import BootosError
from bootos.process import Child, run, start

T = TypeVar("T")

CACHE = Path(__file__).parents[2] / "build/cache"
NETWORKD = "/usr/lib/systemd/systemd-networkd"
SERVER = "192.0.2.1"
PORT = 8083
URL = f"http://{SERVER}:{PORT}"

SYSTEMCTL = """#!/bin/sh
# reload-or-restart, or restart, of systemd-networkd
pid=$(cat /run/networkd.pid 2>/dev/null)
if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then
    if [ "$1" = reload-or-restart ]; then
        kill -HUP "$pid"
        exit 0
    fi
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
fi
if [ -n "$NETWORKD_ROOT" ]; then
    mkdir -p /run/root && mount --rbind "$NETWORKD_ROOT" /run/root
    for place in proc dev sys; do mount --rbind /$place /run/root/$place; done
    mount --bind /run /run/root/run
    setsid chroot /run/root %(networkd)s > /run/networkd.log 2>&1 &
else
    setsid %(networkd)s > /run/networkd.log 2>&1 &
fi
echo $! > /run/networkd.pid
"""

PREPARE = """
mount --make-rprivate /
mount -o remount,ro /sys
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/network /run/systemd/netif/leases /run/systemd/netif/links /run/systemd/netif/lldp
chown -R systemd-network: /run/systemd/netif
mount --bind /run/systemd "$ROOT/run/systemd"
exec "$@"
"""


def find_obstacle() -> str | None:
    """Why such a machine cannot be made here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [name for name in ("ip", "dnsmasq", "unshare", NETWORKD) if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} missing"
    return None if find_root() or can_reload() else "no image was built, and this systemd is older than 254"


def find_root() -> str:
    """The root file system of an image that was built here, or an empty text."""
    found = [path for path in CACHE.glob("base-*/root") if (path / NETWORKD.lstrip("/")).exists()]
    return str(max(found, key=lambda path: path.stat().st_mtime)) if found else ""


def can_reload() -> bool:
    """Whether the host's networkd reloads by a signal (systemd 254 and later), as the image's does."""
    found = re.search(r"systemd (\d+)", run([NETWORKD, "--version"]).stdout)
    return found is not None and int(found[1]) >= 254


def wait_for(condition: Callable[[], T | None], timeout_s: float = 30.0, what: str = "the condition") -> T:
    """Ask until the condition holds. Raises BootosError at the deadline."""
    return waiting.wait_for(condition, timeout_s, what=what, pause_s=0.05)


class Site:
    """The machine and the networks around it. `close` ends everything that it started."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.name = f"bt{os.getpid()}"
        self._children: list[Child] = []
        self._spaces: list[str] = []
        self.machine = self._add_space("m")
        self.log = directory / "machine.log"
        (directory / "root/run/systemd").mkdir(parents=True)

    def _add_space(self, suffix: str) -> str:
        space = f"{self.name}{suffix}"
        run(["ip", "netns", "add", space])
        self._spaces.append(space)
        run(["ip", "-n", space, "link", "set", "lo", "up"])
        return space

    def add_card(
        self, name: str, mac: str, network: str, *, server: bool = False, connected: bool = True
    ) -> str:
        """A card in a network of its own, `10.7.0`: the gateway is .1 there. Returns that network's namespace."""
        space = self._add_space(name)
        card = ["link", "add", name, "address", mac, "type", "veth"]
        run(["ip", "-n", self.machine, *card, "peer", "name", "port", "netns", space])
        run(["ip", "-n", space, "addr", "add", f"{network}.1/24", "dev", "port"])
        if connected:
            run(["ip", "-n", space, "link", "set", "port", "up"])
        (self.directory / f"root/sys/class/net/{name}/device").mkdir(parents=True)
        if server:
            run(["ip", "-n", space, "addr", "add", f"{SERVER}/32", "dev", "lo"])
            words = [sys.executable, "-m", "http.server", "--bind", SERVER, str(PORT)]
            self._start(space, words, "server")
        return space

    def connect(self, space: str, *, up: bool = True) -> None:
        """Plug the cable in, or pull it."""
        run(["ip", "-n", space, "link", "set", "port", "up" if up else "down"])

    def serve_dhcp(self, space: str, network: str, *more: str) -> Path:
        """DHCP and DNS in that network; returns the log."""
        words = [
            "dnsmasq",
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--interface=port",
            "--bind-interfaces",
            "--no-ping",  # without it, dnsmasq pings for three seconds to see whether an address is in use
        ]
        words += [f"--dhcp-range={network}.10,{network}.20", "--log-dhcp", "--leasefile-ro", "--no-resolv"]
        words += [
            "--no-hosts",
            "--user=root",
            "--log-facility=-",
            f"--pid-file={self.directory}/{space}.pid",
            *more,
        ]
        self._start(space, words, f"dnsmasq-{space}")
        return self.directory / f"dnsmasq-{space}.log"

    def _start(self, space: str, words: list[str], name: str) -> None:
        log_path = self.directory / f"{name}.log"
        self._children.append(start(["ip", "netns", "exec", space, *words], log_path=log_path))

    def power_on(self, cmdline: str, *, late: bool = False, **timing: float) -> None:
        """Run the agent's network code with this kernel command line; `late`: on a machine without time for it."""
        programs = self.directory / "bin"
        programs.mkdir()
        (programs / "systemctl").write_text(SYSTEMCTL % {"networkd": NETWORKD})
        (programs / "systemctl").chmod(0o755)
        timing = {"first_word_s": 0.5, "connect_s": 1, "retry_s": 1, "settle_s": 1, "pause_s": 0.1, **timing}
        said: dict[str, Any] = {"cmdline": cmdline, "timing": timing, "root": str(self.directory / "root")}
        said["late"] = late
        driver = [sys.executable, str(Path(__file__).with_name("netns_driver.py")), json.dumps(said)]
        space = ["ip", "netns", "exec", self.machine, "unshare", "--mount", "--pid", "--fork", "--kill-child"]
        environment = {
            "PATH": f"{programs}:{os.environ['PATH']}:/usr/sbin:/sbin",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "ROOT": str(self.directory / "root"),
            "NETWORKD_ROOT": find_root(),
        }
        words = [*space, "--mount-proc", "sh", "-ec", PREPARE, "sh", *driver]
        self._children.append(start(words, log_path=self.log, env=environment))

    def wait_for_line(self, pattern: str, timeout_s: float = 30.0) -> re.Match[str]:
        """Wait for a line of the machine's log."""
        try:
            return wait_for(
                lambda: re.search(pattern, self.log.read_text()) if self.log.exists() else None,
                timeout_s,
                pattern,
            )
        except BootosError as error:
            raise AssertionError(f"{error}; the log:\n{self.log.read_text()}") from None

    def wait_for_uplink(self, timeout_s: float = 30.0) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.wait_for_line(r"UPLINK (\{.*\})", timeout_s)[1])
        return found

    def read_in_machine(self, *words: str) -> str:
        return run(["ip", "-n", self.machine, *words]).stdout

    def find_route(self) -> str:
        """The interface that packets to the server leave by."""
        shown = json.loads(self.read_in_machine("-j", "route", "get", SERVER))
        return str(shown[0]["dev"])

    def read_resolv_conf(self) -> str:
        return (self.directory / "root/run/bootos/resolv.conf").read_text()

    def close(self) -> None:
        for child in reversed(self._children):
            child.stop(grace_s=0.1)
        for space in self._spaces:
            run(["ip", "netns", "del", space], check=False)
