"""docs/hardware.md has a line for each driver, and none for a driver that is not there."""

import re
from pathlib import Path

from bootos.drivers.registry import load_drivers

PAGE = Path(__file__).parents[3] / "docs/hardware.md"


def test_every_driver_is_on_the_page() -> None:
    listed = re.findall(r"^\| `([a-z0-9_.]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(driver.name for driver in load_drivers())
