"""What a machine may be given: an order only when it is confirmed, a secret only when it was confirmed well enough and
over TLS. Every door that hands something to a machine asks here, of both protocols.

A machine is confirmed by what the operator said before it came (`settle_standing`: a row of a list, a rule), or by a
person who looks at it (`confirmation`). Confirming pins its fingerprint (`mark`).
"""

import ipaddress
from collections.abc import Iterable
from fnmatch import fnmatchcase

from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.lifecycle import State
from bootos.server.mark import list_stored_macs, read_stored_marks
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.mark import find_refusal, pin_marks
from bootos.server.operation.secrecy import find_plain_bar
from bootos.server.operation.transition import add_line, touch
from bootos.server.store.claim import open_claims
from bootos.server.store.engine import WriteSession
from bootos.server.store.job import find_active_job
from bootos.server.store.mark import find_alike
from bootos.server.store.table import Boot, EnrolRule, ExpectedMac, Mac, Machine, read_clock
from bootos.server.vendor import find_names, fold
from bootos.server.view.enrol_rule import is_in_force

ENOUGH: dict[str, frozenset[str]] = {
    "import": frozenset({"words", "person", "import", "earlier release"}),
    "rule": frozenset({"words", "person", "import", "earlier release", "rule"}),
}
"""How a machine must have been confirmed (`Machine.confirmed_by`) to be sent secrets, by `Settings.secrets_after`. Not
so after `words`: they are of one boot, and nothing that the next one says proves that it is of the same machine."""

SERVER = Actor(name="the server")
MOST_NAMED = 5  # machines in a sentence


def find_order_bar(context: Context, session: Session, machine: Machine, boot: Boot | None) -> str:
    """Why this machine gets no order now, as a sentence for its operator and its console; empty: it gets one. `boot`:
    the one that asks, None for an agent of Cloudboot v1."""
    if context.settings.enrol == "open":
        return ""
    way = f"bootos machine confirm id:{machine.id}"
    if machine.doubt:
        return f"{machine.doubt}. It gets nothing until an operator says that it is the same machine: {way}"
    if machine.confirmed_at is not None:
        return ""
    if machine.registered_at is None:
        return (
            "this machine has not registered yet, and it gets nothing before it is confirmed: by a row with its MAC "
            f"(bootos machine import), by a rule, or by you when it has come ({way})"
        )
    return f"this machine is new: it gets nothing until it is confirmed, by {way}"


def find_secret_bar(context: Context, session: Session, machine: Machine, boot: Boot | None) -> str:
    """Why this machine gets no job that has secrets in it, in the same way. Asked only after `find_order_bar`."""
    settings = context.settings
    if bar := find_plain_bar(context, boot):
        return bar
    if settings.enrol == "open":
        return ""
    if settings.secrets_after == "words":
        return "" if boot is not None and boot.compared else describe_uncompared(machine, boot)
    if machine.confirmed_by not in ENOUGH[settings.secrets_after]:
        return (
            f"this machine was confirmed by {machine.confirmed_by or 'nobody'}, and this server sends secrets only to "
            f"machines that were confirmed better (--secrets-after {settings.secrets_after}): compare the words that "
            f"its console shows, by bootos machine confirm id:{machine.id}"
        )
    return ""


def describe_uncompared(machine: Machine, boot: Boot | None) -> str:
    """Why this boot is sent no secrets where its words must have been compared, and how to proceed."""
    policy = (
        "this server sends secrets only to a boot whose words a person has compared (--secrets-after words)"
    )
    if boot is None or not boot.words:
        return f"{policy}, and this one shows none: boot the machine with an image of this server's release, over TLS"
    return (
        f"{policy}, and nobody has compared those of this one: look at the machine's console, then bootos machine "
        f"confirm id:{machine.id}"
    )


