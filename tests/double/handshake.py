"""TLS handshakes in memory, and the calendar that tests hand to who judges certificates."""

import datetime as dt
import ssl

from cryptography import x509

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


class Calendar:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> dt.datetime:
        return self.now


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> x509.Certificate:
    """A handshake in memory; returns the certificate that the client was shown. Raises ssl.SSLError when the client
    does not take it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname=name)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (asking, answering):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    shown = asking.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown)


def build_client(pem: str) -> ssl.SSLContext:
    """A client that trusts this authority alone."""
    client = ssl.create_default_context(cadata=pem)
    client.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # its own clock is not that of the test
    client.verify_flags |= 0x200000  # X509_V_FLAG_NO_CHECK_TIME
    return client
