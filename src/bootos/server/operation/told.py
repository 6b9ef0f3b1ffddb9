"""What an agent tells of its machine: names, and the marks by which machines are told apart. Which machine it is, says
`naming`. Changes nothing.
"""

from collections.abc import Iterable

import msgspec

from bootos.server.fault import UnusableError
from bootos.server.mark import MOST_LETTERS, MOST_MACS, Marks, drop_long, read_marks
from bootos.server.netboot.pxe_file import parse_mac
from bootos.server.operation.enrolment import parse_sn
from bootos.server.store.machine import fold
from bootos.wire import v2
from bootos.wire.identity import choose_identity, find_kind, is_placeholder
from bootos.wire.inventory import Inventory

MOST_PLACEHOLDERS = 4  # of one machine's firmware


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent tells of its machine. `by`: what the name is, as far as that is known (`wire.identity`); `mac`: of
    the NIC that booted; `others`: what else this machine may have been called, `placeholders` among them; `v1`: it is
    an agent of Cloudboot v1, which knows neither UUID nor board; `boot_id`, `address`: the boot that tells it, and
    where that is."""

    name: str
    by: str
    mac: str
    marks: Marks
    placeholders: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    v1: bool = False
    boot_id: str = ""
    address: str = ""


def read_told(registration: v2.Registration, address: str) -> Told:
    """What an agent of protocol v2 tells. One of an earlier release may say a placeholder: the machine is then known by
    what the others of its release would say. What it says that it was called before counts only where it is a
    placeholder, or stands in its inventory. Raises UnusableError."""
    inventory = registration.inventory
    said, marks, booted = (
        parse_sn(registration.sn),
        read_marks(inventory),
        parse_mac(registration.pxe_mac or ""),
    )
    name = said
    if is_placeholder(said):
        macs = (mac for nic in inventory.nics[:MOST_MACS] if (mac := parse_mac(nic.mac or "")))
        mac = booted or next(macs, None)
        chosen = choose_identity(serial=marks.serial, uuid=marks.uuid, board=marks.board, mac=mac)
        if not chosen.name:
            raise UnusableError(
                f"{said!r} is a placeholder, and the machine tells no UUID, no board and no MAC in its place",
                hint="the machine's SMBIOS must tell a serial number (type 1)",
            )
        name = parse_sn(chosen.name)
    by = find_kind(name, board=marks.board if name != marks.serial else None)
    former = inventory.identity.former if inventory.identity is not None else []
    written = [said, inventory.system.serial, inventory.system.uuid, *former[:MOST_PLACEHOLDERS]]
    short = (text for text in written if drop_long(text))
    placeholders = _pick(text for text in short if text and is_placeholder(text)) if by != "serial" else ()
    known = (text for text in (marks.uuid, marks.board, booted) if text and fold(text) != fold(name))
    return Told(
        name=name,
        by=by,
        mac=booted or "",
        marks=marks,
        placeholders=placeholders,
        others=(*placeholders, *_pick(known)),
        boot_id=registration.boot_id,
        address=address,
    )


def read_told_v1(sn: str, inventory: Inventory, mac: str, address: str) -> Told:
    """What an agent of Cloudboot v1 tells: it knows no UUID, and calls its machine alike in all its calls. Raises
    UnusableError."""
    name, marks = parse_sn(sn), read_marks(inventory)
    marks = msgspec.structs.replace(marks, serial=None, uuid=None, board=None)
    return Told(
        name=name, by=find_kind(name), mac=parse_mac(mac) or "", marks=marks, v1=True, address=address
    )


def _pick(names: Iterable[str]) -> tuple[str, ...]:
    """Those that may be names, each once, some few."""
    kept: dict[str, str] = {}
    for name in names:
        text = name.strip()
        if 0 < len(text) <= MOST_LETTERS and text.isprintable():
            kept.setdefault(fold(text), text)
    return tuple(kept.values())[:MOST_PLACEHOLDERS]
