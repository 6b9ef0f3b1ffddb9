import io
import shutil
from pathlib import Path

import pytest

from bootos.image.cpio import ALIGNMENT, write_cpio, write_cpio_entries
from bootos.process import run

needs_cpio = pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")


def make_tree(root: Path) -> Path:
    (root / "bin").mkdir(parents=True)
    (root / "bin/sh").symlink_to("busybox")
    (root / "bin/busybox").write_bytes(b"\x7fELF" * 1000)
    (root / "bin/busybox").chmod(0o755)
    (root / "init").write_text("#!/bin/sh\n")
    (root / "empty").touch()
    return root


def archive_of(root: Path) -> bytes:
    output = io.BytesIO()
    write_cpio(output, root)
    return output.getvalue()


@needs_cpio
def test_cpio_lists_and_unpacks_what_was_written(tmp_path):
    root = make_tree(tmp_path / "root")
    (tmp_path / "a.cpio").write_bytes(archive_of(root))
    listed = run(["sh", "-c", "cpio --quiet -t < a.cpio"], cwd=tmp_path).stdout.split()
    assert listed == ["bin", "bin/busybox", "bin/sh", "empty", "init"]
    (tmp_path / "out").mkdir()
    run(["sh", "-c", "cpio --quiet -i -d < ../a.cpio"], cwd=tmp_path / "out")
    assert (tmp_path / "out/bin/busybox").read_bytes() == (root / "bin/busybox").read_bytes()
    assert (tmp_path / "out/bin/busybox").stat().st_mode & 0o777 == 0o755
    assert str((tmp_path / "out/bin/sh").readlink()) == "busybox"


@needs_cpio
def test_a_file_from_elsewhere_is_stored_under_the_given_name(tmp_path):
    (tmp_path / "layer").write_text("squashfs")
    with (tmp_path / "a.cpio").open("wb") as output:
        write_cpio_entries(output, [("rootfs", tmp_path), ("rootfs/10-base.squashfs", tmp_path / "layer")])
    listed = run(["sh", "-c", "cpio --quiet -t < a.cpio"], cwd=tmp_path).stdout.split()
    assert listed == ["rootfs", "rootfs/10-base.squashfs"]


def test_the_same_tree_gives_the_same_bytes_wherever_it_is(tmp_path):
    assert archive_of(make_tree(tmp_path / "one")) == archive_of(make_tree(tmp_path / "two"))


def test_archives_are_padded_so_that_another_may_follow(tmp_path):
    assert len(archive_of(make_tree(tmp_path))) % ALIGNMENT == 0
