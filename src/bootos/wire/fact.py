"""What a machine tells of itself, as words for placeholders (`template.placeholder.FACTS`). Pure; used by the server
and, by hand, the agent."""

from bootos.wire.inventory import Inventory


def read_facts(inventory: Inventory | None, *, sn: str = "", mac: str = "") -> dict[str, str | None]:
    """`mac` is the one that booted; else the inventory's NIC with PXE, else its first."""
    if inventory is None:
        return {"sn": sn or None, "mac": mac or None}
    named = [nic for nic in inventory.nics if nic.mac]
    nics = [nic for nic in named if nic.is_pxe] or named
    return {
        "sn": sn or inventory.system.serial,
        "mac": mac or (nics[0].mac if nics else None),
        "vendor": inventory.system.vendor,
        "product": inventory.system.product,
        "asset_tag": inventory.chassis.asset_tag or inventory.board.asset_tag,
        "uuid": inventory.system.uuid,
    }
