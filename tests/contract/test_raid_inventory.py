"""The inventory lists what a vendor's program lists, with arrays and drives."""

from pathlib import Path

import pytest
from raidrig import build_drives
from siliconmachine import SiliconMachine

from bootos.hardware.inventory import collect_inventory
from bootos.hardware.raid import find_hardware_controllers
from bootos.hardware.raidplace import add_told
from bootos.hardware.raidtool import TOOLS
from bootos.lab.vendor_tools.silicon import Knob, SiliconSpec
from bootos.lab.vendor_tools.storcli import Storcli
from bootos.lab.vendor_tools.tool import run_program
from bootos.wire.inventory import PciDevice, RaidController


@pytest.fixture
def rig(tmp_path: Path) -> SiliconMachine:
    return SiliconMachine(tmp_path, SiliconSpec(drives=tuple(build_drives(4))))


def call(rig: SiliconMachine, line: str) -> None:
    program, *words = line.split()
    assert run_program(rig.silicon, program, words, {}).code == 0


def test_smart_array_with_its_arrays_and_drives(rig: SiliconMachine) -> None:
    rig.absent = frozenset({"arcconf", *Storcli.names})
    call(rig, "ssacli ctrl slot=0 create type=ld drives=1I:1:1,1I:1:2 raid=1 logicaldrivelabel=os forced")
    call(rig, "ssacli ctrl slot=0 array A add spares=1I:1:3 forced")
    (found,) = collect_inventory(rig.root, rig.run).raid
    assert (found.driver, found.model) == ("raid.smartarray", "HPE Smart Array P408i-a SR Gen10")
    assert found.pci_address == "0000:5c:00.0"
    (array,) = found.arrays
    assert (array.name, array.level, array.drives, array.hotspares) == (
        "os",
        "1",
        ["1I:1:1", "1I:1:2"],
        ["1I:1:3"],
    )
    assert [drive.serial for drive in found.drives] == ["SN0000", "SN0001", "SN0002", "SN0003"]


def test_adaptec_with_its_arrays_and_drives(rig: SiliconMachine) -> None:
    rig.absent = frozenset({"ssacli", "hpssacli", "hpacucli", *Storcli.names})
    for number in (0, 1):
        call(rig, f"arcconf TASK START 1 DEVICE 0 {number} INITIALIZE noprompt")
    call(rig, "arcconf CREATE 1 LOGICALDRIVE Name os MAX 1 0 0 0 1 noprompt")
    (found,) = collect_inventory(rig.root, rig.run).raid
    assert (found.driver, found.model) == ("raid.adaptec", "Adaptec ASR8405")
    (array,) = found.arrays
    assert (array.name, array.level, array.drives) == ("os", "1", ["0,0", "0,1"])
    assert len(found.drives) == 4


def test_a_program_that_prints_rubbish_is_noted_and_no_failure(rig: SiliconMachine) -> None:
    rig.absent = frozenset({"arcconf", *Storcli.names})
    rig.silicon.knobs.append(Knob(tool="*", kind="junk"))
    inventory = collect_inventory(rig.root, rig.run)
    assert inventory.raid == []
    assert any("RAID controllers by ssacli" in note for note in inventory.notes)


def test_what_pci_shows_and_what_the_program_lists_is_one_controller() -> None:
    card = RaidController(name="0000:5c:00.0", driver="raid.smartarray", pci_address="0000:5c:00.0")
    other = RaidController(
        name="0000:03:00.0", driver="raid.adaptec", pci_address="0000:03:00.0", model="8405"
    )
    told = RaidController(
        name="slot 0", driver="raid.smartarray", pci_address="0000:5c:00.0", model="P408i-a"
    )
    hardware = [card, other]
    notes = add_told(hardware, {"raid.smartarray": [told], "raid.adaptec": None}, TOOLS, [])
    assert [(entry.name, entry.model) for entry in hardware] == [
        ("0000:5c:00.0", "P408i-a"),
        ("0000:03:00.0", "8405"),
    ]
    assert notes == [
        "The arrays of the RAID controller 8405 at 0000:03:00.0 are not read: arcconf is not installed."
    ]


