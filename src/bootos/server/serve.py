"""Runs the server until SIGTERM or SIGINT: start-up checks, uvicorn, a quick and orderly end."""

import asyncio
import fcntl
import functools
import ipaddress
import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Literal

import msgspec
import uvicorn
from litestar import Litestar

from bootos.errors import BootosError
from bootos.server.app import (
    RENEW_EVERY_S,
    build_machine_app,
    build_operator_app,
    live,
    open_context,
    prepare,
)
from bootos.server.context import Context
from bootos.server.crowd import Crowd
from bootos.server.listener import BACKLOG, Listener, Porch, Request, bind
from bootos.server.netboot.dnsmasq import run_dnsmasq
from bootos.server.reach import describe_addresses, find_tls_unreachable, find_trusting, find_unreachable
from bootos.server.settings import Address, Settings
from bootos.wire.manifest import REQUIRED

log = logging.getLogger(__name__)

GRACE_S = 5  # how long requests that are being answered may take when the server ends
# After each statement in SQLite a thread waits until Python switches to it. With Python's default of 5 ms the writer,
# for which all other writers wait, would mostly wait for that (benchmarks/dispatch.py shows it).
SWITCH_INTERVAL_S = 0.0005
KEEP_EVERY_S = 2.0  # how often the server looks whether the database is still its own


class Server(uvicorn.Server):
    """One process behind several listeners, each with the application of its side.

    uvicorn waits for open requests before it lets the application end; long-polls and live pages are told
    here, at the signal, so that they answer at once.
    """

    def __init__(
        self,
        context: Context,
        listeners: Sequence[Listener],
        *,
        keep_every_s: float = KEEP_EVERY_S,
        renew_every_s: float = RENEW_EVERY_S,
    ) -> None:
        self._context = context
        self._keep_every_s, self._renew_every_s = keep_every_s, renew_every_s
        self._failure: BootosError | None = None
        self._listeners = listeners
        settings = context.settings
        proxies = list_networks(settings.trusted_proxies)
        self._configs = {
            "machines": build_config(build_machine_app(context), proxies),
            "operators": build_config(build_operator_app(context), proxies),
        }
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        # a crowd of machines keeps no operator out; files of the server itself have a share, too
        shares = {"machines": most * 3 // 4, "operators": most // 8}
        self._crowds = {
            side: Crowd(settings.limits, most=share, note=context.health.note, exempt=find_exempt(proxies))
            for side, share in shares.items()
        }
        super().__init__(self._configs["machines"])

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal; the context is closed then. Raises BootosError when the server had to end because the
        database is another's."""
        with self.capture_signals():
            async with live(self._context, renew_every_s=self._renew_every_s):
                tasks = [asyncio.create_task(work()) for work in (self._watch, self._keep)]
                try:
                    await super().serve([listener.socket for listener in self._listeners])
                finally:
                    for task in tasks:
                        task.cancel()
        if self._failure is not None:
            raise self._failure

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer at every listener; uvicorn's own knows one application."""
        loop, self.servers = asyncio.get_running_loop(), []
        for listener in self._listeners:
            config, crowd = self._configs[listener.side], self._crowds[listener.side]
            if not config.loaded:
                config.load()
            request = functools.partial(Request, config, self.server_state, crowd)
            authority = self._context.authority if listener.is_tls else None
            porch = functools.partial(Porch, crowd, authority, request)
            self.servers.append(await loop.create_server(porch, sock=listener.socket, backlog=BACKLOG))
        self.started = True

    async def _watch(self) -> None:
        """Every second, end the connections that let a deadline pass."""
        while True:
            await asyncio.sleep(1)
            for crowd in self._crowds.values():
                crowd.end_late()

    async def _keep(self) -> None:
        """Keep the database for this process; end the server when another one has it."""
        while self._failure is None:
            await asyncio.sleep(self._keep_every_s)
            try:
                await asyncio.to_thread(self._context.store.keep)
            except BootosError as error:
                self._failure = error
                self._context.hub.close_soon()
                self.should_exit = True

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


def build_config(app: Litestar, proxies: Sequence[str]) -> uvicorn.Config:
    """How uvicorn answers for this application; `live` does what its lifespan would."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=65,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        lifespan="off",
        ws="none",
        http=Request,  # of h11, which sends the names of headers as they are written; see `netboot.boot_file`
    )


def list_networks(proxies: Iterable[str]) -> list[str]:
    """The networks of trusted proxies, as uvicorn takes them; those of IPv4 also as a socket of both families tells
    them (RFC 4291, section 2.5.5.2)."""
    networks = [ipaddress.ip_network(proxy, strict=False) for proxy in proxies]
    mapped = [f"::ffff:{net.network_address}/{96 + net.prefixlen}" for net in networks if net.version == 4]
    return [*map(str, networks), *mapped]


def find_exempt(proxies: Sequence[str]) -> Callable[[str], bool]:
    """Whether an address is a trusted proxy's, which stands for many clients."""
    networks = [ipaddress.ip_network(proxy) for proxy in proxies]

    def is_proxy(address: str) -> bool:
        if not networks:
            return False
        found = ipaddress.ip_address(address.partition("%")[0])
        return any(found in network for network in networks)

    return is_proxy


def listen(settings: Settings) -> tuple[Settings, list[Listener]]:
    """A listener for each address of the settings; port 0 takes any free one. Returns the settings with the ports that
    they have. Raises BootosError."""
    listeners = list[Listener]()

    def open_at(
        side: Literal["machines", "operators"], address: Address, option: str, *, is_tls: bool
    ) -> Address:
        listeners.append(Listener(side, bind(address, option), is_tls))
        return Address(address.host, listeners[-1].socket.getsockname()[1])

    try:
        plain = open_at("machines", Address(settings.host, settings.port), "--listen", is_tls=False)
        tls = settings.tls and open_at("machines", settings.tls, "--tls-listen", is_tls=True)
        operators = open_at("operators", settings.operators, "--operator-listen", is_tls=True)
    except BootosError:
        for listener in listeners:
            listener.socket.close()
        raise
    return msgspec.structs.replace(settings, port=plain.port, tls=tls, operators=operators), listeners


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
    """Serve until a signal. Raises BootosError when it cannot start, or cannot go on."""
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
        for listener in listeners:
            log.info("listening on %s for %s", listener.url, listener.side)
        for sentence in describe_addresses(settings):
            log.info("%s", sentence)
        log.info("its authority is sha256:%s", context.authority.fingerprint)
        log.info("the operator token is in %s", settings.token_file)
        reasons = (find_unreachable(settings), find_tls_unreachable(settings), find_trusting(settings))
        for reason in filter(None, reasons):
            log.warning("%s", reason)
        with run_dnsmasq(settings, context.public_url) if settings.netboot else nullcontext():
            Server(context, listeners).run()
        log.info("ended")
