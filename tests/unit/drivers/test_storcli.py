"""What storcli and perccli of both generations print, as controllers."""

from pathlib import Path

import msgspec
import pytest
from toolanswers import ToolAnswers

from bootos.drivers.raid.megaraidcard import build_card
from bootos.drivers.storage.controller import Controller
from bootos.drivers.storage.state import Storage
from bootos.hardware import storcli, storclidrive, storclireply
from bootos.hardware.storclireply import Reply
from bootos.wire.inventory import Disk, DiskType

GOLDEN = Path(__file__).parents[2] / "golden/drivers/raid.megaraid"


def read(name: str) -> Reply:
    (reply,) = storclireply.parse_reply((GOLDEN / f"{name}.json").read_text())
    return reply


def build(
    main: str, volumes: str, drives: str, foreign: str = "", storage: Storage | None = None
) -> Controller:
    card = storcli.build_controller(
        read(main), read(volumes), [read(drives)], read(foreign) if foreign else None
    )
    return build_card(card, None, storage or Storage())


def test_a_megaraid_9560() -> None:
    card = build("mr9560.c0", "mr9560.vall", "mr9560.sall")
    assert (card.id, card.model, card.serial) == ("/c0", "MegaRAID 9560-8i 4GB", "SKC5120859")
    assert (card.pci_address, card.mode) == ("0000:c1:00.0", "raid")
    assert card.capability.levels == (0, 1, 5, 6, 10, 50, 60)
    assert card.capability.strip_bytes == tuple(kib * 1024 for kib in (64, 128, 256, 512, 1024))
    assert not card.capability.jbod
    assert [drive.number for drive in card.drives] == list(range(12))
    drive = card.drives[9]
    assert (drive.id, drive.type, drive.interface, drive.state) == ("251:10", DiskType.HDD, "SAS", "online")
    assert drive.size_bytes == 0x82F800000 * 512
    array = next(array for array in card.arrays if array.id == "228")
    assert (array.level, array.drives, array.drive_count) == ("0", ("251:12",), 1)
    assert (array.strip_bytes, array.size_bytes) == (256 * 1024, 35155607552 * 512)
    assert (array.read_policy, array.write_policy, array.state) == ("ahead", "through", "optimal")
    assert array.wwn == "600062b212da5d402bd3b493e1699377"


def build_one(main: str, volumes: str = "") -> Controller:
    """The controller, where nothing else was asked."""
    card = storcli.build_controller(read(main), read(volumes) if volumes else None, [], None)
    return build_card(card, None, Storage())


def test_sizes_are_decimal_where_the_answer_has_binary_ones_beside_them() -> None:
    card = build_one("mr216i.c0")
    assert [drive.size_bytes for drive in card.drives] == [800 * 1000**3] * 2
    (array,) = card.arrays
    assert (array.name, array.level, array.drives) == ("NVMe-RAID-1", "1", ("251:1", "251:2"))
    assert array.size_bytes == int(744.687 * 1024**3)
    assert card.mode == "mixed"  # its JBOD mode, in which arrays are made as well


def test_members_are_those_that_the_answer_about_the_arrays_lists() -> None:
    reply = read("perc-h965i.vall")
    card = storcli.build_controller(msgspec.structs.replace(reply, data={}), reply, [], None)
    (array,) = card.arrays
    assert (array.level, len(array.rows), array.rows[8]) == ("6", 14, "292:9")
    assert len(card.drives) == 14


def test_drives_that_are_known_only_as_members_of_arrays_are_told_to_be_a_part() -> None:
    reply = read("perc-h965i.vall")
    main = msgspec.structs.replace(reply, data={"Physical Drives": 16})
    card = storcli.build_controller(main, reply, [], None)
    assert len(card.drives) == 14
    (remark,) = [remark for remark in card.remarks if remark.part == "drives"]
    assert remark.text == "its drives are not all shown: the tool counts 16"


