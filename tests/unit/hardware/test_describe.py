from pathlib import Path

import pytest
from captured import NAMES, read_machine

from bootos.hardware.describe import WIDTH, build_summary, format_size
from bootos.hardware.pcigap import find_gaps
from bootos.wire.inventory import Dimm, Disk, DiskType, Health, Inventory, Nic, PciDevice


def build_large_machine() -> Inventory:
    inventory = Inventory(collected_at="")
    inventory.system.vendor, inventory.system.product = "Supermicro", "SSG-6029P-E1CR24H"
    inventory.disks = [
        Disk(index=number, name=f"sd{number}", path=f"/dev/sd{number}", size_bytes=12000138625024,
             type=DiskType.HDD, transport="sas", vendor="SEAGATE", model="ST12000NM0027")
        for number in range(24)
    ]  # fmt: skip
    inventory.disks[7].health = Health(passed=False)
    inventory.nics = [Nic(name=f"eth{number}", mac=f"52:54:00:00:00:0{number}") for number in range(6)]
    inventory.memory.dimms = [
        Dimm(slot=f"A{number}", size_bytes=32 << 30, type="DDR4") for number in range(12)
    ]
    inventory.memory.total_bytes = 384 << 30
    inventory.notes = ["A sentence that is much longer than one line of the console is wide. " * 4] * 9
    return inventory


def test_the_summary_of_a_large_machine_fits_the_console() -> None:
    rows = build_summary(build_large_machine())
    assert len(rows) <= 23
    assert all(len(value) <= WIDTH and len(name) <= 80 - WIDTH - 2 for name, value in rows)


@pytest.mark.parametrize("name", NAMES)
def test_the_summary_of_every_captured_machine_fits_the_console(name: str, tmp_path: Path) -> None:
    rows = build_summary(read_machine(name, tmp_path))
    assert len(rows) <= 23
    assert all(len(value) <= WIDTH for _, value in rows)


def test_disks_of_one_kind_share_a_line_and_a_failing_one_has_its_own() -> None:
    lines = [value for _, value in build_summary(build_large_machine()) if "ST12000" in value]
    assert lines == [
        "0-6: 12 TB HDD sas SEAGATE ST12000NM0027",
        "7: 12 TB HDD sas SEAGATE ST12000NM0027 FAILING",
        "8-23: 12 TB HDD sas SEAGATE ST12000NM0027",
    ]


def test_memory_is_told_by_its_modules() -> None:
    rows = dict(build_summary(build_large_machine()))
    assert rows["Memory"] == "384 GiB, 12 x 32 GiB DDR4, 12 of 12 slots"


def test_devices_without_the_module_they_need_are_named() -> None:
    inventory = Inventory(collected_at="")
    inventory.pci = [
        PciDevice(address="0000:00:00.0", vendor_id="8086", device_id="1237", class_id="060000"),
        PciDevice(address="0000:3b:00.0", vendor_id="15b3", device_id="101d", class_id="020000", needs_module=True,
                  vendor="Mellanox Technologies", device="MT2892 Family [ConnectX-6 Dx]"),
        PciDevice(address="0000:02:00.0", vendor_id="8086", device_id="1521", class_id="020000", needs_module=True,
                  kernel_module="igb"),
    ]  # fmt: skip
    assert [device.address for device in find_gaps(inventory.pci)] == ["0000:3b:00.0"]
    assert (
        "No module",
        "0000:3b:00.0 [15b3:101d] Mellanox Technologies MT2892 Family [C...",
    ) in build_summary(inventory)


@pytest.mark.parametrize(
    ("size_bytes", "decimal", "text"),
    [
        (None, False, "size unknown"),
        (0, False, "0 B"),
        (16 << 30, False, "16 GiB"),
        (1536 << 20, False, "1.5 GiB"),
        (1920383410176, True, "1.92 TB"),
        (480103981056, True, "480 GB"),
        (999653638144, True, "1 TB"),
        (100 << 30, False, "100 GiB"),
    ],
)
def test_sizes_are_short(size_bytes: int | None, decimal: bool, text: str) -> None:
    assert format_size(size_bytes, decimal=decimal) == text
