"""The machine the agent runs on, and what was learned of it since the start. Shared by `sequence` and `job`."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from bootos.agent.console.status import Status
from bootos.agent.host.cmdline import Cmdline
from bootos.agent.host.earlylog import EarlyLog
from bootos.agent.network.place import is_at
from bootos.agent.network.uplink import Uplink
from bootos.drivers.contract import Machine
from bootos.waiting import CLOCK, Clock, grow_pauses
from bootos.wire.inventory import Identity, Inventory
from bootos.wire.v2 import HookResult

if TYPE_CHECKING:
    import urllib3

log = logging.getLogger(__name__)

RUN_DIRECTORY = Path("run/bootos")
CA_FILE = "server-ca.pem"
"""In the agent's directory: the certificate that the server is known by, for programs of hooks and for dnf."""


class Host:
    """The machine the agent runs on, and what was learned of it since the start."""

    def __init__(
        self,
        machine: Machine,
        boot_id: str,
        *,
        clock: Clock = CLOCK,
        http: "urllib3.PoolManager | None" = None,
    ) -> None:
        self.machine = machine
        self.clock = clock
        self.http = http  # the connections for all calls; None: each client makes its own
        self.tls_url = ""  # the server's TLS end, once it is known
        self.boot_id = boot_id
        self.cmdline = Cmdline()
        self.inventory = Inventory(collected_at="")
        self.early_log = EarlyLog()
        self.machine_id = ""  # the server's id of the machine, known after registration
        self.hooks: dict[str, HookResult] = {}  # how each hook last ended, by its name
        self.uplink: Uplink | None = None  # the interface that reaches the server
        self.status = Status(self.directory)

    def follow(self, http: "urllib3.PoolManager", tls_url: str) -> None:
        """From now on what is at the server, hooks, layers and packages too, goes over these connections."""
        self.http = http
        self.tls_url = tls_url

    def find_end(self, url: str) -> str | None:
        """Where a URL that is at the server is at its TLS end; None: it is elsewhere, or there is no such end yet."""
        if not self.tls_url or not is_at(url, self.server_addr, self.tls_url):
            return None
        parts, end = urlsplit(url), urlsplit(self.tls_url)
        login, at, _ = parts.netloc.rpartition("@")
        return parts._replace(scheme=end.scheme, netloc=f"{login}{at}{end.netloc}").geturl()

    @property
    def server_addr(self) -> str:
        """SERVER_ADDR of the kernel command line; empty as long as it has none."""
        return self.cmdline.server_addr or ""

    @property
    def directory(self) -> Path:
        """The agent's directory below /run, which a reboot empties."""
        return self.machine.root / RUN_DIRECTORY

    @property
    def sn(self) -> str:
        """What the server knows the machine by: its serial number, else its UUID, that of its board, the PXE MAC."""
        return self.identity.name

    @property
    def identity(self) -> Identity:
        """What the machine is known by; before the inventory was collected (the PRE hook), by what the kernel shows."""
        from bootos.hardware.identity import find_identity, read_early_identity
        from bootos.hardware.tree import Tree

        if not self.inventory.collected_at:
            return read_early_identity(Tree(self.machine.root), self.mac)
        return self.inventory.identity or find_identity(self.inventory, None, self.mac)

    @property
    def image_version(self) -> str:
        """What the booted image calls itself in /etc/bootos-release, which `/init` put there; or empty."""
        file = self.machine.root / "etc/bootos-release"
        lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
        return dict(line.partition("=")[::2] for line in lines).get("IMAGE_VERSION", "")

    @property
    def mac(self) -> str:
        """The MAC of the NIC that PXE used; else of the one that reaches the server; else of one with an address."""
        if self.cmdline.pxe_mac:
            return self.cmdline.pxe_mac
        if self.uplink is not None:
            return self.uplink.mac
        return next((nic.mac for nic in self.inventory.nics if nic.addresses), "")


def build_hook_environment(host: Host, job_id: str | None) -> dict[str, str]:
    """What a hook finds in its environment."""
    return {
        "SERVER_ADDR": host.server_addr,
        "SERVER_TLS": host.tls_url,
        "SERVER_CA_FILE": str(host.directory / CA_FILE) if host.tls_url else "",
        "SN": host.sn,
        "MACHINE_ID": host.machine_id,
        "JOB_ID": job_id or "",
        "INVENTORY_FILE": str(host.directory / "inventory.json"),
        "RESULT_FILE": str(host.directory / "result.json"),
    }


IDENTITY_WORDS = {"uuid": "UUID", "board": "board serial number", "mac": "MAC address"}
"""What a machine without a serial number is known by, in words."""


def describe_identity(identity: Identity) -> str:
    """`serial number 7XK2M13`, or what the machine is known by in its place."""
    word = IDENTITY_WORDS.get(identity.by or "")
    return f"{f'no serial number; known by its {word}' if word else 'serial number'} {identity.name or 'unknown'}"


def collect(host: Host) -> None:
    """The inventory, also left in /run/bootos/inventory.json."""
    from bootos.hardware.inventory import collect_inventory
    from bootos.hardware.pcigap import describe_gap, read_gaps
    from bootos.hardware.tree import Tree

    log.info("collecting hardware information")
    host.status.do("collecting hardware information")
    host.inventory = collect_inventory(host.machine.root, host.machine.run, pxe_mac=host.mac or None)
    host.directory.mkdir(parents=True, exist_ok=True)
    (host.directory / "inventory.json").write_bytes(msgspec.json.encode(host.inventory))
    system = host.inventory.system
    host.status.set(sn=host.sn, sn_is=IDENTITY_WORDS.get(host.identity.by or "", ""))
    log.info(
        "machine: %s %s, %s", system.vendor or "-", system.product or "-", describe_identity(host.identity)
    )
    for gap in read_gaps(Tree(host.machine.root), host.machine.run, host.inventory.pci):
        log.warning("%s", describe_gap(gap))
    for note in host.inventory.notes:
        log.warning("inventory: %s", note)


def pauses() -> Iterator[float]:
    """Growing pauses with jitter: a thousand machines powered on together do not call together."""
    return grow_pauses(1.0, 30.0, spread=0.3)
