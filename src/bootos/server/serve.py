"""Runs the server until SIGTERM or SIGINT: start-up checks, uvicorn, a quick and orderly end."""

import asyncio
import fcntl
import functools
import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Literal

import msgspec
import uvicorn
from litestar import Litestar
from uvicorn.protocols.http.h11_impl import H11Protocol

from bootos.errors import BootosError
from bootos.server.app import build_machine_app, build_operator_app, live, open_context, prepare
from bootos.server.context import Context
from bootos.server.netboot.dnsmasq import run_dnsmasq
from bootos.server.settings import Address, Settings
from bootos.wire.manifest import REQUIRED

log = logging.getLogger(__name__)

BACKLOG = 1024
GRACE_S = 5  # how long requests that are being answered may take when the server ends
# After each statement in SQLite a thread waits until Python switches to it. With Python's default of 5 ms the writer,
# for which all other writers wait, would mostly wait for that (benchmarks/dispatch.py shows it).
SWITCH_INTERVAL_S = 0.0005


class Listener(msgspec.Struct, frozen=True):
    """A socket that listens, and whose: `machines` or `operators`."""

    side: Literal["machines", "operators"]
    socket: socket.socket

    @property
    def url(self) -> str:
        """Its address, as the socket has it."""
        host, port = self.socket.getsockname()[:2]
        return f"http://{Address(host, port)}"


class Server(uvicorn.Server):
    """One process behind several listeners, each with the application of its side.

    uvicorn waits for open requests before it lets the application end; long-polls and live pages are told
    here, at the signal, so that they answer at once.
    """

    def __init__(self, context: Context, listeners: Sequence[Listener]) -> None:
        self._context = context
        self._listeners = listeners
        self._configs = {
            "machines": build_config(build_machine_app(context)),
            "operators": build_config(build_operator_app(context)),
        }
        super().__init__(self._configs["machines"])

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal; the context is closed then."""
        with self.capture_signals():
            async with live(self._context):
                await super().serve([listener.socket for listener in self._listeners])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer at every listener; uvicorn's own knows one application."""
        loop, self.servers = asyncio.get_running_loop(), []
        for listener in self._listeners:
            config = self._configs[listener.side]
            if not config.loaded:
                config.load()
            build = functools.partial(H11Protocol, config, self.server_state, {})
            self.servers.append(await loop.create_server(build, sock=listener.socket, backlog=BACKLOG))
        self.started = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """As uvicorn's, after everybody who waits was told to come back."""
        self._context.hub.close_soon()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, without raising the signal again at the end: an orderly end is exit code 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def build_config(app: Litestar) -> uvicorn.Config:
    """How uvicorn answers for this application; `live` does what its lifespan would."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=65,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        http=H11Protocol,  # h11 sends the names of headers as they are written; see `netboot.boot_file`
    )


def listen(settings: Settings) -> tuple[Settings, list[Listener]]:
    """A listener for each address of the settings; port 0 takes any free one. Returns the settings with the ports that
    they have. Raises BootosError."""
    listeners = list[Listener]()
    try:
        listeners.append(Listener("machines", bind(Address(settings.host, settings.port), "--listen")))
        listeners.append(Listener("operators", bind(settings.operators, "--operator-listen")))
    except BootosError:
        for listener in listeners:
            listener.socket.close()
        raise
    ports = [listener.socket.getsockname()[1] for listener in listeners]
    operators = Address(settings.operators.host, ports[1])
    return msgspec.structs.replace(settings, port=ports[0], operators=operators), listeners


def bind(address: Address, option: str) -> socket.socket:
    """A socket that listens there. Raises BootosError that names the option to choose another address with."""
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
        # The protocol is named: asyncio sets TCP_NODELAY only on sockets whose protocol is IPPROTO_TCP. Without it the
        # body of each answer waits for the peer's delayed acknowledgement of the head (benchmarks/keep_alive.py shows
        # it).
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
    except OSError as cause:
        raise BootosError(
            f"cannot listen on {address}: {cause.strerror or cause}",
            hint=f"another server may be running there; choose another address with {option} HOST:PORT",
        ) from cause
    listener.listen(BACKLOG)
    return listener


@contextmanager
def hold(settings: Settings) -> Iterator[None]:
    """Hold the data directory while the block runs: two servers on one would hand out one order twice. Raises
    BootosError."""
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(settings.data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as cause:
        raise BootosError(
            f"the data directory {settings.data} cannot be written: {cause.strerror}",
            hint="choose another one with --data, or make it writable for this user",
        ) from cause
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise BootosError(
            f"another server uses the data directory {settings.data}",
            hint="stop it first, or choose another directory with --data",
        ) from None
    except OSError as cause:
        os.close(descriptor)
        raise BootosError(
            f"the data directory {settings.data} cannot be locked: {cause.strerror}",
            hint="choose one on a disk of this host with --data",
        ) from cause
    try:
        yield
    finally:
        os.close(descriptor)


def raise_file_limit() -> None:
    """Let this process open as many files as it may: every waiting machine holds a connection, and the usual soft
    limit of 1,024 is too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run_server(settings: Settings) -> None:
    """Serve until a signal. Raises BootosError when it cannot start."""
    raise_file_limit()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    settings, listeners = listen(settings)
    with hold(settings):
        context = open_context(settings)
        prepare(context)
        default = context.shelf.find_directory(context.shelf.stock.default)
        if default is None or not all((default / name).is_file() for name in REQUIRED):
            log.warning(
                "no vmlinuz and initrd.img to serve: build them with bootos image build, hand them over with "
                "bootos image publish, or name their directory with --boot-files"
            )
        if Address(settings.host, settings.port).is_any and not settings.public_url:
            log.warning(
                "machines cannot reach %s: say how they reach this server with --public-url",
                context.public_url,
            )
        for listener in listeners:
            log.info("listening on %s for %s", listener.url, listener.side)
        log.info("machines reach this server at %s", context.public_url)
        log.info("operators reach this server at %s", context.operator_url)
        log.info("the operator token is in %s", settings.token_file)
        with run_dnsmasq(settings, context.public_url) if settings.netboot else nullcontext():
            Server(context, listeners).run()
        log.info("ended")
