import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

from bootos.drivers.firmware.chain import Chain, find_chain
from bootos.drivers.firmware.version import compare_versions, is_same, pick_part, spell_bios
from bootos.template.firmware import FirmwareWanted

SHOWN = json.loads((Path(__file__).parents[2] / "golden/drivers/firmware.redfish/versions.json").read_text())

# Each list from the oldest to the newest, as the vendor numbers them
ASCENDING = {
    "dell": ("bios", ["1.6.12", "2.2.11", "2.10.0", "2.15.1", "2.19.1"]),
    "dell, until 2013": ("bios", ["A02", "A09", "A12"]),
    "idrac": ("bmc", ["3.36.36.36", "4.40.10.00", "6.10.30.00", "7.00.00.00"]),
    "hpe": (
        "bios",
        [
            "U30 v1.20 (02/02/2018)",
            "U30 v2.36 (07/16/2020)",
            "U30 v2.68 (07/14/2022)",
            "U30 v2.68 (09/01/2022)",
        ],
    ),
    "hpe, gen8": ("bios", ["P70 07/01/2013", "P70 12/14/2014", "P70 07/01/2015"]),
    "ilo": ("bmc", ["iLO 5 v1.40", "iLO 5 v2.78", "iLO 5 v3.01"]),
    "cisco": ("bmc", ["4.1(2g)", "4.1(3d)", "4.1(3i)", "4.2(2a)", "4.2(11b)"]),
    "cisco bios": (
        "bios",
        [
            "C240M5.4.1.2c.0.0202211902",
            "C240M5.4.1.3i.0.0113210713",
            "C240M5.4.1.3i.0.0713210713",
            "C240M5.4.1.3i.0.0713210722",
            "C240M5.4.2.2b.0.0509222122",
        ],
    ),
    "cisco vic": ("nic", ["4.4(3a)", "4.4(3b)", "5.2(2b)"]),
    "lenovo": ("bios", ["IVE126O-1.30", "IVE160M-2.30", "IVE164L-2.30", "-[IVE166M-3.10]-"]),
    "supermicro": ("bios", ["3.3", "3.4", "3.4a", "3.4b", "3.5"]),
    "supermicro bmc": ("bmc", ["1.71.11", "01.73.06", "1.74.09"]),
    "intel": (
        "bios",
        [
            "SE5C620.86B.02.01.0012.070720200218",
            "SE5C620.86B.02.01.0017.031520230543",
            "SE5C620.86B.02.01.0017.110620230543",
            "SE5C620.86B.02.01.0017.010120240543",
        ],
    ),
    "lsi": ("raid", ["24.21.0-0126", "25.5.9.0001", "25.5.9.0002", "51.13.0-3223", "51.16.0-4076"]),
    "nic": ("nic", ["14.32.1010", "16.35.2000", "20.5.13", "22.31.6"]),
    "nic, as ethtool shows it": ("nic", ["9.20 0x8000d95e 21.5.9", "9.40 0x8000e9c2 22.5.7", "22.31.6"]),
    "drive with dots": ("drive", ["1.2.1", "2.0.0", "2.0.1"]),
}


@pytest.mark.parametrize("name", ASCENDING)
def test_versions_are_ordered_as_their_vendor_numbers_them(name: str) -> None:
    component, versions = ASCENDING[name]
    for (i, one), (j, other) in itertools.product(enumerate(versions), repeat=2):
        assert compare_versions(one, other, component) == (i > j) - (i < j), (one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2.19", "2.19.0"),
        ("v2.68", "2.68"),
        ("U30 v2.68 (07/14/2022)", "2.68"),
        ("U30 v2.68 (07/14/2022)", "U30 v2.68"),
        ("-[IVE164L-2.30]-", "IVE164L-2.30"),
        ("IVE164L-2.30", "2.30"),
        ("EDA5702Q", "eda5702q "),
        ("04.10", "4.10"),
        ("C240M5.4.1.3i.0.0713210713", "4.1(3i)"),
    ],
)
def test_one_version_may_be_written_in_two_ways(one: str, other: str) -> None:
    assert is_same(one, other, "bios")
    assert is_same(other, one, "bios")


@pytest.mark.parametrize(
    ("component", "one", "other"),
    [
        ("drive", "EDA5702Q", "EDA5900Q"),
        ("drive", "0104", "0105"),
        ("drive", "GDC5602Q", "2.0.1"),
        ("bios", "U30 v2.68 (07/14/2022)", "U32 v2.70 (09/01/2022)"),
        ("bios", "IVE164L-2.30", "TEE164L-2.61"),
        ("bios", "P70 07/01/2015", "P70 v2.10"),
        ("bios", "C240M5.4.1.3i.0.0713210713", "C220M5.4.1.3j.0.0713220713"),
        ("bios", "2.19.1-rc1", "2.19.1"),
        ("raid", "A12", "A13"),
    ],
)
def test_where_nobody_can_say_which_is_newer_nothing_is_said(component: str, one: str, other: str) -> None:
    assert compare_versions(one, other, component) is None
    assert compare_versions(other, one, component) is None
    assert is_same(one, one, component)


