"""What the tools cannot read, or only the kernel still knows, is no free place: it is told, and needs its word."""

from pathlib import Path
from typing import Any

import pytest
from carrying import apply, plan
from lvmtools import FakeGroup, FakeVolume
from storagemachine import MIB, FakeArray, FakeDevice, FakePart, StorageMachine

from bootos.drivers.contract import DriverError
from bootos.drivers.storage.content import find_on_volume
from bootos.drivers.storage.read import read_storage


class Damaged(StorageMachine):
    """`broken` are devices that wipefs cannot read, or of which sfdisk does not understand the table."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, {"sda": 4096 * MIB, "sdb": 4096 * MIB})
        self.broken: set[str] = set()
        part = FakePart(
            start=2048, size_bytes=2048 * MIB, type="0FC63DAF-8483-4772-8E79-3D69D8477DE4", name="a"
        )
        self.devices["/dev/sda"] = FakeDevice(size_bytes=4096 * MIB, table="gpt", parts={1: part})

    def _run_wipefs(self, words: list[str], input: str | None) -> str:
        if "--all" not in words and self.broken & set(words):
            raise self.refusal("error: cannot read: Input/output error")
        return super()._run_wipefs(words, input)

    def _run_sfdisk(self, words: list[str], input: str | None) -> str:
        if words[0] == "--json" and f"table of {words[-1]}" in self.broken:
            raise self.refusal("does not contain a recognized partition table")
        return super()._run_sfdisk(words, input)


@pytest.fixture
def fake(tmp_path: Path) -> Damaged:
    return Damaged(tmp_path)


def on_sda(**wanted: Any) -> Any:
    return {"name": "t", "disks": [{"select": {"path": "/dev/sda"}, **wanted}]}


PARTITION = {"name": "a", "size": "2048MiB", "filesystem": "xfs"}


def test_a_partition_that_cannot_be_read_is_not_formatted_without_a_word(fake: Damaged) -> None:
    assert plan(on_sda(partitions=[PARTITION]), fake.machine, fake.build_inventory()).problems == []
    fake.broken = {"/dev/sda1"}
    found = plan(on_sda(partitions=[PARTITION]), fake.machine, fake.build_inventory())
    assert [problem.message for problem in found.problems] == [
        "/dev/sda1 holds what cannot be read on /dev/sda1"
    ]
    wiped = plan(on_sda(partitions=[PARTITION], wipe=True), fake.machine, fake.build_inventory())
    assert [(action.destroys, action.allowed) for action in wiped.actions] == [
        (("what cannot be read on /dev/sda1",), "disks[0].wipe")
    ]


def test_a_table_that_no_tool_understands_is_not_overwritten_without_a_word(fake: Damaged) -> None:
    fake.broken = {"table of /dev/sda"}
    found = plan(on_sda(filesystem="xfs"), fake.machine, fake.build_inventory())
    assert [problem.message for problem in found.problems] == [
        "/dev/sda (drive 0, serial SER0) holds GPT partition table that cannot be read on /dev/sda"
    ]


def test_a_disk_that_cannot_be_read_is_not_chosen(fake: Damaged) -> None:
    fake.broken = {"/dev/sda"}
    found = plan(on_sda(filesystem="xfs", wipe=True), fake.machine, fake.build_inventory())
    assert "it cannot be read" in found.problems[0].message
    assert found.actions == []


def test_partitions_of_a_table_that_was_overwritten_are_not_taken_without_a_word(fake: Damaged) -> None:
    """`dd` over the start of a disk: the kernel has its partitions until it looks again."""
    disk = fake.devices["/dev/sda"]
    disk.table = None
    disk.parts[1].signatures = [{"type": "ext4", "label": "data", "uuid": ""}]
    lost = 'ext4 file system "data" on /dev/sda1'
    for wanted in ({"filesystem": "xfs"}, {"partitions": [PARTITION]}):
        found = plan(on_sda(**wanted), fake.machine, fake.build_inventory())
        assert [problem.message for problem in found.problems] == [
            f"/dev/sda (drive 0, serial SER0) holds {lost}"
        ]
        wiped = plan(on_sda(**wanted, wipe=True), fake.machine, fake.build_inventory())
        assert (wiped.actions[0].destroys, wiped.actions[0].allowed) == ((lost,), "disks[0].wipe")


def test_what_lies_on_a_partition_that_only_the_kernel_has_is_told_whole(fake: Damaged) -> None:
    """A physical volume with its group, and a member with its array, which did not run."""
    disk = fake.devices["/dev/sda"]
    disk.table = None
    disk.parts[1].signatures = [{"type": "LVM2_member", "label": "", "uuid": "pv"}]
    fake.pv_uuids["/dev/sda1"] = "pv"
    data = {"type": "ext4", "label": "data", "uuid": ""}
    root = FakeVolume(extents=10, pieces=[("/dev/sda1", 0, 9)], signatures=[data])
    fake.groups["vg0"] = FakeGroup(extent_bytes=4 * MIB, members={"/dev/sda1": 500}, volumes={"root": root})
    held = "/dev/sda (drive 0, serial SER0) holds"
    lost = 'LVM physical volume of volume group "vg0" on /dev/sda1; ext4 file system "data" on /dev/vg0/root'
    found = plan(on_sda(filesystem="xfs"), fake.machine, fake.build_inventory())
    assert [problem.message for problem in found.problems] == [f"{held} {lost}"]
    root.active = True
    (used, _) = plan(on_sda(filesystem="xfs"), fake.machine, fake.build_inventory()).problems
    assert "it is in use by /dev/vg0/root (lvm)" in used.message

    fake.drop_member("/dev/sda1")
    disk.parts[1].signatures = [{"type": "linux_raid_member", "label": "any:os", "uuid": "a:b:c:d"}]
    array = FakeArray(
        name="os",
        uuid="a:b:c:d",
        level=1,
        drives=["/dev/sda1"],
        hotspares=[],
        chunk_kib=512,
        device=FakeDevice(size_bytes=2000 * MIB, signatures=[data]),
    )
    fake.arrays.append(array)
    fake._tell_mdstat()
    lost = 'member of md array "os" on /dev/sda1; ext4 file system "data" on /dev/md/os'
    found = plan(on_sda(filesystem="xfs"), fake.machine, fake.build_inventory())
    assert [problem.message for problem in found.problems] == [f"{held} {lost}"]


def test_a_running_array_whose_superblocks_are_gone_is_not_taken_without_a_word(fake: Damaged) -> None:
    """`wipefs --all --force` on a member: the array runs on, and only /proc/mdstat knows of it."""
    fake.devices["/dev/sda"] = FakeDevice(size_bytes=4096 * MIB)
    inside = FakeDevice(
        size_bytes=4000 * MIB, signatures=[{"type": "ext4", "label": "data", "uuid": ""}], mountpoint="/mnt"
    )
    array = FakeArray(
        name="os",
        uuid="a:b:c:d",
        level=1,
        drives=["/dev/sda", "/dev/sdb"],
        hotspares=[],
        chunk_kib=512,
        device=inside,
        node="md127",
    )
    fake.arrays.append(array)
    fake._tell_mdstat()
    lost = 'member of md array "os" on /dev/sda; ext4 file system "data" on /dev/md/os'
    held = "/dev/sda (drive 0, serial SER0)"
    found = plan(on_sda(filesystem="xfs"), fake.machine, fake.build_inventory())
    assert [problem.message for problem in found.problems] == [
        f"{held} cannot get a file system: it is mounted on /mnt",
        f"{held} holds {lost}",
    ]
    inside.mountpoint = None
    found = plan(on_sda(filesystem="xfs"), fake.machine, fake.build_inventory())
    assert [problem.message for problem in found.problems] == [f"{held} holds {lost}"]


def break_reading(fake: Damaged, node: str) -> None:
    """Let every read of a device fail. The real wipefs then prints nothing, and ends with status 0."""
    (fake.root / node.removeprefix("/")).mkdir(parents=True)


def test_a_disk_whose_reads_fail_is_not_blank(fake: Damaged) -> None:
    wanted = {"name": "t", "disks": [{"select": {"path": "/dev/sdb"}, "filesystem": "xfs"}]}
    assert plan(wanted, fake.machine, fake.build_inventory()).problems == []
    break_reading(fake, "/dev/sdb")
    found = plan(wanted, fake.machine, fake.build_inventory())
    assert [problem.message for problem in found.problems] == [
        "/dev/sdb (drive 1, serial SER1) cannot be used: it cannot be read"
    ]


def test_a_partition_whose_reads_fail_is_not_blank(fake: Damaged) -> None:
    break_reading(fake, "/dev/sda1")
    found = plan(on_sda(partitions=[PARTITION]), fake.machine, fake.build_inventory())
    assert [problem.message for problem in found.problems] == [
        "/dev/sda1 holds what cannot be read on /dev/sda1"
    ]


def test_a_logical_volume_whose_reads_fail_is_not_blank(tmp_path: Path) -> None:
    fake = StorageMachine(tmp_path, {"sda": 4096 * MIB})
    inventory = fake.build_inventory()
    wanted = {
        "name": "t",
        "disks": [{"select": {"drives": 0}, "volume_group": "vg"}],
        "volume_groups": [{"name": "vg", "volumes": [{"name": "data", "size": "1GiB"}]}],
    }
    apply(wanted, fake.machine, inventory)
    wanted["volume_groups"][0]["volumes"][0]["filesystem"] = "xfs"  # type: ignore[index]
    assert plan(wanted, fake.machine, inventory).problems == []
    (tmp_path / "dev/sda").mkdir(parents=True)
    (problem,) = plan(wanted, fake.machine, inventory).problems
    assert problem.message == "/dev/vg/data holds what cannot be read on /dev/vg/data"
    (data,) = read_storage(fake.machine, inventory).groups[0].volumes
    assert (data.unreadable, data.signatures) == (True, ()), "there is no signature of that kind"


def test_a_logical_volume_that_begins_on_a_missing_disk_is_not_blank(tmp_path: Path) -> None:
    """LVM calls the physical volume `[unknown]` then."""
    fake = StorageMachine(tmp_path, {"sda": 4096 * MIB})
    fake.put("/dev/sda", "LVM2_member", "", "pv")
    fake.pv_uuids["/dev/sda"] = "pv"
    volumes = {"data": FakeVolume(extents=10, pieces=[("[unknown]", 0, 9)])}
    fake.groups["vg"] = FakeGroup(extent_bytes=4 * MIB, members={"/dev/sda": 900}, volumes=volumes, missing=1)
    (group,) = read_storage(fake.machine, fake.build_inventory()).groups
    assert find_on_volume(group, "data").content == ("what cannot be read on /dev/vg/data",)


@pytest.mark.parametrize("said", ["null", "lsblk: Killed", '{"blockdevices": [{"name": "sda"}]}', "[]"])
def test_a_tool_that_answers_what_is_not_understood_ends_in_words(tmp_path: Path, said: str) -> None:
    class Garbled(StorageMachine):
        def _run_lsblk(self, words: list[str], input: str | None) -> str:
            return said

    fake = Garbled(tmp_path, {"sda": 4096 * MIB})
    with pytest.raises(DriverError, match="File systems: a tool said what is not understood"):
        plan(on_sda(filesystem="xfs"), fake.machine, fake.build_inventory())
