"""Whether the server can be reached through one interface: a TCP connection bound to it, and its name asked of the name
servers of that interface. What the system would do by its routes is not asked. Called by `uplink`; changes nothing.
"""

import ipaddress
import os
import socket
import struct
from enum import StrEnum
from pathlib import Path

import msgspec

from bootos.agent.network.networkfile import Names
from bootos.agent.network.place import parse_place
from bootos.errors import BootosError

CONNECT_TIMEOUT_S = 4.0
LOOKUP_TIMEOUT_S = 2.0
LOOKUP_TRIES = 2
TYPE_A, CLASS_IN = 1, 1


class Grade(StrEnum):
    REACHED = "reached"  # something accepts connections there
    REFUSED = "refused"  # a host answers, but no server runs there, or not yet
    NOT_REACHED = "not reached"


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one try. `address` is the server's, as far as it is known."""

    grade: Grade
    reason: str = ""
    address: str | None = None


class LookupFailed(BootosError):
    """A name that has no IPv4 address, as far as the name servers of this interface know."""


def check_reach(
    url: str, interface: str, names: Names, root: Path = Path("/"), timeout_s: float = CONNECT_TIMEOUT_S
) -> Reach:
    """Try the server of `url` through `interface`; a connection may take `timeout_s` seconds."""
    _, host, port = parse_place(url)
    try:
        address = find_address(host, interface, names, root)
    except LookupFailed as error:
        return Reach(grade=Grade.NOT_REACHED, reason=str(error))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            bind_to_interface(connection, interface)
            connection.connect((address, port))
        except ConnectionRefusedError:
            reason = f"{address} refuses connections to port {port}"
            return Reach(grade=Grade.REFUSED, reason=reason, address=address)
        except TimeoutError:
            reason = f"no answer from {address} within {timeout_s:g} s"
        except OSError as error:
            reason = f"{address}: {error.strerror or error}"
        else:
            return Reach(grade=Grade.REACHED, address=address)
    return Reach(grade=Grade.NOT_REACHED, reason=reason, address=address)


def bind_to_interface(connection: socket.socket, interface: str) -> None:
    """Packets leave by this interface alone, whatever the routes prefer (socket(7), SO_BINDTODEVICE)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")


def find_address(host: str, interface: str, names: Names, root: Path = Path("/")) -> str:
    """The IPv4 address of a host: as it is, from /etc/hosts, or by DNS. Raises LookupFailed."""
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        pass
    hosts = root / "etc/hosts"
    if hosts.exists() and (known := find_in_hosts(hosts.read_text(), host)):
        return known
    if not names.nameservers:
        raise LookupFailed(f"the name {host} cannot be looked up: there is no name server")
    return ask_nameservers(host, interface, names)


def find_in_hosts(text: str, host: str) -> str | None:
    """The first IPv4 address of a name in hosts(5)."""
    for line in text.splitlines():
        address, *known = line.partition("#")[0].split() or [""]
        if host.lower() in (name.lower() for name in known) and ":" not in address:
            return address
    return None


def ask_nameservers(host: str, interface: str, names: Names) -> str:
    """Ask each name server, bound to the interface; with the search domain first when the name has no dot."""
    wanted = [f"{host}.{domain}" for domain in names.search.split() if "." not in host] + [host]
    reason = "no answer"
    for _ in range(LOOKUP_TRIES):
        for server in names.nameservers:
            for name in wanted:
                try:
                    return ask(name, server, interface)
                except LookupFailed as error:
                    reason = str(error)
                except OSError as error:
                    reason = f"the name server {server} gives no answer ({error.strerror or error})"
    raise LookupFailed(f"the name {host} cannot be looked up: {reason}")


def ask(name: str, server: str, interface: str) -> str:
    """One query over UDP. Raises LookupFailed, OSError."""
    number = int.from_bytes(os.urandom(2), "big")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(LOOKUP_TIMEOUT_S)
        bind_to_interface(connection, interface)
        connection.connect((server, 53))
        connection.send(build_query(name, number))
        answer = connection.recv(4096)
    found = parse_answer(answer, number)
    if found is None:
        raise LookupFailed(f"{server} knows no IPv4 address of {name}")
    return found


def build_query(name: str, number: int) -> bytes:
    """A question for an A record (RFC 1035, 4.1), recursion desired. Raises LookupFailed: no possible name."""
    try:
        labels = [label.encode("idna") for label in name.rstrip(".").split(".")]
        question = b"".join(bytes((len(label),)) + label for label in labels)
    except UnicodeError as cause:
        raise LookupFailed(f"{name} is no host name") from cause
    return (
        struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + question + struct.pack(">xHH", TYPE_A, CLASS_IN)
    )


def parse_answer(answer: bytes, number: int) -> str | None:
    """The first A record, whatever aliases lead to it; None: an error, no record, or not the answer to `number`."""
    try:
        found, flags, questions, records = struct.unpack_from(">HHHH", answer)
        if found != number or not flags & 0x8000 or flags & 0x000F:
            return None
        place = 12
        for _ in range(questions):
            place = skip_name(answer, place) + 4
        for _ in range(records):
            place = skip_name(answer, place)
            kind, network_class, _ttl, length = struct.unpack_from(">HHIH", answer, place)
            place += 10
            if (kind, network_class, length) == (TYPE_A, CLASS_IN, 4):
                return socket.inet_ntoa(answer[place : place + 4])
            place += length
    except (struct.error, IndexError, OSError):
        return None
    return None


def skip_name(message: bytes, place: int) -> int:
    """The place after a name: labels to a zero, or to a pointer of two bytes."""
    while length := message[place]:
        if length & 0xC0:
            return place + 2
        place += length + 1
    return place + 1
