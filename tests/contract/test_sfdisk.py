"""The real sfdisk on an image file: what is placed is what is read back."""

import shutil
from pathlib import Path

import pytest

from bootos.drivers.storage.read import parse_sfdisk
from bootos.drivers.storage.table import build_script, find_difference, place_partitions
from bootos.process import run
from bootos.template.model import Partition, Table

pytestmark = pytest.mark.skipif(shutil.which("sfdisk") is None, reason="sfdisk is not installed")

PARTITIONS = [
    Partition(name="efi, or not", size="64MiB", type="efi", bootable=True),
    Partition(name="Größe", size="100MB", start="200MiB", type="swap"),
    Partition(name="x" * 36, size="10%", type="lvm"),
    Partition(name="rest", size="rest"),
]


@pytest.mark.parametrize("table", list(Table))
@pytest.mark.parametrize("size_bytes", [1024**3, 1024**3 + 512 * 777])
def test_a_written_table_reads_back_as_wanted(table: Table, size_bytes: int, tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(size_bytes)
    placed, problems = place_partitions(PARTITIONS, table, size_bytes, 512, "disks[0]")
    assert problems == []
    run(["sfdisk", "--quiet", "--wipe", "always", image], input=build_script(placed, table))
    layout = parse_sfdisk(run(["sfdisk", "--json", image]).stdout, "/dev/sda")
    assert find_difference(layout, table, placed) is None
    assert layout is not None
    assert [part.device for part in layout.slices] == ["/dev/sda1", "/dev/sda2", "/dev/sda3", "/dev/sda4"]


def test_an_empty_table_is_a_table(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(10 * 1024**2)
    run(["sfdisk", "--quiet", image], input=build_script([], Table.GPT))
    layout = parse_sfdisk(run(["sfdisk", "--json", image]).stdout, "/dev/sda")
    assert layout is not None
    assert (layout.table, layout.slices) == ("gpt", ())
