"""Makes pools of addresses and removes them, and takes addresses back. `allotment` gives them out."""

import re
from ipaddress import IPv4Address, IPv4Network

import msgspec
from sqlalchemy import select

from bootos.errors import Problem, Problems
from bootos.server.context import Context
from bootos.server.fault import ConflictError, NotFoundError, UnusableError
from bootos.server.operation.audit import Actor, record
from bootos.server.store.engine import WriteSession
from bootos.server.store.machine import find_machine
from bootos.server.store.pool import find_pool, list_held
from bootos.server.store.table import Allotment, Pool
from bootos.server.view.pool import PoolView, view_pool

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
RANGE = re.compile(r"\s*(?P<first>[\d.]+)\s*-\s*(?P<last>[\d.]+)\s*/\s*(?P<prefix>\d{1,2})\s*")
HINT = "as 10.0.8.20-10.0.8.250/24"


class NewPool(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`addresses` as `10.0.8.20-10.0.8.250/24`."""

    name: str
    addresses: str
    gateway: str = ""


def add_pool(context: Context, actor: Actor, wanted: NewPool) -> PoolView:
    """Make a pool; returns it. Raises UnusableError with every problem, ConflictError when it exists."""
    with context.store.write() as session:
        row = _add(session, wanted.name, wanted.addresses, wanted.gateway)
        record(session, actor, "pool.add", row.name, wanted.addresses)
        return view_pool(session, row)


def remove_pool(context: Context, actor: Actor, name: str) -> None:
    """Remove a pool. Raises NotFoundError, ConflictError while a machine holds one of its addresses."""
    with context.store.write() as session:
        pool = find_pool(session, name)
        held = list_held(session, pool)
        if held:
            sn, address = held[0]
            raise ConflictError(
                f"{len(held)} machine(s) hold addresses of the pool {name!r}: {sn} has {address}",
                hint="free them (bootos pool free POOL MACHINE), or delete the machines",
            )
        session.delete(pool)
        record(session, actor, "pool.remove", name)


def free_address(context: Context, actor: Actor, name: str, word: str) -> str:
    """Take the address of a machine (serial number, or id as `id:5`) back; returns it. Raises NotFoundError."""
    with context.store.write() as session:
        machine = find_machine(session, word)
        pool = find_pool(session, name)
        query = select(Allotment).where(
            Allotment.series == f"pool:{pool.name}", Allotment.machine_id == machine.id
        )
        row = session.scalar(query)
        if row is None:
            raise NotFoundError(f"machine {machine.sn} holds no address of the pool {name!r}")
        session.delete(row)
        address = str(IPv4Address(row.value))
        record(session, actor, "pool.free", name, f"{machine.sn}: {address}")
        return address


def _add(session: WriteSession, name: str, addresses: str, gateway: str) -> Pool:
    problems = Problems()
    if not NAME.fullmatch(name):
        problems.complain("name", f"{name!r} cannot be a pool's name")
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
                problems.complain("addresses", message)
    if problems or parsed is None:
        raise UnusableError(f"the pool {name!r} has {len(problems)} problem(s)", problems=problems)
    row = Pool(name=name, first=str(first), last=str(last), prefix_length=network.prefixlen, gateway=gateway)
    session.add(row)
    session.flush()
    return row


def _parse_range(text: str, problems: Problems) -> tuple[IPv4Address, IPv4Address, IPv4Network] | None:
    found = RANGE.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        first, last = IPv4Address(found["first"]), IPv4Address(found["last"])
        network = IPv4Network(f"{first}/{found['prefix']}", strict=False)
    except ValueError:
        problems.complain("addresses", f"{text!r} is not a range of addresses", HINT)
        return None
    if last < first:
        problems.complain("addresses", f"{text!r} runs backwards")
    elif last not in network:
        problems.complain("addresses", f"{last} is not in {network}")
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
