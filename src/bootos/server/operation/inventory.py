"""Keeps what machines tell of themselves: inventories, and the MACs that they show. For agents of every protocol."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.limit import Limits
from bootos.server.mark import MOST_MACS, list_stored_macs
from bootos.server.netboot.pxe_file import parse_mac
from bootos.server.operation.nic import drop_unsound_addresses
from bootos.server.store.table import Mac, Machine, read_clock
from bootos.wire.inventory import Inventory

MOST_CUT = 20  # notes of what was left out


def store_inventory(
    context: Context,
    session: Session,
    machine: Machine,
    inventory: Inventory,
    extra_macs: Iterable[str] = (),
) -> None:
    """Keep the inventory, and what lists show of it, as `build_stored`."""
    machine.inventory = build_stored(context, machine, inventory)
    machine.inventory_at = read_clock()
    machine.vendor = (inventory.system.vendor or "")[:200]
    machine.product = (inventory.system.product or "")[:200]
    machine.bios_version = (inventory.bios.version or "")[:100]
    machine.bmc_version = (inventory.bmc.firmware or "" if inventory.bmc else "")[:100]
    told = [mac for text in extra_macs if (mac := parse_mac(text))]
    store_macs(
        session, machine, set(list(dict.fromkeys([*told, *list_stored_macs(machine.inventory)]))[:MOST_MACS])
    )


def build_stored(context: Context, machine: Machine, inventory: Inventory) -> dict[str, Any]:
    """The inventory as it is kept. Values of its NICs that are no MAC or no address are left out, and what is past the
    limits, too; a note names each."""
    whole = msgspec.to_builtins(drop_unsound_addresses(inventory))
    kept, passed = cut_inventory(whole, context.settings.limits)
    for name in sorted(passed):
        context.health.note(name, f"the inventory of machine id:{machine.id} ({machine.sn}) was cut")
    return kept


def cut_inventory(inventory: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], set[str]]:
    """A plain inventory within the limits of lists and texts, and which limits it passed; a note says what was left
    out."""
    cut, passed = list[str](), set[str]()

    def walk(value: Any, path: str) -> Any:
        if isinstance(value, str):
            if len(value) > limits.text_letters:
                passed.add("text_letters")
                cut.append(f"{path}: {len(value)} characters are too many; the rest was left out")
            return value[: limits.text_letters]
        if isinstance(value, dict):
            return {key: walk(item, f"{path}.{key}" if path else key) for key, item in value.items()}
        if isinstance(value, list):
            if len(value) > limits.list_items:
                passed.add("list_items")
                cut.append(f"{path}: {len(value)} items are too many; the rest was left out")
            return [walk(item, path) for item in value[: limits.list_items]]
        return value

    kept: dict[str, Any] = walk(inventory, "")
    kept["notes"] = [*kept["notes"], *cut[:MOST_CUT]]
    return kept, passed


def renew_inventory(context: Context, session: Session, machine: Machine, inventory: Inventory) -> None:
    """Keep the inventory that was read again in the same boot. The MACs that the machine showed beside its last one
    stay: the MAC that it booted from is told at registration only, and may be of a NIC without a driver."""
    shown = set(session.scalars(select(Mac.mac).where(Mac.machine_id == machine.id)))
    known = set(list_stored_macs(machine.inventory))
    store_inventory(context, session, machine, inventory, extra_macs=shown - known)


def store_macs(session: Session, machine: Machine, macs: set[str]) -> None:
    """These are the MACs that the machine shows; bound ones stay even when they are not shown."""
    rows = {row.mac: row for row in session.scalars(select(Mac).where(Mac.machine_id == machine.id))}
    for mac, row in rows.items():
        if mac not in macs and not row.bound:
            session.delete(row)
    for mac in sorted(macs - set(rows)):
        session.add(Mac(machine_id=machine.id, mac=mac))
