import io
import os
import shutil
import stat
from pathlib import Path

import pytest

from bootos.errors import BootosError
from bootos.image.cpio import ALIGNMENT, is_header, read_cpio, write_cpio, write_cpio_entries
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
def test_cpio_lists_and_unpacks_what_was_written(tmp_path: Path) -> None:
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
def test_a_file_from_elsewhere_is_stored_under_the_given_name(tmp_path: Path) -> None:
    (tmp_path / "layer").write_text("squashfs")
    with (tmp_path / "a.cpio").open("wb") as output:
        write_cpio_entries(output, [("rootfs", tmp_path), ("rootfs/10-base.squashfs", tmp_path / "layer")])
    listed = run(["sh", "-c", "cpio --quiet -t < a.cpio"], cwd=tmp_path).stdout.split()
    assert listed == ["rootfs", "rootfs/10-base.squashfs"]


def test_the_same_tree_gives_the_same_bytes_wherever_it_is(tmp_path: Path) -> None:
    assert archive_of(make_tree(tmp_path / "one")) == archive_of(make_tree(tmp_path / "two"))


def test_archives_are_padded_so_that_another_may_follow(tmp_path: Path) -> None:
    assert len(archive_of(make_tree(tmp_path))) % ALIGNMENT == 0


def list_entries(archive: bytes) -> dict[str, tuple[str, bytes]]:
    """Name -> (mode as ls shows it, content) of the archive's entries."""
    entries, _ = read_cpio(io.BytesIO(archive))
    return {
        entry.name: (stat.filemode(entry.mode), archive[entry.offset : entry.offset + entry.size_bytes])
        for entry in entries
    }


CONTENTS = {
    "bin": ("drwxr-xr-x", b""),
    "bin/busybox": ("-rwxr-xr-x", b"\x7fELF" * 1000),
    "bin/sh": ("lrwxrwxrwx", b"busybox"),
    "empty": ("-rw-r--r--", b""),
    "init": ("-rw-r--r--", b"#!/bin/sh\n"),
}


def test_what_was_written_reads_back(tmp_path: Path) -> None:
    assert list_entries(archive_of(make_tree(tmp_path))) == CONTENTS


@needs_cpio
def test_what_cpio_wrote_reads(tmp_path: Path) -> None:
    make_tree(tmp_path / "root")
    script = "find . -mindepth 1 | LC_ALL=C sort | cut -c3- | cpio --quiet -o -H newc > ../a.cpio"
    run(["sh", "-c", script], cwd=tmp_path / "root")
    assert list_entries((tmp_path / "a.cpio").read_bytes()) == CONTENTS


def test_an_archive_ends_where_its_trailer_does_and_the_next_one_reads_from_its_place(tmp_path: Path) -> None:
    first, second = archive_of(make_tree(tmp_path / "one")), archive_of(tmp_path / "one/bin")
    file = io.BytesIO(first + second)
    _, end = read_cpio(file)
    assert end <= len(first) < end + ALIGNMENT
    assert [entry.name for entry in read_cpio(file, len(first))[0]] == ["busybox", "sh"]


def test_a_damaged_archive_is_told_with_its_place(tmp_path: Path) -> None:
    archive = archive_of(make_tree(tmp_path))
    assert is_header(archive) and not is_header(archive, 1)
    second = archive.index(b"070701", 1)
    for damaged in (archive[:second], archive[:second] + b"x" + archive[second + 1 :]):
        with pytest.raises(BootosError, match=f"damaged at byte {second}: not a cpio header"):
            read_cpio(io.BytesIO(damaged))


@needs_cpio
def test_a_name_that_is_no_utf_8_is_stored_as_it_is(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    name = os.fsdecode(b"caf\xe9")
    (root / name).write_text("latin 1")
    (root / "link").symlink_to(name)
    (tmp_path / "a.cpio").write_bytes(archive_of(root))
    (tmp_path / "out").mkdir()
    run(["sh", "-c", "cpio --quiet -i -d < ../a.cpio"], cwd=tmp_path / "out")
    assert sorted(os.fsencode(path.name) for path in (tmp_path / "out").iterdir()) == [b"caf\xe9", b"link"]
    assert (tmp_path / "out/link").read_text() == "latin 1"
