"""The way to the server: which interface is used, and why. Called by `sequence.bring_up_network`.

systemd-networkd does DHCP, static addresses, VLANs and LLDP; `Network` writes its files below /run, tries the server
through every interface that has an address, and waits, saying for what. A command that fails or takes too long is
given again: what came of it is read from the kernel. `choose_port` decides, and is pure.
"""

import ipaddress
import json
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec

from bootos.agent.network.addressing import Words
from bootos.agent.network.link import (
    Interface,
    apply_renames,
    natural_key,
    plan_renames,
    read_interfaces,
)
from bootos.agent.network.networkfile import (
    PREFIX,
    Names,
    Port,
    build_resolv_conf,
    find_named_cards,
    merge_names,
    parse_lease,
    plan_files,
    plan_ports,
)
from bootos.agent.network.reach import Grade, Reach, check_reach
from bootos.process import Runner, ToolError
from bootos.waiting import CLOCK, Clock, find_within, grow_pauses

log = logging.getLogger(__name__)

NETWORK_DIRECTORY = Path("run/systemd/network")
LEASE_DIRECTORY = Path("run/systemd/netif/leases")
UNIT = "systemd-networkd.service"
MOST_TRIALS = 16  # at the same time
RENAME_TRIES = 8


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How long things may take, in seconds."""

    appear_s: float = 30.0  # the PXE NIC's kernel module may still be loading
    alone_s: float = 60.0  # the PXE NIC (or the one that ip= names) is tried alone
    # DHCP is begun anew after this long without an answer: networkd's own pauses grow to a minute, and switch ports
    # that have just come up swallow the first half minute. Long enough for a slow DHCP server to answer.
    retry_s: float = 8.0
    settle_s: float = 5.0  # a card that is preferred may still get its address
    refused_s: float = 20.0  # a host that refuses may be the server before its start, or another one
    connect_s: float = 4.0
    again_s: float = 1.0  # between two tries of the server through one interface
    pause_s: float = 0.25
    first_word_s: float = 5.0
    watch_s: float = 2.0


class Trial(msgspec.Struct, kw_only=True):
    """The tries of the server through one port, as long as it keeps its address."""

    address: str
    last: Reach | None = None
    future: "Future[Reach] | None" = None
    next_at: float = 0.0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One port, as it is now; `reach` None: it has no address, so nothing was tried."""

    port: Port
    mac: str
    carrier: bool
    address: str | None = None
    reach: Reach | None = None


class Uplink(msgspec.Struct, frozen=True, kw_only=True):
    """The interface that is used, the MAC of its card, and its address without prefix."""

    name: str
    mac: str
    address: str


def choose_port(
    findings: Sequence[Finding], waited_s: float, timing: Timing, *, only: bool
) -> Finding | None:
    """The port to use, or None as long as nothing is sure. `findings` come in order of preference.

    `waited_s`: since the first of them met a host. `only`: no other ports are wanted for now.
    """

    def find(grade: Grade) -> Finding | None:
        return next((item for item in findings if item.reach and item.reach.grade is grade), None)

    reached = find(Grade.REACHED)
    if reached is not None:
        better = findings[: findings.index(reached)]
        is_pending = any(item.carrier and item.reach is None for item in better)
        return reached if waited_s >= timing.settle_s or not is_pending else None
    refused = find(Grade.REFUSED)
    is_sure = waited_s >= timing.refused_s or (only and len(findings) == 1)
    return refused if is_sure else None


def explain(item: Finding, url: str) -> str:
    """One port in words."""
    who = f"{item.port.name} {item.mac}"
    if item.address is None:
        if not item.carrier:
            return f"{who}: link DOWN"
        return f"{who}: no DHCP answer" if item.port.addressing.address is None else f"{who}: no address yet"
    if item.reach is None:
        return f"{who} has the address {item.address}"
    if item.reach.grade is Grade.REACHED:
        return f"{who} ({item.address}) reaches {url}"
    verb = "gets to the host of" if item.reach.grade is Grade.REFUSED else "has an address but does not reach"
    return f"{who} ({item.address}) {verb} {url}: {item.reach.reason}"


