"""Every documented way into BootOS ends with a registered machine; prints the table of what each loads and costs."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootos.lab.boot_path import MAC, PATHS, BootPath, measure_path
from bootos.lab.boot_record import PathRecord, render_table

pytestmark = [pytest.mark.vm, pytest.mark.full, pytest.mark.timeout(7200)]
log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def records() -> Iterator[list[PathRecord]]:
    """What was booted so far; the table is printed at the end."""
    made: list[PathRecord] = []
    yield made
    log.info("what the boot paths cost:\n%s", render_table(made))


@pytest.mark.parametrize("path", PATHS, ids=[path.name for path in PATHS])
def test_a_machine_registers_by(path: BootPath, image: Path, output: Path, records: list[PathRecord]) -> None:
    result = measure_path(path, image, output / path.name)
    records.append(PathRecord(result=result, accelerator=result.accelerator))
    log.info(
        "%s: registered %s, %.1f MB loaded, %.1f CPU seconds, %d MiB",
        result.title,
        "yes" if result.registered else "NO",
        result.loaded_bytes / 1e6,
        result.cpu_s,
        result.memory_mib,
    )
    assert result.registered, result.ended
    if path.boot in ("pxe", "http", "kexec"):
        assert result.pxe_mac == MAC, "BOOTIF did not come through"
    assert result.loaded_bytes > (image / "initrd.img").stat().st_size
    assert result.lockdown == (path.firmware == "uefi-secure")
