"""`mdadm-examine/*.txt` and `sfdisk/*.json` are what the tools printed for disks of a lab machine in which a real
kernel had made the arrays."""

import os
from pathlib import Path

import msgspec
import pytest

from bootos.errors import BootosError
from bootos.lab.disk import find_changed_offsets, fingerprint_disk, parse_partition_table
from bootos.lab.md_array import MdMember, build_array_view, find_chunk, parse_md_member

GOLDEN = Path(__file__).parents[2] / "golden/lab"
MIB = 1024**2


def member_of(name: str) -> MdMember:
    return parse_md_member((GOLDEN / f"mdadm-examine/{name}.txt").read_text(), path=name)


def test_reads_a_raid_5_member() -> None:
    member = member_of("raid5-active")
    assert (member.level, member.devices, member.slot, member.layout) == (5, 3, 0, "left-symmetric")
    assert (member.chunk_bytes, member.data_offset_bytes) == (512 * 1024, 2 * MIB)
    assert (member.array_size_bytes, member.used_size_bytes) == (396 * MIB, 198 * MIB)
    assert (member.name, member.state, member.array_state) == ("(none):data", "clean", "AAA")


def test_tells_a_spare_from_an_active_member() -> None:
    active, spare = member_of("raid1-active"), member_of("raid1-spare")
    assert (active.is_spare, spare.is_spare) == (False, True)
    assert active.array_uuid == spare.array_uuid and active.device_uuid != spare.device_uuid


def test_level_0_has_no_array_size() -> None:
    assert member_of("raid0-active").array_size_bytes == 0


def test_refuses_text_of_something_else() -> None:
    with pytest.raises(BootosError, match="not a member"):
        parse_md_member("mdadm: No md superblock detected on a.raw.", path="a.raw")


# Rows as the members have them (md(4); for level 6 Linux's drivers/md/raid5.c). D is data, P and Q are parity.
LAYOUTS = {
    (5, "left-symmetric"): ["D0 D1 P", "D3 P D2", "P D4 D5", "D6 D7 P"],
    (6, "left-symmetric"): ["Q D0 D1 P", "D2 D3 P Q", "D5 P Q D4", "P Q D6 D7"],
    (10, "near=2"): ["D0 D0 D1 D1", "D2 D2 D3 D3"],
    (0, ""): ["D0 D1", "D2 D3"],
}


@pytest.mark.parametrize(("level", "layout"), LAYOUTS)
def test_finds_each_chunk_where_md_puts_it(level: int, layout: str) -> None:
    rows = [row.split() for row in LAYOUTS[level, layout]]
    places: dict[int, tuple[int, tuple[int, ...]]] = {}
    for row, cells in enumerate(rows):
        for word in set(cells):
            if word.startswith("D"):
                places[int(word[1:])] = (row, tuple(slot for slot, cell in enumerate(cells) if cell == word))
    for number, place in places.items():
        assert find_chunk(number, level=level, devices=len(rows[0]), layout=layout) == place


def test_refuses_a_layout_it_does_not_know() -> None:
    with pytest.raises(BootosError, match="far=2"):
        find_chunk(0, level=10, devices=4, layout="far=2")


def make_raid5(directory: Path) -> tuple[bytes, list[MdMember]]:
    """Three members with chunks of 4 KiB, laid out by hand as in LAYOUTS."""
    chunk, offset = 4096, 8192
    data = [bytes([number + 1]) * chunk for number in range(6)]

    def xor(one: bytes, two: bytes) -> bytes:
        return bytes(a ^ b for a, b in zip(one, two, strict=True))

    rows = [
        [data[0], data[1], xor(data[0], data[1])],
        [data[3], xor(data[2], data[3]), data[2]],
        [xor(data[4], data[5]), data[4], data[5]],
    ]
    members = []
    for slot in range(3):
        path = directory / f"{slot}.raw"
        path.write_bytes(bytes(offset) + b"".join(row[slot] for row in rows))
        facts = member_of("raid5-active")
        members.append(
            msgspec.structs.replace(
                facts,
                path=str(path),
                slot=slot,
                chunk_bytes=chunk,
                data_offset_bytes=offset,
                array_size_bytes=6 * chunk,
            )
        )
    return b"".join(data), members


def test_lays_a_raid_5_out_as_one_file(tmp_path: Path) -> None:
    content, members = make_raid5(tmp_path)
    assert build_array_view(members, tmp_path / "view").read_bytes() == content


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_computes_what_a_lost_member_of_a_raid_5_held(tmp_path: Path, lost: int) -> None:
    content, members = make_raid5(tmp_path)
    members.pop(lost)
    assert build_array_view(members, tmp_path / "view").read_bytes() == content


def test_refuses_an_array_that_lost_too_much(tmp_path: Path) -> None:
    _, members = make_raid5(tmp_path)
    with pytest.raises(BootosError, match="more than one member"):
        build_array_view(members[:1], tmp_path / "view")
    with pytest.raises(BootosError, match="spares only"):
        build_array_view([], tmp_path / "view")


def test_reads_a_partition_table_in_bytes() -> None:
    table = parse_partition_table((GOLDEN / "sfdisk/gpt-two-partitions.json").read_text())
    assert table.label == "gpt"
    assert [(part.number, part.name, part.start_bytes, part.size_bytes) for part in table.partitions] == [
        (1, "boot", MIB, 64 * MIB),
        (2, "rest", 65 * MIB, 330 * MIB),
    ]


def test_a_fingerprint_does_not_depend_on_how_sparse_the_file_is(tmp_path: Path) -> None:
    sparse, full = tmp_path / "sparse", tmp_path / "full"
    with sparse.open("wb") as disk:
        disk.truncate(5 * MIB)
        disk.seek(3 * MIB + 17)
        disk.write(b"data")
    full.write_bytes(sparse.read_bytes())
    assert fingerprint_disk(sparse).digest == fingerprint_disk(full).digest
    assert list(fingerprint_disk(full).blocks) == [3]


def test_a_single_changed_byte_is_found_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(os.urandom(3 * MIB))
    before = fingerprint_disk(path)
    with path.open("r+b") as disk:
        disk.seek(2 * MIB + 5)
        byte = disk.read(1)
        disk.seek(-1, os.SEEK_CUR)
        disk.write(bytes((byte[0] ^ 1,)))
    after = fingerprint_disk(path)
    assert before.digest != after.digest
    assert find_changed_offsets(before, after) == [2 * MIB]
    assert find_changed_offsets(before, before) == []
