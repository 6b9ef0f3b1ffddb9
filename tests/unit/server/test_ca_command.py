"""`bootos ca` on the server's own host, and what a rotation means to commands elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from commanding import Desk, open_own_desk
from serving import Running, run_in_thread

from bootos.server.settings import Settings
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
    here.run("ca", "rotate")
    here.run("machine", "list")
    here.run("ca", "rotate", "--finish")
    here.run("machine", "list")


def test_the_authority_is_shown_by_words_fingerprint_and_file(rotating: Running, here: Desk) -> None:
    authority = rotating.context.authority
    shown = here.run("ca", "show")
    assert say_fingerprint(authority.fingerprint) in shown
    assert authority.fingerprint in shown
    assert rotating.tls_url in shown
    assert here.run("ca", "show", "--pem") == authority.pem
    said = msgspec.json.decode(here.run("ca", "show", "--json"))
    assert (said["fingerprint"], said["former"]) == (authority.fingerprint, "")