@pytest.mark.parametrize(
    ("shown", "wanted", "part"),
    [
        ("9.20 0x8000d95e 22.31.6", "22.31.6", "22.31.6"),
        ("9.20 0x8000d95e 22.31.6", "9.40", "9.20"),
        ("229.1.123.0/pkg 22.92.06.10", "22.92.07.10", "22.92.06.10"),
        ("218.0.219.13/pkg 218.0.221.5", "219.0.112.0", "218.0.221.5"),
        ("FFV21.80.8 bc 5720-v1.39", "22.0.2", "21.80.8"),
        ("16.35.2000 (MT_0000000012)", "16.35.3006", "16.35.2000"),
        ("mfw 8.55.22.0 storm 8.42.2.0", "8.59.1.0", "8.55.22.0"),
        ("5720-v1.43 NCSI v1.5.56.0", "1.44", "5720-v1.43 NCSI v1.5.56.0"),
    ],
)
def test_of_several_versions_of_a_nic_the_one_written_alike_is_compared(
    shown: str, wanted: str, part: str
) -> None:
    assert pick_part(shown, wanted) == part


def test_mellanoxs_version_may_be_cut_in_the_middle_of_its_last_number() -> None:
    """Dell (`24.40.10.00`) and Supermicro (`28.37.10.14`) show it so, HPE does not."""
    assert compare_versions("24.40.10.00", "24.40.1000", "nic") == 0
    assert compare_versions("28.37.10.14", "28.37.1014", "nic") == 0
    assert compare_versions("24.40.1000", "24.39.30.04", "nic") == 1
    assert compare_versions("24.35.20.00", "24.35.3006", "nic") == -1
    assert compare_versions("22.92.06.10", "22.92.07.01", "nic") == -1  # Broadcom


def test_comparing_is_an_order_for_random_numbers() -> None:
    dice = random.Random(7)
    for _ in range(500):
        one, two, three = (
            ".".join(str(dice.randrange(4)) + dice.choice(["", "", "a"]) for _ in range(dice.randrange(1, 4)))
            for _ in range(3)
        )
        first, second = compare_versions(one, two), compare_versions(two, three)
        assert first is not None
        assert compare_versions(two, one) == -first
        if first == second:
            assert compare_versions(one, three) == first, (one, two, three)


@pytest.mark.parametrize(
    ("version", "date", "revision", "spelled"),
    [
        ("U30", "07/14/2022", (2, 68), "U30 v2.68 (07/14/2022)"),
        ("P89", "03/25/2019", (2, 4), "P89 v2.04 (03/25/2019)"),
        ("P70", "07/01/2015", (255, 255), "P70 07/01/2015"),
        ("P70", "07/01/2015", (None, None), "P70 07/01/2015"),
        ("U30", None, (2, 68), "U30"),
        ("2.19.1", "07/14/2022", (2, 19), "2.19.1"),
    ],
)
def test_hpes_smbios_is_spelled_as_its_tools_do(
    version: str, date: str | None, revision: tuple[int | None, int | None], spelled: str
) -> None:
    assert spell_bios(version, date, revision) == spelled


def test_a_version_that_is_a_date_alone_is_compared_by_its_date() -> None:
    assert compare_versions("U30 10/26/2020", "U30 v2.68 (07/14/2022)") == -1
    assert compare_versions("U30 v2.68 (07/14/2022)", "U30 07/14/2022") == 0
    assert compare_versions("U30 10/26/2020", "U30 v2.68") is None


@pytest.mark.parametrize("pair", SHOWN, ids=lambda pair: f"{pair['shown']} and {pair['wanted']}")
def test_versions_are_compared_as_redfish_services_show_them(pair: dict[str, Any]) -> None:
    shown, wanted, component, right = (pair[key] for key in ("shown", "wanted", "component", "right"))
    assert compare_versions(shown, wanted, component) == right
    assert compare_versions(wanted, shown, component) == -right


@pytest.mark.parametrize(
    "pair", [pair for pair in SHOWN if pair["right"] == 0], ids=lambda pair: pair["shown"]
)
@pytest.mark.parametrize("unordered", [True, False])
def test_what_a_service_shows_after_a_flash_needs_no_other(pair: dict[str, Any], unordered: bool) -> None:
    wanted = FirmwareWanted(
        component=pair["component"],
        version=pair["wanted"],
        package="https://files.example/x.bin",
        sha256="0" * 64,
        unordered=unordered,
    )
    assert find_chain(pair["shown"], wanted) == Chain()


@pytest.mark.parametrize(
    ("one", "other", "component", "order"),
    [
        ("U8E122J", "U8E122J-1.51", "bios", 0),
        ("U8E122J", "U8E124K-1.60", "bios", -1),
        ("22J-1.51", "U8E123J-1.51", "bios", -1),  # another build of the same version
        ("U8E122J-1.51", "IVE164L-2.30", "bios", None),
        ("GH200-24.05-2", "GB200Nvl-24.12-8", "bmc", None),
        ("buildbrain-gcid-35803827", "buildbrain-gcid-38635631", "bios", None),
        ("00.04.0026.0000_n00", "00.04.0026.0000_n01", "bmc", None),
        ("2.72 Sep 04 2022", "2.72 Dec 04 2022", "bmc", -1),
        ("01.01.03", "1.1.3", "bios", 0),
    ],
)
def test_what_differs_otherwise_is_told_or_not_compared(
    one: str, other: str, component: str, order: int | None
) -> None:
    assert compare_versions(one, other, component) == order
