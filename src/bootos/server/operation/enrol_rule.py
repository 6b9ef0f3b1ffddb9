"""Rules that confirm machines as they register: for a rack that is being installed, in a network where nobody else is,
for some hours. Called by the operator API."""

import ipaddress
import re
from datetime import timedelta

import msgspec
from sqlalchemy import select

from bootos.errors import Problems
from bootos.server.context import Context
from bootos.server.fault import NotFoundError, UnusableError
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.identity import is_spoken_for
from bootos.server.operation.standing import settle_standing
from bootos.server.store.table import EnrolRule, Machine, read_clock
from bootos.server.view.enrol_rule import RuleView, is_in_force, view_rule

MOST_S = 7 * 24 * 3600
UNITS = {"m": 60, "h": 3600, "d": 86400}


class NewRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`network` as `10.0.0.0/24`, `vendor` as in the support list; at least one of them. `lasts` as `2h`, `90m` or
    `1d`."""

    network: str = ""
    vendor: str = ""
    lasts: str


def add_rule(context: Context, actor: Actor, wanted: NewRule) -> RuleView:
    """Make a rule, and confirm the new machines that it is for; returns it. Raises UnusableError with every problem."""
    problems, network, seconds = Problems(), "", 0
    try:
        network = str(ipaddress.ip_network(wanted.network.strip(), strict=False)) if wanted.network else ""
    except ValueError:
        problems.complain("network", f"{wanted.network!r} is no network", "as 10.0.0.0/24")
    if not wanted.network.strip() and not wanted.vendor.strip():
        problems.complain("", "a rule for every machine is no rule", "give --network, --vendor or both")
    if len(wanted.vendor) > 200:
        problems.complain("vendor", "is longer than 200 characters")
    found = re.fullmatch(r"([0-9]{1,6})\s*([mhd])", wanted.lasts.strip())
    if found is not None:
        seconds = int(found[1]) * UNITS[found[2]]
    if not 0 < seconds <= MOST_S:
        problems.complain(
            "lasts", f"{wanted.lasts!r} is not how long a rule may last", "as 90m, 2h or 1d; 7d at most"
        )
    if problems:
        raise UnusableError(f"the rule has {len(problems)} problem(s)", problems=problems)
    with context.store.write() as session:
        row = EnrolRule(
            network=network,
            vendor=wanted.vendor.strip(),
            created_by=actor.signature,
            ends_at=read_clock() + timedelta(seconds=seconds),
        )
        session.add(row)
        session.flush()
        record(session, actor, "enrol.rule.add", row.id, describe(row))
        new = select(Machine).where(Machine.confirmed_at.is_(None), Machine.registered_at.is_not(None))
        for machine in session.scalars(new):
            if is_spoken_for(context, session, machine):
                settle_standing(context, session, machine)
        session.flush()
        return view_rule(context, row)


def remove_rule(context: Context, actor: Actor, number: int) -> None:
    """Take a rule away; whom it confirmed stays confirmed. Raises NotFoundError."""
    with context.store.write() as session:
        row = session.get(EnrolRule, number) if number < 2**31 else None
        if row is None:
            raise NotFoundError(f"there is no rule {number}", hint="see bootos enrol rule list")
        record(session, actor, "enrol.rule.remove", row.id, describe(row))
        context.rule_terms.forget(row.id, row.ends_at)
        session.delete(row)


def end_rules(context: Context) -> None:
    """End the rules whose time has passed: none comes into force again when the clock is set back. To be called at each
    start, too, and now and then."""
    query = select(EnrolRule).where(~EnrolRule.ended)
    with context.store.read() as session:
        over = [row.id for row in session.scalars(query) if not is_in_force(context, row)]
    if not over:
        return
    with context.store.write() as session:
        for row in session.scalars(query.where(EnrolRule.id.in_(over))):
            row.ended = True


def describe(row: EnrolRule) -> str:
    """What the rule is, in words."""
    return (
        f"machines of {row.vendor or 'any vendor'} in {row.network or 'any network'}, until "
        f"{row.ends_at.isoformat(timespec='seconds')}"
    )
