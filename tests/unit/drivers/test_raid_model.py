"""Controllers as they were in published outputs, in the words that the planner knows."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from controllermodel import ABLE, build_drive
from controllermodel import build_controller as build_model

from bootos.drivers.contract import Forecast, Planned
from bootos.drivers.raid.adaptec import AdaptecDriver
from bootos.drivers.raid.adaptecmodel import build_controller as build_adaptec
from bootos.drivers.raid.export import export_controllers
from bootos.drivers.raid.hardware import plan_controllers
from bootos.drivers.raid.smartarray import SmartArrayDriver
from bootos.drivers.raid.smartarraymodel import build_controller as build_smartarray
from bootos.drivers.storage.content import find_on_drive
from bootos.drivers.storage.controller import Controller, ControllerState
from bootos.drivers.storage.state import Storage
from bootos.hardware import adaptec, smartarray
from bootos.template.check import read_template
from bootos.wire.inventory import Disk, DiskType

GOLDEN = Path(__file__).parents[2] / "golden/drivers"


def read_smartarray(name: str, storage: Storage | None = None, place: int = 0) -> Controller:
    found = smartarray.parse_config((GOLDEN / f"raid.smartarray/{name}.txt").read_text())
    return build_smartarray(found[place], place, storage or Storage())


def read_adaptec(name: str, storage: Storage | None = None, status: str = "none") -> Controller:
    config = adaptec.parse_config((GOLDEN / f"raid.adaptec/{name}.txt").read_text())
    tasks = adaptec.parse_status((GOLDEN / f"raid.adaptec/status-{status}.txt").read_text())
    return build_adaptec(config, 0, tasks, storage or Storage())


def put_disks(*disks: tuple[str, str, str, str]) -> Storage:
    """(device, wwn, serial, model)"""
    return Storage(
        disks=tuple(
            Disk(index=n, name=path[5:], path=path, wwn=wwn, serial=serial, model=model, size_bytes=1)
            for n, (path, wwn, serial, model) in enumerate(disks)
        )
    )


def test_a_drive_of_which_one_line_is_printed_may_hold_data_that_the_system_sees() -> None:
    loose = [drive for drive in read_smartarray("p816i-a-short").drives if drive.id in ("1I:1:1", "1I:1:2")]
    assert [(drive.state, drive.device) for drive in loose] == [("jbod", ""), ("jbod", "")]
    assert all(find_on_drive(Storage(), drive).content for drive in loose)
    told = smartarray.parse_config((GOLDEN / "raid.smartarray/p400i-unassigned.txt").read_text())
    assert not any(drive.is_short for drive in told[0].drives)
    assert {drive.state for drive in read_smartarray("p400i-unassigned").drives} == {"online", "good"}


def test_gen10_is_mixed_and_keeps_labels() -> None:
    controller = read_smartarray("p408i-a")
    assert (controller.id, controller.mode, controller.firmware) == ("slot=0", "mixed", "6.52")
    assert controller.pci_address == "0000:5c:00.0"
    assert controller.capability.modes == () and 60 in controller.capability.levels
    (array,) = controller.arrays
    assert (array.name, array.level, array.state, array.write_policy) == ("LD-SSD", "6", "optimal", "back")
    assert array.drives == ("2I:1:1", "2I:1:2", "2I:1:3", "2I:1:4")
    assert [drive.type.value for drive in controller.drives] == ["ssd"] * 4


def test_gen9_can_be_switched_and_knows_its_boot_volume() -> None:
    controller = read_smartarray("p440ar")
    assert controller.capability.modes == ("raid", "hba")
    assert [(array.level, array.is_boot) for array in controller.arrays] == [("10", True), ("1", False)]
    assert [drive.number for drive in controller.drives] == list(range(8))


def test_old_ones_without_raid_6_say_so() -> None:
    assert read_smartarray("p212-and-p410i").capability.levels == (0, 1, 5, 10, 50)
    second = read_smartarray("p212-and-p410i", place=1)
    assert (second.number, second.id, second.capability.modes) == (1, "slot=0", ())


def test_hba_mode_hands_drives_to_the_system() -> None:
    controller = read_smartarray(
        "p822-hba", put_disks(("/dev/sda", "", "6SL7G4QV0000B41803GZ", "EF0600FARNA"))
    )
    assert controller.mode == "hba"
    assert [(drive.state, drive.device) for drive in controller.drives] == [("jbod", "/dev/sda")]


def test_parity_groups_and_initialisation() -> None:
    (array,) = read_smartarray("p822-raid50").arrays
    assert (array.level, array.span, array.state) == ("50", 2, "initializing")
    assert array.progress == "initialization queued"


def test_a_drive_that_is_being_erased_is_not_used() -> None:
    (drive,) = read_smartarray("p440-erasing").drives
    assert (drive.state, drive.trouble) == ("unusable", "Erase In Progress")


@pytest.mark.parametrize(
    ("wwn", "device"),
    [
        ("0x600508b1001c8cc3c673a109dd66ddbb", "/dev/sdq"),
        ("0x600508b1001c8cc3", "/dev/sdq"),  # as udev cuts it
        ("0x600508b1001c8cc3c673a109dd66ddff", ""),
        ("0x600508b1", ""),
    ],
)
def test_an_array_is_found_by_its_world_wide_name_and_never_by_guess(wwn: str, device: str) -> None:
    storage = put_disks(("/dev/sdq", wwn, "", "LOGICAL VOLUME"))
    assert read_smartarray("p408i-a", storage).arrays[0].device == device


def test_a_device_name_of_the_tools_is_not_believed_when_the_disk_has_another_name() -> None:
    storage = put_disks(("/dev/sda", "0x5000c500a1b2c3d4", "", "OTHER"))
    assert read_smartarray("p408i-a", storage).arrays[0].device == ""


def test_aacraid_arrays_are_found_by_serial_number_or_name() -> None:
    by_serial = put_disks(("/dev/sdb", "", "10A9C7B1", "X"))
    assert read_adaptec("8805", by_serial).arrays[0].device == "/dev/sdb"
    by_name = put_disks(("/dev/sdc", "", "", "RAID10"), ("/dev/sdd", "", "", "other"))
    assert read_adaptec("5405", by_name).arrays[0].device == "/dev/sdc"
    twice = put_disks(("/dev/sdc", "", "", "RAID10"), ("/dev/sdd", "", "", "RAID10"))
    assert read_adaptec("5405", twice).arrays[0].device == ""


def test_series_5_to_8() -> None:
    old = read_adaptec("5405")
    assert (old.mode, old.capability.modes, old.arrays[0].span) == ("raid", (), 2)
    assert (old.arrays[0].write_policy, old.arrays[0].read_policy) == ("back", "ahead")
    new = read_adaptec("8805")
    assert (new.mode, new.capability.modes, new.arrays[0].level) == ("raid", ("raid", "hba"), "6")
    assert new.arrays[0].strip_bytes == 256 * 1024
    assert new.drives[0].usable_bytes == (3815447 * 1024 - 1072920) * 1024


def test_hot_spares_of_aacraid() -> None:
    shared = read_adaptec("6405-global-spares")
    assert len(shared.hotspares) == 2
    assert not any(array.hotspares for array in shared.arrays)
    dedicated = read_adaptec("7805q-dedicated-spares")
    assert [array.hotspares for array in dedicated.arrays] == [(), ("0,10",), ()]


def test_a_rebuild_and_a_failed_drive() -> None:
    (array,) = read_adaptec("6405-rebuilding", status="rebuild").arrays
    assert (array.state, array.progress) == ("rebuilding", "rebuild 1%")
    failed = read_adaptec("6805e-failed")
    assert [array.state for array in failed.arrays] == ["optimal", "degraded"]
    assert failed.find_drive("0,2") is not None and failed.failed == {"0,2"}
    assert failed.capability.levels == (0, 1, 10)


def test_a_degraded_array_is_as_wanted_though_nothing_is_known_of_its_dead_drive() -> None:
    failed = read_adaptec("6805e-failed")
    assert failed.arrays[1].drives == ("0,3", "0,6", "0,7") and failed.arrays[1].drive_count == 4
    planned = plan_on(failed, arrays=[{"name": "SSD", "level": 10, "drives": "2,3,6,7"}])
    assert planned.problems == [] and planned.actions == []
    assert "drive 2 (0,2) of array 'SSD': Failed: replace it" in planned.notes


def test_a_drive_of_a_maxcache_is_in_use() -> None:
    controller = read_adaptec("asr8885q-maxcache")
    assert [(array.name, array.state, len(array.drives)) for array in controller.arrays] == [
        ("STORAGE1", "initializing", 9),
        ("STORAGE2", "optimal", 9),
    ]
    planned = plan_on(controller, arrays=[{"name": "new", "level": 0, "drives": {"type": "ssd", "count": 1}}])
    assert any("uses it for something that it does not show" in f"{p.hint}" for p in planned.problems)


def test_a_single_disk_beside_an_array_of_aacraid() -> None:
    controller = read_adaptec("5405-jbod")
    assert [drive.state for drive in controller.drives] == ["online"] * 3 + ["jbod"]


def test_a_drive_that_is_listed_for_each_of_its_ports_is_one_drive() -> None:
    controller = read_adaptec("serveraid-8i")
    ids = ("0,0", "0,1", "0,2", "0,4", "0,5", "0,6")
    assert [drive.id for drive in controller.drives] == list(ids)
    assert [array.drives for array in controller.arrays] == [ids, ids]


def plan_on(controller: Controller, **raid: Any) -> Planned:
    template, problems = read_template({"name": "t", "raid": raid})
    assert template is not None and problems == []
    return AdaptecDriver().plan(ControllerState(controllers=(controller,)), template, {}, Forecast())


def read_serveraid(*changed: tuple[str, str]) -> Controller:
    """The capture of a ServeRAID 8k; `changed` are words of it that other releases write in another way."""
    text = (GOLDEN / "raid.adaptec/serveraid-8k.txt").read_text()
    for old, new in changed:
        assert old in text
        text = text.replace(old, new)
    return build_adaptec(adaptec.parse_config(text), 0, [], Storage())


@pytest.mark.parametrize("asked", ["0", {"type": "ssd"}, {"size": "<130GB"}])
@pytest.mark.parametrize("words", [{}, {"clear": True}])
def test_a_drive_that_caches_others_is_not_free(asked: Any, words: dict[str, Any]) -> None:
    controller = read_adaptec("6805q-maxcache")
    assert [array.drives for array in controller.arrays] == [
        ("0,3", "0,2", "0,7", "0,4", "0,6", "0,1", "0,5")
    ]
    array = {"name": "new", "level": 0, "drives": asked, "wipe": True}
    planned = plan_on(controller, arrays=[array], **words)
    assert any("it caches other drives (maxCache)" in f"{problem}" for problem in planned.problems)
    spare = plan_on(controller, hotspares="0")
    assert spare.actions == [] and "it caches other drives (maxCache)" in spare.notes[-1]


def test_members_are_read_as_older_releases_print_them() -> None:
    controller = read_serveraid()
    (array,) = controller.arrays
    assert (array.name, array.level, array.state, array.drives) == ("data01", "1", "optimal", ("0,0", "0,1"))
    place = "Drive(s) (Channel,Device)                : 0,0 0,1 "
    wrapped = read_serveraid((place, "Stripe order (Channel,Device) : 0,0\n      0,1"))
    assert wrapped.arrays[0].drives == ("0,0", "0,1")
    planned = plan_on(controller, arrays=[{"name": "new", "level": 1, "drives": "0,1"}])
    assert "array 'data01' (RAID 1) exists on 0,0, 0,1" in planned.problems[0].message


@pytest.mark.parametrize(
    "changed",
    [("Drive(s) (Channel,Device)", "Tomorrow's members"), (": 0,0 0,1 ", ": 0,0 ")],
    ids=["none is read", "one of two is read"],
)
@pytest.mark.parametrize("words", [{}, {"clear": True}])
def test_drives_of_an_array_in_an_unread_notation_are_not_free(
    changed: tuple[str, str], words: dict[str, Any]
) -> None:
    controller = read_serveraid(changed)
    assert controller.arrays[0].drives == ()
    for asked in ("0,1", {"size": ">1GB", "count": 2}):
        array = {"name": "new", "level": 1, "drives": asked, "wipe": True}
        planned = plan_on(controller, arrays=[array], **words)
        told = "; ".join(f"{problem}" for problem in planned.problems)
        assert "its controller uses it for something that it does not show as an array" in told


def test_smartraid_3154_and_its_arrays() -> None:
    storage = put_disks(("/dev/sdz", "0x600508b1001c47c3efdbb3c9a2f3d4b5", "", ""))
    controller = read_adaptec("smartraid-3154", storage)
    assert controller.capability.hotspares == ("dedicated",)
    first, second = controller.arrays
    assert (first.level, first.group, first.write_policy, first.is_boot) == ("1", "0", "back", False)
    assert (second.level, len(second.drives), second.device) == ("6", 12, "/dev/sdz")


def test_free_drives_in_mixed_mode_are_disks_of_the_system() -> None:
    controller = read_adaptec("smartraid-3204-empty", put_disks(("/dev/sdb", "", "8D5GY234NB366H", "HUH")))
    assert controller.mode == "mixed"
    assert {drive.state for drive in controller.drives} == {"jbod"}
    assert controller.drives[0].device == "/dev/sdb"
    assert controller.drives[0].sector_bytes == 4096


def test_two_drives_of_a_terabyte_hold_900_gigabytes() -> None:
    controller = read_smartarray("p410i-1tb")
    array = {"name": "data", "level": 1, "drives": "0,1", "size": "900GB"}
    template, _ = read_template({"name": "t", "raid": {"arrays": [array]}})
    assert template is not None
    state, forecast = ControllerState(controllers=(controller,)), Forecast()
    planned = SmartArrayDriver().plan(state, template, {}, forecast)
    assert planned.problems == [] and len(planned.actions) == 1
    assert forecast.arrays["data"].size_bytes == 900 * 10**9


def test_a_server_with_media_errors_keeps_what_its_controller_can() -> None:
    controller = read_smartarray("p816i-a-media-errors")
    assert (controller.mode, controller.serial) == ("mixed", "PWXEX0ARH0000A")
    assert controller.pci_address == "0000:5c:00.0"
    assert 6 in controller.capability.levels and controller.capability.boot
    assert controller.capability.write_policies == ("through", "back")
    assert [(array.state, array.is_boot) for array in controller.arrays][1][0] == "rebuilding"
    assert controller.arrays[0].is_boot is True


def test_a_plain_hba_has_no_levels_to_offer() -> None:
    controller = read_adaptec("hba-1100")
    assert (controller.mode, controller.capability.modes, controller.capability.levels) == ("hba", (), ())


def test_a_plain_hba_is_not_offered_a_mode_that_it_does_not_have() -> None:
    asked = {"name": "t", "raid": {"arrays": [{"name": "os", "level": 1, "drives": "0,1"}]}}
    template, _ = read_template(asked)
    assert template is not None
    state = ControllerState(controllers=(read_adaptec("hba-1100"),))
    planned = plan_controllers(state, template, Forecast(), driver="raid.adaptec")
    (hint,) = (problem.hint for problem in planned.problems if problem.path == "raid.mode")
    assert "raid.mode: raid" not in str(hint) and "raid.mdadm" in str(hint)


def test_of_a_level_that_a_controller_has_not_it_is_not_said_how_many_drives_it_takes() -> None:
    drives = [build_drive(number) for number in range(12)]
    can = msgspec.structs.replace(ABLE, levels=(0, 1, 10), most_drives=10)
    controller = build_model(drives=tuple(drives), capability=can)
    asked = {"name": "t", "raid": {"arrays": [{"name": "os", "level": 5, "drives": "0-11"}]}}
    template, _ = read_template(asked)
    assert template is not None
    planned = plan_controllers(ControllerState(controllers=(controller,)), template, Forecast(), driver="r")
    assert [problem.message for problem in planned.problems] == ["MegaRAID has no RAID 5"]


def test_states_go_to_json_and_back() -> None:
    for controller in (read_smartarray("p816i-a"), read_adaptec("smartraid-3154")):
        assert msgspec.json.decode(msgspec.json.encode(controller), type=Controller) == controller


def test_what_a_template_cannot_say_is_not_exported() -> None:
    single = ControllerState(controllers=(read_smartarray("h240"),))
    assert export_controllers(single) == {}
    unnamed = ControllerState(controllers=(read_smartarray("p816i-a"),))
    assert export_controllers(unnamed) == {}
    named = ControllerState(controllers=(read_smartarray("p408i-a"),))
    assert export_controllers(named)["raid"]["arrays"] == [
        {"name": "LD-SSD", "level": 6, "drives": "0,1,2,3", "strip": "256KiB", "write_policy": "back"}
    ]


def test_smartraid_mirrors_are_found_in_their_enclosure() -> None:
    controller = read_adaptec("smartraid-3204-two-arrays")
    first, second = controller.arrays
    assert (first.name, first.level, first.drives) == ("RAID1", "1", ("0,8", "0,9"))
    assert (second.name, second.level, second.span) == ("RAID10", "10", 2)
    assert second.drives == ("0,11", "0,13", "0,12", "0,14")
    assert (second.strip_bytes, second.write_policy) == (64 * 1024, "through")


def test_states_of_drives_are_read_without_details() -> None:
    text = """
