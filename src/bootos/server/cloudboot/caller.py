"""Who sends a call of Cloudboot v1, and for which machine.

v1 has no sessions: anybody on the network can send these calls. `policy` says what is done for whom.
"""

import msgspec
from sqlalchemy.orm import Session

from bootos.server.fault import NotFoundError
from bootos.server.netboot.pxe_file import parse_mac
from bootos.server.store.machine import find_by_call, find_mac_owner
from bootos.server.store.table import Machine
from bootos.wire import cloudboot_v1 as v1


class Sender(msgspec.Struct, frozen=True):
    """Who sent a request: its address, what it calls itself, and the token that it has."""

    address: str
    agent: str = ""
    token: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether this is an image of ours, which has `bootos-agent apply`."""
        return self.agent.startswith(v1.OUR_AGENT)


def find_machine(session: Session, word: str, sender: Sender) -> Machine | None:
    """The machine with this serial number (`store.machine.find_by_call`), or with this MAC; None when there is no such
    machine. A MAC is looked for first, so that a machine whose serial number looks like the MAC of another machine is
    not taken for that machine."""
    mac = parse_mac(word) if ":" in word else None
    owner = find_mac_owner(session, mac) if mac is not None else None
    return owner or find_by_call(session, word, sender.address)


def read_machine(session: Session, word: str, sender: Sender, *, otherwise: str) -> Machine:
    """The machine that `find_machine` finds. Raises NotFoundError, whose message is `otherwise`."""
    machine = find_machine(session, word, sender)
    if machine is None:
        raise NotFoundError(otherwise)
    return machine
