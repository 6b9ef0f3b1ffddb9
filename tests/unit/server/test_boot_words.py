"""The words of a boot at the server: drawn of what it registers with over TLS, and of nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from securing import Secure, run_secure
from serving import INVENTORY, Agent, Running, run_in_thread
from sqlalchemy import select

from bootos.agent.host.cmdline import parse_cmdline
from bootos.agent.host.host import Host
from bootos.agent.network.trust import WrongAuthority
from bootos.agent.session.changeover import find_server
from bootos.agent.session.client import Unreachable
from bootos.drivers.contract import Machine
from bootos.server.app import open_context
from bootos.server.settings import Settings
from bootos.server.store.table import Boot
from bootos.server.tls.authority import Authority
from bootos.wire import v2
from bootos.wire.words import commit, draw_words

KEY = bytes(range(32))
ZERO = "0" * 64


@pytest.fixture
def secure(server: Running) -> Iterator[Secure]:
    secure = Secure(server)
    yield secure
    secure.close()


@pytest.fixture
def authority(server: Running) -> Authority:
    return server.context.authority


def ask_nonce(server: Running, boot_id: str = "boot-1", key: bytes = KEY) -> str:
    answer = server.call(
        "POST", "/api/v2/agent/key", {"boot_id": boot_id, "commitment": commit(boot_id, key)}
    )
    assert answer.status == 200, answer
    return str(answer.data["nonce"])


def read_boot(server: Running) -> Boot:
    with server.context.store.read() as session:
        return session.scalars(select(Boot)).one()


def test_the_greeting_offers_the_tls_end_and_its_ca(secure: Secure, authority: Authority) -> None:
    offer = secure.plain.call("GET", "/api/v2/agent/").data["tls"]
    assert offer == {"url": secure.url, "ca_sha256": authority.fingerprint}


def test_a_server_without_a_tls_end_offers_none(settings: Settings) -> None:
    server, stop = run_in_thread(msgspec.structs.replace(settings, tls=None))
    assert server.call("GET", "/api/v2/agent/").data["tls"] is None
    server.close()
    stop()


def test_both_ends_draw_the_same_words(secure: Secure, authority: Authority) -> None:
    nonce = ask_nonce(secure)
    agent = Agent(secure, key=KEY.hex(), ca_sha256=authority.fingerprint)
    assert agent.register().status == 200
    shown = draw_words(ca_sha256=authority.fingerprint, boot_id="boot-1", sn="SN001", key=KEY, nonce=nonce)
    boot = read_boot(secure)
    assert (boot.words, boot.secure) == (shown, True)


def test_a_commitment_always_gets_the_same_nonce(secure: Secure) -> None:
    assert ask_nonce(secure) == ask_nonce(secure)
    assert ask_nonce(secure) != ask_nonce(secure, key=KEY[::-1])
    assert ask_nonce(secure) != ask_nonce(secure, boot_id="boot-2")


def test_the_nonce_is_the_same_after_a_restart(settings: Settings) -> None:
    """A boot that registers again shows the words that it showed before."""
    keys = set()
    for _ in range(2):
        context = open_context(settings)
        keys.add(context.vault.derive_key("bootos nonce"))
        context.store.close()
    assert len(keys) == 1


def test_an_agent_that_saw_another_ca_shows_other_words(secure: Secure) -> None:
    """Somebody in the middle passes everything on but the certificate, and says what he likes of the CA."""
    nonce, other = ask_nonce(secure), "f" * 64
    assert Agent(secure, key=KEY.hex(), ca_sha256=other).register().status == 200
    seen = draw_words(ca_sha256=other, boot_id="boot-1", sn="SN001", key=KEY, nonce=nonce)
    assert read_boot(secure).words not in ("", seen)


def test_over_http_there_are_no_words_and_nothing_is_secure(secure: Secure, authority: Authority) -> None:
    ask_nonce(secure.plain)
    assert Agent(secure.plain, key=KEY.hex(), ca_sha256=authority.fingerprint).register().status == 200
    boot = read_boot(secure)
    assert (boot.words, boot.secure) == ("", False)


def test_an_agent_of_an_earlier_release_has_no_words(secure: Secure) -> None:
    assert Agent(secure).register().status == 200
    boot = read_boot(secure)
    assert (boot.words, boot.secure) == ("", True)


@pytest.mark.parametrize("more", [{"key": ZERO}, {"key": ""}, {}])
def test_who_says_the_boot_id_but_not_the_key_is_another_client(
    secure: Secure, authority: Authority, more: dict[str, Any]
) -> None:
    agent = Agent(secure, key=KEY.hex(), ca_sha256=authority.fingerprint)
    agent.register()
    words = read_boot(secure).words
    for end in (secure, secure.plain):
        answer = Agent(end, ca_sha256=authority.fingerprint, **more).register()
        assert answer.status == 409
        assert answer.data["retry_after_s"] > 0
    assert agent.order() is None, "its session goes on"
    assert read_boot(secure).words == words
    claims = secure.operate("GET", "/machines/SN001")["refused_claims"]
    assert [claim["boot_id"] for claim in claims] == ["boot-1"]


def test_the_same_boot_registers_again_and_keeps_its_words(secure: Secure, authority: Authority) -> None:
    """Its agent was started again."""
    for _ in range(2):
        answer = Agent(secure, key=KEY.hex(), ca_sha256=authority.fingerprint).register()
        assert answer.status == 200
    with secure.context.store.read() as session:
        assert len(session.scalars(select(Boot)).all()) == 1


@pytest.mark.parametrize("key", ["x", "0" * 63, "G" * 64, "0" * 65])
def test_a_key_that_is_none_is_refused_in_words(secure: Secure, key: str) -> None:
    answer = Agent(secure, key=key).register()
    assert answer.status == 422
    assert "boot key" in answer.data["error"]


@pytest.mark.parametrize(
    "body",
    [
        {"boot_id": "", "commitment": ZERO},
        {"boot_id": "b" * 129, "commitment": ZERO},
        {"boot_id": "b", "commitment": ""},
        {"boot_id": "b", "commitment": "Z" * 64},
    ],
)
def test_a_commitment_that_is_none_is_refused_in_words(server: Running, body: dict[str, str]) -> None:
    assert server.call("POST", "/api/v2/agent/key", body).status == 422


def test_while_one_ca_follows_the_other_both_draw_words(settings: Settings) -> None:
    from bootos.server.operation.words import draw_registered

    context = open_context(settings)
    with context.authority.rotating():
        pass
    drawn = []
    for fingerprint in context.authority.fingerprints:
        said = msgspec.convert(
            {
                "sn": "SN001",
                "boot_id": "boot-1",
                "agent_version": "",
                "inventory": INVENTORY,
                "key": KEY.hex(),
                "ca_sha256": fingerprint,
            },
            v2.Registration,
        )
        drawn.append(draw_registered(context, said, secure=True))
    context.store.close()
    assert "" not in drawn
    assert len(set(drawn)) == 2


def test_an_agent_that_saw_the_former_ca_goes_on_until_that_is_let_go_and_says_what_to_do_then(
    settings: Settings, tmp_path: Path
) -> None:
    with run_secure(settings) as secure:
        authority, line = secure.context.authority, f"SERVER_ADDR={secure.plain.url}"
        former = authority.fingerprint
        assert find_server(start_agent(tmp_path / "a", line), may_be_plain=False).client.ca_sha256 == former
        with authority.rotating():
            pass
        host = start_agent(tmp_path / "a", line)
        client = find_server(host, may_be_plain=False).client
        assert client.ca_sha256 == former != authority.fingerprint
        assert client.ask_nonce(v2.KeyCommitment(boot_id="boot-1", commitment=ZERO))
        with authority.finishing():
            pass
        assert host.http is not None
        host.http.clear()  # connections that are open go on
        with pytest.raises(Unreachable, match="boot this machine again"):
            client.greet()
        with pytest.raises(WrongAuthority) as refused:
            find_server(start_agent(tmp_path / "a", line), may_be_plain=True)
        assert "boot it again" in refused.value.hint
        next_boot = start_agent(tmp_path / "b", line)
        assert find_server(next_boot, may_be_plain=False).client.ca_sha256 == authority.fingerprint


def start_agent(root: Path, line: str) -> Host:
    """An agent that starts; the same root is the same boot."""
    host = Host(Machine(root=root), "boot-1")
    host.directory.mkdir(parents=True, exist_ok=True)
    host.cmdline = parse_cmdline(line)
    return host
