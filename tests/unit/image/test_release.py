import shutil
from pathlib import Path

import pytest

from bootos.image.release import append_release, compute_version
from bootos.process import run

PARTS = [("vmlinuz", "aa"), ("boot", "bb"), ("10-base", "cc")]


def test_the_same_parts_have_the_same_version_and_one_other_part_makes_another() -> None:
    version = compute_version("0.1.0", PARTS)
    assert version == compute_version("0.1.0", reversed(PARTS))
    others = [[*PARTS, ("90-extra", "dd")], PARTS[:2], [("vmlinuz", "ab"), *PARTS[1:]]]
    assert len({version, *(compute_version("0.1.0", other) for other in others)}) == 4


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
def test_the_release_file_is_a_segment_of_its_own_behind_the_others(tmp_path: Path) -> None:
    initrd = tmp_path / "initrd.img"
    append_release(initrd, "bootos", "0.1.0-0123456789ab")
    run(["sh", "-c", "cpio --quiet -i < initrd.img"], cwd=tmp_path)
    assert (tmp_path / "bootos-release").read_text() == "IMAGE_ID=bootos\nIMAGE_VERSION=0.1.0-0123456789ab\n"
    assert initrd.stat().st_size % 512 == 0
