"""Disks below a directory that looks like sysfs: numbering, identity, type."""

from pathlib import Path

import pytest

from bootos.hardware.ata import parse_identify_page
from bootos.hardware.attachment import find_attachment
from bootos.hardware.block import find_double_paths, parse_serial_page, parse_udev, parse_wwid, read_disks
from bootos.hardware.tree import Tree, natural_sort
from bootos.wire.inventory import Disk, DiskType


class Sysfs:
    """A directory with the parts of sysfs that disks have."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "sys/block").mkdir(parents=True)

    def add(self, name: str, parent: str, *, sectors: int = 2048, rotational: int = 0, **files: str) -> Path:
        """A disk below `parent` (the path of its SCSI or NVMe device in sys/devices); files of its device."""
        device = self.root / "sys/devices" / parent
        block = device / "block" / name if not name.startswith("nvme") else device / name
        (block / "queue").mkdir(parents=True)
        (block / "size").write_text(f"{sectors}\n")
        (block / "queue/rotational").write_text(f"{rotational}\n")
        for file, text in files.items():
            (device / file).write_text(text + "\n")
        (block / "device").symlink_to("../.." if not name.startswith("nvme") else "..")
        (self.root / "sys/block" / name).symlink_to(
            Path("../devices") / block.relative_to(self.root / "sys/devices")
        )
        return block

    def bind(self, address: str, driver: str) -> None:
        """The driver of a PCI device."""
        device = self.root / "sys/bus/pci/devices" / address
        device.mkdir(parents=True)
        (device / "driver").symlink_to(f"../../drivers/{driver}")

    def read(self) -> list[Disk]:
        return read_disks(Tree(self.root))


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    return Sysfs(tmp_path)


AHCI = "pci0000:00/0000:00:1f.2"


def test_disks_are_numbered_by_attachment_and_not_by_kernel_name(sysfs: Sysfs) -> None:
    sysfs.add("sda", f"{AHCI}/ata10/host9/target9:0:0/9:0:0:0")
    sysfs.add("sdb", f"{AHCI}/ata2/host1/target1:0:0/1:0:0:0")
    sysfs.add("vda", "pci0000:00/0000:00:10.0/virtio3")
    sysfs.add("vdb", "pci0000:00/0000:00:08.0/virtio9")
    sysfs.add("nvme0n1", "pci0000:00/0000:00:1d.0/0000:0a:00.0/nvme/nvme0")
    sysfs.add("nvme1n1", "pci0000:00/0000:00:1d.0/0000:02:00.0/nvme/nvme1")
    disks = sysfs.read()
    assert [disk.name for disk in disks] == ["vdb", "vda", "nvme1n1", "nvme0n1", "sdb", "sda"]
    assert [disk.index for disk in disks] == list(range(6))


def test_namespaces_and_luns_are_ordered_as_numbers(sysfs: Sysfs) -> None:
    nvme = "pci0000:00/0000:00:04.0/nvme/nvme0"
    hba = "pci0000:00/0000:00:05.0/virtio1/host2"
    for name, parent in {
        "nvme0n10": nvme, "nvme0n2": nvme, "sda": f"{hba}/target2:0:5/2:0:5:1", "sdb": f"{hba}/target2:0:5/2:0:5:0",
        "sdc": f"{hba}/target2:0:1/2:0:1:12",
    }.items():  # fmt: skip
        sysfs.add(name, parent)
    assert [disk.name for disk in sysfs.read()] == ["nvme0n2", "nvme0n10", "sdc", "sdb", "sda"]


def test_a_usb_stick_shifts_no_other_disks_number(sysfs: Sysfs) -> None:
    usb = "pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host0/target0:0:0/0:0:0:0"
    sysfs.add("sda", usb, rotational=1)
    sysfs.add("sdb", f"{AHCI}/ata1/host1/target1:0:0/1:0:0:0")
    first, stick = sysfs.read()
    assert (first.name, stick.name) == ("sdb", "sda")
    assert (stick.transport, stick.type) == ("usb", DiskType.UNKNOWN)


def test_sas_disks_are_ordered_by_bay_and_not_by_discovery(sysfs: Sysfs) -> None:
    hba = "pci0000:00/0000:00:02.0/0000:03:00.0/host0/port-0:0/expander-0:0"
    for name, number, bay in (("sda", 0, 11), ("sdb", 1, 2), ("sdc", 2, 3)):
        end = f"{hba}/port-0:0:{number}/end_device-0:0:{number}"
        sysfs.add(name, f"{end}/target0:0:{number}/0:0:{number}:0", vendor="SEAGATE")
        place = sysfs.root / "sys/devices" / end / f"sas_device/end_device-0:0:{number}"
        place.mkdir(parents=True)
        (place / "bay_identifier").write_text(f"{bay}\n")
        (place / "enclosure_identifier").write_text("0x500056b3a1b2c3ff\n")
    disks = sysfs.read()
    assert [disk.name for disk in disks] == ["sdb", "sdc", "sda"]
    assert {disk.transport for disk in disks} == {"sas"}
    assert {disk.type for disk in disks} == {DiskType.SSD}


def test_a_sata_disk_behind_a_sas_controller_is_sata(sysfs: Sysfs) -> None:
    sysfs.add(
        "sda",
        "pci0000:00/0000:03:00.0/host0/port-0:1/end_device-0:1/target0:0:1/0:0:1:0",
        vendor="ATA",
        rotational=1,
    )
    (disk,) = sysfs.read()
    assert (disk.transport, disk.type, disk.vendor) == ("sata", DiskType.HDD, None)


def test_logical_drives_of_a_raid_controller_are_virtual_and_its_raw_drives_are_not(sysfs: Sysfs) -> None:
    sysfs.bind("0000:03:00.0", "megaraid_sas")
    host = "pci0000:00/0000:00:02.0/0000:03:00.0/host0"
    sysfs.add("sda", f"{host}/target0:2:0/0:2:0:0", vendor="DELL", model="PERC H730P Mini", rotational=1)
    sysfs.add("sdb", f"{host}/target0:0:4/0:0:4:0", vendor="SEAGATE", model="ST600MM0006", rotational=1)
    raw, logical = sysfs.read()
    assert (logical.type, logical.transport) == (DiskType.VIRTUAL, "raid")
    assert (raw.type, raw.transport) == (DiskType.HDD, "sas")


def test_nvme_with_native_multipath_is_numbered_by_its_controllers_address(sysfs: Sysfs) -> None:
    sysfs.add("vda", "pci0000:00/0000:00:05.0/virtio0")
    subsystem = sysfs.root / "sys/devices/virtual/nvme-subsystem/nvme-subsys0"
    controller = sysfs.root / "sys/devices/pci0000:00/0000:00:04.0/nvme/nvme0"
    controller.mkdir(parents=True)
    sysfs.add("nvme0n1", "virtual/nvme-subsystem/nvme-subsys0")
    (subsystem / "nvme0").symlink_to("../../../pci0000:00/0000:00:04.0/nvme/nvme0")
    assert [disk.name for disk in sysfs.read()] == ["nvme0n1", "vda"]


def test_what_is_no_disk_is_left_out(sysfs: Sysfs) -> None:
    for name in ("loop0", "ram0", "zram0", "md127", "dm-0"):
        sysfs.add(name, f"virtual/{name}")
    sysfs.add("sr0", f"{AHCI}/ata3/host2/target2:0:0/2:0:0:0", type="5")
    sysfs.add("fd0", "platform/floppy.0")
    sysfs.add("sdz", f"{AHCI}/ata4/host3/target3:0:0/3:0:0:0", sectors=0)
    assert sysfs.read() == []


def test_sizes_are_bytes_whatever_the_disks_own_sectors_are(sysfs: Sysfs) -> None:
    block = sysfs.add("sda", f"{AHCI}/ata1/host0/target0:0:0/0:0:0:0", sectors=7814037168)
    (block / "queue/logical_block_size").write_text("4096\n")
    (block / "queue/physical_block_size").write_text("4096\n")
    (disk,) = sysfs.read()
    assert disk.size_bytes == 4000787030016
    assert (disk.logical_sector_bytes, disk.physical_sector_bytes) == (4096, 4096)


def test_attachment_follows_every_bridge(sysfs: Sysfs) -> None:
    sysfs.add("nvme0n1", "pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:01.0/10000:e1:00.0/nvme/nvme0")
    found = find_attachment(Tree(sysfs.root), "nvme0n1")
    assert found is not None
    assert found.key[1] == ((0, 0, 14, 0), (0x10000, 0xE0, 1, 0), (0x10000, 0xE1, 0, 0))


def test_two_paths_to_one_disk_are_said() -> None:
    twins = [
        Disk(index=number, name=name, path=f"/dev/{name}", size_bytes=1, wwn="0x5000c500a1b2c3d4")
        for number, name in enumerate(("sda", "sdb"))
    ]
    (sentence,) = find_double_paths(twins)
    assert "sda and sdb are the same disk" in sentence


def test_udevs_shortest_path_link_is_taken() -> None:
    udev = parse_udev(
        "S:disk/by-path/pci-0000:00:1f.2-ata-1.0\nS:disk/by-path/pci-0000:00:1f.2-ata-1\nE:ID_BUS=ata\n"
    )
    assert udev.by_path == "pci-0000:00:1f.2-ata-1"
    assert udev.properties == {"ID_BUS": "ata"}


@pytest.mark.parametrize(
    ("wwid", "wwn"),
    [
        ("naa.5000c500a1b2c3d4", "0x5000c500a1b2c3d4"),
        ("eui.0025385b71b0a9d1", "eui.0025385b71b0a9d1"),
        ("t10.ATA     QEMU HARDDISK                           QM00005", None),
        ("nvme.1b36-4e564d4530-51454d55204e564d65204374726c-00000001", None),
        ("", None),
    ],
)
def test_only_a_world_wide_name_is_one(wwid: str, wwn: str | None) -> None:
    assert parse_wwid(wwid) == wwn


def test_a_scsi_serial_page_is_read_by_its_length() -> None:
    assert parse_serial_page(b"\0\x80\0\x08  S3L1AL\0\0") == "S3L1AL"
    assert parse_serial_page(b"\0\x83\0\x00") is None
    assert parse_serial_page(b"") is None


def test_what_is_no_identify_page_gives_nothing() -> None:
    assert parse_identify_page(b"\0\x89" + bytes(10)).model is None


def test_names_sort_by_their_numbers() -> None:
    assert natural_sort(["eth10", "eth2", "a", "10", "9"]) == ["9", "10", "a", "eth2", "eth10"]