def test_one_controller_and_one_that_is_listed_are_the_same_whatever_the_address() -> None:
    hardware = [RaidController(name="0000:00:03.0", driver="raid.smartarray", pci_address="0000:00:03.0")]
    told = RaidController(
        name="slot 0", driver="raid.smartarray", pci_address="0000:5c:00.0", model="P408i-a"
    )
    assert add_told(hardware, {"raid.smartarray": [told]}, TOOLS, []) == []
    assert [(entry.pci_address, entry.model) for entry in hardware] == [("0000:00:03.0", "P408i-a")]


@pytest.mark.parametrize("program", ["perccli64", "storcli2"])
def test_megaraid_with_its_arrays_and_drives(rig: SiliconMachine, program: str) -> None:
    rig.absent = frozenset({"ssacli", "hpssacli", "hpacucli", "arcconf", *Storcli.names}) - {program}
    call(rig, f"{program} /c0 add vd r1 name=os drives=32:0,32:1 J")
    call(rig, f"{program} /c0/e32/s2 add hotsparedrive dgs=0 J")
    (found,) = collect_inventory(rig.root, rig.run).raid
    assert (found.driver, found.pci_address) == ("raid.megaraid", "0000:3b:00.0")
    (array,) = found.arrays
    assert (array.name, array.level, array.drives, array.hotspares) == ("os", "1", ["32:0", "32:1"], ["32:2"])
    assert [drive.serial for drive in found.drives] == ["SN0000", "SN0001", "SN0002", "SN0003"]


@pytest.mark.parametrize("wanted", ["raid.adaptec", "raid.smartarray"])
def test_one_card_that_two_programs_list_is_one_controller(wanted: str) -> None:
    """Microchip's arcconf and HPE's ssacli both know the cards of each other; the PCI ids say whose it is."""
    card = RaidController(name="0000:5c:00.0", driver=wanted, pci_address="0000:5c:00.0")
    hpe = RaidController(
        name="slot 0", driver="raid.smartarray", pci_address="0000:5c:00.0", model="A", serial="X"
    )
    chip = RaidController(name="controller 1", driver="raid.adaptec", model="B", serial="X")
    hardware = [card]
    assert add_told(hardware, {"raid.smartarray": [hpe], "raid.adaptec": [chip]}, TOOLS, []) == []
    assert [(entry.driver, entry.pci_address) for entry in hardware] == [(wanted, "0000:5c:00.0")]
    unlisted: list[RaidController] = []
    add_told(unlisted, {"raid.smartarray": [hpe], "raid.adaptec": [chip]}, TOOLS, [])
    assert [entry.driver for entry in unlisted] == ["raid.smartarray"]


def test_two_cards_that_two_programs_list_are_two() -> None:
    first = RaidController(name="slot 0", driver="raid.smartarray", serial="X", pci_address="0000:5c:00.0")
    second = RaidController(
        name="controller 1", driver="raid.adaptec", serial="Y", pci_address="0000:3b:00.0"
    )
    hardware: list[RaidController] = []
    add_told(hardware, {"raid.smartarray": [first], "raid.adaptec": [second]}, TOOLS, [])
    assert [entry.serial for entry in hardware] == ["X", "Y"]


def test_an_hba_that_pci_ids_name_so_is_no_raid_controller() -> None:
    def build(subsystem: str) -> PciDevice:
        return PciDevice(
            address="0000:5c:00.0", vendor_id="9005", device_id="028f", class_id="010700",
            kernel_module="smartpqi", subsystem=subsystem, subsystem_vendor_id="9005",
        )  # fmt: skip

    assert find_hardware_controllers([build("HBA 1100-16i")]) == []
    assert len(find_hardware_controllers([build("SmartRAID 3154-8i"), build("Smart HBA H240")])) == 2
