"""Who may register, and how many that nobody confirmed are kept: a network that floods the server with machines that
are none costs rows within a bound, and no machine that an operator knows its place.

*New* are machines that made themselves known and that nobody has confirmed. Called by `registration` and
`cloudboot.product`.
"""

import ipaddress

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.limit import TooManyError
from bootos.server.operation.removal import remove_machine
from bootos.server.store.engine import WriteSession
from bootos.server.store.table import Job, Machine
from bootos.server.store.table.machine import IS_NEW

MOST_LOOKED_AT = 50  # of the machines that were silent for longest


def check_rate(context: Context, address: str) -> None:
    """Count a registration from this address. Raises TooManyError with the seconds to wait."""
    wait_s = context.registrations.take(find_network(address, own=True))
    if wait_s:
        context.health.note("registrations_per_address", f"{address} registers too often")
        raise TooManyError(
            "too many registrations come from this address",
            hint=f"at most {context.settings.limits.registrations_per_address} in a minute",
            retry_after_s=round(wait_s) + 1,
        )


def check_new_rate(context: Context, machine: Machine, address: str) -> None:
    """Count a registration of a machine that nobody confirmed. Raises TooManyError with the seconds to wait."""
    if machine.confirmed_at is not None or not machine.by_itself:
        return
    wait_s = context.new_registrations.take()
    if wait_s:
        context.health.note("registrations_per_minute", "too many machines register that nobody confirmed")
        raise TooManyError(
            "too many machines register that nobody confirmed",
            hint=f"at most {context.settings.limits.registrations_per_minute} in a minute; machines that an operator "
            "named or confirmed are not counted",
            retry_after_s=round(wait_s) + 1,
        )


def admit(context: Context, session: WriteSession, machine: Machine, address: str) -> None:
    """Make room for a machine that has just made itself known: where there are too many new ones the one goes that was
    silent for longest. Raises TooManyError when none is silent, or those that are have work of an operator."""
    limits, network = context.settings.limits, find_network(address)
    machine.network, machine.address = network, address
    session.flush()
    scopes: list[tuple[str, int, str, tuple[ColumnElement[bool], ...]]] = [
        ("new_per_address", limits.new_per_address, address, (Machine.address == address,)),
        ("new_per_network", limits.new_per_network, network, ()),
        ("new_machines", limits.new_machines, "all networks", ()),
    ]
    for name, most, where, of_scope in scopes:
        wanted = (IS_NEW, *of_scope, *((Machine.network == network,) if name != "new_machines" else ()))
        count = session.scalar(select(func.count()).select_from(Machine).where(*wanted)) or 0
        while count > most:
            silent = _find_silent(context, session, machine, wanted)
            if silent is None:
                context.health.note(name, f"no room for another new machine from {address}")
                raise TooManyError(
                    f"there are {most} new machines of {where}, and all of them are alive",
                    hint="confirm them, or delete those that are none: bootos machine list; the limit is "
                    f"bootos serve --limit {name}=NUMBER",
                    retry_after_s=60,
                )
            context.health.note(name, f"a new machine that was silent made room for one from {address}")
            remove_machine(context, session, silent)
            count -= 1


def _find_silent(
    context: Context, session: Session, machine: Machine, wanted: tuple[ColumnElement[bool], ...]
) -> Machine | None:
    """Of these the one that was not heard of for longest; never one that is heard of, or that a job is for."""
    query = (
        select(Machine)
        .where(
            *wanted, Machine.id != machine.id, ~select(Job.id).where(Job.machine_id == Machine.id).exists()
        )
        .order_by(func.coalesce(Machine.last_heard_at, Machine.created_at), Machine.id)
        .limit(MOST_LOOKED_AT)
    )
    for row in session.scalars(query):
        presence = context.legacy_presence if row.protocol == 1 else context.presence
        if not presence.is_heard(row.id, row.last_heard_at):
            return row
    return None


def find_network(address: str, *, own: bool = False) -> str:
    """The network that an address counts for: IPv4 /24, IPv6 /64; the text itself when it is no address. `own`: one
    host's, which has all of an IPv6 /64 to choose from."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address if own else str(ipaddress.ip_network(f"{address}/24", strict=False))
    if parsed.ipv4_mapped is not None:
        return find_network(str(parsed.ipv4_mapped), own=own)
    return str(ipaddress.ip_network(f"{parsed.compressed.partition('%')[0]}/64", strict=False))
