"""What is declared of a built-in driver is what the driver itself says, and asking does not import it."""

import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from bootos.drivers.bios.namefile import read_names
from bootos.drivers.builtin import BUILTIN, MAKERS
from bootos.drivers.registry import find_driver_names, match_drivers
from bootos.hardware.raid import HARDWARE_DRIVERS
from bootos.wire.inventory import Bmc, Disk, Inventory, PciDevice, RaidController, RedfishInterface, System

SATA = Disk(index=0, name="sda", path="/dev/sda", size_bytes=1)
STICK = Disk(index=0, name="sdb", path="/dev/sdb", size_bytes=1, removable=True)
NVME = Disk(index=0, name="nvme0n1", path="/dev/nvme0n1", size_bytes=1)
VENDORS = (
    None,
    "",
    "Dell Inc.",
    "HP",
    "HPE",
    "Hewlett-Packard",
    "Hp Inc.",
    "IBM",
    "LENOVO",
    "Supermicro",
    "Nobody",
)


def build(**parts: object) -> Inventory:
    return Inventory(collected_at="2024-01-01T00:00:00Z", **parts)  # type: ignore[arg-type]


def list_machines() -> Iterator[Inventory]:
    yield build()
    yield build(disks=[SATA])
    yield build(disks=[STICK])
    yield build(disks=[NVME])
    yield build(
        pci=[PciDevice(address="0000:01:00.0", class_id="010802", vendor_id="144d", device_id="a808")]
    )
    yield build(bmc=Bmc())
    yield build(bmc=Bmc(redfish=RedfishInterface()))
    yield build(bmc=Bmc(redfish=RedfishInterface(), ipmi_version="2.0"))
    for driver in (
        "raid.megaraid",
        "raid.smartarray",
        "raid.adaptec",
        "raid.sas3ircu",
        "raid.mvcli",
        "raid.mdadm",
        "",
    ):
        yield build(raid=[RaidController(name="c0", driver=driver)])
    for vendor in VENDORS:
        yield build(system=System(vendor=vendor))


@pytest.mark.parametrize(
    "machine", list(list_machines()), ids=lambda machine: msgspec.json.encode(machine).decode()[:80]
)
def test_a_driver_that_is_declared_for_a_machine_takes_it_and_no_other_does(machine: Inventory) -> None:
    assert find_driver_names(machine) == [choice.driver.name for choice in match_drivers(machine)]


def test_a_driver_has_the_name_it_is_declared_with() -> None:
    assert [entry.load().name for entry in BUILTIN] == [entry.name for entry in BUILTIN]


def test_the_makers_are_known_by_the_names_of_their_files() -> None:
    assert {maker: read_names(maker).match for maker in MAKERS} == MAKERS


def test_no_driver_is_imported_to_find_out_which_take_a_machine() -> None:
    code = (
        "import sys\n"
        "from bootos.drivers.registry import find_driver_names\n"
        "from bootos.wire.inventory import Bmc, Disk, Inventory\n"
        "disk = Disk(index=0, name='sda', path='/dev/sda', size_bytes=1)\n"
        "assert len(find_driver_names(Inventory(collected_at='', disks=[disk], bmc=Bmc()))) > 9\n"
        "print(*(name for name in sys.modules if name.startswith('bootos.drivers.')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert set(done.stdout.split()) == {
        "bootos.drivers.builtin",
        "bootos.drivers.contract",
        "bootos.drivers.look",
        "bootos.drivers.raidsection",
        "bootos.drivers.registry",
    }


def test_a_card_is_given_to_a_driver_that_there_is() -> None:
    known = {driver.name for driver in BUILTIN}
    assert set(HARDWARE_DRIVERS.values()) - known == {"raid.areca"}  # which comes in a layer
