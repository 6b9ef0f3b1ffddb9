"""Whatever goes wrong, the command says it once, in a line, and ends with 1."""

import shutil
import sys
from pathlib import Path

import pytest
from fakeimage import build_fake_image

from bootos.errors import BootosError, read_chain
from bootos.process import Completed, run


def call(*words: str | Path) -> Completed:
    return run([sys.executable, "-m", "bootos.cli", *words], check=False)


def refuse(message: str, cause: Exception) -> list[str]:
    error = BootosError(message, hint="try again")
    error.__cause__ = cause
    return list(read_chain(error))


def test_a_cause_that_was_quoted_is_not_said_again() -> None:
    missing = FileNotFoundError(2, "No such file or directory", "a")
    assert refuse("a cannot be read: No such file or directory", missing) == [
        "a cannot be read: No such file or directory (try again)"
    ]
    assert refuse("a is damaged: bad magic", ValueError("bad magic")) == [
        "a is damaged: bad magic (try again)"
    ]
    assert refuse("the layer does not come", BootosError("no route to 10.0.0.1")) == [
        "the layer does not come (try again)",
        "no route to 10.0.0.1",
    ]


@pytest.mark.skipif(not all(map(shutil.which, ("mksquashfs", "zstd"))), reason="needs squashfs-tools, zstd")
def test_a_file_that_cannot_be_written_is_named_without_a_traceback(tmp_path: Path) -> None:
    image, target = build_fake_image(tmp_path / "image"), tmp_path / "none/out/x"
    (tmp_path / "none").touch()
    done = call("image", "extract", image, target)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"bootos: {target}: Not a directory\n"


def test_what_is_no_image_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"schema": 1}')
    done = call("image", "inspect", tmp_path, "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert f"{tmp_path}/manifest.json cannot be used" in done.stderr
