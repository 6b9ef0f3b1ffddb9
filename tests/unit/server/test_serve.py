"""How the server is started: its policy of Cloudboot v1, its listening socket, and what connections inherit from it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
from serving import Running

from bootos.server.command.serve import read_legacy
from bootos.server.reach import describe_addresses, find_tls_unreachable, find_trusting, find_unreachable
from bootos.server.settings import Address, Settings
from bootos.server.tls.name import list_names


def find_accepted(port: int) -> Iterator[socket.socket]:
    """The sockets of this process that were accepted at this port, as duplicates that the caller closes."""
    for path in Path("/proc/self/fd").iterdir():
        try:
            if not path.is_socket():
                continue
            found = socket.socket(fileno=os.dup(int(path.name)))
        except OSError:
            continue  # it was closed meanwhile, or is no socket that Python can name
        try:
            found.getpeername()
            is_accepted = found.family == socket.AF_INET and found.getsockname()[1] == port
        except OSError:
            is_accepted = False
        if is_accepted:
            yield found
        else:
            found.close()


def test_an_accepted_connection_sends_small_answers_without_delay(server: Running) -> None:
    assert server.call("GET", "/api/v2/agent/").status == 200  # the pool keeps this connection open

    delays = []
    for accepted in find_accepted(urlsplit(server.url).port or 0):
        with accepted:
            delays.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    assert delays
    assert all(delays)


@pytest.mark.parametrize(
    ("words", "policy"),
    [
        ((), "enrolled"),
        (("--legacy", "off"), "off"),
        (("--legacy", "open"), "open"),
        (("--no-legacy-api",), "off"),
        (("--legacy-api",), "enrolled"),
        (("--legacy-api", "--legacy", "open"), "open"),
        (("--no-legacy-api", "--legacy", "off"), "off"),
    ],
)
def test_the_policy_of_cloudboot_v1_is_that_of_its_option_old_or_new(
    words: tuple[str, ...], policy: str
) -> None:
    legacy = words[words.index("--legacy") + 1] if "--legacy" in words else ""
    legacy_api = next((word == "--legacy-api" for word in words if word.endswith("legacy-api")), None)
    assert read_legacy(legacy, legacy_api) == policy


@pytest.mark.parametrize(("legacy", "legacy_api"), [("open", False), ("off", True), ("some", None)])
def test_a_policy_that_there_is_not_or_two_of_them_are_refused(legacy: str, legacy_api: bool | None) -> None:
    with pytest.raises(typer.BadParameter):
        read_legacy(legacy, legacy_api)


HERE = "from this host only (--operator-listen HOST:PORT)"


def build_settings(host: str, **more: Any) -> Settings:
    given = {"tls": Address(host, 8084), "operators": Address(host, 8443), **more}
    return Settings(data=Path("data"), host=host, **given)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (build_settings("10.0.0.1"), ""),
        (build_settings("fd00::1"), ""),
        (
            build_settings("127.0.0.1"),
            "listens on 127.0.0.1 only. Name an address of their network with --listen",
        ),
        (build_settings("127.0.0.1", public_url="http://boot.example"), ""),
        (
            build_settings("0.0.0.0"),
            "cannot reach http://0.0.0.0:8083: say how they reach",
        ),
        (build_settings("0.0.0.0", public_url="http://10.0.0.1:8083"), ""),
        (
            build_settings("10.0.0.1", tls=Address("127.0.0.1", 8084)),
            "over TLS, and get no secrets: it listens on 127.0.0.1:8084 only",
        ),
        (
            build_settings("10.0.0.1", tls=Address("127.0.0.1", 8084), public_tls_url="https://boot.example"),
            "",
        ),
        (build_settings("10.0.0.1", tls=None), ""),
    ],
)
def test_it_is_said_when_machines_cannot_reach_the_server(settings: Settings, said: str) -> None:
    found = find_unreachable(settings) or find_tls_unreachable(settings)
    assert said in found
    assert bool(found) == bool(said)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            build_settings("10.0.0.1"),
            [
                "machines reach this server at http://10.0.0.1:8083 and https://10.0.0.1:8084",
                "operators reach this server at https://10.0.0.1:8443",
            ],
        ),
        (
            build_settings("fd00::1", port=80, tls=Address("fd00::1", 443), operators=Address()),
            [
                "machines reach this server at http://[fd00::1] and https://[fd00::1]",
                f"operators reach this server at https://127.0.0.1:0, {HERE}",
            ],
        ),
        (
            build_settings("127.0.0.1"),
            [f"operators reach this server at https://127.0.0.1:8443, {HERE}"],
        ),
    ],
)
def test_all_addresses_are_told(settings: Settings, said: list[str]) -> None:
    assert describe_addresses(settings) == said


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_the_certificate_is_for_the_name_that_is_told_of_a_server_at_all_addresses(host: str) -> None:
    settings = build_settings("127.0.0.1", operators=Address(host, 8443))
    told = urlsplit(settings.operator_url).hostname
    assert told in [name.lower() for name in list_names(settings)]


@pytest.mark.parametrize(
    ("given", "effects"),
    [
        ({}, []),
        ({"enrol": "open"}, ["--enrol open gives jobs to everybody"]),
        ({"legacy": "open"}, ["--legacy open gives jobs to everybody"]),
        ({"plain_secrets": True}, ["--plain-secrets sends secrets over http"]),
        (
            {"enrol": "open", "plain_secrets": True},
            ["--enrol open gives jobs", "--plain-secrets sends secrets"],
        ),
    ],
)
def test_a_server_for_a_lab_says_at_its_start_what_each_of_its_options_does(
    tmp_path: Path, given: dict[str, Any], effects: list[str]
) -> None:
    sentence = find_trusting(Settings(data=tmp_path, **given))
    assert sentence.startswith("this is for a lab: ") == bool(effects)
    parts = sentence.removeprefix("this is for a lab: ").split("; ")
    for part, effect in zip(parts, effects or [""], strict=True):
        assert part.startswith(effect)
