"""Who holds a machine's identity. Both protocols ask this before they let a client speak for a machine."""

from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.store.engine import WriteSession
from bootos.server.store.table import Boot, Machine


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


def find_v1_hold_s(context: Context, machine: Machine, address: str) -> float:
    """For how many seconds a Cloudboot v1 agent at another address still speaks for this machine, which is confirmed.
    0: none does. A machine that boots an image of protocol v2 has the same address, or waits so long."""
    if machine.protocol != 1 or machine.confirmed_at is None or context.settings.legacy == "open":
        return 0.0
    if machine.address == address or not is_heard_v1(context, machine):
        return 0.0
    return context.legacy_presence.grace_left_s(machine.id)


def is_heard_v1(context: Context, machine: Machine) -> bool:
    """Whether a Cloudboot v1 agent of the machine was heard of lately."""
    return context.legacy_presence.is_heard(machine.id, machine.last_heard_at)


def end_doubt(session: WriteSession, machine: Machine) -> None:
    """The machine itself is there, by Cloudboot v1: the boot that is not believed gives way to it."""
    boot = session.get(Boot, machine.boot_pk) if machine.doubt and machine.boot_pk is not None else None
    if boot is not None:
        boot.token_hash, boot.inventory, machine.boot_pk = None, None, None
    machine.doubt = ""
