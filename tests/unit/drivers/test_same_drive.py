"""A drive is known again by what is its own, whatever the kernel calls it."""

from typing import Any

import pytest

from bootos.drivers.storage.identity import Marks, is_same_drive, name_drive
from bootos.wire.inventory import Disk

NAMED = {"serial": "S1", "wwn": "0x5000c50000000001", "size_bytes": 100, "type": "ssd"}


@pytest.mark.parametrize(
    ("before", "now", "is_same"),
    [
        (NAMED, NAMED, True),
        (NAMED, NAMED | {"serial": "S2"}, False),
        (NAMED, NAMED | {"wwn": "0x5000c50000000002"}, False),
        (NAMED, NAMED | {"serial": None}, True),
        (NAMED, NAMED | {"wwn": None}, True),
        (NAMED, NAMED | {"serial": None, "wwn": None}, False),
        (NAMED | {"wwn": None}, NAMED | {"serial": None}, False),
        (NAMED | {"type": "nvme"}, NAMED | {"type": "nvme", "wwn": "eui.2", "size_bytes": 50}, True),
        (NAMED | {"type": "nvme"}, NAMED | {"type": "nvme", "serial": "S2"}, False),
        ({"size_bytes": 100}, {"size_bytes": 100}, True),
        ({"size_bytes": 100}, {"size_bytes": 50}, False),
    ],
)
def test_a_drive_is_the_same_by_serial_then_by_world_wide_name_then_by_size(
    before: dict[str, Any], now: dict[str, Any], is_same: bool
) -> None:
    one, other = Marks(**before), Marks(**now)
    assert (is_same_drive(one, other), is_same_drive(other, one)) == (is_same, is_same)


def build_disk(index: int, serial: str | None, wwn: str | None, transport: str = "sas") -> Disk:
    name = f"sd{'abc'[index]}"
    return Disk(
        index=index, name=name, path=f"/dev/{name}", serial=serial, wwn=wwn, size_bytes=1, transport=transport
    )


@pytest.mark.parametrize(
    ("disk", "others", "name"),
    [
        (build_disk(0, "S1", "0x1"), [build_disk(1, "S2", "0x2")], "S1"),
        (build_disk(0, "S1", "0x1"), [build_disk(1, "S1", "0x2")], "0x1"),
        (build_disk(0, "S1", "0x1"), [build_disk(1, "S1", "0x1")], ""),
        (build_disk(0, None, "0x1"), [build_disk(1, None, None)], "0x1"),
        (build_disk(0, "DB98765432", None, "usb"), [], ""),
        (build_disk(0, None, None), [], ""),
    ],
)
def test_a_drive_has_a_name_only_where_no_other_drive_has_it(
    disk: Disk, others: list[Disk], name: str
) -> None:
    assert name_drive(disk, [disk, *others]) == name
