"""Raw SMBIOS tables of real machines: what is right was counted by hand in the text that dmidecode prints of them."""

from pathlib import Path

import pytest

from bootos.hardware import dmi
from bootos.hardware.dmi import Dmi
from bootos.hardware.memory import read_memory
from bootos.hardware.tree import Tree

GIB = 1 << 30


def read(golden: Path, name: str) -> Dmi:
    return dmi.parse_dump((golden / f"smbios/{name}.dmi").read_bytes())


def test_a_module_of_32_gb_has_a_size_where_smbios_has_no_field_for_it(golden: Path, tmp_path: Path) -> None:
    dimms = dmi.parse_dimms(read(golden, "supermicro-h8sgl"))
    assert [dimm.size_bytes for dimm in dimms] == [32767 << 20] * 2 + [0] * 6
    total = read_memory(Tree(tmp_path), dimms).total_bytes
    assert total is not None
    assert round(total / GIB) == 64


def test_empty_slots_that_are_all_called_no_dimm_have_names_of_their_own(golden: Path) -> None:
    dimms = dmi.parse_dimms(read(golden, "supermicro-x10dri"))
    assert [dimm.slot for dimm in dimms] == [
        "P1_DIMMA1", "slot 1", "P1_DIMMB1", "slot 3", "P1_DIMMC1", "slot 5", "P1_DIMMD1", "slot 7",
        "P2_DIMME1", "slot 9", "P2_DIMMF1", "slot 11", "P2_DIMMG1", "slot 13", "P2_DIMMH1", "slot 15",
    ]  # fmt: skip
    assert [dimm.size_bytes for dimm in dimms] == [8 * GIB, 0] * 8


def test_optane_is_no_main_memory(golden: Path, tmp_path: Path) -> None:
    dimms = dmi.parse_dimms(read(golden, "supermicro-sys-2029u"))
    persistent = [dimm for dimm in dimms if dimm.persistent]
    assert [(dimm.size_bytes, dimm.type) for dimm in persistent] == [
        (129408 << 20, "Logical non-volatile device")
    ] * 8
    assert [dimm.size_bytes for dimm in dimms if not dimm.persistent and dimm.size_bytes] == [16 * GIB] * 8
    assert read_memory(Tree(tmp_path), dimms).total_bytes == 128 * GIB


@pytest.mark.parametrize(
    ("name", "vendor", "product", "version", "family", "board", "board_version"),
    [
        ("hpe-ml10-gen9", "HPE", "ML10Gen9", None, None, "ML10Gen9", None),
        ("huawei-rh2288-v3", "Huawei", "RH2288 V3", "V100R003", None, "BC11HGSB0", "V100R003"),
        ("lenovo-x3650-m5", "LENOVO", "System x3650 M5: -[8871AC1]-", "13", "System X", "01GR174", None),
    ],
)
def test_what_a_maker_left_in_a_field_is_none(
    golden: Path,
    name: str,
    vendor: str,
    product: str,
    version: str | None,
    family: str | None,
    board: str,
    board_version: str | None,
) -> None:
    table = read(golden, name)
    system = dmi.parse_system(table)
    assert (system.vendor, system.product, system.version) == (vendor, product, version)
    assert (system.sku, system.family) == (None, family)
    found = dmi.parse_board(table)
    assert (found.product, found.version) == (board, board_version)


def test_a_dump_in_the_place_of_the_kernels_table_is_read(golden: Path, tmp_path: Path) -> None:
    place = tmp_path / "sys/firmware/dmi/tables"
    place.mkdir(parents=True)
    (place / "DMI").write_bytes((golden / "smbios/lenovo-x3650-m5.dmi").read_bytes())
    table = dmi.read_dmi(Tree(tmp_path))
    assert table is not None
    assert (table.version, dmi.parse_system(table).vendor) == ((3, 0), "LENOVO")


def test_what_dmidecode_dumps_says_its_version(golden: Path) -> None:
    assert read(golden, "huawei-rh2288-v3").version == (2, 8)
    assert read(golden, "supermicro-sys-2029u").version == (3, 2)
