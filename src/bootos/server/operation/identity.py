"""Who holds a machine's identity. Both protocols ask this before they let a client speak for a machine."""

from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.store.table import Boot, Machine


def is_spoken_for(context: Context, session: Session, machine: Machine) -> bool:
    """Whether a client speaks for the machine at present, by either protocol: what is known of it is what it tells."""
    if machine.protocol == 1:
        return context.legacy_presence.is_heard(machine.id, machine.last_heard_at)
    return find_holder(context, session, machine) is not None


def find_holder(context: Context, session: Session, machine: Machine) -> Boot | None:
    """The boot whose session of protocol v2 holds the identity at present. None when there is none, when it said that
    it reboots, or when it was not heard of for longer than an agent is silent."""
    boot = session.get(Boot, machine.boot_pk) if machine.boot_pk is not None else None
    if boot is None or boot.closing or context.presence.grace_left_s(machine.id) <= 0:
        return None
    return boot