def confirm(
    context: Context, session: WriteSession, machine: Machine, how: str, *, actor: Actor, detail: str = ""
) -> None:
    """The machine is the one that it says to be, and is known by its present inventory from now on; `how` is kept
    (`Machine.confirmed_by`). Its job does not wait any more."""
    bar = find_order_bar(context, session, machine, None)
    machine.confirmed_at, machine.confirmed_by, machine.doubt, machine.changes = read_clock(), how, "", ""
    marks = read_stored_marks(machine.inventory)
    if marks is not None:
        pin_marks(session, machine, marks)
    session.touch(f"machine:{machine.id}", "machines")
    if how == "open":
        return
    words = f"by {how}" + (f", {detail}" if detail else "")
    record(session, actor, "machine.confirm", machine.sn, f"id:{machine.id} {words}")
    job = find_active_job(session, machine.id)
    if job is not None:
        if job.message == bar:
            job.message = ""
        if State(job.state) is State.QUEUED:
            add_line(session, job, f"the machine was confirmed {words}")
        touch(session, job)


def settle_standing(context: Context, session: WriteSession, machine: Machine) -> None:
    """Confirm a machine that has registered, if the operator has said before that it is one: by a row of a list that
    has its serial number and one of its MACs, or by a rule. Not where anybody else says to be it, or where it has
    something of another confirmed machine: then a person looks at it."""
    if context.settings.enrol == "open":
        marks = read_stored_marks(machine.inventory)
        if machine.confirmed_at is None or (marks is not None and find_refusal(session, machine, marks)):
            confirm(context, session, machine, "open", actor=SERVER)
        return
    if machine.confirmed_at is not None or machine.doubt or machine.inventory is None:
        return
    if find_rivals(session, machine):
        return
    expected = set(session.scalars(select(ExpectedMac.mac).where(ExpectedMac.machine_id == machine.id)))
    if expected:
        shown = list_shown(session, machine)
        if expected & shown:
            detail = f"its serial number and {', '.join(sorted(expected & shown))}"
            confirm(context, session, machine, "import", actor=SERVER, detail=detail)
        return
    rules = session.scalars(select(EnrolRule).where(~EnrolRule.ended).order_by(EnrolRule.id))
    rule = find_rule((row for row in rules if is_in_force(context, row)), machine.address, machine.vendor)
    if rule is not None:
        rule.confirmed += 1
        confirm(
            context, session, machine, "rule", actor=SERVER, detail=f"rule {rule.id} of {rule.created_by}"
        )


def list_shown(session: Session, machine: Machine) -> set[str]:
    """The MACs that the boot which speaks for the machine shows. A bound one is kept whoever that is: it counts where
    the inventory has it."""
    unbound = select(Mac.mac).where(Mac.machine_id == machine.id, ~Mac.bound)
    return {*session.scalars(unbound), *list_stored_macs(machine.inventory)}


def find_rivals(session: Session, machine: Machine) -> str:
    """Who else claims what this machine says of itself, in words; empty: nobody does."""
    words = []
    if session.scalar(open_claims([machine.id]).limit(1)) is not None:
        words.append("another client claimed its identity")
    marks = read_stored_marks(machine.inventory)
    if (
        others := find_alike(session, machine, marks.fingerprint, limit=MOST_NAMED)
        if marks is not None
        else []
    ):
        words.append(f"it has the UUID, board or a MAC of {', '.join(f'id:{number}' for number in others)}")
    shown = select(Mac.mac).where(Mac.machine_id == machine.id)
    listed = select(ExpectedMac.machine_id).where(
        ExpectedMac.mac.in_(shown), ExpectedMac.machine_id != machine.id
    )
    if others := sorted(set(session.scalars(listed))):
        words.append(
            f"a MAC of it is in the list for {', '.join(f'id:{number}' for number in others[:MOST_NAMED])}"
        )
    return "; ".join(words)


def find_rule(rules: Iterable[EnrolRule], address: str, vendor: str) -> EnrolRule | None:
    """The first of these rules that confirms a machine of this vendor that comes from this address."""
    for rule in rules:
        if is_within(address, rule.network) and is_of(vendor, rule.vendor):
            return rule
    return None


def is_within(address: str, network: str) -> bool:
    """Whether the address is of the network; an empty network is any."""
    try:
        return not network or ipaddress.ip_address(address) in ipaddress.ip_network(network)
    except ValueError:
        return False


def is_of(vendor: str, pattern: str) -> bool:
    """Whether a machine's vendor is the one of a rule, by any of its names; an empty pattern is any."""
    if not pattern:
        return True
    names = find_names(vendor)
    return any(
        fnmatchcase(name, wanted) for name in names for wanted in {fold(pattern), *find_names(pattern)}
    )
