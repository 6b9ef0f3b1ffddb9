from typing import Any

import pytest

from bootos.drivers.storage.table import Placed, build_script, place_partitions
from bootos.template.model import Partition, Table

MIB, GIB = 1024**2, 1024**3
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"


def place(
    *parts: dict[str, Any], table: Table = Table.GPT, size: int = 8 * GIB, sector: int = 512
) -> tuple[list[tuple[int, int]], list[str]]:
    wanted = [Partition(name=f"p{n}", **part) for n, part in enumerate(parts)]
    placed, problems = place_partitions(wanted, table, size, sector, "disks[0]")
    return [(part.start, part.sectors) for part in placed], [f"{p.path}: {p.message}" for p in problems]


def test_everything_begins_on_a_mebibyte_and_sizes_are_exact() -> None:
    # 100 MB is no whole number of MiB: its partition keeps its size, the next one moves up
    places, problems = place({"size": "100MB"}, {"size": "1GiB"})
    assert problems == []
    assert places == [(2048, 195313), (198656, 2097152)]
    assert places[1][0] % 2048 == 0


def test_the_rest_ends_before_the_backup_table() -> None:
    places, _ = place({"size": "rest"}, size=8 * GIB)
    assert places == [(2048, 8 * GIB // 512 - 4096)]
    places, _ = place({"size": "rest"}, size=8 * GIB, table=Table.MBR)
    assert places == [(2048, 8 * GIB // 512 - 2048)]


def test_percentages_are_of_the_whole_disk_and_a_hundred_fit() -> None:
    places, problems = place({"size": "25%"}, {"size": "75%"}, size=8 * GIB)
    assert problems == []
    assert places[0] == (2048, 2 * GIB // 512)
    assert sum(places[1]) <= 8 * GIB // 512 - 33


def test_sectors_of_4096_bytes_are_counted_as_such() -> None:
    places, problems = place({"size": "1GiB"}, {"size": "rest"}, sector=4096)
    assert problems == []
    assert places[0] == (256, 262144)
    assert sum(places[1]) <= 8 * GIB // 4096 - 5


def test_an_explicit_start_is_kept_and_the_next_follows_it() -> None:
    places, problems = place({"size": "1GiB", "start": "4GiB"}, {"size": "rest"})
    assert problems == []
    assert places == [(8388608, 2097152), (10485760, 8 * GIB // 512 - 2048 - 10485760)]


def test_says_how_much_is_left_when_something_does_not_fit() -> None:
    _, problems = place({"size": "6GiB"}, {"size": "4GiB"}, {"size": "1GiB"})
    assert problems == [
        "disks[0].partitions[1].size: 4GiB does not fit: 2046 MiB of 8 GiB are left",
        "disks[0].partitions[2].size: 1GiB does not fit: 0 B of 8 GiB are left",
    ]


def test_finds_overlaps_that_only_the_disk_shows() -> None:
    _, problems = place({"size": "50%"}, {"size": "1GiB", "start": "25%"})
    assert problems == ["disks[0].partitions[1]: overlaps partition 1 (p0)"]


def test_an_mbr_ends_at_two_tebibytes() -> None:
    places, _ = place({"size": "rest"}, table=Table.MBR, size=4 * 1024**4)
    assert sum(places[0]) < 2**32


@pytest.mark.parametrize("table", list(Table))
def test_the_script_leaves_nothing_to_sfdisk(table: Table) -> None:
    part = Placed(number=1, start=2048, sectors=4096, type="x", name="boot", bootable=True)
    expected = {
        Table.GPT: 'label: gpt\nunit: sectors\n\n1 : start=2048, size=4096, type=x, name="boot", '
        "attrs=LegacyBIOSBootable\n",
        Table.MBR: "label: dos\nunit: sectors\n\n1 : start=2048, size=4096, type=x, bootable\n",
    }
    assert build_script([part], table) == expected[table]
