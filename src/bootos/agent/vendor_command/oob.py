"""`oob.sh`: the BMC's network, user and password, and its cold reset, as the `oob` section of a template."""

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bootos.agent.vendor_command.option import COMMON, Given, Option
from bootos.agent.vendor_command.request import Request, VendorScript, name_problem
from bootos.drivers.contract import Driver, Machine
from bootos.errors import BootosError, Problem, Problems
from bootos.template.check import read_template
from bootos.template.oobcheck import check_password
from bootos.wire.inventory import Inventory

SECRET = "oob.sh -p"
NAME_MOST_CHARACTERS = 16  # IPMI 2.0, 22.28 Set User Name
LAST_USER = Path("run/bootos/oob-user")
"""Older templates give `-u NAME` and `-p PASSWORD` in two calls: the second means the user of the first."""

PLACES = {
    "oob.network.address": "-i",
    "oob.network.gateway": "-g",
    "oob.network.source": "-n",
    "oob.network": "-n",
    "oob.users[0].name": "-u",
    "oob.users[0].password": "-p",
    "oob.users[0]": "-u",
    "oob.reset": "-r",
}


class OobScript(VendorScript):
    name = "oob.sh"
    summary = "set up the out-of-band controller (BMC)"
    options: Sequence[Option] = (
        Option(letter="n", word="network", value="dhcp|static", help="where its address comes from"),
        Option(letter="i", word="ip", value="ADDRESS", help="its address (with -n static)"),
        Option(letter="m", word="netmask", value="MASK", help="its netmask (with -n static)"),
        Option(letter="g", word="gateway", value="ADDRESS", help="its default gateway (with -n static)"),
        Option(letter="u", word="username", value="NAME", help="this user is an administrator, and enabled"),
        Option(letter="p", word="password", value="PASSWORD", help="the user's password", secret=True),
        Option(letter="r", word="reset", help="reset the BMC (cold): after a change; alone: always"),
        *COMMON,
    )
    examples: Sequence[str] = (
        "-n static -i 10.0.8.21 -m 255.255.255.0 -g 10.0.8.1",
        "-u root -p PASSWORD",
        "-r",
    )

    def check(self, given: Given) -> list[Problem]:
        if not any(word in given for word in ("network", "ip", "username", "password", "reset")):
            return [Problem(path="", message="nothing is asked for: give -n, -u, -p or -r")]
        problems = _check_network(given)
        if problems:
            return problems
        if len(given.get("username") or "") > NAME_MOST_CHARACTERS:
            message = f"is longer than {NAME_MOST_CHARACTERS} characters, the most that IPMI can hold"
            return [Problem(path="-u", message=message)]
        if "password" in given:
            problems += check_password(given.values["password"], "-p")
        _, found = read_template(build_document(given, given.get("username") or "user"))
        return problems + [name_problem(self, given, problem) for problem in found]

    def build(
        self, given: Given, machine: Machine, inventory: Inventory, drivers: Sequence[Driver]
    ) -> Request:
        if inventory.bmc is None:
            raise BootosError(
                "no BMC was found on this machine",
                hint="it is looked for on the local interface, /dev/ipmi0",
            )
        notes = []
        name = given.get("username")
        if "password" in given and name is None:
            name = _read_last_user(machine)
            notes.append(f"-p without -u: the user of the call before, {name}")
        secrets = {SECRET: given.values["password"]} if "password" in given else {}
        return Request(document=build_document(given, name), secrets=secrets, notes=notes)

    def defer(self, given: Given, problems: Sequence[Problem]) -> str:
        alone = not any(word in given for word in ("network", "password", "reset"))
        if alone and [problem.path for problem in problems] == ["oob.users[0].password"]:
            name = given.get("username")
            return f"the BMC has no user {name} yet; the call with -p PASSWORD that has to follow creates it"
        return ""

    def finish(self, given: Given, machine: Machine) -> None:
        name = given.get("username")
        if name is not None:
            file = machine.root / LAST_USER
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(name)

    def name_place(self, given: Given, path: str) -> str:
        return PLACES.get(path, "")


def _read_last_user(machine: Machine) -> str:
    try:
        return (machine.root / LAST_USER).read_text()
    except FileNotFoundError:
        raise BootosError(
            "-p says a password, but not whose", hint="give -u NAME with it, or in a call before it"
        ) from None


def _check_network(given: Given) -> list[Problem]:
    problems = Problems()
    source = given.get("network")
    if source is not None and source not in ("dhcp", "static"):
        problems.complain("-n", f"{source!r} is neither dhcp nor static")
    static = {"ip": "-i", "netmask": "-m", "gateway": "-g"}
    if source == "static":
        problems += [
            Problem(path=static[word], message="is required with -n static")
            for word in ("ip", "netmask")
            if word not in given
        ]
    else:
        problems += [
            Problem(path=shown, message="belongs to -n static")
            for word, shown in static.items()
            if word in given
        ]
    for word in ("ip", "gateway"):
        problems += _check_address(static[word], given.get(word))
    mask = given.get("netmask")
    if mask is not None and parse_prefix(mask) is None:
        problems.complain("-m", f"{mask!r} is not a netmask", "as 255.255.255.0")
    return problems


def _check_address(shown: str, value: str | None) -> list[Problem]:
    try:
        ipaddress.IPv4Address(value or "0.0.0.0")
    except ValueError:
        return [Problem(path=shown, message=f"{value!r} is not an IPv4 address", hint="as 10.0.8.21")]
    return []


def parse_prefix(mask: str) -> int | None:
    """The length of the prefix that a dotted netmask means; None: it is none."""
    try:
        network = ipaddress.IPv4Network(f"0.0.0.0/{mask}")
    except ValueError:
        return None
    return network.prefixlen if str(network.netmask) == mask else None


def build_document(given: Given, user: str | None) -> dict[str, Any]:
    """The template. The password is in it by reference only."""
    oob: dict[str, Any] = {}
    source = given.get("network")
    if source is not None:
        oob["network"] = {"source": source}
    if source == "static":
        prefix = parse_prefix(given.values["netmask"])
        oob["network"]["address"] = f"{given.values['ip']}/{prefix}"
        if "gateway" in given:
            oob["network"]["gateway"] = given.values["gateway"]
    if user is not None and ("username" in given or "password" in given):
        wanted: dict[str, Any] = {"name": user, "role": "administrator"}
        if "password" in given:
            wanted["password"] = {"secret": SECRET}
        oob["users"] = [wanted]
    if "reset" in given:
        oob["reset"] = True
    return {"name": OobScript.name, "oob": oob}
