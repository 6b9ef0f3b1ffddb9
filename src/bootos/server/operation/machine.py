"""The machines: who they are, their sessions, their MAC addresses. Called by the agent and operator APIs.

A machine is known by its serial number, whatever its case. One boot at a time holds the identity, proven by a
random token; another boot takes over only when the present one has not been heard of for a while.
"""

import difflib
import hashlib
import ipaddress
import logging
import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Integer, bindparam, or_, select, update
from sqlalchemy.orm import Session

from bootos.errors import Problem
from bootos.server.context import Context
from bootos.server.fault import ConflictError, NotFoundError, UnauthorizedError, UnusableError
from bootos.server.netboot.pxe_file import parse_mac
from bootos.server.nic import drop_unsound_addresses, is_address
from bootos.server.operation.allotment import give_out
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.claim import record_claim, settle_claim, settle_open_claims
from bootos.server.presence import Presence
from bootos.server.store.engine import WriteSession
from bootos.server.store.support import read_lines
from bootos.server.store.table import Boot, Claim, Mac, Machine, Moment, read_clock
from bootos.server.support import Verdict, judge, read_model
from bootos.server.view.machine import MachineDetail, view_machine_detail
from bootos.template.placeholder import FACTS, Find, build_finder, fill_text
from bootos.wire.fact import read_facts
from bootos.wire.inventory import Inventory
from bootos.wire.v2 import Registration

log = logging.getLogger(__name__)

SN = re.compile(r"[^\x00-\x1f\x7f]{1,128}")
ID = re.compile(r"id:([0-9]{1,9})", re.IGNORECASE)
"""How a machine's id is written, wherever a serial number may stand as well."""
HOSTNAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9][A-Za-z0-9-]{0,62})*")
VARIABLE = re.compile(r"[A-Za-z_][\w.-]{0,99}", re.ASCII)
PLAIN = re.compile(r"[A-Za-z0-9 _.,:=+/-]{0,200}")


class MacTakenError(ConflictError):
    """Another machine has shown the MAC, or has it for its PXE file."""


def parse_sn(text: str) -> str:
    """A serial number, trimmed. One that looks like an id is none: commands and links would be about another machine.
    Raises UnusableError."""
    sn = text.strip()
    if not SN.fullmatch(sn):
        raise UnusableError(
            "the serial number is empty, too long or holds control characters",
            hint="the machine's SMBIOS must tell a serial number (type 1)",
        )
    if ID.fullmatch(sn):
        raise UnusableError(
            f"{sn!r} cannot be a serial number", hint="it stands for the machine with this id"
        )
    return sn


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def find_machine(session: Session, word: str) -> Machine:
    """A machine by serial number (any case), or by id as `id:5`.

    A number alone is a serial number, always: machines choose their serial numbers without a login, and none of them
    may be taken for the id of another machine. Raises NotFoundError, with the way to write an id.
    """
    word = word.strip()
    if (found := ID.fullmatch(word)) is not None:
        row = session.get(Machine, int(found[1]))
    else:
        row = find_by_sn(session, word)
    if row is None:
        hint = f"use id:{int(word)}: a number alone is a serial number" if is_id(session, word) else ""
        raise NotFoundError(f"there is no machine {word!r}", hint=hint or "see bootos machine list")
    return row


def find_by_sn(session: Session, sn: str) -> Machine | None:
    """The machine with this serial number (any case), and with no other word for it."""
    return session.scalar(select(Machine).where(Machine.sn_key == sn.strip().casefold()))


def find_mac_owner(session: Session, mac: str) -> Machine | None:
    """The machine that a MAC counts for: the one that has it for its PXE file, else the first that has shown it."""
    owners = select(Mac.machine_id).where(Mac.mac == mac).order_by(Mac.bound.desc(), Mac.id).limit(1)
    owner = session.scalar(owners)
    return session.get(Machine, owner) if owner is not None else None


def is_id(session: Session, word: str) -> bool:
    """Whether this number is the id of a machine."""
    is_number = ID.fullmatch(f"id:{word}") is not None
    return is_number and session.get(Machine, int(word)) is not None


