"""The four words: what both ends draw, and why a man in the middle draws others."""

import hashlib
import hmac
import random
import re

import pytest

from bootos.wire.wordlist import WORDS
from bootos.wire.words import build_nonce, commit, draw_words, parse_hex, say_fingerprint, say_number

CA = hashlib.sha256(b"the server's certificate").hexdigest()
KEY = bytes(range(32))
SERVER_KEY = b"s" * 32
BOOT = "2d6f7f6e-8a3c-4d0e-9f55-0c1f5f3b7a11"


def draw(**changed: object) -> str:
    given: dict[str, object] = {
        "ca_sha256": CA,
        "boot_id": BOOT,
        "sn": "SN001",
        "key": KEY,
        "nonce": "0" * 64,
    }
    return draw_words(**{**given, **changed})  # type: ignore[arg-type]


def test_the_list_is_of_plain_words_that_four_letters_tell_apart() -> None:
    assert len(WORDS) == len(set(WORDS)) == 2048
    assert len({word[:4] for word in WORDS}) == 2048
    assert list(WORDS) == sorted(WORDS)
    assert all(re.fullmatch(r"[a-z]{3,8}", word) for word in WORDS)


def test_the_list_is_the_one_that_images_of_every_release_have() -> None:
    listed = hashlib.sha256(" ".join(WORDS).encode()).hexdigest()
    assert listed == "5c0c830085fab26cc4795be46c343ca79b50ab5f2427c2ff6d8ef59fd309cabc"


def test_both_ends_of_every_release_draw_the_same() -> None:
    """Worked out by hand of the definition, without the module's own functions."""

    def field(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    sealed = hashlib.sha256(b"bootos boot key\0" + field(BOOT.encode()) + field(KEY)).hexdigest()
    nonce = hmac.new(
        SERVER_KEY, b"bootos nonce\0" + field(BOOT.encode()) + field(sealed.encode()), "sha256"
    ).hexdigest()
    said = b"".join(field(part.encode()) for part in (CA, BOOT, "SN001", KEY.hex(), nonce))
    bits = "".join(f"{byte:08b}" for byte in hashlib.sha256(b"bootos words\0" + said).digest())
    by_hand = " ".join(WORDS[int(bits[start : start + 11], 2)] for start in (0, 11, 22, 33))
    assert commit(BOOT, KEY) == sealed == "98de33c6de946cda7bd1a2bc19ff30fdab0b56c23d810b5a069ba69dfb6e5793"
    assert (
        build_nonce(SERVER_KEY, BOOT, sealed)
        == nonce
        == "4220c989cdf7dbd0c38ff3b2103679aeb361409313daf82faec42dcf594eb802"
    )
    assert draw(nonce=nonce) == by_hand == "cam spatial garden lawyer"


def test_a_number_is_said_from_its_highest_bits() -> None:
    assert say_number(0, 4) == " ".join([WORDS[0]] * 4)
    assert say_number(1, 2) == f"{WORDS[0]} {WORDS[1]}"
    assert say_number(2**44 - 1, 4) == " ".join([WORDS[-1]] * 4)
    assert say_fingerprint("00" * 11 + "ff" * 21).split() == [WORDS[0]] * 8
    assert len(say_fingerprint(CA).split()) == 8


@pytest.mark.parametrize(
    "changed",
    [
        {"ca_sha256": CA[:-1] + ("0" if CA[-1] != "0" else "1")},
        {"boot_id": BOOT + "x"},
        {"sn": "SN002"},
        {"key": bytes(31) + b"\1"},
        {"nonce": "0" * 63 + "1"},
        {"boot_id": BOOT + "SN", "sn": "001"},  # the same letters in a row
        {"boot_id": BOOT[:-1], "sn": BOOT[-1] + "SN001"},
    ],
)
def test_whatever_one_end_saw_differently_makes_other_words(changed: dict[str, object]) -> None:
    assert draw(**changed) != draw()


def test_fields_are_never_taken_for_one_another() -> None:
    """Of ten thousand random transcripts that differ by where one letter stands, no two have the same words."""
    drawn = random.Random(7)
    for _ in range(10_000):
        text = "".join(drawn.choices("ab", k=drawn.randrange(2, 12)))
        first, second = drawn.sample(range(len(text) + 1), 2)
        one = draw(boot_id=text[:first], sn=text[first:])
        assert one == draw(boot_id=text[:first], sn=text[first:])
        assert one != draw(boot_id=text[:second], sn=text[second:])


def test_random_keys_spread_over_the_whole_list() -> None:
    """20,000 words of 5,000 keys: every tenth of the list is drawn about as often."""
    drawn = random.Random(11)
    tenths = [0] * 10
    for _ in range(5000):
        for word in draw(key=drawn.randbytes(32)).split():
            tenths[WORDS.index(word) * 10 // 2048] += 1
    assert sum(tenths) == 20_000
    assert all(1800 < count < 2200 for count in tenths)


def test_the_nonce_follows_from_the_commitment_alone() -> None:
    sealed = commit(BOOT, KEY)
    assert build_nonce(SERVER_KEY, BOOT, sealed) == build_nonce(SERVER_KEY, BOOT, sealed)
    others = {
        build_nonce(SERVER_KEY, BOOT, commit(BOOT, KEY[::-1])),
        build_nonce(SERVER_KEY, "another boot", sealed),
        build_nonce(b"t" * 32, BOOT, sealed),
    }
    assert len(others | {build_nonce(SERVER_KEY, BOOT, sealed)}) == 4


@pytest.mark.parametrize(
    "text", ["", "0", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 63 + "\n", "0x" + "0" * 62]
)
def test_what_is_no_key_is_none(text: str) -> None:
    assert parse_hex(text) is None


def test_a_key_is_read_as_it_was_written() -> None:
    assert parse_hex(KEY.hex()) == KEY
