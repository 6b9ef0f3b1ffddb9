"""What ssacli printed on real machines, read."""

from pathlib import Path

import pytest

from bootos.drivers.raid.smartarraymodel import build_controller
from bootos.drivers.storage.state import Storage
from bootos.hardware.smartarray import (
    SsaController,
    find_label,
    parse_config,
    parse_error,
    parse_level,
    parse_size,
)

# github.com/glensc/nagios-plugin-check_raid, t/data/hpacucli: issue98, and hpacucli.cn of a box outside of the machine
P410 = """
Smart Array P410 in Slot 1

   array A

      logicaldrive 1 (558.9 GB, RAID 1, OK)

   array B (Failed)

      logicaldrive 2 (2.2 TB, RAID 5, OK)

   array C

      logicaldrive 3 (2.2 TB, RAID 5, OK)
"""
MSA1500 = """
MSA1500 CS in MY STORAGE

   array A (Failed)

      logicaldrive 1 (2.0 TB, RAID 6 (ADG), OK)

   array B (Failed)

      logicaldrive 9 (2.0 TB, RAID 5, OK)
"""
GOLDEN = Path(__file__).parents[2] / "golden/drivers/raid.smartarray"


def read_golden(name: str) -> list[SsaController]:
    return parse_config((GOLDEN / f"{name}.txt").read_text())


def tell(controller: SsaController) -> dict[str, tuple[str, str, int]]:
    """Logical drives: (array, level, drives)."""
    return {
        volume.id: (
            volume.array,
            parse_level(volume.values["Fault Tolerance"]),
            sum(drive.array == volume.array for drive in controller.drives),
        )
        for volume in controller.volumes
    }


@pytest.mark.parametrize(
    ("name", "model", "volumes", "drives"),
    [
        ("h240", "Smart HBA H240", {"1": ("A", "0", 1), "2": ("B", "0", 1)}, 2),
        ("p400i-unassigned", "Smart Array P400i", {"1": ("A", "1", 2)}, 4),
        ("p408i-a", "HPE Smart Array P408i-a SR Gen10", {"1": ("A", "6", 4)}, 4),
        ("p440ar", "Smart Array P440ar", {"1": ("A", "10", 6), "2": ("B", "1", 2)}, 8),
        (
            "p816i-a",
            "HPE Smart Array P816i-a SR Gen10",
            {"1": ("A", "6", 4), "2": ("B", "6", 4), "3": ("C", "1", 2)},
            10,
        ),
        ("p822-empty", "Smart Array P822", {}, 7),
        ("p822-raid50", "Smart Array P822", {"1": ("A", "50", 6)}, 7),
        ("p822-two-arrays", "Smart Array P822", {"1": ("A", "5", 3), "2": ("B", "1", 2)}, 7),
        ("p822-hba", "Smart Array P822", {}, 1),
    ],
)
def test_reads_one_controller(
    name: str, model: str, volumes: dict[str, tuple[str, str, int]], drives: int
) -> None:
    (controller,) = read_golden(name)
    assert controller.model == model
    assert tell(controller) == volumes
    assert len(controller.drives) == drives
    assert len({drive.id for drive in controller.drives}) == drives


def test_reads_two_controllers_apart() -> None:
    first, second = read_golden("p212-and-p410i")
    assert (first.slot, second.slot) == ("5", "0")
    assert tell(first) == {"1": ("A", "5", 6)}
    assert tell(second) == {"1": ("A", "1", 2), "2": ("B", "10", 4)}
    assert len(first.drives) == 12
    assert second.volumes[1].groups == [["1I:1:1", "1I:1:2"], ["1I:1:3", "1I:1:4"]]
    assert second.values["PCI Address (Domain:Bus:Device.Function)"] == "0000:04:00.0"


def test_a_warning_of_several_lines_changes_nothing() -> None:
    (controller,) = read_golden("p816i-a-media-errors")
    values = controller.values
    assert (values["Serial Number"], values["Firmware Version"]) == ("PWXEX0ARH0000A", "4.11")
    assert values["PCI Address (Domain:Bus:Device.Function)"] == "0000:5C:00.0"
    assert (values["Controller Mode"], values["RAID 6 Status"]) == ("Mixed", "Enabled")
    assert values["Primary Boot Volume"].startswith("logicaldrive 1 ")
    assert values["Cache Ratio"] == "10% Read / 90% Write"
    assert list(controller.arrays) == ["A", "B"]
    assert controller.volumes[1].values["Status"] == "Recovering, 55.73% complete"


def test_values_of_enclosures_and_expanders_are_not_taken_for_the_controllers() -> None:
    first, _ = read_golden("p212-and-p410i")
    assert first.values["Firmware Version"] == "6.60-0"
    assert first.drives[-1].values["Model"] == "ATA     MB1000EBZQB"


