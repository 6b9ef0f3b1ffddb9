"""From SERVER_ADDR to the server that is registered with, against servers with real TLS on the loopback."""

import configparser
import contextlib
import datetime
import hashlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from certificate import START, Authority
from handclock import StillClock
from middle import Middle
from peer import SERVER_KEY, Peer

from bootos.agent.hardware_layer import ask_for_layers, lay_in
from bootos.agent.hook.hook import run_given_hook
from bootos.agent.host.cmdline import Cmdline, parse_cmdline
from bootos.agent.host.host import Host, build_hook_environment
from bootos.agent.job.job import build_machine
from bootos.agent.main import find_http
from bootos.agent.network.trust import (
    HANDSHAKE_TIMEOUT_S,
    IMAGE_FILE,
    TlsUnreachable,
    WrongAuthority,
    choose_offered_url,
    find_trust,
)
from bootos.agent.search import wait_for_server
from bootos.agent.sequence import claim_session, set_up_repositories
from bootos.agent.session.bootkey import draw_for, read_boot_key
from bootos.agent.session.changeover import find_server
from bootos.agent.session.client import Client, Unreachable
from bootos.agent.session.progress import Progress
from bootos.agent.session.reporter import Reporter
from bootos.drivers.contract import Machine
from bootos.drivers.firmware.download import fetched_package
from bootos.engine.run import Past
from bootos.fetch import FetchError
from bootos.template.firmware import FirmwarePackage
from bootos.wire import v2
from bootos.wire.inventory import Inventory, System
from bootos.wire.words import build_nonce, commit, draw_words

