"""What is given out to machines, each its own, and kept: addresses of pools, and numbers. Called when a job is made
and when settings are changed; it goes back when the machine is deleted.

Words: `<{pool:NAME}>` is the address with its prefix (`10.0.8.21/24`), `<{pool:NAME:ip}>`, `:netmask` and `:gateway`
its parts; `<{number}>` the machine's number in its group (its variable `group`), `<{number:03}>` with zeros in front.
"""

import ipaddress
import re
from ipaddress import IPv4Address, IPv4Network

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bootos.errors import Problem
from bootos.server.fault import ConflictError, NotFoundError, UnusableError
from bootos.server.store.engine import WriteSession
from bootos.server.store.pool import find_held, find_pool, find_used, list_held
from bootos.server.store.table import Allotment, Machine, Pool
from bootos.template.placeholder import UnknownWordError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
RANGE = re.compile(r"\s*(?P<first>[\d.]+)\s*-\s*(?P<last>[\d.]+)\s*/\s*(?P<prefix>\d{1,2})\s*")
HINT = "as 10.0.8.20-10.0.8.250/24"


def add_pool(session: WriteSession, name: str, addresses: str, gateway: str) -> Pool:
    """Make a pool. Raises UnusableError with every problem, ConflictError when it exists."""
    problems = (
        [] if NAME.fullmatch(name) else [Problem(path="name", message=f"{name!r} cannot be a pool's name")]
    )
    if session.scalar(select(Pool).where(Pool.name == name)) is not None:
        raise ConflictError(
            f"there is a pool {name!r} already", hint="bootos pool remove it first, or use another name"
        )
    parsed = _parse_range(addresses, problems)
    if parsed is not None:
        first, last, network = parsed
        problems += _check_gateway(gateway, network)
        for other in session.scalars(select(Pool)):
            if first <= IPv4Address(other.last) and IPv4Address(other.first) <= last:
                message = f"overlaps with the pool {other.name!r} ({other.first}-{other.last})"
                problems.append(Problem(path="addresses", message=message))
    if problems or parsed is None:
        raise UnusableError(f"the pool {name!r} has {len(problems)} problem(s)", problems=problems)
    row = Pool(name=name, first=str(first), last=str(last), prefix_length=network.prefixlen, gateway=gateway)
    session.add(row)
    session.flush()
    return row


def _parse_range(text: str, problems: list[Problem]) -> tuple[IPv4Address, IPv4Address, IPv4Network] | None:
    found = RANGE.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        first, last = IPv4Address(found["first"]), IPv4Address(found["last"])
        network = IPv4Network(f"{first}/{found['prefix']}", strict=False)
    except ValueError:
        problems.append(Problem(path="addresses", message=f"{text!r} is not a range of addresses", hint=HINT))
        return None
    if last < first:
        problems.append(Problem(path="addresses", message=f"{text!r} runs backwards"))
    elif last not in network:
        problems.append(Problem(path="addresses", message=f"{last} is not in {network}"))
    return first, last, network


def _check_gateway(gateway: str, network: IPv4Network) -> list[Problem]:
    if not gateway:
        return []
    try:
        if IPv4Address(gateway) in network:
            return []
        message = f"{gateway} is not in {network}"
    except ValueError:
        message = f"{gateway!r} is not an IPv4 address"
    return [Problem(path="gateway", message=message)]


def remove_pool(session: WriteSession, name: str) -> None:
    """Raises ConflictError while a machine holds one of its addresses."""
    pool = find_pool(session, name)
    held = list_held(session, pool)
    if held:
        machine, address = held[0]
        raise ConflictError(
            f"{len(held)} machine(s) hold addresses of the pool {name!r}: {machine.sn} has {address}",
            hint="free them (bootos pool free POOL MACHINE), or delete the machines",
        )
    session.delete(pool)


def free_address(session: WriteSession, name: str, machine: Machine) -> str:
    """Take the machine's address back. Raises NotFoundError."""
    pool = find_pool(session, name)
    query = select(Allotment).where(
        Allotment.series == f"pool:{pool.name}", Allotment.machine_id == machine.id
    )
    row = session.scalar(query)
    if row is None:
        raise NotFoundError(f"machine {machine.sn} holds no address of the pool {name!r}")
    session.delete(row)
    return str(IPv4Address(row.value))


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
    used = find_used(session, pool)
    first, last = int(IPv4Address(pool.first)), int(IPv4Address(pool.last))
    value = next((value for value in range(first, last + 1) if value not in used), None)
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
