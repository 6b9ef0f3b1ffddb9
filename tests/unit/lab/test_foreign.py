"""With the real tools: what is made here must be read back by mdadm, blkid and sfdisk."""

import os
from pathlib import Path

import pytest
from foreign import (
    make_empty_disk,
    make_ext4_disk,
    make_lvm_disk,
    make_md_disks,
    make_partitioned_disk,
    make_swap_disk,
)

from bootos.lab.disk import read_filesystem, read_partition_filesystems
from bootos.lab.md_array import build_array_view, read_md_arrays
from bootos.process import run


def test_an_array_is_accepted_by_mdadm_and_holds_its_file_system(tmp_path: Path) -> None:
    paths = make_md_disks([tmp_path / f"{name}.raw" for name in "abc"], 64, spares=1, label="kept")
    assert "correct" in run(["mdadm", "--examine", paths[0]]).stdout
    members = read_md_arrays(paths)["precious"]
    assert [member.slot for member in members] == [0, 1, None]
    found = read_filesystem(build_array_view(members[1:], tmp_path / "view"))
    assert found is not None and (found.type, found.label) == ("ext4", "kept")
    run(["fsck.ext4", "-fn", tmp_path / "view"])


def test_partitions_hold_what_they_were_given(tmp_path: Path) -> None:
    found = read_partition_filesystems(make_partitioned_disk(tmp_path / "a.raw", label="kept"))
    assert [(part.name, content.type, content.label) for part, content in found if content] == [
        ("data", "ext4", "kept"),
        ("swap", "swap", ""),
    ]


def test_whole_disks_hold_a_file_system_or_swap(tmp_path: Path) -> None:
    kinds = [read_filesystem(make(tmp_path / "a.raw", 32)) for make in (make_ext4_disk, make_swap_disk)]
    assert [kind.type for kind in kinds if kind] == ["ext4", "swap"]
    assert read_filesystem(make_empty_disk(tmp_path / "b.raw", 8)) is None


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/loop-control").exists(), reason="needs loop devices")
def test_a_physical_volume_is_recognised(tmp_path: Path) -> None:
    found = read_filesystem(make_lvm_disk(tmp_path / "a.raw", 64))
    assert found is not None and found.type == "LVM2_member"
