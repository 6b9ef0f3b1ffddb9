from pathlib import Path

import msgspec
import pytest

from bootos.hardware.gpu import find_gpus
from bootos.hardware.pci import add_names, build_address_key, parse_uevent, read_pci, read_pci_ids
from bootos.hardware.pciids import PciNames
from bootos.hardware.raid import find_hardware_controllers
from bootos.hardware.tree import Tree
from bootos.wire.inventory import PciDevice

PERC = """DRIVER=megaraid_sas
PCI_CLASS=10400
PCI_ID=1000:005D
PCI_SUBSYS_ID=1028:1F49
PCI_SLOT_NAME=0000:03:00.0
MODALIAS=pci:v00001000d0000005Dsv00001028sd00001F49bc01sc04i00
"""


def device(ids: str, class_id: str, module: str | None = None) -> PciDevice:
    driver = f"DRIVER={module}\n" if module else ""
    found = parse_uevent(
        "0000:01:00.0", f"{driver}PCI_CLASS={class_id}\nPCI_ID={ids}\nPCI_SUBSYS_ID=0000:0000\n"
    )
    assert found is not None
    return found


@pytest.fixture
def names(golden: Path) -> PciNames:
    return PciNames((golden / "pci/pci.ids").read_bytes())


def test_a_device_is_read_from_its_uevent(names: PciNames) -> None:
    perc = parse_uevent("0000:03:00.0", PERC)
    assert perc is not None
    add_names(perc, names)
    assert (perc.vendor_id, perc.device_id, perc.class_id) == ("1000", "005d", "010400")
    assert (perc.subsystem_vendor_id, perc.subsystem_device_id) == ("1028", "1f49")
    assert (perc.vendor, perc.device) == ("Broadcom / LSI", "MegaRAID SAS-3 3108 [Invader]")
    assert (perc.subsystem, perc.class_name) == ("PERC H730 Mini", "RAID bus controller")
    assert (perc.kernel_module, perc.needs_module) == ("megaraid_sas", True)


def test_names_are_looked_for_in_their_vendors_block_only(names: PciNames) -> None:
    assert names.find_device("8086", "1521") == "I350 Gigabit Network Connection"
    assert names.find_device("1a03", "1521") is None
    assert names.find_vendor("ffff") is None
    assert names.find_subsystem("8086", "1521", "8086", "001e") is None
    assert names.find_class("010601") == "SATA controller"
    assert names.find_class("0155ff") == "Mass storage controller"
    assert names.find_class("ff0000") is None


def test_a_subsystem_of_zeros_is_none() -> None:
    assert device("8086:1521", "20000").subsystem_vendor_id is None


@pytest.mark.parametrize(
    ("class_id", "needed"),
    [("20000", True), ("10802", True), ("c0400", True), ("60000", False), ("30000", False), ("c0500", False)],
)
def test_storage_and_network_need_a_module(class_id: str, needed: bool) -> None:
    assert device("8086:0001", class_id).needs_module is needed


def test_the_module_is_named_after_its_file_and_not_after_the_driver(tmp_path: Path) -> None:
    place = tmp_path / "sys/bus/pci/devices/0000:00:03.0"
    place.mkdir(parents=True)
    (place / "uevent").write_text(
        "DRIVER=virtio-pci\nPCI_CLASS=20000\nPCI_ID=1AF4:1041\nPCI_SUBSYS_ID=1AF4:1041\n"
    )
    driver = tmp_path / "sys/bus/pci/drivers/virtio-pci"
    driver.mkdir(parents=True)
    (driver / "module").symlink_to("../../../../module/virtio_pci")
    (place / "driver").symlink_to("../../drivers/virtio-pci")
    bare = tmp_path / "sys/bus/pci/devices/0000:00:02.0"
    bare.mkdir()
    (bare / "uevent").write_text("PCI_CLASS=20000\nPCI_ID=8086:10D3\nPCI_SUBSYS_ID=8086:0000\n")
    first, second = read_pci(Tree(tmp_path))
    assert (first.address, first.kernel_module, first.vendor) == ("0000:00:02.0", None, None)
    assert second.kernel_module == "virtio_pci"


def test_devices_are_read_by_their_ids_without_the_names_that_there_are(tmp_path: Path) -> None:
    place = tmp_path / "sys/bus/pci/devices/0000:00:03.0"
    place.mkdir(parents=True)
    (place / "uevent").write_text("PCI_CLASS=10601\nPCI_ID=1B4B:9230\n")
    names = tmp_path / "usr/share/misc/pci.ids"
    names.parent.mkdir(parents=True)
    names.write_text("1b4b  Marvell Technology Group Ltd.\n\t9230  88SE9230 SATA Controller\n")
    (bare,), (named,) = read_pci_ids(Tree(tmp_path)), read_pci(Tree(tmp_path))
    assert (bare.vendor_id, bare.class_id, bare.vendor, bare.device) == ("1b4b", "010601", None, None)
    assert (named.vendor, named.device) == ("Marvell Technology Group Ltd.", "88SE9230 SATA Controller")


def test_addresses_are_ordered_as_hexadecimal_numbers() -> None:
    mixed = ["0000:0a:00.0", "0000:02:1f.3", "0000:02:0a.0", "10000:01:00.0"]
    assert sorted(mixed, key=build_address_key) == [mixed[2], mixed[1], mixed[0], mixed[3]]


def test_the_consoles_adapter_is_no_gpu() -> None:
    devices = [
        device("1a03:2000", "30000", "ast"), device("102b:0538", "30000"), device("1234:1111", "30000"),
        device("10de:20b2", "30200", "nvidia"), device("1002:74a1", "120000"),
    ]  # fmt: skip
    assert [gpu.kernel_module for gpu in find_gpus(devices)] == ["nvidia", None]


def test_raid_controllers_are_found_and_fake_raid_is_not() -> None:
    devices = [
        device("1000:005d", "10400", "megaraid_sas"), device("9005:028f", "10400", "smartpqi"),
        device("103c:3239", "10400"), device("8086:201d", "10400", "vmd"), device("8086:2822", "10400", "ahci"),
        device("1000:0097", "10700", "mpt3sas"),
    ]  # fmt: skip
    assert [entry.driver for entry in find_hardware_controllers(devices)] == [
        "raid.megaraid", "raid.smartarray", "raid.smartarray",
    ]  # fmt: skip


def test_smart_storage_controllers_call_themselves_sas_and_have_two_makers() -> None:
    devices = [
        msgspec.structs.replace(device("9005:028f", "10700", "smartpqi"), subsystem_vendor_id=maker)
        for maker in ("103c", "9005")
    ]
    assert [entry.driver for entry in find_hardware_controllers(devices)] == [
        "raid.smartarray", "raid.adaptec",
    ]  # fmt: skip
