"""What a rotation of the server's authority means to agents: those that were told of the former one, by the kernel
command line or by the greeting, in the overlap and after it."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from handclock import StillClock
from serving import Running, run_in_thread

from bootos.agent.hook.hook import run_given_hook
from bootos.agent.host.cmdline import parse_cmdline
from bootos.agent.host.host import Host
from bootos.agent.network.trust import WrongAuthority
from bootos.agent.search import wait_for_server
from bootos.agent.sequence import claim_session
from bootos.agent.session.changeover import find_server
from bootos.agent.session.client import Client, Unreachable
from bootos.drivers.contract import Machine
from bootos.drivers.firmware.download import fetched_package
from bootos.server.fault import ConflictError
from bootos.server.operation.audit import Actor
from bootos.server.operation.ca import Rotation, rotate
from bootos.server.settings import Settings
from bootos.server.store.table import Boot
from bootos.server.view.ca import list_left
from bootos.template.firmware import FirmwarePackage

SCRIPT = b"#!/bin/sh\ntouch $INVENTORY_FILE.seen\n"
OPERATOR = Actor()

Begin = Callable[..., tuple[Host, Client]]


@pytest.fixture
def rotating(settings: Settings) -> Iterator[Running]:
    """A server of its own, whose authority a test changes."""
    server, stop = run_in_thread(settings)
    (server.context.settings.files / "post.sh").write_bytes(SCRIPT)
    yield server
    server.close()
    stop()


def build_host(root: Path, server: Running, number: int, words: str = "") -> Host:
    host = Host(Machine(root=root), f"boot-{number}", clock=StillClock())
    host.directory.mkdir(parents=True)
    line = parse_cmdline(f"SERVER_ADDR={server.url} {words}")
    host.cmdline = msgspec.structs.replace(
        line, pxe_mac=f"52:54:00:00:00:{number:02x}", post=f"{server.url}/bootos/files/post.sh"
    )
    return host


@pytest.fixture
def begin(rotating: Running, tmp_path: Path) -> Begin:
    """Boots a machine until it is registered."""
    count = 0

    def boot(words: str = "") -> tuple[Host, Client]:
        nonlocal count
        count += 1
        host = build_host(tmp_path / f"machine-{count}", rotating, count, words)
        client = wait_for_server(host)
        assert client is not None
        claim_session(host, client, "10.0.2.15")
        return host, client

    return boot


def connect_anew(host: Host) -> None:
    """Its connections end, as they do when the server is started again."""
    assert host.http is not None
    host.http.clear()


def check_at_work(server: Running, host: Host, client: Client) -> None:
    """All that an agent does at its server, each over a connection that begins now."""
    connect_anew(host)
    assert client.fetch_order(0) is None
    connect_anew(host)
    assert client.fetch_layers() == []
    connect_anew(host)
    result = run_given_hook("POST", host, "7")
    assert result is not None and result.exit_code == 0
    connect_anew(host)
    package = FirmwarePackage(
        version="2", package=f"{server.url}/bootos/files/post.sh", sha256=hashlib.sha256(SCRIPT).hexdigest()
    )
    machine = Machine(root=host.machine.root, http=host.http)
    with fetched_package(machine, package) as path:
        assert path.read_bytes() == SCRIPT


def told(*prints: str) -> str:
    return f"SERVER_CA={','.join(f'sha256:{sha256}' for sha256 in prints)}"


def test_in_the_overlap_agents_of_both_authorities_go_on_and_new_ones_are_told_the_new(
    rotating: Running, begin: Begin
) -> None:
    old = rotating.context.authority.fingerprint
    before = [begin(), begin(told(old))]
    rotate(rotating.context, OPERATOR, Rotation())
    new = rotating.context.authority.fingerprint
    after = [begin(), begin(told(old)), begin(told(old, new)), begin(told(new))]
    for host, client in before + after:
        check_at_work(rotating, host, client)
    assert [client.ca_sha256 for _, client in before] == [old, old]
    assert [client.ca_sha256 for _, client in after] == [new, old, new, new]


def test_who_still_comes_by_the_former_authority_is_told_on_the_health_page(
    rotating: Running, begin: Begin
) -> None:
    old = rotating.context.authority.fingerprint
    rotate(rotating.context, OPERATOR, Rotation())
    begin()
    assert rotating.context.health.sentences() == []
    host, _ = begin(told(old))
    (said,) = rotating.context.health.sentences()
    assert said.what == "former authority"
    assert host.sn in said.detail and "--finish" in said.detail


def test_the_former_authority_is_not_let_go_while_machines_are_up_that_know_no_other(
    rotating: Running, begin: Begin
) -> None:
    first, _ = begin()
    second, _ = begin(told(rotating.context.authority.fingerprint))
    view = rotate(rotating.context, OPERATOR, Rotation())
    assert view.left == sorted([first.sn, second.sn])
    with pytest.raises(ConflictError) as refused:
        rotate(rotating.context, OPERATOR, Rotation(finish=True))
    assert first.sn in refused.value.message and second.sn in refused.value.message
    assert "--force" in refused.value.hint
    assert rotating.context.authority.former is not None
    view = rotate(rotating.context, OPERATOR, Rotation(finish=True, force=True))
    assert (view.former, view.left) == ("", [])


def test_a_machine_is_left_by_the_authority_that_its_boot_goes_by_and_not_by_when_it_came(
    rotating: Running, begin: Begin
) -> None:
    old = rotating.context.authority.fingerprint
    rotate(rotating.context, OPERATOR, Rotation())
    new = rotating.context.authority.fingerprint
    late, _ = begin(told(old))
    begin(told(new))
    begin(told(old, new))
    assert list_left(rotating.context) == [late.sn]
    with pytest.raises(ConflictError, match=late.sn):
        rotate(rotating.context, OPERATOR, Rotation(finish=True))


def test_of_a_boot_that_did_not_say_its_authority_the_time_tells(rotating: Running, begin: Begin) -> None:
    """As of agents before there were words, and of boots of an earlier release of the server."""
    before, _ = begin()
    rotate(rotating.context, OPERATOR, Rotation())
    with rotating.context.store.write() as session:
        for boot in session.query(Boot):
            boot.ca_sha256 = ""
            boot.started_at -= timedelta(minutes=1)
    after, _ = begin()
    assert list_left(rotating.context) == [before.sn]
    with rotating.context.store.write() as session:
        newest = session.query(Boot).order_by(Boot.id.desc()).first()
        assert newest is not None and newest.ca_sha256 == rotating.context.authority.fingerprint
        newest.ca_sha256, newest.started_at = "", newest.started_at + timedelta(minutes=1)
    assert after.sn not in list_left(rotating.context)


def test_a_machine_that_was_told_both_knows_the_server_by_the_new_one_and_goes_on_without_the_former(
    rotating: Running, begin: Begin
) -> None:
    old = rotating.context.authority.fingerprint
    rotate(rotating.context, OPERATOR, Rotation())
    new = rotating.context.authority.fingerprint
    begun = [begin(words) for words in (told(old, new), told(new, old))]
    assert rotating.context.health.sentences() == []
    rotate(rotating.context, OPERATOR, Rotation(finish=True, force=True))
    for host, client in begun:
        check_at_work(rotating, host, client)


def test_an_agent_that_was_told_both_and_is_started_again_keeps_what_its_boot_saw_first(
    rotating: Running, begin: Begin
) -> None:
    """Another authority would mean another key, and so another client."""
    old = rotating.context.authority.fingerprint
    following = "ab" * 32
    host, _ = begin(told(old, following))
    rotate(rotating.context, OPERATOR, Rotation())
    again = Host(Machine(root=host.machine.root), host.boot_id, clock=StillClock())
    again.cmdline = msgspec.structs.replace(
        host.cmdline, server_ca=(old, rotating.context.authority.fingerprint)
    )
    client = wait_for_server(again)
    assert client is not None and client.ca_sha256 == old


def test_afterwards_a_boot_that_knows_only_the_former_says_what_to_do_and_the_next_boot_goes_on(
    rotating: Running, begin: Begin, tmp_path: Path
) -> None:
    old = rotating.context.authority.fingerprint
    host, client = begin()
    rotate(rotating.context, OPERATOR, Rotation())
    in_between, its_client = begin()
    rotate(rotating.context, OPERATOR, Rotation(finish=True, force=True))
    new = rotating.context.authority.fingerprint
    connect_anew(host)
    with pytest.raises(Unreachable, match="boot this machine again"):
        client.fetch_order(0)
    started_again = Host(Machine(root=host.machine.root), host.boot_id, clock=StillClock())
    started_again.cmdline = host.cmdline
    with pytest.raises(WrongAuthority, match=f"sha256:{new}.*sha256:{old} is asked for"):
        find_server(started_again, may_be_plain=True)
    check_at_work(rotating, in_between, its_client)
    check_at_work(rotating, *begin())
    pinned = build_host(tmp_path / "pinned", rotating, 99, told(old))
    with pytest.raises(WrongAuthority, match=f"sha256:{new}.*sha256:{old} is asked for"):
        find_server(pinned, may_be_plain=True)
    check_at_work(rotating, *begin(told(old, new)))
