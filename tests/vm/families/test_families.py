"""One machine per family from power on to reboot: RAID, OOB, BIOS settings and firmware, disks; then nothing to do."""

import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from bossfamily import BOSS
from configured import Row, build_table, configure, find_differences
from family import FAMILIES, Family

pytestmark = [pytest.mark.vm, pytest.mark.full, pytest.mark.timeout(3600)]
log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def rows(output: Path) -> Iterator[list[Row]]:
    """Filled by the tests; printed at the end."""
    found: list[Row] = []
    yield found
    log.info("families:\n%s", build_table(found))
    (output / "families.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))


@pytest.mark.parametrize("family", (*FAMILIES, BOSS), ids=lambda family: family.name)
def test_a_machine_of_the_family_becomes_what_its_template_says(
    family: Family, image: Path, output: Path, rows: list[Row]
) -> None:
    row = configure(family, image, output / family.name)
    rows.append(row)
    assert not find_differences(family, row), row.message
