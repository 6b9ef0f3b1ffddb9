from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import pytest

from bootos.drivers.contract import Machine
from bootos.drivers.storage.array import resync_slowed
from bootos.drivers.storage.md import parse_export, parse_mdstat, parse_superblock, read_name
from bootos.drivers.storage.mdread import read_arrays
from bootos.process import Command, Completed, Options, ToolError

GOLDEN = Path(__file__).parents[2] / "golden/drivers/raid.mdadm"


def read(*parts: str) -> str:
    return GOLDEN.joinpath(*parts).read_text()


def test_reads_every_level_with_chunk_and_hot_spare() -> None:
    entries = parse_mdstat(read("levels", "mdstat.txt"))
    told = [(e.name, e.level, e.chunk_bytes, len(e.members), e.active, e.read_only) for e in entries]
    assert told == [
        ("md125", "1", None, 3, True, False),
        ("md126", "0", 256 * 1024, 2, True, False),
        ("md127", "10", 512 * 1024, 4, True, False),
    ]
    spares = [member.node for member in entries[0].members if member.role is None]
    assert spares == ["/dev/vdc"]


def test_a_member_that_is_being_built_is_no_hot_spare() -> None:
    entries = {entry.name: entry for entry in parse_mdstat(read("building", "mdstat.txt"))}
    assert entries["md126"].level == "5"
    assert all(member.role is not None for member in entries["md126"].members)
    assert entries["md126"].progress == "recovery 14.7%"
    assert entries["md127"].progress == "resync 17.3%"


def test_knows_an_array_that_was_started_read_only() -> None:
    assert [entry.read_only for entry in parse_mdstat(read("read-only", "mdstat.txt"))] == [True, True]


def test_an_inactive_array_and_a_failed_member_are_told_apart() -> None:
    text = """\
Personalities : [raid1]
md127 : inactive vdb[0](S)
      613376 blocks super 1.2

md126 : active raid1 vdd[1](F) vdc[0]
      613376 blocks super 1.2 [2/1] [U_]

unused devices: <none>
"""
    inactive, degraded = parse_mdstat(text)
    assert (inactive.active, degraded.active) == (False, True)
    assert [(member.node, member.faulty) for member in degraded.members] == [
        ("/dev/vdd", True),
        ("/dev/vdc", False),
    ]


def test_a_broken_array_runs_and_keeps_its_members() -> None:
    text = """\
Personalities : [raid0] [raid1]
md127 : broken raid0 nvme1n1[1] nvme0n1[0]
      3906762752 blocks super 1.2 512k chunks

md126 : broken (read-only) raid1 sdb[1]
      613376 blocks super 1.2 [2/1] [_U]

unused devices: <none>
"""
    striped, mirrored = parse_mdstat(text)
    assert (striped.active, striped.level, [member.node for member in striped.members]) == (
        True,
        "0",
        ["/dev/nvme1n1", "/dev/nvme0n1"],
    )
    assert (mirrored.active, mirrored.level, mirrored.read_only) == (True, "1", True)


def test_an_array_whose_members_were_wrapped_has_all_of_them() -> None:
    text = """\
md0 : active raid5 sda1[0] sdb1[1]
      sdc1[2](S) sdd1[3](F)
      1953519616 blocks level 5, 64k chunk, algorithm 2 [4/3] [UU_]
"""
    (entry,) = parse_mdstat(text)
    assert (entry.level, [member.node for member in entry.members]) == (
        "5",
        ["/dev/sda1", "/dev/sdb1", "/dev/sdc1", "/dev/sdd1"],
    )


def test_no_arrays_at_all() -> None:
    assert parse_mdstat("Personalities : \nunused devices: <none>\n") == []
    assert parse_mdstat("") == []


def test_a_superblock_tells_its_array() -> None:
    block = parse_superblock("/dev/nvme1n1", read("degraded", "examine-nvme1n1.txt"))
    assert block is not None
    assert (block.name, block.level, block.drive_count) == ("pair", "1", 2)
    running = parse_export(read("degraded", "detail-md125.txt"))
    assert block.uuid == running["MD_UUID"]


def test_something_else_is_no_superblock() -> None:
    assert parse_superblock("/dev/sda", "") is None
    assert parse_superblock("/dev/sda", "MD_METADATA=imsm\nMD_UUID=1:2:3:4\n") is None


@pytest.mark.parametrize(
    ("recorded", "name"), [("any:os", "os"), ("host.example:data", "data"), ("os", "os"), ("", "")]
)
def test_the_host_is_not_part_of_the_name(recorded: str, name: str) -> None:
    assert read_name(recorded) == name


def test_an_array_of_which_mdadm_fails_is_kept_as_the_kernel_lists_it(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/mdstat").write_text(read("levels", "mdstat.txt"))

    def run(argv: Sequence[Any], **options: Unpack[Options]) -> Completed:
        command = Command(argv, **options)
        if command.words[-1] == "/dev/md126":
            raise ToolError("mdadm: cannot open /dev/md126")
        return command.complete(0, "MD_UUID=1:2:3:4\nMD_DEVICES=2\nMD_NAME=any:data\n")

    arrays, notes, started = read_arrays(Machine(run=run, root=tmp_path), [])
    silent = next(array for array in arrays if array.node == "/dev/md126")
    assert (len(arrays), silent.uuid, silent.level, silent.drive_count, len(silent.nodes)) == (
        3,
        "",
        "0",
        2,
        2,
    )
    assert notes == ["mdadm tells nothing of the array /dev/md126: mdadm: cannot open /dev/md126"]
    assert not started


def test_a_resync_is_slow_while_we_write_and_free_again_afterwards(tmp_path: Path) -> None:
    limit = tmp_path / "sys/block/md127/md/sync_speed_max"
    limit.parent.mkdir(parents=True)
    limit.write_text("200000 (system)")
    with resync_slowed(Machine(root=tmp_path)):
        assert limit.read_text() == "1000"
    assert limit.read_text() == "system"
