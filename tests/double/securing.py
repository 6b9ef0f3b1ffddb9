"""A server that machines reach by http and over TLS, over one context."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import urllib3
import uvicorn
from certificate import Authority
from serving import Running

from bootos.server.app import build_machine_app, open_context, prepare
from bootos.server.context import TlsEnd
from bootos.server.serve import Server, bind, listen
from bootos.server.settings import Address, Settings


class Secure(Running):
    """The TLS end; `plain` is the same server by http."""

    def __init__(self, plain: Running, url: str, ca: bytes) -> None:
        super().__init__(plain.context, url, plain.operator_url)
        self.plain = plain
        self._pool = urllib3.PoolManager(retries=False, timeout=30, ca_cert_data=ca.decode())


@contextmanager
def run_secure(settings: Settings, authority: Authority, directory: Path) -> Iterator[Secure]:
    """A server with both ends, each a listener of its own over one context."""
    settings, listeners = listen(settings)
    end = bind(Address(), "")
    url = f"https://{Address(*end.getsockname())}"
    context = msgspec.structs.replace(
        open_context(settings), tls=TlsEnd(url=url, fingerprints=(authority.fingerprint,))
    )
    prepare(context)
    chain, key = authority.write(directory)
    app = build_machine_app(context)
    over_tls = uvicorn.Config(
        app, log_config=None, lifespan="off", ws="none", ssl_certfile=chain, ssl_keyfile=key
    )
    servers = [Server(context, listeners), uvicorn.Server(over_tls)]
    threads = [
        threading.Thread(target=server.run, kwargs={"sockets": [end]}, daemon=True) for server in servers
    ]
    for thread in threads:
        thread.start()
    plain = Running(context, listeners[0].url, context.operator_url)
    both = Secure(plain, url, authority.pem)
    yield both
    both.close()  # the end of a TLS connection waits for its other side
    plain.close()
    for server, thread in zip(reversed(servers), reversed(threads), strict=True):
        server.handle_exit(15, None)
        thread.join(15)
        assert not thread.is_alive(), "the server did not end"
