"""The examples of docs/template.md and docs/adding-a-driver.md work as they stand."""

import re
from pathlib import Path
from typing import Any

import pytest

from bootos.document import parse_document
from bootos.template.check import read_template
from bootos.template.model import (
    Bios,
    FirmwarePackage,
    FirmwareSelect,
    FirmwareWanted,
    Oob,
    OobNetwork,
    OobUser,
    Partition,
    Raid,
    Select,
    Template,
)
from bootos.template.parttype import TYPES

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "template.md").read_text()


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))
def test_every_example_is_a_right_template(example: str) -> None:
    data = {"name": "example", **parse_document(example, format="yaml")}
    assert read_template(data)[1] == []


@pytest.mark.parametrize(
    "model",
    [
        Template,
        FirmwareWanted,
        FirmwareSelect,
        FirmwarePackage,
        Bios,
        Raid,
        Select,
        Partition,
        Oob,
        OobNetwork,
        OobUser,
    ],
)
def test_every_key_is_in_the_reference(model: Any) -> None:
    missing = [key for key in model.__struct_encode_fields__ if not re.search(rf"`(\w+\.)?{key}\b", TEXT)]
    assert missing == []


def test_every_partition_type_is_in_the_reference() -> None:
    assert [name for name in TYPES if f"`{name}`" not in TEXT] == []


def test_the_example_driver_keeps_the_contract() -> None:
    source = re.findall(r"```python\n(.*?)```", (DOCS / "adding-a-driver.md").read_text(), re.DOTALL)[0]
    namespace: dict[str, Any] = {}
    exec(compile(source, "adding-a-driver.md", "exec"), namespace)
    from bootos.drivers.contract import Forecast
    from bootos.drivers.registry import choose_drivers, load_drivers
    from bootos.wire.inventory import Bmc, Inventory

    driver = namespace["LedDriver"]()
    template, _ = read_template({"name": "t", "oob": {"network": {"source": "dhcp"}}})
    assert template is not None
    inventory = Inventory(collected_at="2024-01-01T00:00:00Z", bmc=Bmc())
    chosen, problems = choose_drivers(inventory, template, [*load_drivers(), driver])
    assert problems == []
    assert [choice.driver.name for choice in chosen] == ["oob.ipmi", "oob.led"]
    planned = driver.plan(True, template, {}, Forecast())
    assert [action.id for action in planned.actions] == ["oob.led:off"]
    assert driver.plan(False, template, {}, Forecast()).actions == []
