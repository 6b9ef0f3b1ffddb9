"""Reading disks and arrays, from outputs captured on a lab machine with nine disks and two arrays (read-only)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import pytest

from bootos.drivers.contract import Machine
from bootos.drivers.storage.content import Occupancy, find_on_device
from bootos.drivers.storage.lsblk import find_users, parse_lsblk
from bootos.drivers.storage.read import parse_sfdisk, parse_wipefs, read_storage
from bootos.drivers.storage.signature import Signature, name_signature
from bootos.drivers.storage.state import partition_path
from bootos.process import Command, Completed, Options
from bootos.wire.inventory import Disk, Inventory

GOLDEN = Path(__file__).parents[2] / "golden/drivers"
DISKS = GOLDEN / "disk.partition/nine-disks"
ARRAYS = GOLDEN / "raid.mdadm/read-only"


class Recording:
    """Answers with what the tools said on that machine; refuses what would change anything."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, argv: Sequence[Any], **options: Unpack[Options]) -> Completed:
        command = Command(argv, **options)
        words = list(command.words)
        self.calls.append(words)
        name = Path(words[-1]).name
        match words[:2]:
            case ["lsblk", "-J"]:
                text = (DISKS / "lsblk.json").read_text()
            case ["wipefs", "--json"]:
                text = self._find_signatures({Path(word).name for word in words[2:]})
            case ["sfdisk", "--json"]:
                text = (DISKS / f"sfdisk-{name}.json").read_text()
            case ["mdadm", "--detail"]:
                text = (ARRAYS / f"detail-{name}.txt").read_text()
            case _:
                raise AssertionError(f"not recorded: {words}")
        return command.complete(0, text)

    @staticmethod
    def _find_signatures(names: set[str]) -> str:
        listed: list[dict[str, Any]] = []
        for file in sorted(DISKS.glob("wipefs*.json")):
            listed += json.loads(file.read_text())["signatures"]
        return json.dumps({"signatures": [item for item in listed if item["device"] in names]})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/mdstat").write_text((ARRAYS / "mdstat.txt").read_text())
    return tmp_path


NAMES = ("sda", "sdb", "sdd", "sdc", "vda", "vdb", "vdc", "nvme0n1", "nvme1n1")
INVENTORY = Inventory(
    collected_at="2024-01-01T00:00:00Z",
    disks=[Disk(index=n, name=name, path=f"/dev/{name}", size_bytes=1) for n, name in enumerate(NAMES)],
)


def test_reads_disks_tables_arrays_and_what_is_on_them(root: Path) -> None:
    recording = Recording()
    storage = read_storage(Machine(run=recording, root=root), INVENTORY)
    assert storage.notes == ()
    assert [(a.name, a.level, a.drive_count, a.read_only) for a in storage.arrays] == [
        ("os", "1", 2, True),
        ("data5", "5", 3, True),
    ]
    assert storage.arrays[1].chunk_bytes == 64 * 1024
    assert [member.role is None for member in storage.arrays[0].members] == [False, True, False]
    assert storage.blocks["/dev/md/os"].node == "/dev/md126"
    assert list(find_on_device(storage, "/dev/vdc").content) == [
        'member of md array "os" on /dev/vdc',
        "GPT partition table with 4 partitions on /dev/md/os",
        'vfat file system "EFI" on /dev/md/os1',
        'ext4 file system "boot" on /dev/md/os2',
        'swap space "swap" on /dev/md/os3',
        'xfs file system "root" on /dev/md/os4',
    ]
    assert find_on_device(storage, "/dev/sdc").content == (
        "MBR partition table with 2 partitions on /dev/sdc",
    )
    assert find_on_device(storage, "/dev/sdc", {"/dev/sdc"}) == Occupancy()


def test_reading_runs_few_tools_and_none_that_writes(root: Path) -> None:
    recording = Recording()
    read_storage(Machine(run=recording, root=root), INVENTORY)
    assert [call[0] for call in recording.calls].count("wipefs") == 2
    assert len(recording.calls) <= 9
    assert not [call for call in recording.calls if "--all" in call or "--assemble" in call]