def test_a_plain_show_is_read() -> None:
    card = build_one("9260-4i.c0-show")
    assert [drive.state for drive in card.drives] == ["online", "online", "hotspare", "good"]
    (array,) = card.arrays
    assert (array.name, array.drives, array.hotspares) == ("test_raid1", ("252:0", "252:1"), ("252:2",))
    newer = build_one("cisco-24g.c0-show")
    assert (newer.firmware, newer.arrays[0].drives) == ("8.6.2.0-00065-00001", ("322:2",))


def test_drives_that_a_plain_show_lists_are_read() -> None:
    row = {"EID:Slt": "65:6", "State": "UGood", "DG": "F", "Size": "1.745 TB", "Intf": "SATA", "Med": "SSD"}
    other = row | {"EID:Slt": "65:7", "State": "JBOD", "DG": "-"}
    drives = Reply(controller=0, version="007.1907", error="", data={"Drive Information": [row, other]})
    card = storcli.build_controller(read("perc-h345.c0"), None, [drives], None)
    states = {drive.id: drive.state for drive in build_card(card, None, Storage()).drives}
    assert (states["65:6"], states["65:7"]) == ("foreign", "jbod")


def test_a_list_of_controllers_is_no_controller_of_its_own() -> None:
    for name, models in (
        ("rs3dc080.show", ["Intel(R)RAIDControllerRS3DC080"] * 2),
        ("cisco-24g.show", ["Cisco Tri-Mode 24G SAS RAID Controller w/4GB Cache"]),
    ):
        text = (GOLDEN / f"{name}.json").read_text()
        tool = ToolAnswers("storcli64", {"/call show all": text})
        found = storcli.read_controllers(tool.run, "storcli64")
        assert [(card.number, card.model) for card in found] == list(enumerate(models))
        assert all({remark.part for remark in card.remarks} >= {"arrays", "drives"} for card in found)


def test_controllers_of_one_answer_are_told_apart() -> None:
    text = (GOLDEN / "3108-and-3008ir.call-show.json").read_text()
    tool = ToolAnswers("storcli64", {"/call show all": text})
    cards = storcli.read_controllers(tool.run, "storcli64")
    assert [(len(card.arrays), len(card.drives)) for card in cards] == [(1, 18), (2, 18), (0, 3)]
    states = [drive.state for drive in build_card(cards[2], None, Storage()).drives]
    assert states == [
        "unusable",
        "unusable",
        "good",
    ]  # of two drives it shows no state: an IR volume has them


def test_a_megaraid_9660_with_the_tool_of_the_second_generation() -> None:
    assert storcli.is_second(read("mr9660.c0-free").version)
    assert not storcli.is_second(read("mr9560.c0").version)
    card = build("mr9660.c0-free", "mr9660.vall", "mr9660.sall")
    assert (card.model, card.pci_address) == ("MegaRAID 9660-16i Tri-Mode Storage Adapter", "0000:16:00.0")
    assert (card.firmware, card.capability.most_arrays) == ("8.12.1.0-00000-00003", 240)
    assert card.drives[0].serial == "WP00MLCA0000E2426EZU"
    assert (card.drives[-1].id, card.drives[-1].state) == ("320:11", "good")
    array = card.arrays[0]
    assert (array.id, array.level, array.drives) == ("1", "0", ("306:0",))
    assert array.size_bytes == 2441478144 * 4096
    assert (array.read_policy, array.write_policy) == ("none", "back")


def test_an_older_controller_with_a_foreign_configuration() -> None:
    card = build(
        "mr9270.c0_show_all",
        "mr9270.vall_show_all",
        "mr9270.eall_sall_show_all",
        "mr9270.c0_fall_show_all_present",
    )
    assert card.capability.levels == (0, 1, 5, 10, 50)  # RAID 6 is a licence there
    (array,) = card.arrays
    assert (array.level, len(array.drives), array.progress) == ("5", 8, "Consistency Check (36%)")
    (foreign,) = card.foreign
    assert (foreign.title, foreign.drives[0]) == ("RAID 5 of 4 drives (9.000 TB)", "2:0")


def test_an_entry_level_perc_says_what_it_cannot() -> None:
    card = build_card(storcli.build_controller(read("perc-h345.c0"), None, [], None), None, Storage())
    assert (card.model, card.capability.levels) == ("PERC H345 Front", (0, 1, 10))
    assert card.capability.strip_bytes == (65536,)
    assert card.capability.most_drives_of == {1: 2}
    assert (card.capability.read_policies, card.capability.write_policies) == ((), ())


