"""A running server renews its certificate by itself, without a restart."""

import datetime as dt
import ssl
import threading

import msgspec
from handshake import Calendar

from bootos.server.app import open_context, prepare
from bootos.server.serve import Server, listen
from bootos.server.settings import Settings
from bootos.server.tls.name import list_names
from bootos.server.tls.own import OwnAuthority
from bootos.waiting import wait_for


def is_other(address: tuple[str, int], before: str) -> bool:
    """Whether a connection that begins now is served another certificate."""
    return ssl.get_server_certificate(address, timeout=10) != before


def test_a_connection_that_begins_after_the_renewal_is_served_the_new_certificate(settings: Settings) -> None:
    settings, listeners = listen(settings)
    calendar = Calendar()
    context = open_context(settings)
    own = OwnAuthority(settings.tls_directory, lambda: list_names(settings), calendar)
    context = msgspec.structs.replace(context, authority=own)
    prepare(context)
    server = Server(context, listeners, renew_every_s=0.05)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    addresses = [listener.socket.getsockname()[:2] for listener in listeners if listener.is_tls]
    try:
        wait_for(lambda: server.started, 20, what="the start", pause_s=0.01)
        before = [ssl.get_server_certificate(address, timeout=10) for address in addresses]
        calendar.now += dt.timedelta(days=61)
        wait_for(lambda: all(map(is_other, addresses, before)), 20, what="the renewal", pause_s=0.05)
        assert len(addresses) == 2
    finally:
        server.handle_exit(15, None)
        thread.join(15)
    assert not thread.is_alive()
