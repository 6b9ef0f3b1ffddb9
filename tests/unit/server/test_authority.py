"""The server's own authority: made once, its certificate renewed by itself, rotated with both good for a while."""

import datetime as dt
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from handshake import Calendar, build_client, shake_hands

from bootos.errors import BootosError
from bootos.server.tls.authority import Authority
from bootos.server.tls.certificate import read_fingerprint, read_names
from bootos.server.tls.name import parse_addresses
from bootos.server.tls.own import OwnAuthority

NAMES = ["127.0.0.1", "boot.example"]


def open_own(root: Path, clock: Calendar, names: list[str] = NAMES) -> OwnAuthority:
    return OwnAuthority(root / "tls", lambda: names, clock)


def read_served(authority: Authority, pem: str = "", name: str = "127.0.0.1") -> x509.Certificate:
    return shake_hands(authority.tls, build_client(pem or authority.pem), name)


def test_the_authority_is_made_once_for_twenty_years_and_its_key_is_for_this_user_alone(
    tmp_path: Path,
) -> None:
    clock = Calendar()
    first = open_own(tmp_path, clock)
    clock.now += dt.timedelta(days=7000)
    assert open_own(tmp_path, clock).fingerprint == first.fingerprint
    life = first.certificate.not_valid_after_utc - first.certificate.not_valid_before_utc
    assert life >= dt.timedelta(days=20 * 365)
    for path in (tmp_path / "tls").iterdir():
        if "PRIVATE KEY" in path.read_text():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert (tmp_path / "tls/ca.pem").read_text() == first.pem
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700


def test_a_client_that_trusts_the_authority_takes_the_server_by_each_of_its_names(tmp_path: Path) -> None:
    authority = open_own(tmp_path, Calendar())
    for name in NAMES:
        assert read_names(read_served(authority, name=name)) == NAMES
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        read_served(authority, name="other.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        read_served(authority, pem=open_own(tmp_path / "other", Calendar()).pem)


def test_the_certificate_of_the_server_is_renewed_in_time_and_served_without_a_restart(
    tmp_path: Path,
) -> None:
    clock = Calendar()
    authority = open_own(tmp_path, clock)
    before = read_served(authority)
    clock.now += dt.timedelta(days=59)
    assert authority.renew() == ""
    clock.now += dt.timedelta(days=2)
    assert "runs out" in authority.renew()
    after = read_served(authority)
    assert after.serial_number != before.serial_number
    assert after.not_valid_after_utc > clock.now + dt.timedelta(days=80)
    assert open_own(tmp_path, clock).renew() == "", "the next start keeps it"


def test_a_clock_that_was_set_back_does_not_leave_a_certificate_of_the_future(tmp_path: Path) -> None:
    clock = Calendar()
    open_own(tmp_path, clock)
    clock.now -= dt.timedelta(days=300)
    authority = open_own(tmp_path, clock)
    assert read_served(authority).not_valid_before_utc < clock.now


def test_a_new_address_of_the_server_gets_into_its_certificate(tmp_path: Path) -> None:
    clock, names = Calendar(), ["127.0.0.1"]
    authority = open_own(tmp_path, clock, names)
    names.append("10.0.0.1")
    assert "other names" in authority.renew()
    assert read_names(read_served(authority)) == ["10.0.0.1", "127.0.0.1"]


def test_after_a_rotation_clients_of_both_authorities_go_on_until_it_is_finished(tmp_path: Path) -> None:
    authority = open_own(tmp_path, Calendar())
    old, old_pem = authority.fingerprint, authority.pem
    with authority.rotating():
        pass
    assert authority.fingerprint != old
    assert authority.fingerprints == [authority.fingerprint, old]
    for pem in (old_pem, authority.pem):
        read_served(authority, pem)
    again = open_own(tmp_path, Calendar())
    assert again.fingerprints == authority.fingerprints, "and a restart changes nothing"
    read_served(again, old_pem)
    with pytest.raises(BootosError, match="two authorities already"), again.rotating():
        pass

    with again.finishing():
        pass
    assert again.fingerprints == [authority.fingerprint]
    read_served(again, authority.pem)
    with pytest.raises(ssl.SSLCertVerificationError):
        read_served(again, old_pem)
    with pytest.raises(BootosError, match="one authority only"), again.finishing():
        pass


ROTATING = """
import resource, sys
from pathlib import Path
from bootos.server.tls.own import OwnAuthority

authority = OwnAuthority(Path(sys.argv[1]), lambda: ["127.0.0.1"])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    with authority.rotating():
        pass
except OSError as cause:
    print(cause.strerror)
"""


def read_files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_rotation_for_which_there_is_no_room_changes_nothing(tmp_path: Path) -> None:
    """The authority's file would still fit."""
    known = OwnAuthority(tmp_path / "known/tls", lambda: NAMES[:1])
    with known.rotating():
        pass
    sizes = {name: len(content) for name, content in read_files(tmp_path / "known/tls").items()}
    assert sizes["authority.pem"] + 100 < sizes["server.pem"]
    most = (sizes["authority.pem"] + sizes["server.pem"]) // 2
    OwnAuthority(tmp_path / "tls", lambda: NAMES[:1])
    before = read_files(tmp_path / "tls")
    command = [sys.executable, "-c", ROTATING, str(tmp_path / "tls"), str(most)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert said == "File too large\n"
    assert read_files(tmp_path / "tls") == before


def test_a_rotation_that_is_not_noted_does_not_take_place(tmp_path: Path) -> None:
    authority = open_own(tmp_path, Calendar())
    old, before = authority.fingerprints, read_files(tmp_path / "tls")
    with pytest.raises(BootosError, match="no audit log"), authority.rotating() as fingerprint:
        assert fingerprint not in old
        raise BootosError("no audit log")
    assert authority.fingerprints == old and read_files(tmp_path / "tls") == before
    with authority.rotating() as fingerprint:
        pass
    assert authority.fingerprints == [fingerprint, *old]


def test_files_that_cannot_be_used_are_named_with_what_to_do(tmp_path: Path) -> None:
    open_own(tmp_path, Calendar())
    (tmp_path / "tls/authority.pem").write_text("nothing")
    with pytest.raises(BootosError, match=str(tmp_path / "tls")) as broken:
        open_own(tmp_path, Calendar())
    assert "a new authority is made" in broken.value.hint


def test_a_server_certificate_that_was_lost_is_made_anew_by_the_same_authority(tmp_path: Path) -> None:
    authority = open_own(tmp_path, Calendar())
    (tmp_path / "tls/server.pem").unlink()
    again = open_own(tmp_path, Calendar())
    assert again.fingerprint == authority.fingerprint == read_fingerprint(again.certificate)
    read_served(again, authority.pem)


def test_addresses_are_read_of_ip_which_leaves_those_of_another_scope_empty() -> None:
    text = """[{}, {"ifname": "lo", "addr_info": [{}, {}]}, {"ifname": "ifb0", "addr_info": []},
        {"ifname": "eth0", "addr_info": [{"family": "inet", "local": "10.0.0.1", "prefixlen": 24, "scope": "global"},
        {"family": "inet6", "local": "fd00::1", "prefixlen": 64, "scope": "global"}, {}]}]"""
    assert parse_addresses(text) == ["10.0.0.1", "fd00::1"]
    assert parse_addresses("") == []