def find_machines(session: Session, text: str = "") -> list[Machine]:
    """All machines by serial number, without their inventories; `text` must occur in what the list shows."""
    query = select(Machine).order_by(Machine.sn_key)
    for word in text.split():
        columns = (Machine.sn, Machine.vendor, Machine.product, Machine.address)
        query = query.where(or_(*(column.icontains(word, autoescape=True) for column in columns)))
    return list(session.scalars(query))


def find_or_enrol(session: Session, sn: str) -> Machine:
    """The machine with this serial number, locked; made when it is new."""
    sn = parse_sn(sn)
    query = select(Machine).where(Machine.sn_key == sn.casefold()).with_for_update()
    row = session.scalar(query)
    if row is None:
        row = Machine(sn=sn, sn_key=sn.casefold())
        session.add(row)
        session.flush()
    return row


def register(
    session: WriteSession, presence: Presence, said: Registration, address: str
) -> tuple[Machine, str] | Claim:
    """Give the boot a session: (machine, token); or the refused `Claim`, which the caller must commit too."""
    if not 0 < len(said.boot_id) <= 128:
        raise UnusableError("the boot id is empty or too long")
    machine = find_or_enrol(session, said.sn)
    present = session.get(Boot, machine.boot_pk) if machine.boot_pk is not None else None
    is_new_boot = present is None or present.boot_id != said.boot_id
    if (
        present is not None
        and is_new_boot
        and not present.closing
        and presence.is_heard(machine.id, present.last_heard_at)
    ):
        return record_claim(session, machine, said.boot_id, address)
    token = secrets.token_urlsafe(32)
    known = select(Boot).where(Boot.machine_id == machine.id, Boot.boot_id == said.boot_id)
    boot = session.scalar(known)
    if boot is None:
        boot = Boot(machine_id=machine.id, boot_id=said.boot_id, serial=0)
        session.add(boot)
    if present is not None and is_new_boot:
        present.token_hash = None
        session.flush()
    boot.token_hash = hash_token(token)
    boot.serial += 1
    boot.closing = False
    boot.developer = said.developer
    boot.last_heard_at = read_clock()
    session.flush()
    settle_claim(session, machine, said.boot_id, address)
    machine.boot_pk = boot.id
    machine.protocol = 2
    machine.developer = said.developer
    machine.agent_version = said.agent_version[:100]
    machine.image_version = said.image_version[:100]
    machine.address = address
    machine.registered_at = machine.last_heard_at = read_clock()
    machine.drivers = said.drivers
    store_inventory(session, machine, said.inventory, extra_macs=[said.pxe_mac] if said.pxe_mac else [])
    session.touch(f"machine:{machine.id}", "machines")
    presence.hear(machine.id)
    return machine, token


def find_session(session: Session, authorization: str | None) -> tuple[Machine, Boot]:
    """The machine and boot that this `Authorization` header proves. Raises UnauthorizedError."""
    kind, _, token = (authorization or "").partition(" ")
    found = None
    if kind.lower() == "bearer" and token:
        # By the machine's id as well: `boot_pk` has no index, and alone it would mean reading all machines.
        holder = (Machine.id == Boot.machine_id) & (Machine.boot_pk == Boot.id)
        query = select(Machine, Boot).join(Boot, holder)
        found = session.execute(query.where(Boot.token_hash == hash_token(token.strip()))).one_or_none()
    if found is None:
        raise UnauthorizedError("this session is not known", hint="register again")
    return found[0], found[1]


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


def check_mac(session: Session, machine: Machine, text: str) -> str:
    """The MAC, in lower case with colons, if this machine may decide on its next boot; for agents of every protocol.

    It is one that the machine has shown (a machine without an inventory has shown nothing yet, and may), and that no
    other machine has shown: that needs no login, so a MAC that two machines show may belong to either. Raises
    UnusableError, MacTakenError, ConflictError.
    """
    mac = parse_mac(text)
    if mac is None:
        raise UnusableError(f"{text!r} is not the MAC address of a NIC", hint="as 52:54:00:12:34:56")
    owners = set(session.scalars(select(Mac.machine_id).where(Mac.mac == mac)))
    if others := owners - {machine.id}:
        names = session.scalars(select(Machine.sn).where(Machine.id.in_(others)).order_by(Machine.sn_key))
        log.warning("machine %r asks for the MAC %s, which was shown by %s", machine.sn, mac, list(names))
        raise MacTakenError(
            f"{mac} belongs to another machine",
            hint="delete that machine on the server if the NIC has moved; the server's log names it",
        )
    if machine.id not in owners and machine.inventory is not None:
        raise ConflictError(
            f"{mac} is no NIC of this machine: its inventory does not have it",
            hint="the inventory is renewed when the machine registers",
        )
    return mac


