"""What a machine's placeholders stand for: what the operator said of it, what it tells itself, what it is given out."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.operation.allotment import give_out
from bootos.server.store.table import Mac, Machine
from bootos.template.placeholder import Find, build_finder
from bootos.wire.fact import read_facts
from bootos.wire.inventory import Inventory


def read_given(machine: Machine) -> dict[str, str]:
    """Everything that the operator said of the machine, as words for placeholders."""
    said = {**machine.variables, **machine.settings}
    return {name: str(value) for name, value in said.items() if value not in (None, "")}


def build_machine_finder(
    session: Session,
    machine: Machine,
    variables: Mapping[str, Any],
    said: Mapping[str, str] = {},
    hint: str = "",
) -> Find:
    """The words of this machine, for a template with these `variables`. `said`: what is said of it just now, over what
    was said before; an empty value takes that away. `hint`: how `{name}` gets a value."""
    try:
        inventory = msgspec.convert(machine.inventory, Inventory) if machine.inventory else None
    except msgspec.ValidationError:
        inventory = None
    bound = session.scalar(select(Mac.mac).where(Mac.machine_id == machine.id, Mac.bound).limit(1))
    facts = read_facts(inventory, sn=machine.sn, mac=bound or "")
    return build_finder(
        variables,
        {name: value for name, value in {**read_given(machine), **said}.items() if value},
        facts,
        lambda word: give_out(session, machine, word),
        hint=hint or f"bootos machine set id:{machine.id} {{name}}=...",
    )
