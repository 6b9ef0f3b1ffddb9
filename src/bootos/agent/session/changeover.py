"""From SERVER_ADDR to the server that the agent registers with: over TLS wherever there is that end.

What the server is known by: SERVER_CA of the kernel command line, else the image's CA, else what this boot saw before,
else the CA that the greeting offers. The last can be anybody's, which the words show (`bootkey`). Where the first three
say a CA, nothing goes over http but the greeting. One try; `sequence` waits and tries again.
"""

import logging

import msgspec

from bootos.agent.host.host import CA_FILE, Host
from bootos.agent.network.trust import (
    HANDSHAKE_TIMEOUT_S,
    ServerHttp,
    TlsUnreachable,
    Trust,
    WrongAuthority,
    choose_offered_url,
    find_trust,
    keep_trust,
    read_image_pins,
)
from bootos.agent.session.bootkey import keep_authority, read_boot_key
from bootos.agent.session.client import CALL_TIMEOUT_S, Client, Refused
from bootos.waiting import Deadline
from bootos.wire import v2

log = logging.getLogger(__name__)

TRY_S = 2 * (CALL_TIMEOUT_S + HANDSHAKE_TIMEOUT_S)  # two greetings, two handshakes


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A server that speaks v2, and what it calls itself. `plain_because`: why it is not spoken to over TLS."""

    client: Client
    greeting: v2.Greeting
    plain_because: str = ""


def read_pins(host: Host) -> tuple[str, ...]:
    """The fingerprints of which the server's must be one; none: the greeting says it."""
    told = host.cmdline.server_ca or read_image_pins(host.machine.root)
    return told or tuple(filter(None, (read_before(host),)))


def read_before(host: Host) -> str:
    """The fingerprint that this boot knew its server by before; empty: it knew none."""
    kept = read_boot_key(host.directory)
    return kept.ca_sha256 if kept is not None else ""


def find_server(host: Host, *, may_be_plain: bool, deadline_s: float = TRY_S) -> Found:
    """Greet the server, over TLS where that can be. `may_be_plain`: a TLS end that is offered and does not work is done
    without, if nothing says what the server must be known by. `deadline_s`: for all of it, greetings and handshakes.
    Raises Refused, Unreachable, TlsUnreachable, WrongAuthority."""
    deadline = Deadline(deadline_s)  # of real time, as every bound of a socket
    pins, before, addr = read_pins(host), read_before(host), host.server_addr
    if addr.startswith("https:"):
        if pins:
            trust = find_trust(addr, pins, before, deadline=deadline)
            follow(host, ServerHttp(addr, trust), trust)  # also a server that only speaks Cloudboot v1
            return greet_over(host, trust, deadline)
        return greet_by_system(host, deadline)
    client = Client(addr, host.http)
    greeting = client.greet(deadline.left_s(CALL_TIMEOUT_S))
    url = choose_offered_url(greeting.tls.url, addr) if greeting.tls is not None else None
    if greeting.tls is None or url is None:
        if pins:
            raise TlsUnreachable(
                f"{addr} offers no TLS end, and this machine was told to use no other",
                hint="somebody is between this machine and its server, or the server is of an earlier release",
            )
        return Found(client=client, greeting=greeting, plain_because="the server offers no TLS end")
    try:
        trust = find_trust(url, pins or (greeting.tls.ca_sha256,), before, deadline=deadline)
        return greet_over(host, trust, deadline)
    except (TlsUnreachable, WrongAuthority) as error:
        if pins or not may_be_plain:
            raise
        return Found(client=client, greeting=greeting, plain_because=str(error))


def greet_by_system(host: Host, deadline: Deadline) -> Found:
    """The server at an https address, verified by the authorities that the image knows. It offers the CA that it wants
    to be known by; where that stands behind this address, the words are drawn of it."""
    client = Client(host.server_addr, host.http)
    greeting = client.greet(deadline.left_s(CALL_TIMEOUT_S))
    if greeting.tls is not None:
        try:
            trust = find_trust(host.server_addr, (greeting.tls.ca_sha256,), deadline=deadline)
            return greet_over(host, trust, deadline)
        except (TlsUnreachable, WrongAuthority, Refused) as error:
            log.info("no words are drawn: %s", error)
    return Found(client=client, greeting=greeting)


def greet_over(host: Host, trust: Trust, deadline: Deadline) -> Found:
    """Greet the server over its TLS end; from then on all that is at the server goes there, in this boot over nothing
    but that CA. Raises Refused, Unreachable."""
    http = ServerHttp(host.server_addr, trust)
    client = Client(trust.url, http, ca_sha256=trust.ca_sha256)
    greeting = client.greet(deadline.left_s(CALL_TIMEOUT_S))
    keep_authority(host.directory, trust.ca_sha256)
    follow(host, http, trust)
    return Found(client=client, greeting=greeting)


def follow(host: Host, http: ServerHttp, trust: Trust) -> None:
    """Have all that is at the server go there, and leave what it is known by to hooks, dnf and the shell."""
    host.directory.mkdir(parents=True, exist_ok=True)
    (host.directory / CA_FILE).write_text(trust.pem)
    keep_trust(host.directory, trust)
    host.follow(http, trust.url)
