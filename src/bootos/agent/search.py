"""Looks for the server until it answers, and says what it is: of protocol v2, over TLS or why not, or of Cloudboot v1.

Called by `sequence`; each try is `changeover`'s.
"""

import logging
from typing import TYPE_CHECKING

from bootos.agent.host.host import Host, pauses
from bootos.errors import BootosError, read_chain

if TYPE_CHECKING:
    from bootos.agent.session.changeover import Found
    from bootos.agent.session.client import Client

log = logging.getLogger(__name__)

EARLY_TIMEOUT_S = (
    5.0  # greetings and handshakes: without all of them before the inventory there are no layers
)
TLS_TRIES = 3  # a TLS end that is offered and does not work is tried so often before it is done without
BUSY = 429  # HTTP 429, Too Many Requests: a server of protocol v2 is overloaded


def try_server(host: Host) -> "Client | None":
    """The server's client, if it answers now and in protocol v2: before the inventory, for the layers."""
    from bootos.agent.session.changeover import find_server

    try:
        found = find_server(host, may_be_plain=False, deadline_s=EARLY_TIMEOUT_S)
    except BootosError as error:
        log.debug("the server is not asked for layers yet: %s", error)
        return None
    return settle_server(host, found)


def wait_for_server(host: Host) -> "Client | None":
    """Until the server answers: the client of protocol v2, or None when it speaks Cloudboot v1 only."""
    from bootos.agent.network.trust import TlsUnreachable, WrongAuthority
    from bootos.agent.session.changeover import find_server
    from bootos.agent.session.client import Refused, Unreachable

    host.status.wait_for("the server")
    failed = 0  # how often the TLS end that was offered did not work
    for wait_s in pauses():
        try:
            found = find_server(host, may_be_plain=failed >= TLS_TRIES)
        except (Unreachable, TlsUnreachable, WrongAuthority) as error:
            failed += not isinstance(error, Unreachable)
            host.status.wait_for(f"the server: {error}")
            log.warning("waiting for the server: %s", "; ".join(read_chain(error)))
        except Refused as error:
            host.status.wait_for(f"the server: {error}")
            if error.status != BUSY and speaks_v1(host):
                log.info("the server at %s speaks Cloudboot v1", host.server_addr)
                host.status.set(protocol="Cloudboot v1")
                return None
            log.warning("the server at %s does not speak protocol v2: %s", host.server_addr, error)
        else:
            return settle_server(host, found)
        host.clock.sleep(wait_s)
    raise AssertionError("pauses never end")


def settle_server(host: Host, found: "Found") -> "Client":
    """Say which server it is, and over what it is spoken to."""
    client = found.client
    log.info("the server is %s at %s (protocol v2)", found.greeting.server or "unnamed", client.server_addr)
    if client.ca_sha256:
        log.info("it is known by the CA certificate sha256:%s", client.ca_sha256)
    if found.plain_because:
        log.warning(
            "not over TLS: %s; this machine gets no secrets, and nobody sees who is in the middle",
            found.plain_because,
        )
    host.status.set(protocol="v2", server=client.server_addr)
    return client


def speaks_v1(host: Host) -> bool:
    """Whether the server answers a call of Cloudboot v1 in its form."""
    from bootos.agent.cloudboot.client import V1Client, V1Error
    from bootos.agent.session.changeover import read_pins

    if read_pins(host) and not host.server_addr.startswith("https:"):
        log.warning(
            "%s is not asked for Cloudboot v1: that is over http, and this machine was told the CA of its server",
            host.server_addr,
        )
        return False
    if host.identity.by not in ("serial", "uuid", "board"):
        log.warning(
            "this machine has no serial number, no UUID and no board with one, and a server of Cloudboot v1 knows "
            "machines by nothing else: %s is not asked",
            host.server_addr,
        )
        return False
    try:
        V1Client(host.server_addr, http=host.http).probe(host.sn)
    except V1Error as error:
        log.warning("the server at %s does not speak Cloudboot v1: %s", host.server_addr, error)
        return False
    return True
