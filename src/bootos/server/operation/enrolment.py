"""Makes machines known by their serial numbers: those that register, and those that an operator names first."""

import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.fault import NotFoundError, UnusableError
from bootos.server.store.machine import ID, find_machine, is_id
from bootos.server.store.table import Machine

SN = re.compile(r"[^\x00-\x1f\x7f]{1,128}")


def parse_sn(text: str) -> str:
    """A serial number, trimmed. Raises UnusableError when it cannot be one. A number that looks like an id is refused,
    since commands and links would then mean another machine."""
    sn = text.strip()
    if not SN.fullmatch(sn):
        raise UnusableError(
            "the serial number is empty, too long or holds control characters",
            hint="the machine's SMBIOS must tell a serial number (type 1)",
        )
    if ID.fullmatch(sn):
        raise UnusableError(
            f"{sn!r} cannot be a serial number", hint="it stands for the machine with this id"
        )
    return sn


def find_or_enrol(session: Session, sn: str) -> Machine:
    """The machine with this serial number, locked; made when it is new."""
    sn = parse_sn(sn)
    query = select(Machine).where(Machine.sn_key == sn.casefold()).with_for_update()
    row = session.scalar(query)
    if row is None:
        row = Machine(sn=sn, sn_key=sn.casefold())
        session.add(row)
        session.flush()
    return row


def find_or_enrol_word(session: Session, word: str) -> Machine:
    """A machine as `find_machine` finds it; a serial number that is not known becomes that of a new machine. A number
    that is the id of a machine does not: that machine was meant, most likely. Raises NotFoundError."""
    try:
        return find_machine(session, word)
    except NotFoundError:
        if ID.fullmatch(word.strip()) or is_id(session, word.strip()):
            raise
        return find_or_enrol(session, word)
