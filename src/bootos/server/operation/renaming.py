"""The operator says what a machine is known as: for what the server was not certain of by itself (`naming`)."""

import msgspec
from sqlalchemy import delete, select

from bootos.server.context import Context
from bootos.server.fault import ConflictError, UnusableError
from bootos.server.mark import read_stored_marks
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.enrolment import parse_sn
from bootos.server.operation.naming import change_name
from bootos.server.operation.removal import remove_machine
from bootos.server.store.job import find_active_job
from bootos.server.store.machine import find_machine, fold, list_namesakes
from bootos.server.store.table import Alias, Machine
from bootos.server.view.machine import MachineDetail, view_machine_detail
from bootos.wire.identity import find_kind, is_placeholder


class NewName(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the machine is known as from now on. `replace`: the machine that has this name is the same one, and its
    record goes; of one that had it before, the name goes."""

    sn: str
    replace: bool = False


def rename_machine(context: Context, actor: Actor, word: str, wanted: NewName) -> MachineDetail:
    """Give a machine another name, with its jobs, pins and settings; its former name stays another word for it. An
    agent that held the identity of a record that goes registers again, and gets this one. Raises NotFoundError,
    UnusableError, ConflictError when another machine has the name, or had it."""
    name = parse_sn(wanted.sn)
    if is_placeholder(name):
        raise UnusableError(f"{name!r} is what makers leave in the place of a serial number")
    with context.store.write() as session:
        machine, was, told = find_machine(session, word), "", ""
        other = session.scalar(select(Machine).where(Machine.sn_key == fold(name), Machine.id != machine.id))
        if other is not None:
            if not wanted.replace:
                raise ConflictError(
                    f"{name} is the machine id:{other.id}",
                    hint="if both are one machine, --replace deletes that record, with its jobs",
                )
            if (job := find_active_job(session, other.id)) is not None:
                raise ConflictError(
                    f"job {job.id} of the machine id:{other.id} is {job.state}", hint="cancel it first"
                )
            was, told = f", in the place of id:{other.id}", other.known_by
            remove_machine(context, session, other)
        for owner in list_namesakes(session, name, Machine.id != machine.id, held=True):
            if not wanted.replace:
                raise ConflictError(
                    f"{name} is a former name of the machine id:{owner.id}",
                    hint="--replace takes it from there: that machine cannot come by this name any more",
                )
            session.execute(delete(Alias).where(Alias.machine_id == owner.id, Alias.key == fold(name)))
            session.touch(f"machine:{owner.id}", "machines")
            was += f", no other word for id:{owner.id} any more"
        record(session, actor, "machine.rename", name, f"id:{machine.id} was known as {machine.sn}{was}")
        if machine.sn_key != fold(name):
            change_name(session, machine, name)
        machine.known_by = told or _find_known_by(machine, name)
        session.flush()
        return view_machine_detail(context, session, machine)


def _find_known_by(machine: Machine, name: str) -> str:
    """What the name is of this machine; empty where the operator gave one that its inventory does not have."""
    kind = find_kind(name)
    if kind != "serial":
        return kind
    marks = read_stored_marks(machine.inventory)
    if marks is None:
        return ""
    if fold(marks.serial or "") == fold(name):
        return "serial"
    return "board" if fold(marks.board or "") == fold(name) else ""
