"""Binds MACs to machines, for their PXE files: one machine must not decide on another's next boot. For agents of every
protocol."""

import logging

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bootos.server.fault import ConflictError, UnusableError
from bootos.server.netboot.pxe_file import parse_mac
from bootos.server.store.table import Mac, Machine

log = logging.getLogger(__name__)


class MacTakenError(ConflictError):
    """Another machine has shown the MAC, or has it for its PXE file."""


def check_mac(session: Session, machine: Machine, text: str) -> str:
    """The MAC, in lower case with colons, if this machine may decide on its next boot; for agents of every protocol.

    It is one that the machine has shown (a machine without an inventory has shown nothing yet, and may), and that no
    other confirmed machine has shown: a MAC that two of them show may belong to either. Who nobody confirmed may show
    what he likes. Raises UnusableError, MacTakenError, ConflictError.
    """
    mac = parse_mac(text)
    if mac is None:
        raise UnusableError(f"{text!r} is not the MAC address of a NIC", hint="as 52:54:00:12:34:56")
    owners = set(session.scalars(select(Mac.machine_id).where(Mac.mac == mac)))
    believed = select(Mac.machine_id).join(Machine, Machine.id == Mac.machine_id)
    believed = believed.where(Mac.mac == mac, or_(Machine.confirmed_at.is_not(None), Mac.bound))
    if others := set(session.scalars(believed)) - {machine.id}:
        names = session.scalars(select(Machine.sn).where(Machine.id.in_(others)).order_by(Machine.sn_key))
        log.warning("machine %r asks for the MAC %s, which was shown by %s", machine.sn, mac, list(names))
        raise MacTakenError(
            f"{mac} belongs to another machine",
            hint="delete that machine on the server if the NIC has moved; the server's log names it",
        )
    if machine.id not in owners and machine.inventory is not None:
        raise ConflictError(
            f"{mac} is no NIC of this machine: its inventory does not have it",
            hint="the inventory is renewed when the machine registers",
        )
    return mac


def bind_mac(session: Session, machine: Machine, text: str) -> str:
    """Bind a MAC to the machine, for its PXE file; returns it in lower case with colons. Raises as `check_mac`."""
    mac = check_mac(session, machine, text)
    row = session.scalar(select(Mac).where(Mac.mac == mac, Mac.machine_id == machine.id))
    if row is None:
        row = Mac(machine_id=machine.id, mac=mac)
        session.add(row)
    row.bound = True
    session.flush()
    return mac
