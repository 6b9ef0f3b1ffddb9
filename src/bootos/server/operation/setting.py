"""What the operator says of a machine: its settings, and variables of the operator's own for templates."""

import difflib
import ipaddress
import re
from collections.abc import Iterable

import msgspec

from bootos.errors import Problem, Problems
from bootos.server.context import Context
from bootos.server.fault import UnusableError
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.enrolment import find_or_enrol_word
from bootos.server.operation.nic import is_address
from bootos.server.operation.placeholder import build_machine_finder
from bootos.server.store.engine import WriteSession
from bootos.server.store.table import Machine
from bootos.server.view.machine import MachineDetail, view_machine_detail
from bootos.template.placeholder import FACTS, WORD, fill_text

HOSTNAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9][A-Za-z0-9-]{0,62})*")
VARIABLE = re.compile(r"[A-Za-z_][\w.-]{0,99}", re.ASCII)
PLAIN = re.compile(r"[A-Za-z0-9 _.,:=+/-]{0,200}")


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


def set_machine(context: Context, actor: Actor, word: str, changes: dict[str, str]) -> MachineDetail:
    """Change settings and variables of a machine, which is enrolled when it is not known; returns it. Raises
    UnusableError with every problem."""
    with context.store.write() as session:
        machine = find_or_enrol_word(session, word)
        change_settings(session, machine, changes)
        record(session, actor, "machine.set", machine.sn)
        session.flush()
        return view_machine_detail(context, session, machine)


def change_settings(session: WriteSession, machine: Machine, changes: dict[str, str]) -> None:
    """Change some of the machine's settings and variables; an empty value removes one. Values may hold placeholders
    (`node-<{number:03}>`, `<{pool:data}>`, `<{rack}>`): they are filled in now, by what `changes` say themselves where
    that holds none, else by what was said before. Raises UnusableError with every problem."""
    known = MachineSettings.__struct_fields__
    own = {name: value for name, value in changes.items() if name not in known}
    problems = [problem for name in own for problem in find_variable_problems(name, own[name], known)]
    if "group" in own:
        machine.variables = {**machine.variables, "group": own["group"]}
    plain = {name: value for name, value in changes.items() if not WORD.search(value)}
    hint = "say it here, too: {name}=...; in a list by a column {name}"
    find, unknown = build_machine_finder(session, machine, {}, plain, hint), Problems()
    changes = {name: fill_text(value, name, find, unknown) for name, value in changes.items()}
    own = {name: changes[name] for name in own if name in changes}
    if changes.get("address") and "netmask" not in changes:
        changes = {**changes, "netmask": ""}  # the old netmask belongs to the old address
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


def find_setting_problems(settings: MachineSettings) -> list[Problem]:
    """Everything that is wrong: these values end up in files that shells and boot loaders read."""
    problems = Problems()
    for field in ("address", "netmask", "gateway", "manage_ip", "manage_netmask", "manage_gateway"):
        text = getattr(settings, field)
        if text and not is_address(text, with_prefix=field == "address"):
            hint = "as 10.0.0.5/24, or 10.0.0.5 with a netmask" if field == "address" else "as 10.0.0.1"
            problems.complain(field, f"{text!r} is not an address", hint)
    if settings.hostname and not HOSTNAME.fullmatch(settings.hostname):
        hint = "letters, digits and '-', in parts joined by '.'"
        problems.complain("hostname", f"{settings.hostname!r} is no host name", hint)
    for field in ("vlan", "trunk", "bonding"):
        if not PLAIN.fullmatch(getattr(settings, field)):
            problems.complain(field, "holds a character that a shell would act on")
    return problems


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
