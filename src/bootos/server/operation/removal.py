"""Removes machines, with everything that belongs to them."""

from functools import partial

from sqlalchemy import select

from bootos.server.context import Context
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.next_boot import write_pinned_files
from bootos.server.operation.transition import drop_pxe_files
from bootos.server.store.engine import WriteSession
from bootos.server.store.machine import find_machine
from bootos.server.store.table import Job, Machine


def delete_machine(context: Context, actor: Actor, word: str) -> None:
    """Delete a machine, its jobs and logs; its PXE files go too. Raises NotFoundError."""
    with context.store.write() as session:
        machine = find_machine(session, word)
        remove_machine(context, session, machine)
        record(session, actor, "machine.delete", machine.sn)


def remove_machine(context: Context, session: WriteSession, machine: Machine) -> None:
    """Take the machine's row, what hangs on it, and its PXE files away."""
    drop_pxe_files(context, session, machine.id)
    numbers = session.scalars(select(Job.id).where(Job.machine_id == machine.id))
    topics = [f"job:{number}" for number in numbers]
    session.delete(machine)
    session.touch(f"machine:{machine.id}", "machines", "jobs", *topics)
    session.flush()
    write_pinned_files(context, session)
    for presence in (context.presence, context.legacy_presence):
        session.after_commit(partial(presence.forget, machine.id))
