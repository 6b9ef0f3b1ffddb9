"""The way to the server: which interface is used, and why. Called by `sequence.bring_up_network`.

systemd-networkd does DHCP, static addresses, VLANs and LLDP; `Network` gives it its files (`networkd`), tries the
server through every interface that has an address (`trial`), and waits, saying for what (`finding`, which decides). A
command that fails or takes too long is given again: what came of it is read from the kernel.
"""

import ipaddress
import json
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bootos.agent.network.addressing import Words
from bootos.agent.network.finding import Finding, Timing, choose_port, explain, is_met, say_waiting
from bootos.agent.network.link import (
    Interface,
    apply_renames,
    natural_key,
    plan_renames,
    read_interfaces,
)
from bootos.agent.network.networkd import Networkd, is_done
from bootos.agent.network.networkfile import (
    Names,
    Port,
    build_resolv_conf,
    find_named_cards,
    merge_names,
    plan_files,
    plan_ports,
)
from bootos.agent.network.reach import Reach
from bootos.agent.network.trial import Trials
from bootos.process import Runner, ToolError
from bootos.waiting import CLOCK, Clock, find_within, grow_pauses

log = logging.getLogger(__name__)

RENAME_TRIES = 8


class Uplink(msgspec.Struct, frozen=True, kw_only=True):
    """The interface that is used, the MAC of its card, and its address without prefix."""

    name: str
    mac: str
    address: str


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
        self._on_change = on_change  # gets a line on the state of each interface
        # in the order in which they were found; the place of a card decides the name of its file
        self._cards: list[str] = []
        self._networkd = Networkd(run, root, retry_s=self._timing.retry_s, clock=clock)
        self._trials = Trials(
            server_addr,
            root,
            again_s=self._timing.again_s,
            connect_s=self._timing.connect_s,
            clock=clock,
        )

    def bring_up(self, pxe_mac: str | None) -> Uplink:
        """From nothing to the interface that reaches the server; waits for ever if need be."""
        began = self._clock.now()
        pauses = grow_pauses(self._timing.first_word_s, 60.0)
        say_at = began + next(pauses)
        first: set[str] = set()  # cards that are tried alone at first, and preferred later
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
            self._networkd.tell_again()
            findings = self._look(ports, interfaces)
            self._on_change([explain(item, self._url) for item in findings])
            if met_at is None and any(is_met(item) for item in findings):
                met_at = self._clock.now()
            met_s = self._clock.now() - met_at if met_at is not None else 0.0
            best = choose_port(findings, met_s, self._timing, only=not is_widened or len(cards) == 1)
            if best is not None:
                return self._use(best, findings, interfaces)
            self._networkd.retry_dhcp(findings)
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
        self._cards.clear()  # the names belong to other cards now, and renamed cards are down

    def _configure(self, interfaces: Sequence[Interface], only: set[str] | None) -> list[Port]:
        """Give networkd the files for these cards; it is told only when they are new. Returns the ports."""
        present = [item.name for item in interfaces if item.physical and (only is None or item.name in only)]
        new = [name for name in present if name not in self._cards]
        self._cards += new
        ports = plan_ports(self._cards, self._words)
        if new:
            for name in new:
                is_done(self._run, ["ip", "link", "set", "dev", name, "up"], timeout_s=10)
            self._networkd.write(plan_files(ports))
        return ports

    def _look(self, ports: Sequence[Port], interfaces: Sequence[Interface]) -> list[Finding]:
        """How every port is now, in the order of `ports`; the server is tried in the background meanwhile."""
        now = {item.name: item for item in interfaces}
        return [
            Finding(
                port=port,
                mac=now[port.name].mac,
                carrier=now[port.name].carrier,
                address=now[port.name].address,
                reach=self._find_reach(port, now[port.name]),
            )
            for port in ports
            if port.name in now
        ]

    def _find_reach(self, port: Port, item: Interface) -> Reach | None:
        """What is known of the server through this port; None: nothing yet, or it has no address."""
        if not item.address:
            return None
        return self._trials.find(port, item, lambda: self._find_names(port, item))

    def _find_names(self, port: Port, item: Interface) -> Names:
        """Where names are looked up through this port now."""
        return merge_names(self._words, port, self._networkd.read_leased(item))

    def _use(self, best: Finding, findings: Sequence[Finding], interfaces: Sequence[Interface]) -> Uplink:
        """Make the port the one that routes and names go by."""
        self._trials.close()
        ports = plan_ports(self._cards, self._words)
        if len(ports) > 1:
            self._networkd.write(plan_files(ports, best.port.name))
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
            self._networkd.retry_dhcp([finding])

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

    def _write_resolv_conf(self, port: Port, item: Interface) -> None:
        text = build_resolv_conf(self._find_names(port, item))
        target = self._root / "run/bootos/resolv.conf"
        if target.exists() and target.read_text() == text:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def describe_card_gaps(root: Path, run: Runner) -> list[str]:
    """The network cards that have no kernel module, a sentence each."""
    from bootos.hardware.pcigap import NETWORK, describe_gap, read_gaps
    from bootos.hardware.tree import Tree

    gaps = read_gaps(Tree(root), run)
    return [describe_gap(gap) for gap in gaps if gap.device.class_id.startswith(NETWORK)]