class Network:
    """Brings up the interfaces and says what it waits for."""

    def __init__(
        self,
        run: Runner,
        server_addr: str,
        words: Words,
        root: Path = Path("/"),
        timing: Timing | None = None,
        on_change: Callable[[list[str]], None] = lambda lines: None,
        clock: Clock = CLOCK,
    ) -> None:
        self._clock = clock
        self._run = run
        self._url = server_addr
        self._words = words
        self._root = root
        self._timing = timing or Timing()
        self._on_change = on_change  # told how each interface is doing, a line each
        self._cards: list[str] = []  # in the order they were met: each keeps its place, and with it its file
        self._retried_at: dict[str, float] = {}
        self._tell_at: float | None = None  # when networkd is to be told again of its files
        self._trials: dict[str, Trial] = {}
        self._pool = ThreadPoolExecutor(MOST_TRIALS, thread_name_prefix="reach")

    def bring_up(self, pxe_mac: str | None) -> Uplink:
        """From nothing to the interface that reaches the server; waits for ever if need be."""
        began = self._clock.now()
        pauses = grow_pauses(self._timing.first_word_s, 60.0)
        say_at = began + next(pauses)
        first: set[str] = set()  # tried alone for a while, and preferred after that
        renames_left, is_widened = RENAME_TRIES if pxe_mac else 0, False
        met_at: float | None = None
        while True:
            interfaces = self._interfaces()
            cards = [item for item in interfaces if item.physical]
            pxe_card = next((item for item in cards if item.mac == pxe_mac), None)
            if pxe_card and renames_left:
                renames = plan_renames(cards, pxe_card.mac)
                if renames:
                    renames_left -= 1
                    self._rename(renames)
                    self._clock.sleep(self._timing.pause_s)
                    continue
                renames_left = 0
                log.info("eth0 is the PXE interface %s", pxe_mac)
            first = find_named_cards(self._words) or ({pxe_card.name} if pxe_card else first)
            waited_s = self._clock.now() - began
            if not is_widened and self._is_alone_over(waited_s, pxe_mac, first):
                is_widened = True
            ports = self._configure(interfaces, None if is_widened else first)
            ports.sort(key=lambda port: (port.card not in first, natural_key(port.name)))
            if self._tell_at is not None and self._clock.now() >= self._tell_at:
                self._tell_networkd()
            findings = self._look(ports, interfaces)
            self._on_change([explain(item, self._url) for item in findings])
            if met_at is None and any(is_met(item) for item in findings):
                met_at = self._clock.now()
            met_s = self._clock.now() - met_at if met_at is not None else 0.0
            best = choose_port(findings, met_s, self._timing, only=not is_widened or len(cards) == 1)
            if best is not None:
                return self._use(best, findings, interfaces)
            self._retry_dhcp(findings)
            if self._clock.now() >= say_at:
                say_waiting(findings, self._url, describe_card_gaps(self._root, self._run))
                say_at = self._clock.now() + next(pauses)
            self._clock.sleep(self._timing.pause_s)

    def _is_alone_over(self, waited_s: float, pxe_mac: str | None, first: set[str]) -> bool:
        """Whether all interfaces are to be tried from now on, and says why."""
        if pxe_mac and not first:
            if waited_s < self._timing.appear_s:
                return False
            log.warning(
                "no interface has the PXE address %s after %.0f s; all interfaces are tried",
                pxe_mac,
                waited_s,
            )
            return True
        if not first:
            log.warning("BOOTIF is not on the kernel command line: all interfaces are tried")
            return True
        if waited_s < self._timing.alone_s:
            return False
        names = ", ".join(sorted(first))
        log.warning(
            "%s does not reach %s after %.0f s; all interfaces are tried now", names, self._url, waited_s
        )
        return True

    def _rename(self, renames: list[tuple[str, str]]) -> None:
        log.info("renaming network interfaces: %s", ", ".join(f"{old} to {new}" for old, new in renames))
        try:
            apply_renames(self._run, renames)
        except ToolError as error:
            log.warning("network interfaces cannot be renamed now: %s", error)
        self._cards.clear()  # the names mean other cards now, and those that were renamed are down

    def _configure(self, interfaces: Sequence[Interface], only: set[str] | None) -> list[Port]:
        """Give networkd the files for these cards; it is told only when they are new. Returns the ports."""
        present = [item.name for item in interfaces if item.physical and (only is None or item.name in only)]
        new = [name for name in present if name not in self._cards]
        self._cards += new
        ports = plan_ports(self._cards, self._words)
        if new:
            for name in new:
                self._try(["ip", "link", "set", "dev", name, "up"], timeout_s=10)
            self._write(plan_files(ports))
        return ports

    def _write(self, files: dict[str, str]) -> None:
        """Write the files that differ, and let networkd read them again."""
        directory = self._root / NETWORK_DIRECTORY
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            file = directory / name
            if not file.exists() or file.read_text() != text:
                file.write_text(text)
        self._tell_networkd()

    def _tell_networkd(self) -> None:
        """Reloading leaves interfaces alone whose files are as they were. There is no D-Bus in the image: systemd
        sends the signal (Type=notify-reload)."""
        verbs = ("reload-or-restart", "restart")
        is_told = any(self._try(["systemctl", verb, UNIT], timeout_s=60) for verb in verbs)
        self._tell_at = None if is_told else self._clock.now() + self._timing.retry_s

    def _try(self, argv: Sequence[str], timeout_s: float) -> bool:
        """Run a command; returns whether it did what it should, and logs why not."""
        try:
            self._run(argv, timeout_s=timeout_s)
        except ToolError as error:
            log.warning("%s", error)
            return False
        return True

    def _look(self, ports: Sequence[Port], interfaces: Sequence[Interface]) -> list[Finding]:
        """How every port is now, in the order of `ports`; the server is tried in the background meanwhile."""
        now = {item.name: item for item in interfaces}
        return [
            Finding(
                port=port,
                mac=now[port.name].mac,
                carrier=now[port.name].carrier,
                address=now[port.name].address,
                reach=self._find_reach(port, now[port.name]) if now[port.name].address else None,
            )
            for port in ports
            if port.name in now
        ]

    def _find_reach(self, port: Port, item: Interface) -> Reach | None:
        """What the last try of this address came to, and a new one when that is a while ago. None: not known yet."""
        trial = self._trials.get(port.name)
        if trial is None or trial.address != item.address:
            trial = self._trials[port.name] = Trial(address=str(item.address))
        if trial.future is not None and trial.future.done():
            trial.last, trial.future = trial.future.result(), None
            trial.next_at = self._clock.now() + self._timing.again_s
        if trial.future is None and self._clock.now() >= trial.next_at:
            trial.future = self._pool.submit(
                check_reach, self._url, port.name, self._names(port, item), self._root, self._timing.connect_s
            )
        return trial.last

    def _retry_dhcp(self, findings: Sequence[Finding]) -> None:
        """Begin DHCP anew where a link is up and no answer came for a while: a file with a new time is read again
        (systemd compares them), and only its interface is set up again. The link stays up: a switch port that went
        down would begin its waiting anew."""
        late = []
        for item in findings:
            is_waiting = item.carrier and item.address is None and item.port.addressing.address is None
            since = self._retried_at.setdefault(item.port.name, self._clock.now()) if is_waiting else None
            if since is None:
                self._retried_at.pop(item.port.name, None)
            elif self._clock.now() - since >= self._timing.retry_s:
                self._retried_at[item.port.name] = self._clock.now()
                late.append(item.port.name)
        for name in late:
            (self._root / NETWORK_DIRECTORY / f"{PREFIX}{name}.network").touch()
        if late:
            self._tell_networkd()

    def _use(self, best: Finding, findings: Sequence[Finding], interfaces: Sequence[Interface]) -> Uplink:
        """Make the port the one that routes and names go by."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        ports = plan_ports(self._cards, self._words)
        if len(ports) > 1:
            self._write(plan_files(ports, best.port.name))
        item = next(one for one in interfaces if one.name == best.port.name)
        self._write_resolv_conf(best.port, item)
        if (
            best.reach
            and best.reach.address
            and not find_within(
                lambda: self._is_routed(str(best.reach and best.reach.address), best.port.name),
                10.0,
                pause_s=0.25,
                clock=self._clock,
            )
        ):
            log.warning("the route to %s does not lead through %s", best.reach.address, best.port.name)
        self._on_change([explain(best, self._url)])
        others = [explain(one, self._url) for one in findings if one is not best]
        log.info("%s%s", explain(best, self._url), "".join(f"; {text}" for text in others))
        threading.Thread(target=self._watch, args=(best.port,), name="link", daemon=True).start()
        address = str(ipaddress.ip_interface(best.address or "").ip)
        return Uplink(name=best.port.name, mac=best.mac, address=address)

    def _watch(self, port: Port) -> None:
        """Say when the address goes and comes, keep the name servers right, begin DHCP anew. Ends with the agent."""
        had = True
        while True:
            self._clock.sleep(self._timing.watch_s)
            item = next((one for one in self._interfaces() if one.name == port.name), None)
            if item is None:
                continue
            finding = Finding(port=port, mac=item.mac, carrier=item.carrier, address=item.address)
            if (item.address is not None) != had:
                had = item.address is not None
                log.log(logging.INFO if had else logging.WARNING, "%s", explain(finding, self._url))
                self._on_change([explain(finding, self._url)])
            if item.address is not None:
                self._write_resolv_conf(port, item)
            self._retry_dhcp([finding])

    def _is_routed(self, address: str, name: str) -> bool:
        try:
            done = self._run(["ip", "-j", "route", "get", address], timeout_s=10, check=False)
            routes = json.loads(done.stdout or "[]")
        except (ToolError, ValueError):
            return False
        return bool(routes) and routes[0].get("dev") == name

    def _interfaces(self) -> list[Interface]:
        try:
            return read_interfaces(self._run, self._root)
        except (ToolError, ValueError) as error:
            log.debug("interfaces cannot be read: %s", error)
            return []

    def _names(self, port: Port, item: Interface) -> Names:
        lease = self._root / LEASE_DIRECTORY / str(item.index)
        try:
            leased = parse_lease(lease.read_text())
        except OSError:
            leased = Names()
        return merge_names(self._words, port, leased)

    def _write_resolv_conf(self, port: Port, item: Interface) -> None:
        text = build_resolv_conf(self._names(port, item))
        target = self._root / "run/bootos/resolv.conf"
        if target.exists() and target.read_text() == text:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def is_met(item: Finding) -> bool:
    """Whether a host answered there, the server or another."""
    return item.reach is not None and item.reach.grade is not Grade.NOT_REACHED


def describe_card_gaps(root: Path, run: Runner) -> list[str]:
    """The network cards that have no kernel module, a sentence each."""
    from bootos.hardware.pcigap import NETWORK, describe_gap, read_gaps
    from bootos.hardware.tree import Tree

    gaps = read_gaps(Tree(root), run)
    return [describe_gap(gap) for gap in gaps if gap.device.class_id.startswith(NETWORK)]


def say_waiting(findings: Sequence[Finding], url: str, gaps: Sequence[str] = ()) -> None:
    """What is waited for; and which cards cannot be used, as one of them may be the one that reaches the server."""
    for gap in gaps:
        log.warning("%s", gap)
    if not findings:
        log.warning("waiting for a network interface: none was found")
        return
    what = "a way to the server" if any(item.address for item in findings) else "a DHCP answer"
    log.warning("waiting for %s: %s", what, "; ".join(explain(item, url) for item in findings))
