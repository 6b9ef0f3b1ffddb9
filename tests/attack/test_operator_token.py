"""The operator token goes to nobody who has not proved to be the server: not over http, where whoever is on the way
reads it, and not to another certificate."""

import http.server
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from certificate import Authority
from commanding import Desk, open_own_desk
from peer import Peer
from serving import Running
from webfiles import FileHandler, serve_files

from bootos.server.plane import build_elsewhere
from bootos.server.settings import Address, Settings

COMMANDS = (
    ("machine", "list"),
    ("machine", "confirm", "SN001"),
    ("enrol", "rule", "list"),
    ("template", "list"),
    ("job", "list"),
    ("job", "follow", "1"),
    ("pxe", "list"),
    ("pool", "list"),
    ("secret", "list"),
    ("support", "list"),
    ("image", "list"),
    ("ca", "show"),
    ("ca", "rotate"),
    ("health",),
    ("retention", "--dry-run"),
)


class Listening(FileHandler):
    """Takes a token of whoever sends one; answers as a server of an earlier release does."""

    seen: ClassVar[list[str]] = []
    status = http.HTTPStatus.UNAUTHORIZED

    def do_GET(self) -> None:
        type(self).seen.append(self.headers.get("Authorization") or "nothing")
        self.send_response(self.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[str]:
    """Somebody on the way to a server that is reached by http; this address is none of the loopback's names."""
    Listening.seen = []
    with serve_files(tmp_path, Listening) as url:
        yield url.replace("127.0.0.1", "[::ffff:127.0.0.1]")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk", {"BOOTOS_TOKEN": "the-token"})


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_that_means_the_machines_address_is_told_where_operators_go(
    server: Running, desk: Desk, words: tuple[str, ...]
) -> None:
    """A shell of yesterday: BOOTOS_SERVER=http://...:8083."""
    desk.environment["BOOTOS_SERVER"] = server.url
    said = desk.refuse(*words)
    assert f"operators reach the server at {server.operator_url}" in said
    assert "BOOTOS_SERVER" in said and "bootos login" in said


def test_it_is_told_so_without_a_token_too(server: Running, tmp_path: Path) -> None:
    said = Desk(tmp_path / "desk", {"BOOTOS_SERVER": server.url}).refuse("machine", "list")
    assert f"operators reach the server at {server.operator_url}" in said


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("10.0.0.1", ("bootos login https://10.0.0.1:8443",)),
        ("127.0.0.1", ("from its own host only", "--operator-listen HOST:PORT")),
    ],
)
def test_the_way_on_is_one_that_leads_there(tmp_path: Path, host: str, words: tuple[str, ...]) -> None:
    settings = Settings(data=tmp_path, operators=Address(host, 8443))
    said = build_elsewhere(settings, "/api/operator/machines")
    for part in (f"https://{host}:8443", "BOOTOS_SERVER", *words):
        assert part in f"{said.error} {said.hint}"


@pytest.mark.parametrize("words", [("machine", "list"), ("login",)], ids=" ".join)
def test_no_token_is_sent_over_http(listening: str, desk: Desk, words: tuple[str, ...]) -> None:
    more = (listening,) if words == ("login",) else ("--server", listening)
    said = desk.refuse(*words, *more)
    assert "is not encrypted" in said and "https" in said
    assert Listening.seen == ["nothing"]


def test_no_token_is_sent_to_whom_nobody_vouches_for(desk: Desk, tmp_path: Path) -> None:
    impostor = Peer(Authority("his").write(tmp_path / "his"))
    try:
        said = desk.refuse("machine", "list", "--server", impostor.url)
        assert "no authority that this host knows vouches for" in said
        assert impostor.queries == []
    finally:
        impostor.close()


@pytest.fixture
def own_desk(server: Running, tmp_path: Path) -> Desk:
    """On a server's own host, whose data directory has its token."""
    return open_own_desk(server, tmp_path / "own")


def test_the_token_of_a_data_directory_goes_to_no_other_server_that_this_host_vouches_for(
    own_desk: Desk, tmp_path: Path
) -> None:
    authority = Authority("the site's")
    other = Peer(authority.write(tmp_path / "other"))
    try:
        bundle = tmp_path / "bundle.pem"
        bundle.write_bytes(authority.chain)
        own_desk.environment["SSL_CERT_FILE"] = str(bundle)
        said = own_desk.refuse("machine", "list", "--server", other.url)
        assert f"bootos login {other.url}" in said and "--token-file" in said
        assert other.queries == []
    finally:
        other.close()


def test_the_token_of_a_data_directory_goes_to_nobody_else_on_the_loopback(
    own_desk: Desk, tmp_path: Path
) -> None:
    """Another user of this host listens there, and answers as a server of an earlier release."""
    Listening.seen = []
    with serve_files(tmp_path, Listening) as url:
        assert f"bootos login {url}" in own_desk.refuse("machine", "list", "--server", url)
    assert Listening.seen == ["nothing"]


def test_a_data_directory_on_which_no_server_runs_gives_its_token_to_nobody(
    own_desk: Desk, tmp_path: Path
) -> None:
    data = tmp_path / "yesterday"
    data.mkdir()
    (data / "operator.token").write_text("a-token-of-yesterday")
    Listening.seen = []
    with serve_files(tmp_path, Listening) as url:
        said = own_desk.refuse("machine", "list", "--server", url, "--data", str(data))
    assert str(data) in said and Listening.seen == ["nothing"]


def test_a_server_that_is_named_by_the_address_of_its_data_directory_gets_its_token(
    server: Running, own_desk: Desk
) -> None:
    assert "no machine" in own_desk.run("machine", "list", "--server", server.operator_url)
