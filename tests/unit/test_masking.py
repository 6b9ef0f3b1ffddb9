"""No part of a secret is left in a text, in whatever form it stands there."""

import json
import shlex
from collections.abc import Callable

import msgspec
import pytest

from bootos.fetch import mask_url
from bootos.masking import MASK, Masker
from bootos.process import Command

HARD = """pa'ss "w\\ord$`* .[a-z]+"""


def write_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def write_msgspec(text: str) -> str:
    return msgspec.json.encode(text).decode()


@pytest.mark.parametrize("write", [str, repr, json.dumps, write_json, write_msgspec, shlex.quote])
@pytest.mark.parametrize(
    "secret", [HARD, "pässwörd\t1", "päss\rwörd", "one\x0ctwo\x01\x7f", "\U0001f511key\r\n"], ids=ascii
)
def test_a_secret_is_masked_however_its_characters_are_quoted(
    write: Callable[[str], str], secret: str
) -> None:
    masked = Masker([secret]).text(f"before {write(secret)} after")
    assert masked.replace("'", "").replace('"', "") == f"before {MASK} after"


def test_a_command_line_shows_no_secret_that_a_shell_would_quote() -> None:
    shown = Command(["ipmitool", "user", "set", "password", "2", "pa'ss word"], secrets=["pa'ss word"]).shown
    assert shown == f"ipmitool user set password 2 '{MASK}'"


def test_secrets_that_overlap_leave_nothing_of_either() -> None:
    masker = Masker(["abc", "cde"])
    assert masker.text("xabcdex") == f"x{MASK}x"
    assert masker.text("abc cde abcabc") == f"{MASK} {MASK} {MASK}{MASK}"
    assert Masker(["aba"]).text("ababa") == MASK


def test_a_secret_that_is_part_of_the_mask_does_not_let_it_grow() -> None:
    assert Masker(["abc", "*", "**"]).text("abc *") == f"{MASK} {MASK}"


def test_each_line_of_a_secret_is_masked_where_output_comes_line_by_line() -> None:
    masker = Masker(["-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\r\nabc\n"])
    assert masker.text("MIIEvQIBADANBg") == masker.text("kqhkiG9w0BAQEF") == MASK
    assert masker.text("abc is too short to be a secret by itself") == (
        "abc is too short to be a secret by itself"
    )


def test_an_empty_secret_masks_nothing() -> None:
    masker = Masker(["", "\n"])
    masker.add([""])
    assert masker.text("text") == "text"


def test_what_is_below_a_key_that_is_left_out_stays() -> None:
    value = {"id": "oob.ipmi:user:ADMIN", "summary": "set ADMIN", "sealed": [{"text": "ADMIN"}]}
    assert Masker(["ADMIN"]).plain(value, but={"id", "sealed"}) == {**value, "summary": f"set {MASK}"}


def test_with_keys_all_that_is_below_them_is_masked_and_nothing_else() -> None:
    value = {
        "unread": {"oob.ipmi": "ADMIN is wrong"},
        "notes": ["ADMIN", {"x": "ADMIN"}],
        "users": [{"name": "ADMIN"}],
    }
    assert Masker(["ADMIN"]).plain(value, keys={"unread", "notes"}) == {
        "unread": {"oob.ipmi": f"{MASK} is wrong"},
        "notes": [MASK, {"x": MASK}],
        "users": [{"name": "ADMIN"}],
    }
    assert Masker(["ADMIN"]).plain("ADMIN", keys={"notes"}) == "ADMIN"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://u:p%2fq@h/x", "http://u:********@h/x"),  # written in lower case, sent as %2F
        ("http://u:p{q@h/x", "http://u:********@h/x"),
        ("http://u:p@ss@h/x", "http://u:********@h/x"),
        ("ftp://u:pw@[::1]/x", "ftp://u:********@[::1]/x"),
        ("http://u:secret@host:99999999/", "http://u:********@host:99999999/"),  # these are no URLs
        ("http://u:secret@ho st/", "http://u:********@ho st/"),
        ("http://u:p#ss@h/", "http://u:********@h/"),
        ("http://u:p/ss@h/x", "http://u:********@h/x"),
        ("http://u@h/a:b@c", "http://u@h/a:b@c"),
        ("http://h/a:b@c", "http://h/a:b@c"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert mask_url(url) == shown
