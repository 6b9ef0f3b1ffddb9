"""A machine all of whose drives are behind a RAID controller has no disk before its first array."""

import pytest

from bootos.drivers.disk.filesystem import FilesystemDriver
from bootos.drivers.disk.luks import LuksDriver
from bootos.drivers.disk.lvm import LvmDriver
from bootos.drivers.disk.partition import PartitionDriver
from bootos.wire.inventory import Inventory, PciDevice, RaidController

DRIVERS = (PartitionDriver, LvmDriver, LuksDriver, FilesystemDriver)


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.__name__)
def test_disks_that_a_controller_will_make_are_enough(driver: type[PartitionDriver]) -> None:
    none = Inventory(collected_at="2024-01-01T00:00:00Z")
    assert driver().match(none) is None
    drive = PciDevice(address="0000:01:00.0", vendor_id="1344", device_id="51a2", class_id="010802")
    empty = Inventory(collected_at="2024-01-01T00:00:00Z", pci=[drive])
    assert driver().match(empty) is not None, "an NVMe drive without a namespace"
    card = RaidController(name="0000:3b:00.0", driver="raid.megaraid")
    assert driver().match(Inventory(collected_at="2024-01-01T00:00:00Z", raid=[card])) is not None
