"""Makes machines known by their serial numbers: those that register, and those that an operator names first."""

import re

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bootos.server.fault import NotFoundError, UnusableError
from bootos.server.limit import FIXED
from bootos.server.store.machine import (
    ID,
    MOST_NAMESAKES,
    escape_name,
    find_by_sn,
    find_machine,
    fold,
    is_id,
    list_namesakes,
)
from bootos.server.store.table import Machine
from bootos.wire.identity import is_placeholder

SN = re.compile(r"[^\x00-\x1f\x7f]+")


def parse_sn(text: str) -> str:
    """A serial number as it is kept: trimmed, in printable ASCII (`escape_name`). Raises UnusableError when it cannot
    be one. A number that looks like an id is refused, since commands and links would then mean another machine."""
    sn = text.strip()
    if len(sn) > FIXED.name_letters or not SN.fullmatch(sn):
        raise UnusableError(
            "the serial number is empty, too long or holds control characters",
            hint="the machine's SMBIOS must tell a serial number (type 1)",
        )
    if ID.fullmatch(sn):
        raise UnusableError(
            f"{sn!r} cannot be a serial number", hint="it stands for the machine with this id"
        )
    return escape_name(sn)


def find_or_enrol(session: Session, sn: str) -> Machine:
    """The machine that an operator calls so, locked; made when it is new. Raises UnusableError, also for a name that no
    machine comes by: a maker's placeholder, which would wait for ever."""
    sn = parse_sn(sn)
    machine = find_by_sn(session, sn)
    if machine is not None:
        session.refresh(machine, with_for_update=True)
        return _keep_known(session, machine)
    if is_placeholder(sn):
        called = ", ".join(f"id:{row.id}" for row in list_namesakes(session, sn, limit=MOST_NAMESAKES))
        raise UnusableError(
            f"{sn!r} is what makers leave in the place of a serial number: no machine is known by it",
            hint=f"several are called so: {called}"
            if called
            else "such machines come with their UUID: bootos machine list",
        )
    return enrol(session, sn)


def enrol(session: Session, sn: str, *, by_itself: bool = False) -> Machine:
    """A new machine of this name, locked; `by_itself`: no operator has named it. One statement makes it, so that of two
    who do so at the same moment the second gets the machine of the first."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = {"sn": sn, "sn_key": fold(sn), "by_itself": by_itself}
    session.execute(insert(Machine).values(values).on_conflict_do_nothing(index_elements=[Machine.sn_key]))
    return session.scalars(select(Machine).where(Machine.sn_key == fold(sn)).with_for_update()).one()


def find_or_enrol_word(session: Session, word: str) -> Machine:
    """A machine as `find_machine` finds it; a serial number that is not known becomes that of a new machine. A number
    that is the id of a machine does not: that machine was meant, most likely. Raises NotFoundError."""
    try:
        machine = find_machine(session, word)
    except NotFoundError:
        if ID.fullmatch(word.strip()) or is_id(session, word.strip()):
            raise
        return find_or_enrol(session, word)
    return _keep_known(session, machine)


def _keep_known(session: Session, machine: Machine) -> Machine:
    """An operator knows it. That is written at once: a refresh of the row, which locks it, would forget it."""
    machine.by_itself = False
    session.flush()
    return machine
