"""Connections that say nothing, or never come to an end, cost the server little and are closed; machines go on."""

import socket
import ssl
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from serving import DEFAULTS, Agent, Running, build_settings, run_in_thread

from bootos.server.limit import Limits
from bootos.waiting import wait_for

DEADLINE_S = 60
LIMITS = Limits(
    connections_per_address=30,
    waiting_connections=40,
    handshakes=8,
    header_s=2,
    handshake_s=2,
    body_s=2,
    bodies_in_memory_bytes=400_000,
)
HEAD = b"POST /api/v2/agent/register HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"


@pytest.fixture(scope="module")
def strict_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Everything is small and short there."""
    root: Path = tmp_path_factory.mktemp("strict")
    running, stop = run_in_thread(build_settings(root, **{**DEFAULTS, "enrol": "open", "limits": LIMITS}))
    yield running
    stop()


@pytest.fixture
def strict(strict_server: Running) -> Iterator[Running]:
    yield strict_server
    strict_server.empty()


class Attacker:
    """Opens connections, from addresses of the loopback that are not the agents'."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def connect(self, url: str, sent: bytes = b"", source: str = "127.0.0.2") -> socket.socket:
        place = urlsplit(url)
        connection = socket.create_connection(
            (place.hostname or "", place.port or 0), timeout=DEADLINE_S, source_address=(source, 0)
        )
        self._stack.enter_context(connection)
        if sent:
            connection.sendall(sent)
        return connection


@pytest.fixture
def attacker() -> Iterator[Attacker]:
    with ExitStack() as stack:
        yield Attacker(stack)


def hear(connection: socket.socket) -> bytes:
    """What comes until the server ends the connection. Raises TimeoutError when it does not."""
    heard = b""
    try:
        while piece := connection.recv(65536):
            heard += piece
    except ConnectionError:
        pass
    return heard


def start_handshake() -> bytes:
    """The first message of a TLS client (RFC 8446, section 4.1.2), after which this one is silent."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="server")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


SILENT = {
    "nothing": b"",
    "half a line": b"GET /api/v2",
    "half a head": b"GET /api/v2/agent/ HTTP/1.1\r\nHost: a\r\n",
}


@pytest.mark.parametrize("kind", SILENT)
def test_a_connection_that_comes_to_no_request_is_closed(
    strict: Running, attacker: Attacker, kind: str
) -> None:
    connection = attacker.connect(strict.url, SILENT[kind])
    assert hear(connection) == b""
    assert strict.context.health.count("header_s") >= 1


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01", b"hello"])
def test_a_tls_connection_that_does_not_finish_its_handshake_is_closed(
    strict: Running, attacker: Attacker, sent: bytes
) -> None:
    hear(attacker.connect(strict.tls_url, sent))
    hear(attacker.connect(strict.operator_url, sent))
    hear(attacker.connect(strict.tls_url, start_handshake()))
    assert strict.context.health.count("handshake_s") >= 1
    assert strict.request_at(strict.tls_url, "GET", "/api/v2/agent/").status == 200


def test_a_body_that_never_ends_is_told_so_and_closed(strict: Running, attacker: Attacker) -> None:
    heard = hear(attacker.connect(strict.url, HEAD + b"{"))
    assert heard.startswith(b"HTTP/1.1 408")
    assert b"nosniff" in heard and b"send it again" in heard


BEHIND = {
    "a body without its end": (HEAD + b"{", b"408", "body_s"),
    "half a head": (b"GET /api/v2/agent/ HTTP/1.1\r\nHost: a\r\n", b"", "header_s"),
}


@pytest.mark.parametrize("kind", BEHIND)
def test_what_comes_with_an_earlier_request_has_a_deadline_of_its_own(
    strict: Running, attacker: Attacker, kind: str
) -> None:
    """Two requests at once (pipelining): the first is answered, the second never ends."""
    second, status, limit = BEHIND[kind]
    before = strict.context.health.count(limit)
    heard = hear(attacker.connect(strict.url, b"GET /api/v2/agent/ HTTP/1.1\r\nHost: a\r\n\r\n" + second))
    assert [head[:3] for head in heard.split(b"HTTP/1.1 ")[1:]] == [b"200", *filter(None, [status])]
    assert strict.context.health.count(limit) > before


def test_bodies_that_fill_the_memory_go_and_a_machine_reports_all_the_same(
    strict: Running, attacker: Attacker
) -> None:
    agent = Agent(strict)
    assert agent.register().status == 200
    hoarders = [
        attacker.connect(strict.url, HEAD + b" " * 60_000, source=f"127.0.0.{2 + number % 3}")
        for number in range(20)
    ]
    assert agent.report().status == 200
    heard = [hear(connection) for connection in hoarders]
    answers = [answer[9:12] for answer in heard]
    assert b"429" in answers
    assert set(answers) <= {b"429", b"408", b""}
    assert all(b"Retry-After: 5\r\n" in answer for answer in heard if answer[9:12] == b"429")
    assert strict.context.health.count("bodies_in_memory_bytes") >= 1
    assert agent.report().status == 200


def test_one_address_has_so_many_connections_and_others_go_on(strict: Running, attacker: Attacker) -> None:
    agent = Agent(strict)
    assert agent.register().status == 200
    connections = [attacker.connect(strict.url) for _ in range(2 * LIMITS.connections_per_address)]
    wait_for(
        lambda: strict.context.health.count("connections_per_address"),
        DEADLINE_S,
        what="the refusal",
        pause_s=0.05,
    )
    assert agent.report().status == 200
    assert strict.request("GET", "/api/v2/agent/").status == 200
    for connection in connections:
        assert hear(connection) == b""


def test_a_crowd_that_waits_drives_out_itself(strict: Running, attacker: Attacker) -> None:
    agent = Agent(strict)
    assert agent.register().status == 200
    first = attacker.connect(strict.url, source="127.0.0.2")
    for number in range(200):
        attacker.connect(strict.url, b"GET", source=f"127.0.0.{3 + number % 10}")
    assert agent.report().status == 200
    assert hear(first) == b""
    wait_for(
        lambda: strict.context.health.count("waiting_connections"),
        DEADLINE_S,
        what="the refusal",
        pause_s=0.05,
    )


def test_a_client_that_does_not_read_is_closed(strict: Running, attacker: Attacker) -> None:
    (strict.data / "files/large").write_bytes(bytes(30_000_000))
    connection = attacker.connect(strict.url, b"GET /bootos/files/large HTTP/1.1\r\nHost: a\r\n\r\n")
    before = strict.context.health.count("body_s")
    wait_for(lambda: strict.context.health.count("body_s") > before, DEADLINE_S, what="the end", pause_s=0.05)
    assert len(hear(connection)) < 30_000_000


def test_clients_that_do_not_read_cost_little_memory(strict: Running, attacker: Attacker) -> None:
    (strict.data / "files/large").write_bytes(bytes(30_000_000))
    before, many = strict.context.health.count("body_s"), 20
    tracemalloc.start()
    try:
        for number in range(many):
            attacker.connect(
                strict.url,
                b"GET /bootos/files/large HTTP/1.1\r\nHost: a\r\n\r\n",
                source=f"127.0.0.{2 + number % 3}",
            )
        wait_for(
            lambda: strict.context.health.count("body_s") >= before + many,
            DEADLINE_S,
            what="the end of all",
            pause_s=0.05,
        )
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < many * 512 * 1024
