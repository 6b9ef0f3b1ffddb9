"""What is given out to machines, each its own, and kept: addresses of pools, and numbers. Called when a job is made
and when settings are changed; it goes back when the machine is deleted.

Words: `<{pool:NAME}>` is the address with its prefix (`10.0.8.21/24`), `<{pool:NAME:ip}>`, `:netmask` and `:gateway`
its parts; `<{number}>` the machine's number in its group (its variable `group`), `<{number:03}>` with zeros in front.
"""

import ipaddress
import re
from ipaddress import IPv4Address

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bootos.server.store.pool import find_free, find_held
from bootos.server.store.table import Allotment, Machine, Pool
from bootos.template.placeholder import UnknownWordError


def give_out(session: Session, machine: Machine, word: str) -> str:
    """The value of `pool:NAME[:PART]` or `number[:WIDTH]` for this machine; given out now if it has none yet.
    Raises UnknownWordError."""
    kind, *rest = word.split(":")
    if kind == "number":
        width = rest[0] if rest else ""
        if len(rest) > 1 or not re.fullmatch(r"(0\d{1,2})?", width):
            raise UnknownWordError("is not a number's format", "as <{number}> or <{number:03}>")
        return format(_give_number(session, machine), width or "d")
    name, part = (rest[0] if rest else ""), (rest[1] if len(rest) > 1 else "")
    pool = session.scalar(select(Pool).where(Pool.name == name).with_for_update())
    if pool is None:
        raise UnknownWordError(
            f"asks for the pool {name!r}, which there is not", f"bootos pool add {name} FIRST-LAST/PREFIX"
        )
    if part == "gateway":
        if not pool.gateway:
            raise UnknownWordError(
                f"is not known: the pool {name!r} has no gateway", "make it with --gateway"
            )
        return pool.gateway
    interface = ipaddress.IPv4Interface(f"{_give_address(session, machine, pool)}/{pool.prefix_length}")
    parts = {"": interface.with_prefixlen, "ip": str(interface.ip), "netmask": str(interface.netmask)}
    if part not in parts:
        raise UnknownWordError(f"has no part {part!r}", "known: ip, netmask, gateway")
    return parts[part]


def _give_number(session: Session, machine: Machine) -> int:
    series = f"number:{machine.variables.get('group', '')}"
    held = find_held(session, machine, series)
    if held is not None:
        return held
    highest = session.scalar(select(func.max(Allotment.value)).where(Allotment.series == series))
    return _keep(session, machine, series, (highest or 0) + 1)


def _give_address(session: Session, machine: Machine, pool: Pool) -> IPv4Address:
    series = f"pool:{pool.name}"
    held = find_held(session, machine, series)
    if held is not None:
        return IPv4Address(held)
    value = find_free(session, pool)
    if value is None:
        raise UnknownWordError(
            f"cannot be filled in: the pool {pool.name!r} ({pool.first}-{pool.last}) is exhausted",
            f"see who holds its addresses: bootos pool show {pool.name}",
        )
    return IPv4Address(_keep(session, machine, series, value))


def _keep(session: Session, machine: Machine, series: str, value: int) -> int:
    session.add(Allotment(series=series, machine_id=machine.id, value=value))
    session.flush()
    return value
