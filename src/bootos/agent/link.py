"""The network of the in-memory OS: the NIC that PXE used becomes eth0 and gets an address by DHCP.

systemd-networkd does DHCP and LLDP; this module only names interfaces, writes networkd's files below /run, and
waits, saying what it waits for. Deciding (`plan_renames`, `build_network_file`) is pure.
"""

import ipaddress
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.process import Runner, ToolError

log = logging.getLogger(__name__)

PXE_NAME = "eth0"
NETWORK_DIRECTORY = Path("run/systemd/network")


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """A physical interface as the kernel has it now."""

    name: str
    mac: str
    carrier: bool
    address: str | None = None  # 10.0.2.15/24


def read_interfaces(run: Runner, root: Path = Path("/")) -> list[Interface]:
    """The physical Ethernet interfaces (those with a device behind them), by name."""
    shown = json.loads(run(["ip", "-j", "addr", "show"], timeout_s=10).stdout or "[]")
    found = []
    for link in shown:
        name = link.get("ifname", "")
        if link.get("link_type") != "ether" or not (root / "sys/class/net" / name / "device").exists():
            continue
        addresses = [
            f"{item['local']}/{item['prefixlen']}"
            for item in link.get("addr_info", [])
            if item.get("family") == "inet" and item.get("scope") == "global"
        ]
        found.append(
            Interface(
                name=name,
                mac=link.get("address", "").lower(),
                carrier="LOWER_UP" in link.get("flags", []),
                address=addresses[0] if addresses else None,
            )
        )
    return sorted(found, key=lambda item: natural_key(item.name))


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sort eth2 before eth10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def plan_renames(interfaces: list[Interface], pxe_mac: str) -> list[tuple[str, str]]:
    """(old, new) pairs, in order, that make the interface with `pxe_mac` eth0; the others keep their order.

    Raises BootosError when no interface has that address.
    """
    chosen = next((item for item in interfaces if item.mac == pxe_mac), None)
    if chosen is None:
        listed = ", ".join(f"{item.name} {item.mac}" for item in interfaces) or "none"
        raise BootosError(f"no network interface has the PXE address {pxe_mac} (there are: {listed})")
    if chosen.name == PXE_NAME:
        return []
    if all(item.name != PXE_NAME for item in interfaces):
        return [(chosen.name, PXE_NAME)]
    return [(PXE_NAME, "bootos-swap"), (chosen.name, PXE_NAME), ("bootos-swap", chosen.name)]


def apply_renames(run: Runner, renames: list[tuple[str, str]]) -> None:
    """Rename interfaces; each is taken down first, as the kernel asks."""
    for old, new in renames:
        run(["ip", "link", "set", "dev", old, "down"], timeout_s=10)
        run(["ip", "link", "set", "dev", old, "name", new], timeout_s=10)


def build_network_file(name: str, *, metric: int) -> str:
    """A systemd.network(5) file: DHCP by MAC (the server knows the machine by it) and LLDP reception."""
    return (
        f"[Match]\nName={name}\n\n"
        "[Network]\nDHCP=ipv4\nLLDP=yes\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n\n"
        f"[DHCPv4]\nClientIdentifier=mac\nRouteMetric={metric}\nUseDomains=yes\n"
    )


def build_resolv_conf(lease: str) -> str:
    """resolv.conf from a lease file of systemd-networkd (`DNS=`, `DOMAINNAME=`)."""
    values = dict(line.split("=", 1) for line in lease.splitlines() if "=" in line)
    lines = [f"nameserver {address}" for address in values.get("DNS", "").split()]
    if values.get("DOMAINNAME"):
        lines.insert(0, f"search {values['DOMAINNAME']}")
    return "".join(f"{line}\n" for line in lines)


def delays(first_s: float = 1.0, most_s: float = 30.0) -> Iterator[float]:
    """Growing waits for things that are retried for ever."""
    wait_s = first_s
    while True:
        yield wait_s
        wait_s = min(most_s, wait_s * 2)


