"""`bootos login` from another host: the authority is shown, compared and pinned; what goes wrong says what to do."""

import datetime as dt
from pathlib import Path

import msgspec
import pytest
from certificate import Authority
from commanding import Desk, open_own_desk
from serving import Running, run_in_thread
from typer.testing import CliRunner

from bootos.cli import build_app
from bootos.server.settings import Settings
from bootos.wire.words import say_fingerprint


@pytest.fixture
def there(tmp_path: Path) -> Desk:
    """A host that knows nothing of the server."""
    return Desk(tmp_path / "there")


def with_token(desk: Desk, server: Running) -> Desk:
    desk.environment["BOOTOS_TOKEN"] = server.context.operator_token
    return desk


def read_kept(home: Path) -> dict[str, object]:
    kept: dict[str, object] = msgspec.json.decode((home / "bootos/logins.json").read_bytes())
    return kept


def test_the_authority_is_shown_pinned_and_kept_with_the_token_for_this_user_alone(
    server: Running, there: Desk, tmp_path: Path
) -> None:
    url, authority = server.operator_url, server.context.authority
    answers = f"y\n{server.context.operator_token}\n"
    ended = CliRunner(env=there.environment).invoke(build_app(["login"]), ["login", url], input=answers)
    assert ended.exit_code == 0, ended.output
    assert say_fingerprint(authority.fingerprint) in ended.output and authority.fingerprint in ended.output
    assert "bootos ca show" in ended.output
    assert "Warning" not in ended.output
    file = tmp_path / "there/bootos/logins.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_kept(tmp_path / "there")["last"] == url
    assert "no machine" in there.run("machine", "list")


def test_who_does_not_say_yes_is_not_logged_in(server: Running, there: Desk, tmp_path: Path) -> None:
    assert "not logged in" in there.refuse("login", server.operator_url, input="n\n")
    assert not (tmp_path / "there/bootos").exists()


def test_a_script_names_the_fingerprint_or_takes_what_is_shown(server: Running, tmp_path: Path) -> None:
    url, sha256 = server.operator_url, server.context.authority.fingerprint
    for words in (["--fingerprint", f"sha256:{sha256.upper()}"], ["--yes"]):
        desk = with_token(Desk(tmp_path / words[0].strip("-")), server)
        said = msgspec.json.decode(desk.run("login", url, *words, "--json"))
        assert (said["url"], said["fingerprint"]) == (url, sha256)
        desk.run("machine", "list")


def test_a_script_that_does_not_say_so_is_told_how(server: Running, there: Desk) -> None:
    said = there.refuse("login", server.operator_url)
    assert "--fingerprint" in said and "--yes" in said
    said = there.refuse("login", server.operator_url, "--yes")
    assert "--token-file" in said and "BOOTOS_TOKEN" in said


def test_another_fingerprint_and_a_wrong_token_are_refused(
    server: Running, there: Desk, tmp_path: Path
) -> None:
    said = there.refuse("login", server.operator_url, "--fingerprint", "0" * 64)
    assert server.context.authority.fingerprint in said and "somebody may be in between" in said
    said = there.refuse("login", server.operator_url, "--yes", input="wrong\n")
    assert "the operator token is wrong" in said
    assert not (tmp_path / "there/bootos").exists()


def test_the_addresses_of_machines_tell_the_operators(server: Running, there: Desk) -> None:
    for url in (server.url, server.tls_url):
        assert server.operator_url in there.refuse("login", url, "--yes")
        assert server.operator_url in there.refuse("machine", "list", "--server", server.url)


def test_an_address_without_tls_is_told_from_one_that_is_not_believed(server: Running, there: Desk) -> None:
    plain = server.url.replace("http:", "https:")
    said = there.refuse("login", plain)
    assert "does not speak TLS" in said and "--operator-listen" in said
    with_token(there, server)
    assert "does not speak TLS" in there.refuse("machine", "list", "--server", plain)
    said = there.refuse("machine", "list", "--server", server.operator_url)
    assert "no authority that this host knows" in said and f"bootos login {server.operator_url}" in said
    said = there.refuse("machine", "list", "--server", server.operator_url.replace("https:", "http:"))
    assert "https://HOST:8443" in said


def run_with(settings: Settings, authority: Authority, directory: Path, *hosts: str) -> Settings:
    cert, key = authority.write(directory, *hosts)
    return msgspec.structs.replace(settings, tls_cert=cert, tls_key=key)


def test_a_certificate_that_is_over_says_so_everywhere_and_the_server_goes_on(
    settings: Settings, there: Desk, tmp_path: Path
) -> None:
    old = Authority(start=dt.datetime(2020, 1, 1, tzinfo=dt.UTC), days=30)
    server, stop = run_in_thread(run_with(settings, old, tmp_path / "site"))
    try:
        assert server.call("GET", "/api/v2/agent/").status == 200
        for said in (
            there.refuse("login", server.operator_url, "--yes"),
            open_own_desk(server, tmp_path / "here").refuse("ca", "show"),
        ):
            assert "is over" in said and "--tls-cert" in said
        sentences = server.context.health.sentences()
        assert [sentence.what for sentence in sentences] == ["certificate"]
        assert "certificate 1 of" in sentences[0].detail and "since 2020-01-31" in sentences[0].detail
    finally:
        server.close()
        stop()


def test_a_certificate_for_another_name_says_so_and_is_no_hindrance_on_the_servers_own_host(
    settings: Settings, there: Desk, tmp_path: Path
) -> None:
    server, stop = run_in_thread(run_with(settings, Authority(), tmp_path / "site", "boot.example"))
    try:
        said = there.refuse("login", server.operator_url, "--yes")
        assert "is not for that name" in said and "--tls-name" in said
        open_own_desk(server, tmp_path / "here").run("ca", "show")
    finally:
        server.close()
        stop()