Make = Callable[..., Peer]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Peers over TLS, with a certificate by the given CA."""
    peers: list[Peer] = []

    def build(authority: Authority, *hosts: str, with_ca: bool = True) -> Peer:
        place = tmp_path / f"server-{len(peers)}"
        peers.append(Peer(authority.write(place, *hosts, with_ca=with_ca)))
        return peers[-1]

    yield build
    for peer in peers:
        peer.close()


@pytest.fixture
def host(tmp_path: Path, peer: Peer, caplog: pytest.LogCaptureFixture) -> Host:
    caplog.set_level(logging.INFO, "bootos")
    return boot(tmp_path / "machine", f"SERVER_ADDR={peer.url}")


def boot(root: Path, line: str) -> Host:
    """A machine whose agent starts; the same root is the same boot."""
    host = Host(Machine(root=root), "boot-1", clock=StillClock())
    host.directory.mkdir(parents=True, exist_ok=True)
    host.cmdline = msgspec.structs.replace(parse_cmdline(line), pxe_mac="52:54:00:00:00:01")
    return host


def offer(peer: Peer, secure: Peer, authority: Authority) -> None:
    peer.tls = v2.TlsOffer(url=secure.url, ca_sha256=authority.fingerprint)


def enter(host: Host) -> Client:
    """As `sequence.run`, up to the registration."""
    client = wait_for_server(host)
    assert client is not None
    claim_session(host, client, "10.0.2.15")
    return client


def begin_job(host: Host, peer: Peer) -> Machine:
    """The machine as the drivers of a job get it."""
    progress = Progress(Reporter(Client(peer.url), host.boot_id, lambda: None), "7", host.status)
    return build_machine(v2.Order(job_id="7"), host, Past(), progress)


def draw_at_server(peer: Peer, ca_sha256: str) -> str:
    said = peer.registered[-1]
    key = bytes.fromhex(said.key)
    nonce = build_nonce(SERVER_KEY, said.boot_id, commit(said.boot_id, key))
    return draw_words(ca_sha256=ca_sha256, boot_id=said.boot_id, sn=said.sn, key=key, nonce=nonce)


def test_an_agent_that_came_by_http_changes_over_before_it_registers(
    host: Host, peer: Peer, make: Make, authority: Authority
) -> None:
    secure = make(authority)
    offer(peer, secure, authority)
    client = enter(host)
    assert client.server_addr == secure.url
    assert (peer.registrations, secure.registrations) == (0, 1)
    assert peer.queries == ["/"]
    assert host.status.view.server == secure.url


def test_console_and_server_show_the_same_words(
    host: Host, peer: Peer, make: Make, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    secure = make(authority)
    offer(peer, secure, authority)
    enter(host)
    shown = draw_at_server(secure, authority.fingerprint)
    assert host.status.view.words == shown
    assert len(shown.split()) == 4
    assert f"the words of this boot are: {shown}" in caplog.text
    assert secure.registered[-1].ca_sha256 == authority.fingerprint


def test_an_agent_that_is_started_again_shows_the_same_words(
    tmp_path: Path, host: Host, peer: Peer, make: Make, authority: Authority
) -> None:
    secure = make(authority)
    offer(peer, secure, authority)
    enter(host)
    again = boot(tmp_path / "machine", f"SERVER_ADDR={peer.url}")
    enter(again)
    assert again.status.view.words == host.status.view.words
    first, second = secure.registered
    assert first.key == second.key
    assert [query for query in secure.queries if query == "/key"] == ["/key"], "one nonce for one key"


def test_the_boot_key_is_for_root_alone(host: Host, peer: Peer, make: Make, authority: Authority) -> None:
    secure = make(authority)
    offer(peer, secure, authority)
    enter(host)
    assert (host.directory / "boot-key.json").stat().st_mode & 0o777 == 0o600


def test_a_man_in_the_middle_of_the_first_step_makes_other_words(
    host: Host, make: Make, authority: Authority, tmp_path: Path
) -> None:
    """He passes everything on, and offers his own TLS end with his own CA; both ends are content."""
    real, his = make(authority), Authority("his")
    with Middle(real.url, his, tmp_path / "middle") as middle:
        middle_host = boot(tmp_path / "victim", f"SERVER_ADDR={middle.plain_url}")
        client = enter(middle_host)
        assert client.server_addr == middle.tls_url
        assert real.registrations == 1
        shown, drawn = middle_host.status.view.words, draw_at_server(real, authority.fingerprint)
        assert len(shown.split()) == len(drawn.split()) == 4
        assert shown != drawn


def test_a_man_in_the_middle_is_refused_where_the_ca_was_told(
    make: Make, authority: Authority, tmp_path: Path
) -> None:
    real, his = make(authority), Authority("his")
    with Middle(real.url, his, tmp_path / "middle") as middle:
        line = f"SERVER_ADDR={middle.plain_url} SERVER_CA=sha256:{authority.fingerprint}"
        with pytest.raises(WrongAuthority) as caught:
            find_server(boot(tmp_path / "victim", line), may_be_plain=True)
    assert f"sha256:{his.fingerprint}" in str(caught.value)
    assert f"sha256:{authority.fingerprint} is asked for" in str(caught.value)
    assert real.queries == ["/"], "the greeting"


def test_who_sends_the_servers_ca_but_not_its_signature_is_refused(
    make: Make, authority: Authority, tmp_path: Path
) -> None:
    """The CA certificate is no secret: a chain with it in proves nothing."""
    his = Authority("his")
    chain, key = his.write(tmp_path / "his")
    chain.write_bytes(chain.read_bytes() + authority.pem)
    impostor = Peer((chain, key))
    try:
        with pytest.raises(WrongAuthority, match="not good by it"):
            find_trust(impostor.url, (authority.fingerprint,))
    finally:
        impostor.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_server_of_the_told_ca_is_registered_with(
    scheme: str, peer: Peer, make: Make, authority: Authority, tmp_path: Path
) -> None:
    secure = make(authority)
    offer(peer, secure, Authority("what a greeting says does not count"))
    addr = peer.url if scheme == "http" else secure.url
    host = boot(tmp_path / "machine", f"SERVER_ADDR={addr} SERVER_CA=sha256:{authority.fingerprint.upper()}")
    assert host.cmdline.problems == ()
    enter(host)
    assert (peer.registrations, secure.registrations) == (0, 1)
    assert host.status.view.words == draw_at_server(secure, authority.fingerprint)


def test_the_images_ca_counts_as_a_told_one(
    peer: Peer, make: Make, authority: Authority, tmp_path: Path
) -> None:
    secure = make(authority)
    offer(peer, secure, authority)
    file = tmp_path / "machine" / IMAGE_FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(Authority("the next").pem + authority.pem)
    enter(boot(tmp_path / "machine", f"SERVER_ADDR={peer.url}"))
    assert secure.registrations == 1
    file.write_bytes(Authority("another").pem)
    with pytest.raises(WrongAuthority):
        find_server(boot(tmp_path / "machine", f"SERVER_ADDR={peer.url}"), may_be_plain=True)
    file.write_text("not a certificate")
    with pytest.raises(WrongAuthority, match="no certificate in /etc/bootos/server-ca"):
        find_server(boot(tmp_path / "machine", f"SERVER_ADDR={peer.url}"), may_be_plain=True)


@pytest.mark.parametrize("word", ["sha256:12", "md5:00", "x", "sha256:"])
def test_a_ca_that_cannot_be_read_is_said_and_trusts_nobody(
    word: str, peer: Peer, make: Make, authority: Authority, tmp_path: Path
) -> None:
    secure = make(authority)
    offer(peer, secure, authority)
    host = boot(tmp_path / "machine", f"SERVER_ADDR={peer.url} SERVER_CA={word}")
    assert [problem.path for problem in host.cmdline.problems] == ["SERVER_CA"]
    with pytest.raises(WrongAuthority):
        find_server(host, may_be_plain=True)
    assert peer.registrations == secure.registrations == 0


def test_the_machines_clock_does_not_judge_a_pinned_ca(peer: Peer, make: Make, tmp_path: Path) -> None:
    """Certificates that are over, and such as have not begun, are what a clock of 2046 or 2003 sees."""
    for start in (START - datetime.timedelta(days=9000), START + datetime.timedelta(days=9000)):
        other = Authority(start=start, days=30)
        secure = make(other)
        offer(peer, secure, other)
        host = boot(tmp_path / f"machine-{start.year}", f"SERVER_ADDR={peer.url}")
        enter(host)
        assert host.status.view.words == draw_at_server(secure, other.fingerprint)


def test_a_servers_own_ca_is_good_for_whatever_address_it_is_reached_by(
    peer: Peer, make: Make, tmp_path: Path
) -> None:
    own = Authority(organization="BootOS")
    secure = make(own, "10.9.9.9")
    offer(peer, secure, own)
    enter(boot(tmp_path / "machine", f"SERVER_ADDR={peer.url}"))
    assert secure.registrations == 1


def test_a_sites_ca_vouches_for_the_names_in_a_certificate_alone(
    peer: Peer, make: Make, authority: Authority
) -> None:
    elsewhere = make(authority, "10.9.9.9")
    with pytest.raises(WrongAuthority, match="not good by it"):
        find_trust(elsewhere.url, (authority.fingerprint,))


def test_a_tls_end_that_cannot_be_reached_is_said_and_done_without(
    host: Host, peer: Peer, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    peer.tls = v2.TlsOffer(url=f"https://127.0.0.1:{port}", ca_sha256=authority.fingerprint)
    enter(host)
    assert caplog.text.count("waiting for the server: the TLS end") == 3
    assert f"not over TLS: the TLS end https://127.0.0.1:{port} cannot be reached" in caplog.text
    assert "gets no secrets" in caplog.text
    assert (peer.registered[-1].key, host.status.view.words) == ("", "")


def test_an_offered_host_name_that_is_none_is_a_tls_end_that_cannot_be_reached(
    host: Host, peer: Peer, authority: Authority
) -> None:
    peer.tls = v2.TlsOffer(url=f"https://{'a' * 70}.example", ca_sha256=authority.fingerprint)
    enter(host)
    assert peer.registrations == 1


def test_a_tls_end_that_says_nothing_takes_no_longer_than_the_whole_try_may(
    host: Host, peer: Peer, authority: Authority
) -> None:
    """A handshake alone may take twice as long as the silent end waits here until the agent has gone."""
    gone = threading.Event()

    def stay_silent(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(TimeoutError):
            connection.settimeout(HANDSHAKE_TIMEOUT_S / 2)
            while connection.recv(4096):
                pass
            gone.set()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(HANDSHAKE_TIMEOUT_S)
        thread = threading.Thread(target=stay_silent, args=(silent,))
        thread.start()
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        peer.tls = v2.TlsOffer(url=url, ca_sha256=authority.fingerprint)
        with pytest.raises(TlsUnreachable, match="cannot be reached"):
            find_server(host, may_be_plain=False, deadline_s=0.5)
        thread.join(2 * HANDSHAKE_TIMEOUT_S)
    assert gone.is_set()


def test_a_told_ca_is_never_done_without(
    host: Host, peer: Peer, authority: Authority, tmp_path: Path
) -> None:
    line = f"SERVER_ADDR={peer.url} SERVER_CA=sha256:{authority.fingerprint}"
    with pytest.raises(TlsUnreachable, match="offers no TLS end"):
        find_server(boot(tmp_path / "a", line), may_be_plain=True)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    peer.tls = v2.TlsOffer(url=f"https://127.0.0.1:{port}", ca_sha256=authority.fingerprint)
    with pytest.raises(TlsUnreachable, match="cannot be reached"):
        find_server(boot(tmp_path / "b", line), may_be_plain=True)
    assert peer.registrations == 0


def test_a_boot_that_was_over_tls_stays_there(
    tmp_path: Path, host: Host, peer: Peer, make: Make, authority: Authority
) -> None:
    """Its agent is started again, and somebody offers nothing, or his own end, meanwhile."""
    secure = make(authority)
    offer(peer, secure, authority)
    enter(host)
    peer.tls = None
    with pytest.raises(TlsUnreachable):
        find_server(boot(tmp_path / "machine", f"SERVER_ADDR={peer.url}"), may_be_plain=True)
    his = Authority("his")
    offer(peer, make(his), his)
    with pytest.raises(WrongAuthority):
        find_server(boot(tmp_path / "machine", f"SERVER_ADDR={peer.url}"), may_be_plain=True)


def test_a_server_of_an_earlier_release_is_registered_with_over_http(
    host: Host, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    peer.answers["/"] = [(200, {"protocol": 2, "server": "bootos 0.1.0"})]
    enter(host)
    assert peer.registrations == 1
    assert "not over TLS: the server offers no TLS end" in caplog.text


def test_a_server_that_does_not_know_of_words_is_registered_with_all_the_same(
    host: Host, peer: Peer, make: Make, authority: Authority
) -> None:
    secure = make(authority)
    offer(peer, secure, authority)
    secure.answers["/key"] = [(404, {"error": "not found"})]
    enter(host)
    assert (secure.registered[-1].key, host.status.view.words) == ("", "")


def test_a_server_by_https_that_no_authority_of_the_image_vouches_for_is_said_with_the_way_on(
    make: Make, authority: Authority, tmp_path: Path
) -> None:
    secure = make(authority)
    with pytest.raises(Unreachable, match="no authority of this image vouches for") as caught:
        find_server(boot(tmp_path / "machine", f"SERVER_ADDR={secure.url}"), may_be_plain=True)
    assert "SERVER_CA=sha256:" in caught.value.hint
    assert secure.queries == []


def test_hooks_packages_and_repositories_of_the_server_follow(
    host: Host, peer: Peer, make: Make, authority: Authority
) -> None:
    """Their addresses are those of the http server, which nobody asks any more."""
    secure = make(authority)
    offer(peer, secure, authority)
    script = b"#!/bin/sh\necho $SERVER_ADDR $SERVER_TLS > $INVENTORY_FILE.seen\ncat $SERVER_CA_FILE\n"
    secure.files = {"/bootos/files/post.sh": script, "/bootos/files/bios.bin": b"bios"}
    host.cmdline = msgspec.structs.replace(
        host.cmdline,
        post=f"{peer.url}/bootos/files/post.sh",
        repositories=(f"{peer.url}/repo", "http://10.9.9.9/repo"),
    )
    enter(host)
    result = run_given_hook("POST", host, "7")
    assert result is not None
    assert result.exit_code == 0
    seen = (host.directory / "inventory.json.seen").read_text()
    assert seen.split() == [peer.url, secure.url]
    package = FirmwarePackage(
        version="2", package=f"{peer.url}/bootos/files/bios.bin", sha256=hashlib.sha256(b"bios").hexdigest()
    )
    with fetched_package(begin_job(host, peer), package) as path:
        assert path.read_bytes() == b"bios"
    set_up_repositories(host)
    own, other = ((host.machine.root / f"etc/yum.repos.d/cmdline-{n}.repo").read_text() for n in (1, 2))
    assert f"baseurl={secure.url}/repo\n" in own
    assert f"sslcacert={host.directory}/server-ca.pem\n" in own
    assert ("baseurl=http://10.9.9.9/repo\n" in other, "sslcacert" in other) == (True, False)
    assert ssl.PEM_cert_to_DER_cert((host.directory / "server-ca.pem").read_text()) == authority.der
    assert peer.queries == ["/"]


def test_by_hand_a_package_of_the_server_comes_from_the_tls_end_of_the_boot(
    host: Host, peer: Peer, make: Make, authority: Authority
) -> None:
    """`bootos-agent apply FILE` at the shell, whichever of the server's addresses the template names."""
    secure = make(authority)
    offer(peer, secure, authority)
    secure.files = {"/bootos/files/bios.bin": b"bios"}
    root = host.machine.root
    (root / "proc").mkdir()
    (root / "proc/cmdline").write_text(f"SERVER_ADDR={peer.url}\n")
    assert find_http(root) is None, "the service has not found its server yet"
    enter(host)
    for url in (peer.url, secure.url):
        package = FirmwarePackage(
            version="2", package=f"{url}/bootos/files/bios.bin", sha256=hashlib.sha256(b"bios").hexdigest()
        )
        with fetched_package(Machine(root=root, http=find_http(root)), package) as path:
            assert path.read_bytes() == b"bios"
    assert peer.queries == ["/"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_repository_at_the_servers_tls_end_is_verified_by_its_ca(
    scheme: str, peer: Peer, make: Make, authority: Authority, tmp_path: Path
) -> None:
    """Whichever of the server's addresses the kernel command line has."""
    secure = make(authority)
    offer(peer, secure, authority)
    addr = peer.url if scheme == "http" else secure.url
    line = f"SERVER_ADDR={addr} SERVER_CA=sha256:{authority.fingerprint} REPO={secure.url}/repo"
    host = boot(tmp_path / "machine", line)
    enter(host)
    set_up_repositories(host)
    text = (host.machine.root / "etc/yum.repos.d/cmdline-1.repo").read_text()
    assert f"baseurl={secure.url}/repo\n" in text
    assert f"sslcacert={host.directory}/server-ca.pem\n" in text


def test_what_a_repo_file_names_at_the_server_follows(
    host: Host, peer: Peer, make: Make, authority: Authority
) -> None:
    secure = make(authority)
    offer(peer, secure, authority)
    text = f"""# of {peer.url}/hw.repo
[own]
#baseurl = https://repo.example/a
baseurl = {peer.url}/a/$basearch
    {peer.url}/b
gpgkey = {peer.url}/key
[other]
baseurl = http://10.9.9.9/repo
[verified]
baseurl = {peer.url}/c
sslcacert = /etc/site.pem
[mixed]
baseurl = https://repo.example/d
gpgkey = {peer.url}/key
"""
    secure.files = {"/hw.repo": text.encode()}
    host.cmdline = msgspec.structs.replace(host.cmdline, repositories=(f"{peer.url}/hw.repo",))
    enter(host)
    set_up_repositories(host)
    found = configparser.ConfigParser(interpolation=None)
    found.read_string((host.machine.root / "etc/yum.repos.d/cmdline-1.repo").read_text())
    ca_file = f"{host.directory}/server-ca.pem"
    assert {name: dict(found[name]) for name in found.sections()} == {
        "own": {
            "sslcacert": ca_file,
            "baseurl": f"{secure.url}/a/$basearch\n{secure.url}/b",
            "gpgkey": f"{secure.url}/key",
        },
        "other": {"baseurl": "http://10.9.9.9/repo"},
        "verified": {"baseurl": f"{secure.url}/c", "sslcacert": "/etc/site.pem"},
        "mixed": {"baseurl": "https://repo.example/d", "gpgkey": f"{peer.url}/key"},
    }
    assert peer.queries == ["/"]


def test_a_server_of_cloudboot_v1_over_tls_is_verified_by_hooks_and_dnf_as_by_the_agent(
    make: Make, authority: Authority, tmp_path: Path
) -> None:
    secure = make(authority)
    secure.answers["/"] = [(404, None)]
    secure.answers["/api/osinstall/v1/device/isInInstallList"] = [(200, {"Status": "success"})]
    line = f"SERVER_ADDR={secure.url} SERVER_CA=sha256:{authority.fingerprint} REPO={secure.url}/repo"
    host = boot(tmp_path / "machine", line)
    host.inventory = Inventory(collected_at="now", system=System(serial="SN001"))
    assert wait_for_server(host) is None, "it is one of v1"
    set_up_repositories(host)
    ca_file = Path(build_hook_environment(host, None)["SERVER_CA_FILE"])
    assert ssl.PEM_cert_to_DER_cert(ca_file.read_text()) == authority.der
    assert f"sslcacert={ca_file}\n" in (host.machine.root / "etc/yum.repos.d/cmdline-1.repo").read_text()


def test_layers_of_the_server_follow(host: Host, peer: Peer, make: Make, authority: Authority) -> None:
    secure = make(authority)
    offer(peer, secure, authority)
    path = "layers/igb.squashfs"
    layer = v2.LayerOffer(
        name="igb", path=path, size_bytes=4, sha256=hashlib.sha256(b"igb?").hexdigest(), pci_ids=[]
    )
    secure.answers["/layers"] = [(200, [layer])]
    secure.files[f"/bootos/{path}"] = b"igb!"
    client = enter(host)
    assert ask_for_layers(client) == [layer]
    with pytest.raises(FetchError, match="nothing of it was used"):
        lay_in(host, client.server_addr, layer)
    assert f"/bootos/{path}" in secure.queries
    assert peer.queries == ["/"]


@pytest.mark.parametrize(
    ("url", "addr", "chosen"),
    [
        ("https://10.0.0.1:8084", "http://10.0.0.1:8083", "https://10.0.0.1:8084"),
        ("https://boot.example/", "http://10.0.0.1", "https://boot.example"),
        ("https://0.0.0.0:8084", "http://10.0.0.1:8083", "https://10.0.0.1:8084"),
        ("https://127.0.0.1:8084", "http://boot.example:8083", "https://boot.example:8084"),
        ("https://[::]:8084", "http://10.0.0.1", "https://10.0.0.1:8084"),
        ("https://localhost:8084", "http://10.0.0.1", "https://10.0.0.1:8084"),
        ("https://127.0.0.1:8084", "http://127.0.0.1:8083", "https://127.0.0.1:8084"),
        ("https://10.0.0.1:443", "http://10.0.0.1", "https://10.0.0.1"),
        ("http://10.0.0.1:8084", "http://10.0.0.1", None),
        ("https://a@10.0.0.1", "http://10.0.0.1", None),
        ("https://10.0.0.1/x", "http://10.0.0.1", None),
        ("https://10.0.0.1:99999", "http://10.0.0.1", None),
        ("https://[", "http://10.0.0.1", None),
        ("", "http://10.0.0.1", None),
    ],
)
def test_an_offered_address_is_one_that_this_machine_can_use(url: str, addr: str, chosen: str | None) -> None:
    assert choose_offered_url(url, addr) == chosen


def test_a_key_is_kept_before_it_is_shown(host: Host, peer: Peer, make: Make, authority: Authority) -> None:
    """An agent that ends between the two must not ask for another nonce with the same key."""
    secure = make(authority)
    offer(peer, secure, authority)
    client = wait_for_server(host)
    assert client is not None
    key, _ = draw_for(client, host.directory, boot_id=host.boot_id, sn=host.sn)
    assert secure.registrations == 0
    kept = read_boot_key(host.directory)
    assert kept is not None
    assert kept.key == key
    assert kept.nonce == build_nonce(SERVER_KEY, host.boot_id, commit(host.boot_id, bytes.fromhex(key)))


def test_several_cas_may_be_told_while_one_follows_the_other() -> None:
    told = parse_cmdline(f"SERVER_ADDR=http://a SERVER_CA=sha256:{'A1' * 32},sha256:{':'.join(['b2'] * 32)}")
    assert told.server_ca == ("a1" * 32, "b2" * 32)
    assert Cmdline().server_ca == ()
