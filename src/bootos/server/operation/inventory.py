"""Keeps what machines tell of themselves: inventories, and the MACs that they show. For agents of every protocol."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.netboot.pxe_file import parse_mac
from bootos.server.operation.nic import drop_unsound_addresses
from bootos.server.store.table import Mac, Machine, read_clock
from bootos.wire.inventory import Inventory


def store_inventory(
    session: Session, machine: Machine, inventory: Inventory, extra_macs: Iterable[str] = ()
) -> None:
    """Keep the inventory, and what lists show of it. Values of its NICs that are no MAC or no address are left out; a
    note names each."""
    inventory = drop_unsound_addresses(inventory)
    machine.inventory = msgspec.to_builtins(inventory)
    machine.inventory_at = read_clock()
    machine.vendor = (inventory.system.vendor or "")[:200]
    machine.product = (inventory.system.product or "")[:200]
    machine.bios_version = (inventory.bios.version or "")[:100]
    machine.bmc_version = (inventory.bmc.firmware or "" if inventory.bmc else "")[:100]
    found = {
        mac
        for nic in inventory.nics
        for text in (nic.mac, nic.permanent_mac)
        if text and (mac := parse_mac(text))
    }
    found |= {mac for text in extra_macs if (mac := parse_mac(text))}
    store_macs(session, machine, found)


def store_macs(session: Session, machine: Machine, macs: set[str]) -> None:
    """These are the MACs that the machine shows; bound ones stay even when they are not shown."""
    rows = {row.mac: row for row in session.scalars(select(Mac).where(Mac.machine_id == machine.id))}
    for mac, row in rows.items():
        if mac not in macs and not row.bound:
            session.delete(row)
    for mac in sorted(macs - set(rows)):
        session.add(Mac(machine_id=machine.id, mac=mac))
