import json
from pathlib import Path

import pytest

from bootos.hardware.capture import Capture, Replay, ToolOutput
from bootos.hardware.health import has_health, has_wear_log, parse_nvme_log, parse_smartctl, read_health
from bootos.hardware.tree import Tree
from bootos.process import ToolError
from bootos.wire.inventory import Disk, DiskType, Health


def test_an_ata_disk_tells_hours_temperature_and_bad_sectors(golden: Path) -> None:
    health = parse_smartctl((golden / "smartctl/hdd-seagate-st3500418as.json").read_text())
    assert health == Health(
        passed=True,
        temperature_celsius=32,
        power_on_hours=44670,
        media_errors=0,
        reallocated_sectors=1,
        pending_sectors=0,
    )


def test_an_ata_ssd_without_a_wear_log_tells_no_wear(golden: Path) -> None:
    health = parse_smartctl((golden / "smartctl/ssd-intel-s3520.json").read_text())
    assert (health.passed, health.power_on_hours, health.percentage_used) == (True, 21213, None)


def test_wear_comes_from_the_device_statistics(golden: Path) -> None:
    health = parse_smartctl((golden / "smartctl/ssd-wear-log.json").read_text())
    assert health.percentage_used == 8


def test_an_attribute_that_a_maker_uses_for_something_else_is_not_counted(golden: Path) -> None:
    health = parse_smartctl((golden / "smartctl/ssd-wear-log.json").read_text())
    assert health.media_errors is None
    assert health.reallocated_sectors == 0


def test_a_scsi_disk_tells_its_grown_defects(golden: Path) -> None:
    health = parse_smartctl((golden / "smartctl/sas-seagate-st373453lc.json").read_text())
    assert (health.passed, health.power_on_hours, health.reallocated_sectors) == (True, 102880, 260)


def test_a_scsi_disk_tells_what_it_could_not_read_or_write(golden: Path) -> None:
    """One read and 535 writes."""
    health = parse_smartctl((golden / "smartctl/sas-seagate-uncorrected.json").read_text())
    assert (health.passed, health.media_errors, health.reallocated_sectors) == (True, 536, 260)


def test_a_sas_disk_is_asked_for_its_error_counters(golden: Path) -> None:
    text = (golden / "smartctl/sas-seagate-uncorrected.json").read_text()
    argv = ["smartctl", "--json=c", "-H", "-A", "-l", "error", "/dev/sda"]
    run = Replay(Capture(tools=[ToolOutput(argv=argv, stdout=text)]))
    disk = Disk(index=0, name="sda", path="/dev/sda", size_bytes=1, type=DiskType.HDD, transport="sas")
    assert read_health(disk, run).media_errors == 536


def test_a_scsi_disk_without_error_counters_tells_none(golden: Path) -> None:
    assert (
        parse_smartctl('{"device": {"protocol": "SCSI"}, "scsi_grown_defect_list": 0}').media_errors is None
    )


def test_a_failing_disk_is_read_although_smartctls_exit_code_is_not_zero(golden: Path) -> None:
    health = parse_smartctl((golden / "smartctl/failing.json").read_text())
    assert health.passed is False
    assert (health.reallocated_sectors, health.pending_sectors, health.media_errors) == (4095, 17, 9)


def test_a_disk_that_cannot_be_opened_is_an_error_in_smartctls_words(golden: Path) -> None:
    with pytest.raises(ToolError, match="No such device"):
        parse_smartctl((golden / "smartctl/cannot-open.json").read_text())


def test_an_nvme_disk_is_read_by_smartctl_too(golden: Path) -> None:
    """Its capacitor has failed (critical warning 16), and smartctl's status says so too (8)."""
    health = parse_smartctl((golden / "smartctl/nvme-samsung-pm1725.json").read_text())
    assert (health.passed, health.temperature_celsius, health.power_on_hours) == (False, 40, 18376)
    assert (health.percentage_used, health.media_errors, health.reallocated_sectors) == (0, 0, None)


def test_ssds_that_count_uncorrected_errors_as_reported_ones_are_read() -> None:
    rows = [{"id": 187, "name": "Uncorrectable_Error_Cnt", "raw": {"value": 3}}]
    assert parse_smartctl(json.dumps({"ata_smart_attributes": {"table": rows}})).media_errors == 3
    rows.append({"id": 198, "name": "Offline_Uncorrectable", "raw": {"value": 1}})
    assert parse_smartctl(json.dumps({"ata_smart_attributes": {"table": rows}})).media_errors == 1


