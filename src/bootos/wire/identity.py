"""What a machine is known by: its serial number, else its UUID, else its board's serial number, else the MAC address
that it booted from; each only if somebody wrote it. Pure.

The agent asks it for what it reads (`hardware.identity`), the server for what agents of earlier releases tell, to whom
a placeholder was a name.
"""

import re
from typing import Literal

from bootos.wire.filler import drop_placeholder, drop_unset_uuid
from bootos.wire.inventory import Identity, Kind

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.IGNORECASE)


def choose_identity(*, serial: str | None, uuid: str | None, board: str | None, mac: str | None) -> Identity:
    """The first of them that is certain. `mac`: of the NIC that booted; empty or None where that is not known."""
    if told := drop_placeholder(serial):
        return Identity(name=told, by="serial")
    if told := drop_unset_uuid(uuid):
        return Identity(name=told, by="uuid")
    if told := drop_placeholder(board):
        return Identity(name=told, by="board")
    return Identity(name=mac, by="mac") if mac else Identity()


def find_kind(name: str, *, board: str | None = None) -> Kind | Literal[""]:
    """What a name is, by how it is written; empty for a placeholder. `board`: the serial number of the board."""
    if not name or is_placeholder(name):
        return ""
    if looks_like_uuid(name):
        return "uuid"
    if looks_like_mac(name):
        return "mac"
    return "board" if board and board.casefold() == name.casefold() else "serial"


def is_placeholder(name: str) -> bool:
    """Whether this names no machine: a maker's placeholder for a serial number, or a UUID that nobody set."""
    return drop_placeholder(name) is None or (looks_like_uuid(name) and drop_unset_uuid(name) is None)


def looks_like_uuid(name: str) -> bool:
    """Whether this is written as a UUID is."""
    return _UUID.fullmatch(name.strip()) is not None


def looks_like_mac(name: str) -> bool:
    """Whether this is written as a MAC address is, with colons."""
    return _MAC.fullmatch(name.strip()) is not None
