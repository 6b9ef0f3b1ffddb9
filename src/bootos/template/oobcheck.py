"""The `oob` section: mistakes that need no machine. Called by `check.read_template`."""

import ipaddress
import re

from bootos.errors import Problem, Problems
from bootos.template.model import Oob, OobNetwork, OobRedfish, OobUser
from bootos.template.place import Places, claim_name

_ADDRESS = re.compile(r"(https?://)?([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?/?")
PASSWORD_MOST_BYTES = 20  # IPMI 2.0, 22.30 Set User Password


def check_oob(oob: Oob, places: Places) -> list[Problem]:
    """The problems of the section `oob` that show without a machine."""
    problems = Problems()
    if oob.network is not None:
        problems += _check_network(oob.network)
    if oob.lan == "disabled" and oob.network is not None:
        problems.complain("oob.network", "is configured, and oob.lan closes it", "leave one of them out")
    if oob.cipher_suites is not None:
        problems += _check_cipher_suites(oob.cipher_suites)
    if oob.other_users == "disable" and not any(
        user.enabled and user.role == "administrator" for user in oob.users
    ):
        message = "would leave the BMC without an administrator: oob.users names none that is enabled"
        problems.complain("oob.other_users", message)
    if oob.redfish is not None:
        problems += _check_redfish(oob.redfish)
    names: dict[str, str] = {}
    for index, user in zip(places.indices(OobUser, "oob", "users"), oob.users, strict=False):
        at = f"oob.users[{index}]"
        claim_name(user.name, at, names, problems)
        if len(user.name.encode()) > 16 or not user.name.isascii() or not user.name.isprintable():
            problems.complain(f"{at}.name", "must be up to 16 printable ASCII characters")
        elif " " in user.name or '"' in user.name or "'" in user.name:
            problems.complain(f"{at}.name", "must not hold spaces or quotation marks")
        if isinstance(user.password, str):
            problems += check_password(user.password, f"{at}.password")
    return problems


def _check_cipher_suites(suites: list[int]) -> list[Problem]:
    at = "oob.cipher_suites"
    problems = Problems()
    if not suites:
        problems.complain(at, "is empty: nobody could log in", "[3, 17] is usual")
    for number, suite in enumerate(suites):
        if suite == 0:
            message = "suite 0 lets everybody in without a password"
            problems.complain(f"{at}[{number}]", message, "3 and 17 are sound")
        if suite in suites[:number]:
            problems.complain(f"{at}[{number}]", f"{suite} is listed twice")
    return problems


def _check_redfish(redfish: OobRedfish) -> list[Problem]:
    at = "oob.redfish"
    problems = Problems()
    if redfish.address is not None and not _ADDRESS.fullmatch(redfish.address):
        hint = "as 10.0.8.21, bmc7.example:8443 or https://10.0.8.21"
        problems.complain(f"{at}.address", f"{redfish.address!r} is not the address of a service", hint)
    if (redfish.user is None) != (redfish.password is None):
        missing = "user" if redfish.user is None else "password"
        problems.complain(f"{at}.{missing}", "user and password go together")
    digits = (redfish.fingerprint or "").replace(":", "").lower().removeprefix("sha256")
    if redfish.fingerprint is not None and not re.fullmatch(r"[0-9a-f]{64}", digits):
        hint = "64 hexadecimal digits: openssl x509 -noout -fingerprint -sha256"
        problems.complain(f"{at}.fingerprint", "is not the SHA-256 fingerprint of a certificate", hint)
    return problems


def check_password(password: str, path: str) -> list[Problem]:
    """The limits of IPMI 2.0; also for the resolved values of secrets. The message never holds the password."""
    if not password:
        return [Problem(path=path, message="is empty", hint="leave it out to keep the present password")]
    if len(password.encode()) > PASSWORD_MOST_BYTES:
        message = f"is longer than {PASSWORD_MOST_BYTES} bytes, the most that IPMI can hold"
        return [Problem(path=path, message=message)]
    if not password.isascii() or not password.isprintable():
        return [Problem(path=path, message="must be printable ASCII characters")]
    return []


def _check_network(network: OobNetwork) -> list[Problem]:
    at = "oob.network"
    problems = Problems()
    if network.vlan is not None and not 0 <= network.vlan <= 4094:
        problems.complain(f"{at}.vlan", f"{network.vlan} is not a VLAN", "1 to 4094, or 0 for none")
    if network.source == "dhcp":
        for key in ("address", "gateway"):
            if getattr(network, key) is not None:
                problems.complain(f"{at}.{key}", "comes from DHCP: leave it out, or use source: static")
        return problems
    if network.address is None:
        problems.complain(f"{at}.address", "is required with source: static", "as 10.0.8.21/24")
        return problems
    hint = "as 10.0.8.21/24"
    try:
        if "/" not in network.address:
            problems.complain(f"{at}.address", f"{network.address!r} has no prefix length", hint)
            return problems
        interface = ipaddress.IPv4Interface(network.address)
    except ValueError:
        reason = "is not an IPv4 address with its prefix"
        problems.complain(f"{at}.address", f"{network.address!r} {reason}", hint)
        return problems
    net = interface.network
    if net.prefixlen < 31 and interface.ip in (net.network_address, net.broadcast_address):
        message = f"{interface.ip} is the network's own or its broadcast address in {net}"
        problems.complain(f"{at}.address", message)
    if interface.ip.is_multicast or interface.ip.is_loopback or interface.ip.is_unspecified:
        problems.complain(f"{at}.address", f"{interface.ip} cannot be a machine's address")
    if network.gateway is None:
        return problems
    try:
        gateway = ipaddress.IPv4Address(network.gateway)
    except ValueError:
        problems.complain(f"{at}.gateway", f"{network.gateway!r} is not an IPv4 address")
        return problems
    if gateway not in net:
        problems.complain(f"{at}.gateway", f"{gateway} is not in {net}")
    elif gateway == interface.ip:
        problems.complain(f"{at}.gateway", f"{gateway} is the BMC's own address")
    return problems