def test_what_smartctl_printed_before_it_failed_is_used() -> None:
    data = {"smartctl": {"exit_status": 2, "messages": [{"string": "low-power mode"}]}}
    assert parse_smartctl(json.dumps(data | {"temperature": {"current": 31}})).temperature_celsius == 31
    with pytest.raises(ToolError, match="low-power mode"):
        parse_smartctl(json.dumps(data))


@pytest.mark.parametrize("text", ["", "smartctl 7.4 2023-08-01", "[1, 2]"])
def test_what_is_no_json_object_is_an_error(text: str) -> None:
    with pytest.raises(ToolError):
        parse_smartctl(text)


def test_the_nvme_log_counts_kelvin(golden: Path) -> None:
    health = parse_nvme_log((golden / "nvme/smart-log-qemu.json").read_text())
    assert health == Health(
        passed=True, temperature_celsius=50, power_on_hours=0, percentage_used=0, media_errors=0
    )


def test_a_worn_nvme_disk_has_not_passed(golden: Path) -> None:
    health = parse_nvme_log((golden / "nvme/smart-log-worn.json").read_text())
    assert (health.passed, health.percentage_used) == (False, 107)
    assert (health.power_on_hours, health.media_errors) == (43210, 12)


def test_an_nvme_disk_that_nvme_cli_cannot_read_is_asked_by_smartctl(golden: Path) -> None:
    text = (golden / "smartctl/nvme-samsung-pm1725.json").read_text()
    disk = Disk(index=0, name="nvme0n1", path="/dev/nvme0n1", size_bytes=1, type=DiskType.NVME)
    smart = ToolOutput(argv=["smartctl", "--json=c", "-H", "-A", disk.path], stdout=text)
    log = ["nvme", "smart-log", "-o", "json", disk.path]
    for tools in ([], [ToolOutput(argv=log, returncode=1)], [ToolOutput(argv=log, stdout='{"nsze": 1}')]):
        assert read_health(disk, Replay(Capture(tools=[*tools, smart]))).power_on_hours == 18376
    said = ToolOutput(argv=log, returncode=1, stderr="NVMe status: Invalid Log Page")
    with pytest.raises(ToolError, match="Invalid Log Page"):
        read_health(disk, Replay(Capture(tools=[said])))


@pytest.mark.parametrize(
    ("kind", "asked"),
    [(DiskType.VIRTUAL, False), (DiskType.UNKNOWN, False), (DiskType.HDD, True), (DiskType.NVME, True)],
)
def test_virtual_disks_are_not_asked(kind: DiskType, asked: bool) -> None:
    assert has_health(Disk(index=0, name="x", path="/dev/x", size_bytes=1, type=kind)) is asked


def build_identify_page(*, logs: bool) -> bytes:
    data = bytearray(512)
    data[174:176] = (0x4000 | (0x20 if logs else 0)).to_bytes(2, "little")  # word 87
    return bytes([0, 0x89, 2, 0x38]) + bytes(56) + bytes(data)


@pytest.mark.parametrize("logs", [True, False])
def test_only_an_ssd_that_keeps_logs_is_asked_for_its_wear(tmp_path: Path, logs: bool) -> None:
    place = tmp_path / "sys/block/sda/device"
    place.mkdir(parents=True)
    (place / "vpd_pg89").write_bytes(build_identify_page(logs=logs))
    disk = Disk(index=0, name="sda", path="/dev/sda", size_bytes=1, type=DiskType.SSD, rotational=False)
    assert has_wear_log(Tree(tmp_path), disk) is logs
    disk.rotational = True
    assert has_wear_log(Tree(tmp_path), disk) is False


def test_a_volume_of_a_raid_controller_has_no_temperature() -> None:
    """As of an Intel RAID volume: github.com/AnalogJ/scrutiny, testdata/smart-raid.json."""
    said = {"smartctl": {"exit_status": 4}, "temperature": {"current": 0, "drive_trip": 0}}
    assert parse_smartctl(json.dumps(said)).temperature_celsius is None
    cold = said | {"temperature": {"current": 0, "drive_trip": 68}}
    assert parse_smartctl(json.dumps(cold)).temperature_celsius == 0
