"""A server that machines reach by http and over TLS, as tests of both ends need it."""

from collections.abc import Iterator
from contextlib import contextmanager

from serving import Running, run_in_thread

from bootos.server.settings import Settings


class Secure(Running):
    """The TLS end; `plain` is the same server by http."""

    def __init__(self, plain: Running) -> None:
        super().__init__(plain.context, plain.tls_url, plain.operator_url)
        self.plain = plain


@contextmanager
def run_secure(settings: Settings) -> Iterator[Secure]:
    """A server of its own."""
    plain, stop = run_in_thread(settings)
    both = Secure(plain)
    yield both
    both.close()
    plain.close()
    stop()
