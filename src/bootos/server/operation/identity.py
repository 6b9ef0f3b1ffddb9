"""Who holds a machine's identity, and who may speak for it: the one table, which both protocols ask (`registration`,
`cloudboot.policy`) before they let a client in. What is done with one who is not let in is theirs.

A client of protocol v2 is known by its boot id and the key of its boot; one of Cloudboot v1 by its address alone.
"""

from enum import StrEnum

import msgspec
from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.store.engine import WriteSession
from bootos.server.store.job import find_active_job
from bootos.server.store.table import Boot, Job, Machine


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants to speak for a machine, from this address. `boot_id`, `words`: of its boot; empty for an agent of
    Cloudboot v1. `believed`: what it tells is what was confirmed (`mark.find_refusal`)."""

    address: str
    boot_id: str = ""
    words: str = ""
    believed: bool = True


class Asker(StrEnum):
    """By which protocol the client speaks; `OPEN`: by Cloudboot v1, which is for everybody who names a machine."""

    V2 = "v2"
    V1 = "v1"
    OPEN = "v1, open"


class Fact(StrEnum):
    """What is known of the machine and this client."""

    HELD = "a boot of another client holds the identity"
    V2_ONLY = "the machine's agent speaks protocol v2, whether it is heard of or not"
    BARRED = "an operator took the identity from this client"
    OWN_JOB = "the machine's job belongs to this client's address"
    OTHER_JOB = "the machine's job belongs to another address"
    V1_ELSEWHERE = "a v1 agent at another address was heard of lately"
    CONFIRMED = "the machine is confirmed"


class Rival(StrEnum):
    """Who speaks for the machine in the client's stead."""

    NOBODY = "nobody"
    BOOT = "a boot"
    V2_AGENT = "an agent of protocol v2 that is silent"
    ANYBODY = "anybody but this client"
    JOB_HOLDER = "the address that its job belongs to"
    V1_AGENT = "a v1 agent"


EITHER = (Asker.V2, Asker.V1)
TABLE: list[tuple[tuple[Asker, ...], tuple[Fact, ...], Rival]] = [
    # who asks, what all holds, who speaks for the machine: the first row that fits
    (tuple(Asker), (Fact.HELD,), Rival.BOOT),
    ((Asker.OPEN,), (), Rival.NOBODY),
    ((Asker.V1,), (Fact.V2_ONLY,), Rival.V2_AGENT),
    ((Asker.V2,), (Fact.V1_ELSEWHERE, Fact.CONFIRMED), Rival.V1_AGENT),
    (EITHER, (Fact.BARRED,), Rival.ANYBODY),
    ((Asker.V1,), (Fact.OWN_JOB,), Rival.NOBODY),
    ((Asker.V1,), (Fact.OTHER_JOB,), Rival.JOB_HOLDER),
    ((Asker.V1,), (Fact.V1_ELSEWHERE,), Rival.V1_AGENT),
    (EITHER, (), Rival.NOBODY),
]


def judge(asker: Asker, facts: frozenset[Fact]) -> Rival:
    """Who speaks for the machine in the stead of this client, by the table. Pure."""
    return next(rival for askers, needed, rival in TABLE if asker in askers and facts.issuperset(needed))


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """Why a client does not speak for the machine. `left_s`: for how many seconds that is so at least, as far as it is
    known; `job`: the machine's, where it is another's."""

    rival: Rival
    left_s: float = 0.0
    job: Job | None = None


def find_bar(context: Context, session: Session, machine: Machine, client: Client) -> Bar | None:
    """Why this client does not speak for the machine now; None: it does."""
    is_open = context.settings.legacy == "open"
    asker = Asker.V2 if client.boot_id else Asker.OPEN if is_open else Asker.V1
    presence = context.presence if asker is Asker.V2 else context.legacy_presence
    job = find_active_job(session, machine.id) if asker is Asker.V1 else None
    barred_s = presence.bar_left_s(machine.id, *filter(None, (client.boot_id, client.address)))
    facts = {
        Fact.HELD: _is_held(context, session, machine, client),
        Fact.V2_ONLY: machine.protocol == 2 and machine.boot_pk is not None,
        Fact.BARRED: barred_s > 0,
        Fact.OWN_JOB: job is not None and job.agent_address == client.address != "",
        Fact.OTHER_JOB: job is not None and job.agent_address not in ("", client.address),
        # Where v1 is for everybody, an agent has no address that is its own.
        Fact.V1_ELSEWHERE: machine.protocol == 1
        and not is_open
        and machine.address != client.address
        and is_heard_v1(context, machine),
        Fact.CONFIRMED: machine.confirmed_at is not None,
    }
    rival = judge(asker, frozenset(fact for fact, holds in facts.items() if holds))
    if rival is Rival.NOBODY:
        return None
    left_s = {
        Rival.BOOT: context.presence.grace_left_s(machine.id),
        Rival.ANYBODY: barred_s,
        Rival.V1_AGENT: context.legacy_presence.grace_left_s(machine.id),
    }
    return Bar(rival=rival, left_s=left_s.get(rival, 0.0), job=job)


def _is_held(context: Context, session: Session, machine: Machine, client: Client) -> bool:
    holder = find_holder(context, session, machine)
    if holder is None:
        return False
    # A boot that is not believed keeps no other one out that is.
    if machine.doubt and client.believed:
        return False
    # Who says the boot id of the holder and does not have its key is another client: boot ids are no secret.
    return holder.boot_id != client.boot_id or holder.words not in ("", client.words)


def has_v2_agent(context: Context, session: Session, machine: Machine) -> bool:
    """Whether a v2 agent holds the machine's identity against every client of Cloudboot v1."""
    return _is_held(context, session, machine, Client(address=""))


def is_spoken_for(context: Context, session: Session, machine: Machine) -> bool:
    """Whether a client speaks for the machine at present, by either protocol: what is known of it is what it tells."""
    if machine.protocol == 1:
        return is_heard_v1(context, machine)
    return find_holder(context, session, machine) is not None


def find_holder(context: Context, session: Session, machine: Machine) -> Boot | None:
    """The boot whose session of protocol v2 holds the identity at present. None when there is none, when it said that
    it reboots, or when it was not heard of for longer than an agent is silent."""
    boot = session.get(Boot, machine.boot_pk) if machine.boot_pk is not None else None
    if boot is None or boot.closing or context.presence.grace_left_s(machine.id) <= 0:
        return None
    return boot


def is_heard_v1(context: Context, machine: Machine) -> bool:
    """Whether a Cloudboot v1 agent of the machine was heard of lately."""
    return context.legacy_presence.is_heard(machine.id, machine.last_heard_at)


def end_doubt(session: WriteSession, machine: Machine) -> None:
    """The machine itself is there, by Cloudboot v1: the boot that is not believed gives way to it."""
    boot = session.get(Boot, machine.boot_pk) if machine.doubt and machine.boot_pk is not None else None
    if boot is not None:
        boot.token_hash, boot.inventory, machine.boot_pk = None, None, None
    machine.doubt = ""
