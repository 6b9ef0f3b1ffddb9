"""`bootos ca` on the server's own host, and what a rotation means to commands elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from commanding import Desk, open_own_desk
from securing import Secure
from serving import Agent, Running, run_in_thread
from sqlalchemy import select
from typer.testing import CliRunner

from bootos.cli import build_app
from bootos.server.settings import Settings
from bootos.server.store.table import Audit
from bootos.wire.words import say_fingerprint


@pytest.fixture
def rotating(settings: Settings) -> Iterator[Running]:
    """A server of its own, whose authority a test changes."""
    server, stop = run_in_thread(settings)
    yield server
    server.close()
    stop()


@pytest.fixture
def here(rotating: Running, tmp_path: Path) -> Desk:
    return open_own_desk(rotating, tmp_path / "here")


@pytest.fixture
def there(rotating: Running, tmp_path: Path) -> Desk:
    """Another host, from which somebody has logged in."""
    desk = Desk(tmp_path / "there")
    desk.run(
        "login",
        "--fingerprint",
        rotating.context.authority.fingerprint,
        rotating.operator_url,
        input=f"{rotating.context.operator_token}\n",
    )
    return desk


def test_on_the_servers_own_host_commands_go_on_through_a_rotation_and_after_it(here: Desk) -> None:
    for words in (("ca", "rotate"), ("ca", "rotate", "--finish")):
        here.run(*words)
        assert "no machine" in here.run("machine", "list")


def test_the_authority_is_shown_by_words_fingerprint_and_file(rotating: Running, here: Desk) -> None:
    authority = rotating.context.authority
    shown = here.run("ca", "show")
    assert say_fingerprint(authority.fingerprint) in shown
    assert authority.fingerprint in shown
    assert rotating.tls_url in shown
    assert here.run("ca", "show", "--pem") == authority.pem
    said = msgspec.json.decode(here.run("ca", "show", "--json"))
    assert (said["fingerprint"], said["former"]) == (authority.fingerprint, "")


def test_a_rotation_says_what_is_to_be_done_before_it_is_finished(rotating: Running, here: Desk) -> None:
    former = rotating.context.authority.fingerprint
    said = here.run("ca", "rotate")
    new = rotating.context.authority.fingerprint
    for sha256 in (former, new):
        assert sha256 in said and say_fingerprint(sha256) in said
    assert "Before bootos ca rotate --finish" in said
    assert former in here.run("ca", "show")
    assert "there are two authorities already" in here.refuse("ca", "rotate")
    said = here.run("ca", "rotate", "--finish")
    assert new in said and former not in said
    assert "there is one authority only" in here.refuse("ca", "rotate", "--finish")
    with rotating.context.store.read() as session:
        audit = session.scalars(select(Audit).order_by(Audit.id)).all()
    assert [(row.action, row.subject) for row in audit] == [("ca.rotate", new), ("ca.finish", new)]


def list_audit(server: Running) -> list[tuple[str, str, str]]:
    with server.context.store.read() as session:
        audit = session.scalars(select(Audit).order_by(Audit.id)).all()
        return [(row.action, row.subject, row.detail) for row in audit]


def test_a_rotation_whose_files_cannot_be_written_changes_nothing_and_is_in_the_audit_log(
    rotating: Running, here: Desk
) -> None:
    old, directory = rotating.context.authority.fingerprint, rotating.context.settings.tls_directory
    away = directory.rename(directory.with_name("away"))
    said = here.refuse("ca", "rotate")
    assert "the authority was not changed: No such file or directory" in said and "try again" in said
    assert list_audit(rotating) == [
        ("ca.rotate", old, "the authority was not changed: No such file or directory")
    ]
    assert [note.what for note in rotating.context.health.sentences()] == ["certificate"]
    away.rename(directory)
    here.run("ca", "rotate")
    assert rotating.context.authority.fingerprints[1:] == [old]


def test_a_rotation_of_which_a_file_is_left_says_so_and_goes_on_from_there(
    rotating: Running, here: Desk
) -> None:
    authority, served = rotating.context.authority, rotating.context.settings.tls_directory / "server.pem"
    served.unlink()
    served.mkdir()
    answer = rotating.refuse("POST", "/ca/rotate", {})
    assert answer.status == 507
    assert "was changed, but not all of its files" in answer.data["error"]
    assert "start the server again" in answer.data["hint"]
    new = authority.fingerprint
    assert [(action, subject) for action, subject, _ in list_audit(rotating)] == [("ca.rotate", new)] * 2
    served.rmdir()
    assert "there was none" in authority.renew()
    assert "no machine" in here.run("machine", "list")


def test_a_machine_that_is_up_and_knows_only_the_former_is_shown_and_keeps_it_from_being_let_go(
    rotating: Running, here: Desk
) -> None:
    secure = Secure(rotating)
    assert Agent(secure, sn="SN007").register().status == 200
    secure.close()
    assert "SN007" in here.run("ca", "rotate")
    assert "machines with the former  1: SN007" in here.run("ca", "show")
    assert "only the former authority: SN007" in here.refuse("ca", "rotate", "--finish")
    said = here.run("ca", "rotate", "--finish", "--force")
    assert "SN007" not in said and "The former authority is gone" in said


def test_force_means_something_with_finish_only(here: Desk) -> None:
    ended = CliRunner(env=here.environment).invoke(build_app(["ca"]), ["ca", "rotate", "--force"])
    assert ended.exit_code == 2
    assert "--finish" in ended.output


def test_whoever_logged_in_before_goes_on_and_logs_in_to_the_new_authority_without_a_question(
    rotating: Running, here: Desk, there: Desk
) -> None:
    here.run("ca", "rotate")
    assert "no machine" in there.run("machine", "list")
    assert "logged in" in there.run("login", rotating.operator_url)
    here.run("ca", "rotate", "--finish")
    assert "no machine" in there.run("machine", "list")


def test_whoever_missed_the_rotation_is_told_so_and_has_to_compare(
    rotating: Running, here: Desk, there: Desk
) -> None:
    here.run("ca", "rotate")
    here.run("ca", "rotate", "--finish")
    said = there.refuse("machine", "list")
    assert "is not the server that was pinned" in said and f"bootos login {rotating.operator_url}" in said
    said = there.refuse("login", rotating.operator_url, "--yes")
    assert "nobody answered" in said and "--yes" not in said, "another one is not taken unseen"
    there.run("login", rotating.operator_url, input="y\n")
    there.run("machine", "list")
