"""A place is readable when every byte of its edges was read: a short read has not met the bad sector yet."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bootos.drivers.storage.readability import EDGE_BYTES, can_read_edges

SIZE_BYTES = 4 * EDGE_BYTES


def break_at(*bad: int) -> Callable[[int, int, int], bytes]:
    """A disk with bad sectors at these bytes, as the kernel reads it: what lies before one comes without an error."""

    def read(descriptor: int, length: int, place: int) -> bytes:
        if any(place // 512 == byte // 512 for byte in bad):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        ahead = [byte // 512 * 512 for byte in bad if place < byte]
        return os.pread(descriptor, min([length, *(byte - place for byte in ahead)]), place)

    return read


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/sda").write_bytes(bytes(SIZE_BYTES))
    return tmp_path


@pytest.mark.parametrize(
    ("bad", "can_read"),
    [
        ([], True),
        ([0], False),
        ([4096], False),
        ([EDGE_BYTES - 1], False),
        ([2 * EDGE_BYTES], True),
        ([SIZE_BYTES - EDGE_BYTES], False),
        ([SIZE_BYTES - 4096], False),
        ([SIZE_BYTES - 1], False),
    ],
)
def test_a_bad_sector_anywhere_in_an_edge_makes_a_disk_unreadable(
    bad: list[int], can_read: bool, root: Path
) -> None:
    assert can_read_edges(root, "/dev/sda", SIZE_BYTES, read=break_at(*bad)) is can_read


def test_a_stretch_is_read_where_it_lies(root: Path) -> None:
    read = break_at(0, EDGE_BYTES + 1024)
    assert not can_read_edges(root, "/dev/sda", EDGE_BYTES, EDGE_BYTES, read=read)
    assert can_read_edges(root, "/dev/sda", EDGE_BYTES, 2 * EDGE_BYTES, read=read)


def test_a_disk_that_ends_before_it_should_is_read_to_its_end(root: Path) -> None:
    assert can_read_edges(root, "/dev/sda", 2 * SIZE_BYTES)
