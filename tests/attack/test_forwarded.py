"""Who says whom a request came from: a proxy that the operator trusts, and nobody else."""

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec
import pytest
from serving import INVENTORY, Running, build_settings, run_in_thread
from sqlalchemy import select

from bootos.server.store.table import Boot, Machine

HTTPS = {"X-Forwarded-Proto": "https"}
FAR = "10.1.2.3"


@pytest.fixture(scope="module", params=["127.0.0.1", "::"])
def proxied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server behind proxies at 127.0.0.6 and 127.0.0.7; also one that tells IPv4 addresses in IPv6's way."""
    root = tmp_path_factory.mktemp("proxied")
    server, stop = run_in_thread(build_settings(root, host=request.param, trusted_proxies=("127.0.0.7/31",)))
    yield server
    server.close()
    stop()


def register(server: Running, source: str, headers: dict[str, str]) -> tuple[str, bool]:
    """The address that the server takes a new machine to have, and whether it takes its connection for TLS."""
    body = {"sn": "SN001", "boot_id": "boot-1", "agent_version": "test", "inventory": INVENTORY}
    connection = http.client.HTTPConnection(
        "127.0.0.1", urlsplit(server.url).port, timeout=30, source_address=(source, 0)
    )
    try:
        sent = {**headers, "Content-Type": "application/json"}
        connection.request("POST", "/api/v2/agent/register", msgspec.json.encode(body), sent)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
    finally:
        connection.close()
    with server.context.store.read() as session:
        machine, boot = session.execute(select(Machine, Boot).where(Machine.boot_pk == Boot.id)).one()
        return machine.address.removeprefix("::ffff:"), boot.secure


@pytest.mark.parametrize(
    ("source", "headers", "seen"),
    [
        ("127.0.0.6", {"X-Forwarded-For": FAR, **HTTPS}, (FAR, True)),
        ("127.0.0.7", {"X-Forwarded-For": FAR}, (FAR, False)),
        ("127.0.0.7", {"X-Forwarded-For": f"6.6.6.6, {FAR}", **HTTPS}, (FAR, True)),
        ("127.0.0.7", {}, ("127.0.0.7", False)),
        ("127.0.0.8", {"X-Forwarded-For": FAR, **HTTPS}, ("127.0.0.8", False)),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.7", **HTTPS}, ("127.0.0.1", False)),
        ("127.0.0.8", {"Forwarded": f"for={FAR};proto=https", "X-Real-IP": FAR}, ("127.0.0.8", False)),
    ],
)
def test_a_forwarded_address_counts_only_from_a_trusted_network(
    proxied: Running, source: str, headers: dict[str, str], seen: tuple[str, bool]
) -> None:
    assert register(proxied, source, headers) == seen
    proxied.empty()


def test_without_a_trusted_proxy_nobody_is_believed(server: Running) -> None:
    assert register(server, "127.0.0.1", {"X-Forwarded-For": FAR, **HTTPS}) == ("127.0.0.1", False)