def bind_mac(session: Session, machine: Machine, text: str) -> str:
    """Bind a MAC to the machine, for its PXE file; returns it in lower case with colons. Raises as `check_mac`."""
    mac = check_mac(session, machine, text)
    row = session.scalar(select(Mac).where(Mac.mac == mac, Mac.machine_id == machine.id))
    if row is None:
        row = Mac(machine_id=machine.id, mac=mac)
        session.add(row)
    row.bound = True
    session.flush()
    return mac


def judge_model(session: Session, machine: Machine) -> Verdict:
    """Whether the support list covers the machine's model, whatever a job may ask for."""
    return judge(read_lines(session), read_model(machine))


def write_heard(session: Session, moments: dict[int, datetime]) -> None:
    """Write down when these machines, by id, and the boots that hold their identities were heard of last."""
    rows = [{"machine": machine_id, "at": moments[machine_id]} for machine_id in sorted(moments)]
    if not rows:
        return
    machine_id, at = bindparam("machine", type_=Integer), bindparam("at", type_=Moment)
    present = select(Machine.boot_pk).where(Machine.id == machine_id).scalar_subquery()
    connection = session.connection()
    connection.execute(update(Machine).where(Machine.id == machine_id).values(last_heard_at=at), rows)
    connection.execute(update(Boot).where(Boot.id == present).values(last_heard_at=at), rows)


class MachineSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the operator says of a machine: for PXE templates, answer files and v1's `getNetworkBySn`.

    `address` is the installed system's, with its prefix (`10.0.0.5/24`) or with a `netmask` of its own;
    `manage_*` are the BMC's, for the `<{manage_ip}>` placeholders of script templates.
    """

    hostname: str = ""
    address: str = ""
    netmask: str = ""
    gateway: str = ""
    vlan: str = ""
    trunk: str = ""
    bonding: str = ""
    manage_ip: str = ""
    manage_netmask: str = ""
    manage_gateway: str = ""


def find_or_enrol_word(session: Session, word: str) -> Machine:
    """A machine as `find_machine` finds it; a serial number that is not known becomes that of a new machine. A number
    that is the id of a machine does not: that machine was meant, most likely. Raises NotFoundError."""
    try:
        return find_machine(session, word)
    except NotFoundError:
        if ID.fullmatch(word.strip()) or is_id(session, word.strip()):
            raise
        return find_or_enrol(session, word)


def set_machine(context: Context, actor: Actor, word: str, changes: dict[str, str]) -> MachineDetail:
    """Change settings and variables of a machine, which is enrolled when it is not known; returns it. Raises
    UnusableError with every problem."""
    with context.store.write() as session:
        machine = find_or_enrol_word(session, word)
        change_settings(session, machine, changes)
        record(session, actor, "machine.set", machine.sn)
        session.flush()
        return view_machine_detail(context, session, machine)


def acknowledge_claims(context: Context, actor: Actor, word: str) -> MachineDetail:
    """The operator has seen the refused claims of a machine's identity; returns the machine. Another claim is shown
    again. Raises NotFoundError."""
    with context.store.write() as session:
        machine = find_machine(session, word)
        count = settle_open_claims(session, machine)
        record(session, actor, "machine.acknowledge", machine.sn, f"{count} refused claim(s)")
        session.flush()
        return view_machine_detail(context, session, machine)


def find_setting_problems(settings: MachineSettings) -> list[Problem]:
    """Everything that is wrong: these values end up in files that shells and boot loaders read."""
    problems = []
    for field in ("address", "netmask", "gateway", "manage_ip", "manage_netmask", "manage_gateway"):
        text = getattr(settings, field)
        if text and not is_address(text, with_prefix=field == "address"):
            hint = "as 10.0.0.5/24, or 10.0.0.5 with a netmask" if field == "address" else "as 10.0.0.1"
            problems.append(Problem(path=field, message=f"{text!r} is not an address", hint=hint))
    if settings.hostname and not HOSTNAME.fullmatch(settings.hostname):
        hint = "letters, digits and '-', in parts joined by '.'"
        problems.append(Problem(path="hostname", message=f"{settings.hostname!r} is no host name", hint=hint))
    for field in ("vlan", "trunk", "bonding"):
        if not PLAIN.fullmatch(getattr(settings, field)):
            problems.append(Problem(path=field, message="holds a character that a shell would act on"))
    return problems


def change_settings(session: WriteSession, machine: Machine, changes: dict[str, str]) -> None:
    """Change some of the machine's settings and variables; an empty value removes one. Values may hold placeholders
    (`node-<{number:03}>`, `<{pool:data}>`): they are filled in now. Raises UnusableError with every problem."""
    known = MachineSettings.__struct_fields__
    own = {name: value for name, value in changes.items() if name not in known}
    problems = [problem for name in own for problem in find_variable_problems(name, own[name], known)]
    if "group" in own:
        machine.variables = {**machine.variables, "group": own["group"]}
    find, unknown = build_machine_finder(session, machine, {}), list[Problem]()
    changes = {name: fill_text(value, name, find, unknown) for name, value in changes.items()}
    own = {name: changes[name] for name in own if name in changes}
    if changes.get("address") and "netmask" not in changes:
        changes = {**changes, "netmask": ""}  # the old one belongs to the old address
    values = {
        name: value for name, value in {**machine.settings, **changes}.items() if value and name in known
    }
    problems += unknown or find_setting_problems(MachineSettings(**values))
    if problems:
        raise UnusableError(f"the settings have {len(problems)} problem(s)", problems=problems)
    if "/" in values.get("address", ""):
        interface = ipaddress.ip_interface(values["address"])
        values["address"] = str(interface.ip)
        values.setdefault("netmask", str(interface.netmask))
    machine.settings = values
    machine.variables = {name: value for name, value in {**machine.variables, **own}.items() if value}
    session.touch(f"machine:{machine.id}", "machines")


def find_variable_problems(name: str, value: str, settings: Iterable[str]) -> list[Problem]:
    """What is wrong with a variable of the operator's own."""
    near = difflib.get_close_matches(name, settings, n=1, cutoff=0.8)
    if near and value:
        return [Problem(path=name, message="is not a setting", hint=f"did you mean {near[0]!r}?")]
    if not VARIABLE.fullmatch(name) or name in (*FACTS, "number", "pool", "secret"):
        hint = f"letters, digits, '_', '-' and '.'; not {', '.join(FACTS)}, which a machine tells itself"
        return [Problem(path=name, message="cannot be the name of a variable", hint=hint)]
    if len(value) > 1000 or any(ord(letter) < 32 for letter in value):
        return [
            Problem(
                path=name, message="is longer than 1000 characters, or holds line ends or control characters"
            )
        ]
    return []


def read_saved(machine: Machine) -> dict[str, Any]:
    """The newest state that the machine's agent sent. Raises NotFoundError."""
    if machine.saved is None:
        raise NotFoundError(
            f"there is no saved state of machine {machine.sn} yet",
            hint="it comes with the end of a job; a plan is enough: bootos job create --plan",
        )
    return machine.saved


def read_given(machine: Machine) -> dict[str, str]:
    """Everything that the operator said of the machine, as words for placeholders."""
    said = {**machine.variables, **machine.settings}
    return {name: str(value) for name, value in said.items() if value not in (None, "")}


def build_machine_finder(session: Session, machine: Machine, variables: Mapping[str, Any]) -> Find:
    """The words of this machine, for a template with these `variables`."""
    try:
        inventory = msgspec.convert(machine.inventory, Inventory) if machine.inventory else None
    except msgspec.ValidationError:
        inventory = None
    bound = session.scalar(select(Mac.mac).where(Mac.machine_id == machine.id, Mac.bound).limit(1))
    facts = read_facts(inventory, sn=machine.sn, mac=bound or "")
    return build_finder(
        variables,
        read_given(machine),
        facts,
        lambda word: give_out(session, machine, word),
        hint=f"bootos machine set {machine.sn} {{name}}=...",
    )
