"""Disk health: SMART for ATA and SCSI disks (smartctl), the health log for NVMe (nvme-cli).

`read_health` runs one tool for one disk; `inventory.collect_inventory` runs many at once. The parsers are pure.
Virtual disks are not asked: they have no health of their own.
"""

import json
import re
from typing import Any

from bootos.hardware.ata import parse_identify_page
from bootos.hardware.tree import Tree
from bootos.process import Runner, ToolError
from bootos.wire.inventory import Disk, DiskType, Health

TIMEOUT_S = 30.0
_KELVIN = 273
_DIRECTIONS = ("read", "write", "verify")
# The parts of smartctl's answer that health is read from
_TOLD = (
    "smart_status", "temperature", "power_on_time", "ata_smart_attributes", "scsi_error_counter_log",
    "scsi_grown_defect_list", "nvme_smart_health_information_log",
)  # fmt: skip
_ENDURANCE = "Percentage Used Endurance Indicator"


def has_health(disk: Disk) -> bool:
    """Whether the disk is one that can tell its health."""
    return disk.type not in (DiskType.VIRTUAL, DiskType.UNKNOWN)


def has_wear_log(tree: Tree, disk: Disk) -> bool:
    """Whether to ask for the wear of an SSD. ATA disks without the log answer with an error that makes the
    kernel reset the port (QEMU's do), so they are not asked."""
    if disk.rotational is not False or disk.type is DiskType.NVME:
        return False
    page = tree.read_bytes(f"sys/block/{disk.name}/device/vpd_pg89")
    return disk.transport == "sas" or parse_identify_page(page or b"").has_logs


def read_health(disk: Disk, run: Runner, *, wear_log: bool = False) -> Health:
    """The disk's health. Raises ToolError, ValueError."""
    if disk.type is DiskType.NVME:
        return _read_nvme(disk, run)
    # The exit code is a set of bits. Most of them describe the disk's state and are no failure of the command.
    errors = (
        ["-l", "error"] if disk.transport == "sas" else []
    )  # one page of each direction; ATA's log is long
    argv = ["smartctl", "--json=c", "-H", "-A", *errors, *(["-l", "ssd"] if wear_log else []), disk.path]
    done = run(argv, timeout_s=TIMEOUT_S, check=False)
    return parse_smartctl(done.stdout)


def _read_nvme(disk: Disk, run: Runner) -> Health:
    """By nvme-cli; where that cannot, by smartctl."""
    try:
        done = run(["nvme", "smart-log", "-o", "json", disk.path], timeout_s=TIMEOUT_S)
        return parse_nvme_log(done.stdout)
    except ToolError as cause:
        if cause.reason == "late":
            raise
        failure = cause
    try:
        done = run(["smartctl", "--json=c", "-H", "-A", disk.path], timeout_s=TIMEOUT_S, check=False)
        return parse_smartctl(done.stdout)
    except ToolError as cause:
        if failure.reason == "missing" and cause.reason != "missing":
            raise
    raise failure


def parse_smartctl(text: str) -> Health:
    """The output of `smartctl --json`. Raises ToolError with smartctl's own words when it read nothing."""
    data = _load(text, "smartctl")
    status = data.get("smartctl", {}).get("exit_status", 0)
    # bit 0: a wrong command line; bit 1: the device cannot be opened, or sleeps. What was printed is used all the same.
    if status & 0b11 and not any(part in data for part in _TOLD):
        said = [str(entry.get("string", "")) for entry in data["smartctl"].get("messages", [])]
        raise ToolError("smartctl says: " + ("; ".join(filter(None, said)) or f"exit status {status}"))
    attributes = {entry.get("id"): entry for entry in data.get("ata_smart_attributes", {}).get("table", [])}
    reallocated = _raw(attributes.get(5), "reallocat", "retired")
    # SSDs of Intel and Samsung have 187 for 198
    uncorrected = [_raw(attributes.get(number), "uncorrect") for number in (198, 187)]
    nvme = data.get("nvme_smart_health_information_log") or {}
    return Health(
        passed=data.get("smart_status", {}).get("passed"),
        temperature_celsius=_find_temperature(data.get("temperature", {})),
        power_on_hours=_whole(data.get("power_on_time", {}).get("hours")),
        percentage_used=_find_percentage_used(data),
        media_errors=next((count for count in uncorrected if count is not None), None)
        if attributes
        else _whole(nvme.get("media_errors", _count_uncorrected(data))),
        reallocated_sectors=reallocated if attributes else _whole(data.get("scsi_grown_defect_list")),
        pending_sectors=_raw(attributes.get(197), "pending"),
    )


