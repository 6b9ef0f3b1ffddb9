"""The marks of a machine in its inventory: the one reader of what tells it from others. Pure.

What a maker left unfilled is no mark, and neither is what no NIC can have. `operation` decides by marks which machine
it is and whether that one is confirmed; `view` shows the same.
"""

from typing import Any

import msgspec

from bootos.server.fingerprint import Fingerprint
from bootos.server.limit import FIXED
from bootos.server.netboot.pxe_file import parse_mac
from bootos.wire.filler import drop_placeholder, drop_unset_uuid
from bootos.wire.identity import find_kind
from bootos.wire.inventory import Inventory

MOST_MACS = FIXED.macs  # of one machine; what is more is left out
MOST_LETTERS = FIXED.name_letters  # of a name; what is longer is none, and nothing is made of it


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What tells a machine from others, of an inventory; placeholders are None."""

    serial: str | None
    uuid: str | None
    board: str | None
    macs: frozenset[str]

    @property
    def fingerprint(self) -> Fingerprint:
        """What of it a machine is known by once it is confirmed: whatever names it, its serial number is not of it."""
        return Fingerprint(uuid=self.uuid, board=self.board, macs=self.macs)


def read_marks(inventory: Inventory) -> Marks:
    """Those of an inventory, as an agent of any release tells it."""
    serial = drop_placeholder(drop_long(inventory.system.serial))
    return Marks(
        serial=serial if find_kind(serial or "") == "serial" else None,  # v1 agents had UUIDs and MACs there
        uuid=drop_unset_uuid(drop_long(inventory.system.uuid)),
        board=drop_placeholder(drop_long(inventory.board.serial)),
        macs=frozenset(list_macs(inventory)),
    )


def list_macs(inventory: Inventory) -> list[str]:
    """The MACs of its NICs, present and permanent ones, in its order, in lower case with colons; at most MOST_MACS."""
    texts = (text for nic in inventory.nics[:MOST_MACS] for text in (nic.mac, nic.permanent_mac) if text)
    return list(dict.fromkeys(mac for text in texts if (mac := parse_mac(text))))[:MOST_MACS]


def read_stored_inventory(stored: dict[str, Any] | None) -> Inventory | None:
    """An inventory as the store has it; None when there is none, or one of a kind that is not known."""
    try:
        return msgspec.convert(stored, Inventory)
    except msgspec.ValidationError:
        return None


def read_stored_marks(stored: dict[str, Any] | None) -> Marks | None:
    """Those of a stored inventory; None when there is none."""
    inventory = read_stored_inventory(stored)
    return read_marks(inventory) if inventory is not None else None


def list_stored_macs(stored: dict[str, Any] | None) -> list[str]:
    """Those of a stored inventory, as `list_macs`; none when there is none."""
    inventory = read_stored_inventory(stored)
    return list_macs(inventory) if inventory is not None else []


def drop_long(text: str | None) -> str | None:
    """None for what is too long for a name."""
    return text if text is not None and len(text) <= MOST_LETTERS else None