def test_an_array_is_found_by_its_wwn_and_not_by_the_name_of_a_device() -> None:
    disk = Disk(
        index=0, name="sdq", path="/dev/sdq", wwn="0x600062b212da5d402bd3b493e1699377", size_bytes=10**13
    )
    other = Disk(index=1, name="sda", path="/dev/sda", wwn="0x5000c50000000001", size_bytes=10**13)
    card = build("mr9560.c0", "mr9560.vall", "mr9560.sall", storage=Storage(disks=(other, disk)))
    arrays = {array.id: array.device for array in card.arrays}
    assert arrays["228"] == "/dev/sdq"
    assert "/dev/sda" not in arrays.values()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("mr9560.create-fail", "disk doesn't have enough capacity"),
        ("mr9560.jbod-fail", "Set Drive JBOD Failed.: device state doesn't support requested command"),
        ("mr9660.delete-fail", "Delete VD failed: Invalid VD number"),
        ("rs3dc080.foreign-incomplete", "Incomplete foreign configuration"),
        ("mr9560.create", ""),
        ("mr9660.create", ""),
        ("rs3dc080.create", ""),
    ],
)
def test_the_answer_says_whether_it_was_done(name: str, error: str) -> None:
    assert read(name).error == error


@pytest.mark.parametrize("name", ["perccli.no-controller", "mr9270.c0_fall_show_all_absent"])
def test_that_there_is_nothing_is_no_failure(name: str) -> None:
    assert storclireply.is_nothing(read(name).error)
    assert not storclireply.is_nothing(read("rs3dc080.foreign-incomplete").error)


def test_cache_words_are_those_of_the_tools_legend() -> None:
    card = build_card(storcli.build_controller(read("vd-list.rawbd"), None, [], None), None, Storage())
    assert [array.id for array in card.arrays] == ["0", "1", "2", "3"]
    assert [array.group for array in card.arrays] == ["0", "20", "1", "2"]
    policies = {(array.read_policy, array.write_policy) for array in card.arrays}
    assert policies == {("ahead", "always-back")}


@pytest.mark.parametrize(
    ("word", "read_policy", "write_policy"),
    [
        ("RWBD", "ahead", "back"),
        ("NRWTD", "none", "through"),
        ("RAWBD", "ahead", "always-back"),
        ("NRAWBD", "none", "always-back"),
        ("RaWBC", "adaptive", "back"),
        ("RFWBD", "ahead", "always-back"),
        ("NR,WB", "none", "back"),
        ("RA,AWB", "ahead", "always-back"),
        ("-", None, None),
    ],
)
def test_a_cache_word(word: str, read_policy: str | None, write_policy: str | None) -> None:
    row = {"DG/VD": "0/0", "TYPE": "RAID1", "State": "Optl", "Cache": word, "Size": "1 TB", "Name": "os"}
    reply = Reply(controller=0, version="007", error="", data={"VD LIST": [row]})
    (array,) = build_card(storcli.build_controller(reply, None, [], None), None, Storage()).arrays
    assert (array.read_policy, array.write_policy) == (read_policy, write_policy)


def test_lines_around_the_answer_are_left_out() -> None:
    text = (GOLDEN / "mr9560.create.json").read_text()
    (reply,) = storclireply.parse_reply(f"Warning: an old driver\nis loaded\n{text}\nDone.\n")
    assert (reply.controller, reply.error) == (0, "")


@pytest.mark.parametrize("text", ["", "Segmentation fault", "{}", '{"Controllers": [{}]}', "[]"])
def test_what_is_no_answer_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting value|is not an answer of storcli"):
        storclireply.parse_reply(text)


def test_a_size_without_sectors_is_counted_in_1024() -> None:
    assert storclidrive.parse_size("256 KB") == storclidrive.parse_size("256 KiB") == 256 * 1024
    assert storclidrive.parse_size("9.094 TiB") == int(9.094 * 1024**4)
    assert storclidrive.parse_size("-") == 0