def wait_until(check: Callable[[], bool], timeout_s: float, interval_s: float = 0.25) -> bool:
    """Ask `check` until it holds or `timeout_s` seconds have passed; returns whether it holds."""
    deadline = time.monotonic() + timeout_s
    while not check():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval_s)
    return True


class Network:
    """Brings up the interfaces and says what it waits for."""

    def __init__(self, run: Runner, root: Path = Path("/")) -> None:
        self._run = run
        self._root = root

    def name_pxe_interface(self, pxe_mac: str | None, timeout_s: float = 30.0) -> bool:
        """Make the PXE interface eth0; returns whether it is. Its kernel module may still be loading: wait for it,
        then go on without."""
        if pxe_mac is None:
            log.warning(
                "BOOTIF is not on the kernel command line: interfaces keep their order, all are tried"
            )
            return False
        if not wait_until(lambda: any(item.mac == pxe_mac for item in self._interfaces()), timeout_s):
            log.warning("no interface has the PXE address %s after %.0f s; all are tried", pxe_mac, timeout_s)
            return False
        renames = plan_renames(self._interfaces(), pxe_mac)
        for attempt in (1, 2, 3):
            try:
                apply_renames(self._run, renames)
                break
            except ToolError as error:
                log.warning("renaming the PXE interface failed (attempt %d): %s", attempt, error)
                renames = plan_renames(self._interfaces(), pxe_mac)
        log.info(
            "eth0 is the PXE interface %s%s", pxe_mac, f" (was {renames[-2][0]})" if len(renames) == 3 else ""
        )
        return True

    def configure(self, *, only: str | None) -> None:
        """Tell networkd to do DHCP on `only`, or on every interface; the lower number is preferred."""
        directory = self._root / NETWORK_DIRECTORY
        directory.mkdir(parents=True, exist_ok=True)
        names = [item.name for item in self._interfaces() if only is None or item.name == only]
        for position, name in enumerate(names):
            (directory / f"10-bootos-{name}.network").write_text(
                build_network_file(name, metric=100 + position)
            )
            self._run(["ip", "link", "set", "dev", name, "up"], timeout_s=10, check=False)
        # There is no D-Bus in the image, so networkd is told by a restart rather than by networkctl.
        self._run(["systemctl", "restart", "systemd-networkd.service"], timeout_s=60, check=False)

    def wait_for_address(self) -> Interface:
        """Wait, for ever if need be, for an IPv4 address; what is missing is said with growing pauses."""
        for wait_s in delays(5.0, 60.0):
            if wait_until(self._has_address, wait_s):
                break
            log.warning("waiting for a DHCP answer: %s", self._describe() or "no network interface was found")
            if not self._interfaces():
                log.warning(
                    "no kernel module may fit the network card: see `bootos-agent inventory`, section PCI"
                )
            self.configure(only=None)
        self._write_resolv_conf()
        found = next(item for item in self._interfaces() if item.address)
        log.info("%s has address %s by DHCP", found.name, found.address)
        return found

    def find_local_address(self) -> str | None:
        """The address of the first interface that has one, without its prefix."""
        found = next((item.address for item in self._interfaces() if item.address), None)
        return str(ipaddress.ip_interface(found).ip) if found else None

    def _has_address(self) -> bool:
        return any(item.address for item in self._interfaces())

    def _interfaces(self) -> list[Interface]:
        try:
            return read_interfaces(self._run, self._root)
        except (ToolError, ValueError) as error:
            log.debug("interfaces cannot be read: %s", error)
            return []

    def _describe(self) -> str:
        return ", ".join(f"{i.name} {i.mac} link {'up' if i.carrier else 'DOWN'}" for i in self._interfaces())

    def _write_resolv_conf(self) -> None:
        leases = sorted((self._root / "run/systemd/netif/leases").glob("*"))
        text = "".join(build_resolv_conf(lease.read_text()) for lease in leases)
        target = self._root / "run/bootos/resolv.conf"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
