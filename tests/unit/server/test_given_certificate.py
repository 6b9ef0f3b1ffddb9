"""A certificate that the site made: what of it is used, what is refused in words, and how it is renewed."""

import datetime as dt
from pathlib import Path

import pytest
from certificate import Authority
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from handshake import START, Calendar, build_client, shake_hands

from bootos.errors import BootosError
from bootos.server.tls.given import GivenAuthority

HOSTS = ("boot.example", "10.0.0.1")


@pytest.fixture
def root() -> Authority:
    return Authority("the root")


@pytest.fixture
def middle(root: Authority) -> Authority:
    return Authority("what signs servers", above=root)


def read_served(given: GivenAuthority, pem: bytes) -> x509.Certificate:
    return shake_hands(given.tls, build_client(pem.decode()), "boot.example")


def read_refusal(cert: Path, key: Path) -> str:
    with pytest.raises(BootosError) as refused:
        GivenAuthority(cert, key)
    assert "--tls-cert" in refused.value.hint and "--tls-key" in refused.value.hint
    return str(refused.value)


def test_the_last_certificate_of_the_chain_is_pinned_and_each_above_the_server_vouches_for_it(
    tmp_path: Path, root: Authority, middle: Authority
) -> None:
    given = GivenAuthority(*middle.write(tmp_path, *HOSTS))
    assert given.fingerprints == [root.fingerprint]
    assert read_served(given, root.pem) == given.leaf
    assert not given.is_own
    assert given.find_name() == "boot.example"


def test_a_chain_without_its_root_is_known_by_what_it_ends_with(
    tmp_path: Path, root: Authority, middle: Authority
) -> None:
    cert, key = middle.write(tmp_path, *HOSTS)
    cert.write_bytes(cert.read_bytes().removesuffix(root.pem))
    given = GivenAuthority(cert, key)
    assert given.fingerprint == middle.fingerprint
    assert read_served(given, root.pem) == given.leaf, "what signs servers is sent with it"


def test_the_key_of_another_certificate_is_refused(tmp_path: Path, root: Authority) -> None:
    cert, _ = root.write(tmp_path / "one")
    _, other = root.write(tmp_path / "other")
    said = read_refusal(cert, other)
    assert f"the key {other} is not the one of its first certificate" in said
    assert str(cert) in said


def test_a_chain_in_the_wrong_order_is_refused(tmp_path: Path, root: Authority, middle: Authority) -> None:
    cert, key = middle.write(tmp_path)
    leaf = cert.read_bytes().removesuffix(middle.chain)
    cert.write_bytes(leaf + root.pem + middle.pem)
    assert f"certificate 2 of {cert} did not sign the one before it" in read_refusal(cert, key)


def test_files_that_hold_something_else_are_named(tmp_path: Path, root: Authority) -> None:
    cert, key = root.write(tmp_path)
    assert f"{key} holds no certificate as PEM" in read_refusal(key, key)
    assert f"{cert} holds no key as PEM" in read_refusal(cert, cert)
    missing = tmp_path / "none.pem"
    assert f"No such file or directory: '{missing}'" in read_refusal(missing, key)
    assert f"No such file or directory: '{missing}'" in read_refusal(cert, missing)


def test_a_key_with_a_password_is_refused(tmp_path: Path, root: Authority) -> None:
    cert, key = root.write(tmp_path)
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    assert f"the key {key} has a password" in read_refusal(cert, key)


def test_it_is_read_again_when_its_files_have_changed(tmp_path: Path, root: Authority) -> None:
    given = GivenAuthority(*root.write(tmp_path, *HOSTS))
    before = read_served(given, root.pem)
    assert given.renew() == ""
    root.write(tmp_path, *HOSTS)
    assert "was read again" in given.renew()
    assert read_served(given, root.pem) == given.leaf != before


@pytest.mark.parametrize("is_rsa", [False, True])
def test_a_key_of_another_kind_leaves_nothing_of_the_one_before(
    tmp_path: Path, root: Authority, is_rsa: bool
) -> None:
    """OpenSSL keeps a certificate for each kind of key, and clients choose the kind."""
    given = GivenAuthority(*root.write(tmp_path, *HOSTS, is_rsa=is_rsa))
    read_served(given, root.pem)
    root.write(tmp_path, *HOSTS, is_rsa=not is_rsa)
    assert "was read again" in given.renew()
    assert read_served(given, root.pem) == given.leaf


def test_the_one_before_is_served_while_the_new_one_has_no_key_yet(tmp_path: Path, root: Authority) -> None:
    cert, key = root.write(tmp_path, *HOSTS)
    given = GivenAuthority(cert, key)
    before = given.leaf
    new_cert, new_key = root.write(tmp_path / "new", *HOSTS)
    cert.write_bytes(new_cert.read_bytes())
    for _ in range(2):
        with pytest.raises(ValueError, match="is not the one of its first certificate"):
            given.renew()
        assert read_served(given, root.pem) == before == given.leaf
    key.write_bytes(new_key.read_bytes())
    assert "was read again" in given.renew()
    assert read_served(given, root.pem) != before


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (-1, "is good from 2026-03-01 only"),
        (0, ""),
        (75, ""),
        (77, "is over on 2026-05-30"),
        (90, "is over since 2026-05-30"),
    ],
)
def test_it_is_said_when_it_runs_out(tmp_path: Path, root: Authority, day: int, said: str) -> None:
    calendar = Calendar()
    calendar.now += dt.timedelta(days=day)
    short = Authority("of a quarter", start=START, days=90)
    cert, key = short.write(tmp_path)
    trouble = GivenAuthority(cert, key, calendar).find_trouble()
    assert said in trouble
    assert trouble == "" or (trouble.startswith(f"certificate 1 of {cert} ") and "renew it" in trouble)
