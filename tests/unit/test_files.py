"""A file is written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from bootos.files import read_json, read_or_create, write_atomically, write_json
from bootos.process import Completed


def find_mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_by_a_new_one_and_nothing_is_left_beside_it(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        write_atomically(path, b"new", durable=durable)
        assert reader.read() == b"old", "who reads it meanwhile reads the old one to its end"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_replaced_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_a_mode_is_exact_and_without_one_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "exact", b"", mode=0o644)
        write_atomically(tmp_path / "usual", b"")
    finally:
        os.umask(before)
    assert (find_mode(tmp_path / "exact"), find_mode(tmp_path / "usual")) == (0o644, 0o640)


def test_what_is_there_already_is_read_and_not_written(tmp_path: Path) -> None:
    assert read_or_create(tmp_path / "key", b"first", mode=0o600) == (b"first", True)
    assert read_or_create(tmp_path / "key", b"second", mode=0o600) == (b"first", False)
    assert find_mode(tmp_path / "key") == 0o600


def test_models_and_plain_values_are_written_as_json_in_one_order(tmp_path: Path) -> None:
    done = Completed(argv=("a",), returncode=0, stdout="ü", stderr="", duration_s=1.5)
    write_json(tmp_path / "list.json", {"b": [done], "a": 1})
    assert read_json(tmp_path / "list.json") == {
        "a": 1,
        "b": [{"argv": ["a"], "returncode": 0, "stdout": "ü", "stderr": "", "duration_s": 1.5}],
    }
    assert (tmp_path / "list.json").read_text().startswith('{\n  "a": 1,\n  "b": [')
