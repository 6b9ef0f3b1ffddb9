"""Many machines at once, as a list of serial numbers with their settings and variables: all of them, or none."""

import msgspec
from sqlalchemy import select

from bootos.errors import Problem, Problems
from bootos.server.context import Context
from bootos.server.fault import RequestError, UnusableError
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.enrolment import find_or_enrol
from bootos.server.operation.setting import change_settings
from bootos.server.store.engine import WriteSession
from bootos.server.store.table import Machine

MOST_PROBLEMS = 200  # the most problems that are told at once


class NewMachine(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`line`: where it stands in the operator's file."""

    sn: str
    line: int = 0
    values: dict[str, str] = {}


class Imported(msgspec.Struct, kw_only=True):
    """How many machines were set, and how many of them were not known before."""

    count: int
    new: int


def import_machines(context: Context, actor: Actor, rows: list[NewMachine]) -> Imported:
    """Enrol and set every machine of the list; returns how many. Raises UnusableError with every problem, each with its
    line."""
    with context.store.write() as session:
        done = _import(session, rows)
        record(session, actor, "machine.import", f"{done.count} machine(s)", f"{done.new} of them new")
        return done


def _import(session: WriteSession, rows: list[NewMachine]) -> Imported:
    problems = Problems()
    lines: dict[str, int] = {}
    known, new = set(session.scalars(select(Machine.sn_key))), 0
    for row in rows:
        at, key = f"line {row.line}", row.sn.strip().casefold()
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
            # An empty cell leaves the value as it is.
            change_settings(session, machine, {name: value for name, value in row.values.items() if value})
        except RequestError as fault:
            found = fault.problems or [Problem(path="", message=fault.message, hint=fault.hint)]
            for item in found:
                problems.complain(f"{at}: {item.path}" if item.path else at, item.message, item.hint)
    if problems:
        raise UnusableError(
            f"the list has {len(problems)} problem(s); no machine was changed",
            problems=problems[:MOST_PROBLEMS],
        )
    return Imported(count=len(rows), new=new)
