"""Looks for machines: by the words that people and agents have for them, by their sessions, by their MACs. Changes
nothing.

A machine is known by its serial number, or by what it has in place of one (`wire.identity`), whatever its case; and by
the names that it had before.
"""

import hashlib
import re
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, defer

from bootos.server.fault import NotFoundError, UnauthorizedError
from bootos.server.store.table import Alias, Boot, Mac, Machine
from bootos.wire.identity import is_placeholder

ID = re.compile(r"id:([0-9]{1,9})", re.IGNORECASE)
"""How a machine's id is written, wherever a serial number may stand as well."""

MOST_WORDS = 8  # of a search
UNSHOWN = (defer(Machine.drivers), defer(Machine.variables))
"""What a list of machines does not read, beside what is never read with a row."""
UNPRINTABLE = re.compile(r"[^ -~]")

MOST_NAMESAKES = 10  # that a hint names


def hash_token(token: str) -> str:
    """What is stored of a session's token: its SHA-256, in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def find_machine(session: Session, word: str) -> Machine:
    """A machine by serial number (any case), or by id as `id:5`.

    A number alone is a serial number, always: machines choose their serial numbers without a login, and none of them
    may be taken for the id of another machine. A former name is as good as the present one, if one machine alone is
    called so. Raises NotFoundError, with the way to write an id.
    """
    word = word.strip()
    if (found := ID.fullmatch(word)) is not None:
        row = session.get(Machine, int(found[1]))
    else:
        row = find_by_sn(session, word)
    if row is None:
        hint = f"use id:{int(word)}: a number alone is a serial number" if is_id(session, word) else ""
        if namesakes := list_namesakes(session, word, limit=MOST_NAMESAKES):
            ids = ", ".join(f"id:{machine.id}" for machine in namesakes)
            hint = f"several are called so: {ids}" if len(namesakes) > 1 else f"it is what {ids} calls itself"
        raise NotFoundError(f"there is no machine {word!r}", hint=hint or "see bootos machine list")
    return row


def escape_name(name: str) -> str:
    """A name as names are kept: in printable ASCII, without the blanks around it. Other characters are written as
    Python does, `\\xfc`, `\\u202e`: no two names look alike, and none does anything where it is shown."""
    return UNPRINTABLE.sub(
        lambda found: found[0].encode("unicode_escape", "backslashreplace").decode(), name.strip()
    )


def fold(name: str) -> str:
    """A name as names are compared: escaped, and without its case."""
    return escape_name(name).casefold()


def find_by_sn(session: Session, sn: str) -> Machine | None:
    """The machine that is known by this name (any case), else the one that alone is called so; no id is one.
    A name that a machine only says of itself, and that is no placeholder, is meant for whoever comes to be known by
    it."""
    machine = session.scalar(select(Machine).where(Machine.sn_key == fold(sn)))
    if machine is not None:
        return machine
    called = list_namesakes(session, sn, held=not is_placeholder(sn), limit=2)
    return called[0] if len(called) == 1 else None


def find_by_call(session: Session, sn: str, address: str) -> Machine | None:
    """The machine that a client without a session means, which calls from this address and tells nothing else.

    As `find_by_sn`; but a maker's placeholder may be said by any of many machines. It is then the one that was heard of
    from that address; else the only one that is called so, if it was known by that name before.
    """
    if not is_placeholder(sn):
        return find_by_sn(session, sn)
    here = list_namesakes(session, sn, Machine.address == address, limit=2) if address else []
    called = here or list_namesakes(session, sn, limit=2)
    if len(called) != 1:
        return None
    return called[0] if here or list_namesakes(session, sn, held=True, limit=1) else None


def list_namesakes(
    session: Session, name: str, *where: ColumnElement[bool], held: bool = False, limit: int = 100
) -> list[Machine]:
    """The machines that are called so, by their names and by other words for them; `held`: of these only those that
    are, or were, known by it."""
    called = select(Alias.machine_id).where(Alias.key == fold(name))
    if held:
        called = called.where(Alias.held)
    query = select(Machine).where(or_(Machine.sn_key == fold(name), Machine.id.in_(called)), *where)
    return list(session.scalars(query.order_by(Machine.id).limit(limit)))


def find_mac_owner(session: Session, mac: str) -> Machine | None:
    """The machine that a MAC counts for: the one that has it for its PXE file, else the first confirmed one that has
    shown it, else the first."""
    owners = select(Mac.machine_id).join(Machine, Machine.id == Mac.machine_id).where(Mac.mac == mac)
    owners = owners.order_by(Mac.bound.desc(), Machine.confirmed_at.is_(None), Mac.id).limit(1)
    owner = session.scalar(owners)
    return session.get(Machine, owner) if owner is not None else None


def is_id(session: Session, word: str) -> bool:
    """Whether this number is the id of a machine."""
    is_number = ID.fullmatch(f"id:{word}") is not None
    return is_number and session.get(Machine, int(word)) is not None


def find_machines(session: Session, text: str = "", *, after: str = "", limit: int) -> list[Machine]:
    """Machines by their names, at most `limit`, those after the name `after`: only what a list shows of them is read.
    Each word of `text` must occur in that, or in another word for the machine."""
    query = select(Machine).where(*_build_search(text)).order_by(Machine.sn_key).limit(limit)
    query = query.where(Machine.sn_key > fold(after)) if after else query
    return list(session.scalars(query.options(*UNSHOWN)))


def count_machines(session: Session, text: str = "") -> int:
    """How many `find_machines` finds, over all pages."""
    return session.scalar(select(func.count()).select_from(Machine).where(*_build_search(text))) or 0


def _build_search(text: str) -> list[ColumnElement[bool]]:
    found = []
    for word in text.split()[:MOST_WORDS]:
        columns = (Machine.sn, Machine.vendor, Machine.product, Machine.address)
        called = select(Alias.machine_id).where(Alias.name.icontains(word, autoescape=True))
        shown = (column.icontains(word, autoescape=True) for column in columns)
        found.append(
            or_(*shown, Machine.sn.icontains(escape_name(word), autoescape=True), Machine.id.in_(called))
        )
    return found


def is_waiting() -> ColumnElement[bool]:
    """Of machines that a person is to look at: they have registered and are not confirmed, or are not believed."""
    new = and_(Machine.confirmed_at.is_(None), Machine.registered_at.is_not(None))
    return or_(new, Machine.doubt != "")


def count_waiting(session: Session) -> int:
    """How many those are."""
    return session.scalar(select(func.count()).select_from(Machine).where(is_waiting())) or 0


def list_ids(session: Session) -> dict[str, int]:
    """The id of every machine by its serial number."""
    rows = session.execute(select(Machine.sn, Machine.id))
    return {row.sn: row.id for row in rows}


def find_session(session: Session, authorization: str | None) -> tuple[Machine, Boot]:
    """The machine and boot that this `Authorization` header proves. Raises UnauthorizedError."""
    kind, _, token = (authorization or "").partition(" ")
    found = None
    if kind.lower() == "bearer" and token:
        # The machine's id is compared, too: `boot_pk` has no index, so that alone it would read all machines.
        holder = (Machine.id == Boot.machine_id) & (Machine.boot_pk == Boot.id)
        query = select(Machine, Boot).join(Boot, holder)
        found = session.execute(query.where(Boot.token_hash == hash_token(token.strip()))).one_or_none()
    if found is None:
        raise UnauthorizedError("this session is not known", hint="register again")
    return found[0], found[1]


def read_saved(machine: Machine) -> dict[str, Any]:
    """The newest state that the machine's agent sent. Raises NotFoundError."""
    if machine.saved is None:
        raise NotFoundError(
            f"there is no saved state of machine {machine.sn} yet",
            hint="it comes with the end of a job; a plan is enough: bootos job create --plan",
        )
    return machine.saved
