"""What arcconf printed on real machines, read."""

from pathlib import Path

import pytest

from bootos.hardware.adaptec import (
    ArcController,
    ArcTask,
    find_device,
    find_place,
    is_smart,
    parse_config,
    parse_count,
    parse_error,
    parse_size,
    parse_status,
)

GOLDEN = Path(__file__).parents[2] / "golden/drivers/raid.adaptec"


def read_golden(name: str) -> ArcController:
    return parse_config((GOLDEN / f"{name}.txt").read_text())


def tell(controller: ArcController) -> dict[str, tuple[str, list[str]]]:
    """Logical devices by name: (level, members)."""
    return {
        volume.values["logical device name"]: (
            volume.values["raid level"],
            [getattr(find_device(controller, member), "id", "?") for member in volume.members],
        )
        for volume in controller.volumes
    }


@pytest.mark.parametrize(
    ("name", "model", "smart", "volumes"),
    [
        ("5405", "Adaptec 5405", False, {"RAID10": ("10", ["0,2", "0,1", "0,0", "0,3"])}),
        ("6405-rebuilding", "Adaptec 6405", False, {"data": ("10", ["0,0", "0,1", "0,2", "0,3"])}),
        (
            "6805e-failed",
            "Adaptec 6805E",
            False,
            {
                "HDD": ("10", ["0,0", "0,1", "0,4", "0,5"]),
                "SSD": ("10", ["0,2", "0,3", "0,6", "0,7"]),
            },
        ),
        (
            "7805q-dedicated-spares",
            "Adaptec ASR7805Q",
            False,
            {
                "OS": ("1", ["0,30", "0,31"]),
                "SSDSTORAGEPOOL": ("1", ["0,8", "0,9"]),
                "HDDSTORAGEPOOL": ("5", [f"0,{n}" for n in range(11, 17)]),
            },
        ),
        (
            "8805",
            "Adaptec ASR8805",
            False,
            {"RAID6-ID0-7": ("6 Reed-Solomon", [f"0,{n}" for n in range(8)])},
        ),
        (
            "smartraid-3154",
            "Adaptec SmartRAID 3154-16i",
            True,
            {
                "RAID1-240GB  OS": ("1", ["0,0", "0,1"]),
                "RAID6-160T DATA": ("6", [f"0,{n}" for n in range(4, 16)]),
            },
        ),
        ("smartraid-3204-empty", "Adaptec SmartRAID 3204-8i", True, {}),
        ("hba-1100", "MSCC Adaptec HBA 1100-16i", True, {}),
    ],
)
def test_reads_a_controller(
    name: str, model: str, smart: bool, volumes: dict[str, tuple[str, list[str]]]
) -> None:
    controller = read_golden(name)
    assert controller.values["controller model"] == model
    assert is_smart(controller) is smart
    assert tell(controller) == volumes


@pytest.mark.parametrize("name", sorted(file.stem for file in GOLDEN.glob("*.txt")))
def test_what_lost_its_indentation_on_the_way_is_read_alike(name: str) -> None:
    said = (GOLDEN / f"{name}.txt").read_text()
    try:
        whole = parse_config(said)
    except ValueError:
        return
    assert parse_config("\n".join(line.strip() for line in said.splitlines())) == whole


def test_parts_of_sections_are_told_apart_where_no_line_is_indented() -> None:
    controller = read_golden("serveraid-8k-raid6")
    assert controller.values["firmware"] == "5.2-0 (17003)"
    (volume,) = controller.volumes
    assert [member.place for member in volume.members] == [f"0,{number}" for number in range(8)]


def test_the_case_of_key_words_does_not_matter() -> None:
    text = (GOLDEN / "asr71605.txt").read_text()
    assert text.startswith("Controllers Found: 1") and parse_count(text) == 1
    controller = parse_config(text)
    assert controller.values["controller model"] == "Adaptec ASR71605"
    assert "controller serial number" not in controller.values
    (volume,) = controller.volumes
    assert (volume.values["logical device name"], volume.values["raid level"]) == ("video", "5")
    assert (volume.values["size"], volume.values["stripe-unit size"]) == ("42854390 MB", "256 KB")
    assert len(volume.members) == 16
    listed = [device.id for device in controller.devices]
    assert listed == ["0,0", "0,1", "0,15"]  # of 16: the file is cut


