"""What a machine is known by, on tables with placeholders where a serial number should be."""

import uuid
from pathlib import Path

import pytest
from smbios_table import END, build_board, build_system

from bootos.hardware import dmi
from bootos.hardware.dmi import Dmi
from bootos.hardware.identity import find_identity, read_early_identity
from bootos.hardware.smbios import parse_table
from bootos.hardware.tree import Tree
from bootos.wire.inventory import Identity, Inventory

MAC = "52:54:00:aa:00:01"
UUID = uuid.UUID("4c4c4544-0039-3010-8048-b7c04f384432")
UNSET = uuid.UUID("03000200-0400-0500-0006-000700080009")


def find(serial: str, machine_uuid: uuid.UUID, board: str, mac: str = MAC) -> Identity:
    structures = build_system("Maker", "Model", "1", serial, machine_uuid.bytes_le) + build_board(
        "Maker", "B", board
    )
    table = Dmi(parse_table(structures + END), (3, 0))
    inventory = Inventory(collected_at="2026-01-01T00:00:00Z")
    inventory.system, inventory.board = dmi.parse_system(table), dmi.parse_board(table)
    return find_identity(inventory, table, mac)


@pytest.mark.parametrize(
    ("serial", "machine_uuid", "board", "mac", "name", "by"),
    [
        ("7XK2M13", UUID, "B1", MAC, "7XK2M13", "serial"),
        ("0123456789", UUID, "B1", MAC, str(UUID), "uuid"),
        ("To be filled by O.E.M.", UNSET, "ZM15S012345", MAC, "ZM15S012345", "board"),
        ("System Serial Number", UNSET, "Base Board Serial Number", MAC, MAC, "mac"),
        ("12345", uuid.UUID(int=0), "Default string", "", "", None),
    ],
)
def test_the_first_that_is_no_placeholder_is_the_name(
    serial: str, machine_uuid: uuid.UUID, board: str, mac: str, name: str, by: str | None
) -> None:
    found = find(serial, machine_uuid, board, mac)
    assert (found.name, found.by) == (name, by)


def test_what_an_earlier_release_may_have_taken_for_the_name_is_kept() -> None:
    assert find("7XK2M13", UUID, "B1").former == []
    assert find("0123456789AB", UUID, "B1").former == ["0123456789AB"]
    assert find("Type1Sku0", UNSET, "B1").former == ["Type1Sku0", str(UNSET)]


def test_the_hook_before_the_inventory_is_told_the_same_name(tmp_path: Path) -> None:
    place = tmp_path / "sys/class/dmi/id"
    place.mkdir(parents=True)
    assert read_early_identity(Tree(tmp_path), MAC) == Identity(name=MAC, by="mac")
    for name, text in (
        ("board_serial", "B1"),
        ("product_uuid", str(UUID)),
        ("product_serial", "7XK2M13"),
    ):
        (place / name).write_text(f"{text}\n")
        assert read_early_identity(Tree(tmp_path), MAC).name == text
    (place / "product_serial").write_text("(null)\n")
    (place / "product_uuid").write_text(f"{UNSET}\n")
    assert read_early_identity(Tree(tmp_path), MAC) == Identity(name="B1", by="board")
