"""What `bootos login` shows to be compared is the one authority that it takes from then on, whatever somebody in
between has at /ca.pem."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from certificate import Authority
from commanding import Desk
from peer import Peer
from serving import Running

from bootos.wire.words import say_fingerprint


def write_pem(*lines: bytes) -> bytes:
    return b"\n".join((b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""))


@contextmanager
def impersonate(directory: Path, his: Authority, shown: bytes) -> Iterator[str]:
    """Somebody in between, with a certificate of his own authority, who shows this."""
    impostor = Peer(his.write(directory))
    impostor.files |= {"/ca.pem": shown, "/api/operator/status": b"{}"}
    try:
        yield impostor.url
    finally:
        impostor.close()


def make_padded() -> Authority:
    """An authority whose certificate ends with a filler in base64, as two in three do (RFC 4648, section 4)."""
    return next(made for number in range(100) if len((made := Authority(f"the server's {number}")).der) % 3)


def test_a_second_authority_behind_the_true_one_is_not_taken_with_it(tmp_path: Path) -> None:
    true, his = make_padded(), Authority("his")
    with impersonate(tmp_path / "his", his, true.pem + his.pem) as url:
        for words in (["--fingerprint", true.fingerprint], ["--yes"]):
            desk = Desk(tmp_path / "desk", {"BOOTOS_TOKEN": "the-token"})
            assert "somebody may be in between" in desk.refuse("login", url, *words)
        assert not (tmp_path / "desk/bootos").exists()


def test_a_person_is_never_shown_the_true_authority_by_somebody_in_between(tmp_path: Path) -> None:
    true, his = make_padded(), Authority("his")
    with impersonate(tmp_path / "his", his, true.pem + his.pem) as url:
        said = Desk(tmp_path / "desk").refuse("login", url, input="y\nthe-token\n")
    assert say_fingerprint(true.fingerprint) not in said and "somebody may be in between" in said


def test_only_what_was_shown_is_pinned(server: Running, tmp_path: Path) -> None:
    """Also where the true server has more in its file."""
    his = Authority("his")
    with impersonate(tmp_path / "his", his, his.pem + server.context.authority.pem.encode()) as url:
        Desk(tmp_path / "desk", {"BOOTOS_TOKEN": "the-token"}).run("login", url, "--yes")
        kept = (tmp_path / "desk/bootos/logins.json").read_text()
    assert kept.count("BEGIN CERTIFICATE") == 1


HIS = Authority("his")
NO_CERTIFICATES = {
    "not closed": b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(HIS.der),
    "not base64": write_pem(b"\xff\xfe"),
    "a line of another kind": write_pem(b"!" * 60),
    "nothing": write_pem(),
    "text of half a byte": write_pem(b"A"),
    "no certificate": write_pem(base64.b64encode(b"\x1b[2Jhello")),
    "letters of another script": write_pem("ＡＢＣＤ".encode()),
}


@pytest.mark.parametrize("kind", NO_CERTIFICATES)
def test_what_is_no_certificate_is_told_in_words(tmp_path: Path, kind: str) -> None:
    with impersonate(tmp_path / "his", HIS, NO_CERTIFICATES[kind]) as url:
        said = Desk(tmp_path / "desk").refuse("login", url, "--yes")
    assert "does not show an authority" in said and "\x1b" not in said
