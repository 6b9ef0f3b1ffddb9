"""Looks for pools of addresses and for what was given out of them. Changes nothing."""

from ipaddress import IPv4Address, IPv4Network

from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.fault import NotFoundError
from bootos.server.store.table import Allotment, Machine, Pool


def find_pool(session: Session, name: str) -> Pool:
    """The pool of this name, locked in a transaction that may change it. Raises NotFoundError."""
    row = session.scalar(select(Pool).where(Pool.name == name).with_for_update())
    if row is None:
        raise NotFoundError(f"there is no pool {name!r}", hint="see bootos pool list")
    return row


def list_held(session: Session, pool: Pool) -> list[tuple[str, str]]:
    """Which machine, by its serial number, holds which address of the pool, by address."""
    query = (
        select(Machine.sn, Allotment.value)
        .join(Allotment, Allotment.machine_id == Machine.id)
        .where(Allotment.series == f"pool:{pool.name}")
        .order_by(Allotment.value)
    )
    return [(sn, str(IPv4Address(value))) for sn, value in session.execute(query)]


def count_free(session: Session, pool: Pool) -> int:
    """How many machines it can still serve."""
    first, last = read_ends(pool)
    return last - first + 1 - sum(first <= value <= last for value in find_used(session, pool))


def find_free(session: Session, pool: Pool) -> int | None:
    """The lowest address that is free; None when none is. Only those that are used are looked at."""
    value, last = read_ends(pool)
    for used in sorted(find_used(session, pool)):
        if used == value:
            value += 1
    return value if value <= last else None


def read_ends(pool: Pool) -> tuple[int, int]:
    """The first and the last address, as numbers."""
    return int(IPv4Address(pool.first)), int(IPv4Address(pool.last))


def find_used(session: Session, pool: Pool) -> set[int]:
    """Addresses that nobody may get: given out, the network's own, the gateway, set for a machine by hand."""
    used = set(session.scalars(select(Allotment.value).where(Allotment.series == f"pool:{pool.name}")))
    network = IPv4Network(f"{pool.first}/{pool.prefix_length}", strict=False)
    if network.prefixlen < 31:
        used |= {int(network.network_address), int(network.broadcast_address)}
    if pool.gateway:
        used.add(int(IPv4Address(pool.gateway)))
    for settings in session.scalars(select(Machine.settings)):
        for key in ("address", "manage_ip", "gateway", "manage_gateway"):
            try:
                used.add(int(IPv4Address(settings.get(key) or "")))
            except ValueError:
                continue
    return used


def find_held(session: Session, machine: Machine, series: str) -> int | None:
    """What the machine was given out of a series; None when nothing."""
    query = select(Allotment.value).where(Allotment.series == series, Allotment.machine_id == machine.id)
    return session.scalar(query)