def test_a_drive_that_is_being_erased_says_so() -> None:
    (controller,) = read_golden("p440-erasing")
    assert controller.drives[0].values["Status"] == "Erase In Progress"


def test_a_label_that_the_controller_made_up_is_no_name() -> None:
    (named,) = read_golden("p408i-a")
    assert find_label(named.volumes[0].values, "X") == "LD-SSD"
    for name in ("p440ar", "p822-raid50", "p400i-unassigned", "p816i-a", "h240"):
        (controller,) = read_golden(name)
        serial = controller.values["Serial Number"]
        assert [find_label(volume.values, serial) for volume in controller.volumes] == [""] * len(
            controller.volumes
        )


def test_sizes_are_a_lower_bound_of_what_is_printed_rounded() -> None:
    assert parse_size("894.22 GB", 1024) == (960161413857, 960156045148)
    assert parse_size("1.9 TB", 1000) == (1900000000000, 1850000000000)
    assert parse_size("93.1  GB", 1024)[0] == 99965363814
    assert parse_size("1 TB", 1000) == (10**12, 990 * 10**9)
    assert parse_size("6 TB", 1000) == (6 * 10**12, 5940 * 10**9)
    assert parse_size("300 GB", 1000) == (300 * 10**9, 299500 * 10**6)
    with pytest.raises(ValueError, match="not a size"):
        parse_size("--- GB", 1000)


def test_no_controller_is_no_failure_and_rubbish_is() -> None:
    assert parse_config("\nError: No controllers detected.\n\n") == []
    with pytest.raises(ValueError, match="does not print controllers, but: 'Segmentation fault'"):
        parse_config("Segmentation fault\n")


def test_an_error_is_one_line_with_its_reason_and_a_warning_is_none() -> None:
    error = (
        '\nError: This operation is not supported with the current configuration. Use the\n       "show" command on'
        " devices to show additional details about the\n       configuration.\n"
        "Reason: Space for creation not available\n\n"
    )
    assert parse_error(error).endswith("about the configuration. Reason: Space for creation not available")
    assert (
        parse_error("\nWarning: Deleting an array can cause other array letters to become renamed.\n") == ""
    )


def test_what_the_tool_prints_without_details_is_read() -> None:
    empty, busy = read_golden("p410-short")
    assert (empty.slot, empty.drives, empty.volumes) == ("1", [], [])
    (volume,) = busy.volumes
    assert (volume.id, volume.array, parse_level(volume.values["Fault Tolerance"])) == ("1", "A", "10")
    assert [drive.id for drive in busy.drives if drive.array == "A"] == [
        *(f"1I:1:{n}" for n in range(1, 5)),
        *(f"2I:1:{n}" for n in range(5, 9)),
    ]
    (newer,) = read_golden("p816i-a-short")
    assert len(newer.volumes) == 11 and len(newer.drives) == 14
    loose = [drive for drive in newer.drives if not drive.array]
    assert [(drive.id, drive.values["Drive Type"]) for drive in loose] == [
        ("1I:1:1", "Unassigned Drive"),
        ("1I:1:2", "Unassigned Drive"),
    ]


def test_an_array_that_is_marked_as_failed_is_not_said_to_be_well() -> None:
    (controller,) = parse_config(P410)
    said = {volume.id: volume.values["Status"] for volume in controller.volumes}
    assert said == {"1": "OK", "2": "OK, array B (Failed)", "3": "OK"}
    states = {
        array.id: (array.state, array.progress) for array in build_controller(controller, 0, Storage()).arrays
    }
    assert states == {"1": ("optimal", ""), "2": ("unknown", "array B (Failed)"), "3": ("optimal", "")}


@pytest.mark.parametrize("text", [P410 + MSA1500, MSA1500 + P410])
def test_a_box_outside_of_the_machine_adds_nothing_to_a_controller_in_a_slot(text: str) -> None:
    (controller,) = parse_config(text)
    assert [(volume.id, volume.array) for volume in controller.volumes] == [
        ("1", "A"),
        ("2", "B"),
        ("3", "C"),
    ]
    with pytest.raises(ValueError, match="it does not print controllers, but: 'MSA1500 CS in MY STORAGE'"):
        parse_config(MSA1500)


@pytest.mark.parametrize("name", sorted(file.stem for file in GOLDEN.glob("*.txt")))
def test_of_what_lost_its_indentation_the_reason_is_told(name: str) -> None:
    said = (GOLDEN / f"{name}.txt").read_text()
    for whole, flat in zip(
        parse_config(said), parse_config("\n".join(line.strip() for line in said.splitlines())), strict=True
    ):
        if len(whole.values) > 4:
            assert "lost their indentation" in flat.remarks[0].text
