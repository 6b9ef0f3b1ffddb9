"""How each port does, in words, and which one is used. Pure but for the log; `uplink` makes the findings."""

import logging
from collections.abc import Sequence

import msgspec

from bootos.agent.network.networkfile import Port
from bootos.agent.network.reach import Grade, Reach

log = logging.getLogger(__name__)


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How long things may take, in seconds."""

    appear_s: float = 30.0  # the PXE NIC's kernel module may still be loading
    alone_s: float = 60.0  # how long the PXE NIC, or the one that ip= names, is tried alone
    # DHCP starts anew after this long without an answer. networkd's own pauses grow to a minute, and a switch port
    # that has just come up drops packets for half a minute. A slow DHCP server answers within this time.
    retry_s: float = 8.0
    settle_s: float = 5.0  # how long a preferred card may take to get its address
    refused_s: float = 20.0  # a host that refuses may be the server before it has started, or another host
    connect_s: float = 4.0
    again_s: float = 1.0  # between two tries of the server through one interface
    pause_s: float = 0.25
    first_word_s: float = 5.0
    watch_s: float = 2.0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One port, as it is now; `reach` None: it has no address, so nothing was tried."""

    port: Port
    mac: str
    carrier: bool
    address: str | None = None
    reach: Reach | None = None


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


def is_met(item: Finding) -> bool:
    """Whether a host answered there, the server or another."""
    return item.reach is not None and item.reach.grade is not Grade.NOT_REACHED


def say_waiting(findings: Sequence[Finding], url: str, gaps: Sequence[str] = ()) -> None:
    """What is waited for; and which cards cannot be used, as one of them may be the one that reaches the server."""
    for gap in gaps:
        log.warning("%s", gap)
    if not findings:
        log.warning("waiting for a network interface: none was found")
        return
    what = "a way to the server" if any(item.address for item in findings) else "a DHCP answer"
    log.warning("waiting for %s: %s", what, "; ".join(explain(item, url) for item in findings))