def _find_temperature(told: dict[str, Any]) -> int | None:
    """In degrees. Volumes of RAID controllers answer 0 for it and for the limit that no drive has at 0."""
    found = _whole(told.get("current"))
    return None if found == 0 and told.get("drive_trip") == 0 else found


def _find_percentage_used(data: dict[str, Any]) -> int | None:
    for place in (
        data.get("endurance_used", {}).get("current_percent"),
        data.get("scsi_percentage_used_endurance_indicator"),
        (data.get("nvme_smart_health_information_log") or {}).get("percentage_used"),
    ):
        if place is not None:
            return _whole(place)
    for page in data.get("ata_device_statistics", {}).get("pages", []):
        for entry in page.get("table", []):
            if entry.get("name") == _ENDURANCE and entry.get("flags", {}).get("valid", True):
                return _whole(entry.get("value"))
    return None


def _count_uncorrected(data: dict[str, Any]) -> int | None:
    """What a SCSI disk could not read, write or verify (SPC-5: error counter pages 2, 3 and 5)."""
    log = data.get("scsi_error_counter_log")
    counters = [log.get(word, {}).get("total_uncorrected_errors") for word in _DIRECTIONS] if log else []
    known = [number for number in map(_whole, counters) if number is not None]
    return sum(known) if known else None


def _raw(attribute: dict[str, Any] | None, *words: str) -> int | None:
    """An attribute's raw value, if its name has one of the words: makers use the same number for other things.
    The upper bytes hold other counts on some disks."""
    if attribute is None or not any(word in str(attribute.get("name", "")).lower() for word in words):
        return None
    value = _whole(attribute.get("raw", {}).get("value"))
    return value & 0xFFFFFFFF if value is not None else None


def parse_nvme_log(text: str) -> Health:
    """The output of `nvme smart-log -o json` (NVMe base specification, log page 02h; Kelvin)."""
    data = _load(text, "nvme")
    if not any(
        part in data for part in ("critical_warning", "temperature", "power_on_hours", "media_errors")
    ):
        raise ToolError(f"nvme printed no health log: {text.strip()[:200]}")
    warning = data.get("critical_warning")
    if isinstance(warning, dict):  # nvme-cli prints the bits as an object when it is verbose
        warning = warning.get("value")
    kelvin = _whole(data.get("temperature"))
    return Health(
        passed=_whole(warning) == 0 if warning is not None else None,
        temperature_celsius=kelvin - _KELVIN if kelvin else None,
        power_on_hours=_whole(data.get("power_on_hours")),
        percentage_used=_whole(data.get("percent_used", data.get("percentage_used"))),
        media_errors=_whole(data.get("media_errors")),
    )


def _load(text: str, tool: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as cause:
        raise ToolError(f"{tool} printed no JSON: {text.strip()[:200]}") from cause
    if not isinstance(data, dict):
        raise ToolError(f"{tool} printed something else than an object")
    return {key: _tidy(value) for key, value in data.items()}


def _tidy(value: Any) -> Any:
    """Numbers that are printed as texts as numbers, and tables without rows that are none."""
    if isinstance(value, dict):
        return {key: _tidy(entry) for key, entry in value.items()}
    if isinstance(value, list):
        rows = [entry for entry in value if isinstance(entry, dict)]
        return [_tidy(entry) for entry in rows or value]
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,40}", value) else value


def _whole(value: Any) -> int | None:
    """A number that tools print as number, float or text (128-bit counters of NVMe)."""
    if value is None or isinstance(value, bool):
        return None
    try:
        return int(value) if isinstance(value, (int, float)) else int(str(value).replace(",", ""), 0)
    except ValueError:
        return None
