"""How the server is started: its policy of Cloudboot v1, its listening socket, and what connections inherit from it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import typer
from serving import Running

from bootos.server.command.serve import read_legacy


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