def test_a_disk_that_went_away_is_noted(root: Path) -> None:
    gone = Disk(index=9, name="sdz", path="/dev/sdz", serial="Z", size_bytes=1)
    inventory = Inventory(collected_at=INVENTORY.collected_at, disks=[*INVENTORY.disks, gone])
    storage = read_storage(Machine(run=Recording(), root=root), inventory)
    assert storage.notes == ("/dev/sdz (drive 9, serial Z) was in the inventory and is gone",)


def test_partitions_are_read_in_sectors_with_their_flags() -> None:
    layout = parse_sfdisk((DISKS / "sfdisk-sdc.json").read_text(), "/dev/sdc")
    assert layout is not None
    assert layout.table == "mbr"
    assert [(p.device, p.start, p.sectors, p.type, p.bootable) for p in layout.slices] == [
        ("/dev/sdc1", 2048, 195313, "83", True),
        ("/dev/sdc2", 614400, 819200, "8e", False),
    ]
    layout = parse_sfdisk((DISKS / "sfdisk-md126.json").read_text(), "/dev/md/os")
    assert layout is not None
    assert [(p.device, p.name) for p in layout.slices] == [
        ("/dev/md/os1", "efi"),
        ("/dev/md/os2", "boot"),
        ("/dev/md/os3", "swap"),
        ("/dev/md/os4", "root"),
    ]


def test_a_table_of_another_kind_is_none_of_ours() -> None:
    text = '{"partitiontable": {"label": "sun", "device": "/dev/sda", "partitions": []}}'
    assert parse_sfdisk(text, "/dev/sda") is None


def test_several_marks_of_one_file_system_count_once() -> None:
    found = parse_wipefs((DISKS / "wipefs-md126.json").read_text())
    assert found["md126p1"] == (Signature(type="vfat", label="EFI", uuid="12AB-34CD"),)
    assert [signature.type for signature in found["md126"]] == ["gpt", "PMBR"]


def test_users_are_mounts_swap_and_mappings_but_not_arrays() -> None:
    item = {
        "type": "disk",
        "path": "/dev/sda",
        "mountpoints": [None],
        "children": [
            {"type": "part", "path": "/dev/sda1", "mountpoints": ["/boot", "[SWAP]"]},
            {
                "type": "part",
                "path": "/dev/sda2",
                "mountpoints": [],
                "children": [{"type": "lvm", "path": "/dev/mapper/vg-a", "mountpoints": ["/a"]}],
            },
            {"type": "raid1", "path": "/dev/md127", "mountpoints": ["/x"]},
        ],
    }
    assert find_users(item) == [
        "mounted on /boot",
        "in use as swap",
        "in use by /dev/mapper/vg-a (lvm)",
        "mounted on /a",
    ]


@pytest.mark.parametrize(
    ("type", "label", "words"),
    [
        ("ext4", "data", 'ext4 file system "data"'),
        ("swap", "", "swap space"),
        ("LVM2_member", "", "LVM physical volume"),
        ("zfs_member", "tank", 'member of ZFS pool "tank"'),
        ("promise_fasttrack_raid_member", "", "promise_fasttrack_raid_member signature"),
    ],
)
def test_signatures_are_told_in_words(type: str, label: str, words: str) -> None:
    assert name_signature(Signature(type=type, label=label)) == words


def test_partitions_are_named_as_the_kernel_does() -> None:
    assert partition_path("/dev/sda", 1) == "/dev/sda1"
    assert partition_path("/dev/nvme0n1", 2) == "/dev/nvme0n1p2"
    assert partition_path("/dev/md/os", 3) == "/dev/md/os3"
    assert partition_path("/dev/md/data5", 3) == "/dev/md/data5p3"


def test_an_empty_lsblk_is_no_disks() -> None:
    assert parse_lsblk("") == {}