Smart Array P420i in Slot 0 (Embedded)    (sn: 5001438024D3BB20)

   array A (SAS, Unused Space: 0 MB)

      logicaldrive 1 (1.1 TB, RAID 5, Interim Recovery Mode)

      physicaldrive 1I:1:1 (port 1I:box 1:bay 1, SAS, 600 GB, OK)
      physicaldrive 1I:1:2 (port 1I:box 1:bay 2, SAS, ???, Failed)
      physicaldrive 1I:1:3 (port 1I:box 1:bay 3, SAS, 600 GB, Predictive Failure)
      physicaldrive 2I:1:5 (port 2I:box 1:bay 5, SAS, 600 GB, Rebuilding, active spare)
      physicaldrive 2I:1:6 (port 2I:box 1:bay 6, SAS, 600 GB, OK, spare)

   unassigned

      physicaldrive 2I:1:7 (port 2I:box 1:bay 7, SATA SSD, 240 GB, OK)
"""
    (found,) = smartarray.parse_config(text)
    card = build_smartarray(found, 0, Storage())
    assert (card.serial, card.arrays[0].state) == ("5001438024D3BB20", "degraded")
    assert (card.arrays[0].drives, card.arrays[0].drive_count) == (("1I:1:1", "1I:1:3"), 3)
    assert card.arrays[0].hotspares == ("2I:1:5", "2I:1:6")
    states = ["online", "failed", "online", "rebuilding", "hotspare", "jbod"]
    assert [drive.state for drive in card.drives] == states
    assert (card.drives[2].trouble, card.drives[5].type) == ("Predictive Failure", DiskType.SSD)
