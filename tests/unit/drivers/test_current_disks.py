"""Disks that come and go while a job runs keep the numbers of the inventory."""

from pathlib import Path

from bootos.drivers.contract import Machine
from bootos.drivers.storage.current import find_current_disks
from bootos.wire.inventory import Disk, Health, Inventory


def put_disk(root: Path, name: str, wwid: str, sectors: int = 2048) -> None:
    """As the kernel shows a virtio disk, which needs no bus behind it."""
    device = (
        root / f"sys/devices/pci0000:00/0000:00:0{ord(name[-1]) - 90}.0/virtio{ord(name[-1])}/block/{name}"
    )
    (device / "queue").mkdir(parents=True)
    (device / "size").write_text(f"{sectors}\n")
    (device / "wwid").write_text(f"{wwid}\n")
    block = root / "sys/block"
    block.mkdir(parents=True, exist_ok=True)
    (block / name).symlink_to(device)


def build_inventory(*disks: tuple[int, str, str]) -> Inventory:
    return Inventory(
        collected_at="2024-01-01T00:00:00Z",
        disks=[
            Disk(index=index, name=path[5:], path=path, wwn=wwn, size_bytes=2048 * 512)
            for index, path, wwn in disks
        ],
    )


def tell(root: Path, inventory: Inventory) -> list[tuple[int, str, str | None]]:
    return [(d.index, d.path, d.wwn) for d in find_current_disks(Machine(root=root), inventory)]


def test_a_disk_that_came_gets_a_number_after_all_others(tmp_path: Path) -> None:
    put_disk(tmp_path, "vda", "naa.600508b1001caaaa")
    put_disk(tmp_path, "vdb", "naa.600508b1001cbbbb")
    inventory = build_inventory((3, "/dev/vdb", "0x600508b1001cbbbb"))
    assert tell(tmp_path, inventory) == [
        (3, "/dev/vdb", "0x600508b1001cbbbb"),
        (4, "/dev/vda", "0x600508b1001caaaa"),
    ]


def test_another_disk_under_an_old_name_is_seen_as_what_it_is(tmp_path: Path) -> None:
    put_disk(tmp_path, "vda", "naa.600508b1001cffff")
    inventory = build_inventory((0, "/dev/vda", "0x600508b1001caaaa"))
    assert tell(tmp_path, inventory) == [(0, "/dev/vda", "0x600508b1001cffff")]


def test_a_drive_of_another_size_keeps_its_health_and_another_drive_has_none(tmp_path: Path) -> None:
    put_disk(tmp_path, "vda", "naa.600508b1001caaaa", sectors=1024)
    put_disk(tmp_path, "vdb", "naa.600508b1001cffff")
    known = build_inventory((0, "/dev/vda", "0x600508b1001caaaa"), (1, "/dev/vdb", "0x600508b1001cbbbb"))
    for disk in known.disks:
        disk.health = Health(passed=True)
    one, other = find_current_disks(Machine(root=tmp_path), known)
    assert (one.size_bytes, one.health, other.health) == (1024 * 512, Health(passed=True), None)


def test_a_disk_that_is_gone_stays_listed(tmp_path: Path) -> None:
    inventory = build_inventory((0, "/dev/vda", "0x600508b1001caaaa"))
    assert tell(tmp_path, inventory) == [(0, "/dev/vda", "0x600508b1001caaaa")]
