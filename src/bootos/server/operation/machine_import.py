"""Many machines at once, as a list of serial numbers with their settings and variables: all of them, or none."""

import re

import msgspec
from sqlalchemy import delete, select

from bootos.errors import Problem, Problems
from bootos.server.context import Context
from bootos.server.fault import RequestError, UnusableError
from bootos.server.mark import MOST_MACS
from bootos.server.netboot.pxe_file import parse_mac
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.enrolment import find_or_enrol
from bootos.server.operation.identity import is_spoken_for
from bootos.server.operation.setting import change_settings
from bootos.server.operation.standing import settle_standing
from bootos.server.store.engine import WriteSession
from bootos.server.store.machine import fold
from bootos.server.store.table import ExpectedMac, Machine

MOST_PROBLEMS = 200  # the most problems that are told at once


class NewMachine(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`line`: where it stands in the operator's file; `mac`: its MACs, with blanks or commas between them: who
    registers with this serial number and one of them is confirmed by that."""

    sn: str
    line: int = 0
    mac: str = ""
    values: dict[str, str] = {}


class Imported(msgspec.Struct, kw_only=True):
    """How many machines were set, and how many of them were not known before."""

    count: int
    new: int


def import_machines(context: Context, actor: Actor, rows: list[NewMachine]) -> Imported:
    """Enrol and set every machine of the list; returns how many. Raises UnusableError with every problem, each with its
    line."""
    with context.store.write() as session:
        done = _import(context, session, rows)
        record(session, actor, "machine.import", f"{done.count} machine(s)", f"{done.new} of them new")
        return done


def _import(context: Context, session: WriteSession, rows: list[NewMachine]) -> Imported:
    problems = Problems()
    lines: dict[str, int] = {}
    owners: dict[str, int] = {}
    known, new = set(session.scalars(select(Machine.sn_key))), 0
    for row in rows:
        at, key = f"line {row.line}", fold(row.sn)
        if not row.sn.strip():
            problems.complain(at, "there is no serial number", "fill the column sn")
            continue
        if key in lines:
            message = f"the serial number {row.sn!r} stands in line {lines[key]} already"
            problems.complain(at, message)
            continue
        lines[key] = row.line
        try:
            machine = find_or_enrol(session, row.sn)
            if machine.sn_key != key and lines.setdefault(machine.sn_key, row.line) != row.line:
                message = f"the machine {machine.sn!r}, which {row.sn!r} is, too, stands in line "
                message += f"{lines[machine.sn_key]} already"
                problems.complain(at, message)
                continue
            new += machine.sn_key not in known
        except RequestError as fault:
            take_over(problems, at, fault)
            continue
        try:
            # An empty cell leaves the value as it is.
            change_settings(session, machine, {name: value for name, value in row.values.items() if value})
        except RequestError as fault:
            take_over(problems, at, fault)
        try:
            if row.mac.strip():
                expect_macs(session, machine, row, owners)
                if is_spoken_for(context, session, machine):
                    settle_standing(context, session, machine)
        except RequestError as fault:
            take_over(problems, at, fault)
    if problems:
        raise UnusableError(
            f"the list has {len(problems)} problem(s); no machine was changed",
            problems=problems[:MOST_PROBLEMS],
        )
    return Imported(count=len(rows), new=new)


def take_over(problems: Problems, at: str, fault: RequestError) -> None:
    """Add what is wrong with the row in line `at`."""
    for item in fault.problems or [Problem(path="", message=fault.message, hint=fault.hint)]:
        problems.complain(f"{at}: {item.path}" if item.path else at, item.message, item.hint)


def expect_macs(session: WriteSession, machine: Machine, row: NewMachine, owners: dict[str, int]) -> None:
    """The machine is the one that has these MACs, and no other; `owners`: in which line a MAC stood already. Raises
    UnusableError."""
    macs = set[str]()
    for word in re.split(r"[\s,;|]+", row.mac.strip()):
        mac = parse_mac(word)
        if mac is None:
            raise UnusableError(f"{word!r} is not the MAC address of a NIC", hint="as 52:54:00:12:34:56")
        if owners.setdefault(mac, row.line) != row.line:
            raise UnusableError(f"the MAC {mac} stands in line {owners[mac]} already")
        macs.add(mac)
    if len(macs) > MOST_MACS:
        raise UnusableError(f"a machine has at most {MOST_MACS} MACs")
    elsewhere = select(ExpectedMac).where(
        ExpectedMac.mac.in_(sorted(macs)), ExpectedMac.machine_id != machine.id
    )
    if (other := session.scalar(elsewhere.limit(1))) is not None:
        raise UnusableError(
            f"the MAC {other.mac} was listed for the machine id:{other.machine_id}",
            hint=f"if that one is gone: bootos machine delete id:{other.machine_id}",
        )
    session.execute(delete(ExpectedMac).where(ExpectedMac.machine_id == machine.id))
    session.add_all(ExpectedMac(machine_id=machine.id, mac=mac) for mac in sorted(macs))
    session.flush()
