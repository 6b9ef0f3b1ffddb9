"""What a file of an operator may be besides a document."""

from pathlib import Path

import pytest

from bootos.document import parse_document, read_document
from bootos.errors import BootosError, ProblemsError


def test_a_document_is_read_as_utf_8_and_another_encoding_is_said(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_bytes("name: café".encode())
    assert read_document(file) == {"name": "café"}
    file.write_bytes("name: café".encode("latin-1"))
    with pytest.raises(BootosError, match="is no text in UTF-8") as caught:
        read_document(file)
    assert caught.value.hint == "store it in UTF-8"


@pytest.mark.parametrize("text", ["\x02", "name: x\x8f", "a" * 100_000 + "\x02", "\ud800"])
def test_a_character_that_yaml_does_not_take_is_said(text: str) -> None:
    with pytest.raises(BootosError, match=r"not valid YAML: .*special characters are not allowed"):
        parse_document(text, format="yaml")


TWICE = """\
name: t
raid: {arrays: [{name: os, level: 1, name: data}]}
oob:
  users: &users
    - name: ops
  users: []
bios:
  <<: &usual {c_states: disabled}
  <<: *usual
  c_states: enabled
name: u
"""


def test_every_key_that_stands_twice_in_one_table_is_told_with_its_place() -> None:
    with pytest.raises(ProblemsError) as caught:
        parse_document(TWICE, format="yaml")
    assert sorted((problem.path, problem.message) for problem in caught.value.problems) == [
        ("name", "line 11: this key stands in line 1 already"),
        ("oob.users", "line 6: this key stands in line 4 already"),
        ("raid.arrays[0].name", "line 2: this key stands in line 2 already"),
    ]


def test_what_an_earlier_release_stored_is_read_as_that_did() -> None:
    assert parse_document(TWICE, format="yaml", take_last=True)["name"] == "u"
    assert parse_document('{"a": 1, "a": 2}', format="json", take_last=True) == {"a": 2}


def test_a_key_is_compared_by_what_it_means() -> None:
    with pytest.raises(ProblemsError, match="0x1: line 2: this key stands in line 1 already"):
        parse_document("1: a\n0x1: b\n", format="yaml")
    assert parse_document('"1": a\n1: b\n', format="yaml") == {"1": "a", 1: "b"}
    assert parse_document("", format="yaml") is None


def test_a_key_that_stands_twice_in_json_is_told() -> None:
    with pytest.raises(ProblemsError) as caught:
        parse_document('{"oob": {"users": [], "users": []}}', format="json")
    assert [problem.path for problem in caught.value.problems] == ["users"]
    assert parse_document('{"a": {"b": 1}, "b": {"a": 1}}', format="json") == {"a": {"b": 1}, "b": {"a": 1}}


def test_the_same_anchor_in_many_places_is_read_once() -> None:
    text = "a: &a {x: 1}\nb: &b [*a, *a]\nc: [*b, *b, *a]\n"
    assert parse_document(text, format="yaml")["c"][0] == [{"x": 1}, {"x": 1}]