def test_a_controller_that_cannot_be_talked_to_says_so() -> None:
    controller = parse_config((GOLDEN / "inaccessible.txt").read_text())
    assert (controller.volumes, controller.devices) == ([], [])
    (remark,) = controller.remarks
    assert remark.part == "controller" and "Controller Status: Inaccessible" in remark.text


def test_a_section_that_is_not_known_adds_nothing() -> None:
    controller = read_golden("6805q-maxcache")
    assert len(controller.volumes) == 1 and "maxcache version" not in controller.volumes[0].values
    rule = "-" * 70
    text = (GOLDEN / "6805q-maxcache.txt").read_text()
    foreign = "   Size : 1 MB\n   Status of logical device : Failed\n"
    more = f"{rule}\nmaxCache 3.0 information\n{rule}\n{foreign}{rule}\nPhysical"
    parts = text.split(f"{rule}\nPhysical")
    assert len(parts) == 2
    assert parse_config(more.join(parts)).volumes == controller.volumes


def test_drives_are_found_in_the_rack_by_enclosure_or_connector() -> None:
    assert find_place(read_golden("8805").devices[3]) == ("0", "3")
    assert find_place(read_golden("6805e-failed").devices[5]) == ("CN1", "1")
    assert find_place(read_golden("smartraid-3154").devices[2]) == ("", "4")


def test_enclosures_are_no_drives() -> None:
    assert [device.id for device in read_golden("5405").devices] == ["0,0", "0,1", "0,2", "0,3"]


def test_dedicated_hot_spares_are_those_of_a_logical_device() -> None:
    controller = read_golden("7805q-dedicated-spares")
    assert [volume.hotspares for volume in controller.volumes] == [[], ["0,10"], []]
    spare = next(device for device in controller.devices if device.id == "0,10")
    assert spare.values["dedicated spare for"] == "logical device 1"


def test_arrays_of_a_smartraid_controller() -> None:
    controller = read_golden("smartraid-3154")
    assert {number: values["name"] for number, values in controller.arrays.items()} == {"0": "A", "1": "B"}
    assert controller.volumes[1].values["volume unique identifier"] == "600508B1001C47C3EFDBB3C9A2F3D4B5"


@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("none", []),
        ("build", [ArcTask(volume="0", operation="Build/Verify with fix", percent="90")]),
        ("rebuild", [ArcTask(volume="0", operation="Rebuild", percent="1")]),
        (
            "two-tasks",
            [
                ArcTask(volume="0", operation="Compacting", percent="9"),
                ArcTask(volume="1", operation="Rebuild", percent="3"),
            ],
        ),
    ],
)
def test_tasks_that_run(name: str, tasks: list[ArcTask]) -> None:
    assert parse_status((GOLDEN / f"status-{name}.txt").read_text()) == tasks


def test_the_number_of_controllers_is_in_all_it_prints() -> None:
    assert parse_count((GOLDEN / "list-3204.txt").read_text()) == 1
    assert parse_count("Controllers found: 0\n\nCommand aborted.\n") == 0
    with pytest.raises(ValueError, match="but: 'Segmentation fault'"):
        parse_count("Segmentation fault\n")


def test_a_refusal_is_told_and_success_is_none() -> None:
    assert (
        parse_error(
            "Controllers found: 1\n\nCreating logical device: os\n\nCommand completed successfully.\n"
        )
        == ""
    )
    refusal = "Controllers found: 1\nThe requested feature is not supported on this controller.\n\nCommand aborted.\n"
    assert parse_error(refusal) == "The requested feature is not supported on this controller."


def test_sizes_count_in_units_of_1024() -> None:
    assert parse_size("228902 MB") == 228902 * 1024**2
    with pytest.raises(ValueError, match="not a size"):
        parse_size("Not Available")
