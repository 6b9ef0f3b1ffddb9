"""The examples of docs/template.md work as they stand."""

import re
from pathlib import Path
from typing import Any

import pytest

from bootos.document import parse_document
from bootos.template.draft import check_draft
from bootos.template.model import (
    Bios,
    DiskWanted,
    Encryption,
    EraseWanted,
    Filesystem,
    FirmwarePackage,
    FirmwareSelect,
    FirmwareWanted,
    LogicalVolume,
    Oob,
    OobNetwork,
    OobUser,
    Partition,
    Raid,
    Select,
    Template,
    VolumeGroup,
)
from bootos.template.parttype import TYPES

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "template.md").read_text()


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))
def test_every_example_is_a_right_template(example: str) -> None:
    data = {"name": "example", **parse_document(example, format="yaml")}
    assert check_draft(data, lambda name: None).problems == []


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
        Filesystem,
        DiskWanted,
        Encryption,
        VolumeGroup,
        LogicalVolume,
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


def test_every_key_of_erase_is_in_its_page() -> None:
    text = (DOCS / "erase.md").read_text()
    missing = [key for key in EraseWanted.__struct_fields__ if f"`{key}`" not in text]
    assert missing == []
