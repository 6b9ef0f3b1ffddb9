"""The real mkfs tools on an image file: what is asked for is what wipefs finds."""

import shutil
from pathlib import Path

import pytest

from bootos.drivers.storage.mkfs import LEAST_BYTES, build_mkfs, is_right
from bootos.drivers.storage.read import parse_wipefs
from bootos.process import run
from bootos.template.model import Filesystem, FilesystemType

TOOLS = {
    FilesystemType.EXT4: "mkfs.ext4",
    FilesystemType.XFS: "mkfs.xfs",
    FilesystemType.BTRFS: "mkfs.btrfs",
    FilesystemType.VFAT: "mkfs.vfat",
    FilesystemType.SWAP: "mkswap",
}
UUID = "3f6b1a52-8c1e-4c67-9b63-0d5f2a7e4c11"


@pytest.mark.parametrize("kind", list(FilesystemType))
def test_a_new_file_system_reads_back_as_wanted(kind: FilesystemType, tmp_path: Path) -> None:
    if shutil.which(TOOLS[kind]) is None or shutil.which("wipefs") is None:
        pytest.skip(f"{TOOLS[kind]} is not installed")
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(LEAST_BYTES[kind])
    image.chmod(0o600)
    uuid = "12AB-34CD" if kind is FilesystemType.VFAT else UUID
    wanted = Filesystem(type=kind, label="DATA", uuid=uuid)
    run(build_mkfs(wanted, str(image)))
    found = parse_wipefs(run(["wipefs", "--json", image]).stdout)["disk.img"]
    assert is_right(found, wanted)
    assert not is_right(found, Filesystem(type=kind, label="OTHER"))
    assert is_right(found, Filesystem(type=kind))
