"""`oob.cipher_suites` against lists that real BMCs printed: what is not certain is a problem."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bootos.drivers.contract import Planned
from bootos.drivers.oob.service import Service, plan_services
from bootos.hardware.bmccipher import Ciphers, Index, parse_ciphers
from bootos.template.oob import Oob

GOLDEN = Path(__file__).parents[2] / "golden"
SUPERMICRO = "drivers/oob.ipmi/lan-print-supermicro.txt"
SUPERMICRO_SET = "drivers/oob.ipmi/lan-print-supermicro-suite-3.txt"
BY_PLACE = "drivers/oob.ipmi/lan-print-by-place.txt"
HPE = "hardware/ipmitool/hpe-lan-print-2.txt"
AMI = (0, 1, 2, 3, 6, 7, 8, 11, 12, 15, 16, 17)
SIMULATOR = "hardware/ipmitool/ipmi_sim-lan-print-1.txt"


def read(name: str) -> Ciphers:
    found = parse_ciphers((GOLDEN / name).read_text())
    assert found is not None
    return found


def plan(found: Ciphers, wanted: Sequence[int], *, maker: int = 0, index: Index | None = None) -> Planned:
    planned = Planned()
    oob = Oob(cipher_suites=list(wanted), cipher_index=index)
    plan_services(Service(ciphers=found, maker=maker), oob, 1, uefi=False, planned=planned)
    planned.notes = [note for note in planned.notes if "proven by a login" not in note]
    return planned


@pytest.mark.parametrize(
    ("name", "by_place", "by_number"),
    [
        (SUPERMICRO, (2, 3, 6, 11, 12), (1, 2, 3, 6, 7, 8, 11, 12)),
        (SUPERMICRO_SET, (6,), (3,)),
        (BY_PLACE, (3, 17), (2, 15, 16, 17)),
        (HPE, (1, 2, 3), (1, 2, 3)),
        (SIMULATOR, tuple(range(1, 16)), tuple(range(1, 16))),
    ],
)
def test_the_levels_are_read_in_both_ways(
    name: str, by_place: tuple[int, ...], by_number: tuple[int, ...]
) -> None:
    found = read(name)
    assert found.find_usable(found.by_place) == by_place
    assert found.find_usable(found.by_number) == by_number


@pytest.mark.parametrize(
    ("name", "maker", "index", "usable"),
    [
        (SUPERMICRO, 0, "number", (1, 2, 3, 6, 7, 8, 11, 12)),
        (SUPERMICRO_SET, 0, None, ()),
        (SUPERMICRO_SET, 10876, "number", (3,)),
        (SUPERMICRO_SET, 47488, "number", (3,)),
        (BY_PLACE, 0, "place", (3, 17)),
        (BY_PLACE, 20974, "place", (3, 17)),
        (BY_PLACE, 10876, None, ()),  # its maker's go by number
        (SUPERMICRO, 20974, None, ()),
        (SIMULATOR, 0, None, ()),
        (SIMULATOR, 20974, "place", tuple(range(1, 16))),
    ],
)
def test_what_is_printed_tells_the_index_and_else_the_maker_does(
    name: str, maker: int, index: Index | None, usable: tuple[int, ...]
) -> None:
    found = read(name)
    assert found.find_index(maker) == index
    if index is not None:
        assert found.find_usable(found.get_index(index)) == usable


def test_what_may_be_either_is_left_to_the_maker() -> None:
    """Suites 0 to 3 by number, 1, 2, 3 and 6 by place; and an iLO whose suite 17 has a level by place alone."""
    either = Ciphers(suites=(1, 2, 3, 6, 7, 8, 11, 12), levels="aaaaXXXXXXXXXXX")
    assert [either.find_index(maker) for maker in (0, 10876, 20974)] == [None, "number", "place"]
    ilo = Ciphers(suites=(0, 1, 2, 3, 17), levels="XuuaXXXXXXXXXXX")
    assert ilo.find_index() is None
    assert plan(ilo, [3]).problems


@pytest.mark.parametrize(
    ("suites", "levels", "index", "usable"),
    [
        # of an AMI BMC of a DGX A100 and three more
        (AMI, "caaaaaaaaaaaXXX", "place", AMI),
        # of two AMI BMCs whose other suites are switched off and not listed: 17 is the twelfth of AMI's list
        ((3, 17), "XXXaXXXXXXXaXXX", "place", (3, 17)),
        ((3, 17), "aXXXXXXXXXXXXXX", "place", (3,)),  # suite 17 was refused there, 3 worked
        ((1, 2, 3, 6, 7, 8, 11, 12, 0), "aaaaXXaaaXXaaXX", "number", (1, 2, 3, 6, 7, 8, 11, 12, 0)),
        ((1, 2, 3, 6, 7, 8, 9, 11, 12), "aaaaXXaaaXXaaXX", "number", (1, 2, 3, 6, 7, 8, 11, 12)),
        # of two BMCs whose suite 0 may be used for a callback
        ((0, 1, 2, 3, 6, 7, 8, 11, 12), "caaaXXaaaXXaaXX", "number", (0, 1, 2, 3, 6, 7, 8, 11, 12)),
    ],
)  # fmt: skip
def test_lists_of_other_bmcs_are_read_as_they_are_meant(
    suites: tuple[int, ...], levels: str, index: Index, usable: tuple[int, ...]
) -> None:
    found = Ciphers(suites=suites, levels=levels)
    assert found.find_index() == index
    assert found.find_usable(found.get_index(index)) == usable


@pytest.mark.parametrize(
    ("suites", "levels"),
    [
        ((2, 3, 0), "X" * 15),  # of a Sun
        ((0, 1, 2, 3, 17), "XuuaXXXXXXXXXXX"),  # of three Huaweis
        ((17,), "a" * 15),  # of an OpenBMC
        ((0, 1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 18), "caaaaaaaaaaaaaa"),
    ],
)
def test_lists_that_may_be_either_are_not_certain(suites: tuple[int, ...], levels: str) -> None:
    assert Ciphers(suites=suites, levels=levels).find_index() is None


@pytest.mark.parametrize(
    ("name", "wanted", "levels"),
    [
        (SUPERMICRO, [3], "XXXaXXXXXXXXXXX"),
        (SUPERMICRO, [3, 12], "XXXaXXXXXXXXaXX"),
        (BY_PLACE, [17], "XXXXXXXXXXaXXXX"),
        (BY_PLACE, [3, 15, 17], "XXaXXXXXaXaXXXX"),
    ],
)
def test_levels_are_written_by_the_index_that_is_certain(name: str, wanted: list[int], levels: str) -> None:
    planned = plan(read(name), wanted)
    assert planned.problems == []
    (action,) = planned.actions
    assert action.detail.levels == levels


@pytest.mark.parametrize(
    ("name", "wanted", "maker"),
    [
        (SUPERMICRO, [1, 2, 3, 6, 7, 8, 11, 12], 0),
        (SUPERMICRO_SET, [3], 10876),
        (SUPERMICRO_SET, [3], 47488),
        (BY_PLACE, [3, 17], 0),
    ],
)
def test_what_is_as_wanted_by_the_index_that_is_certain_stays(
    name: str, wanted: list[int], maker: int
) -> None:
    planned = plan(read(name), wanted, maker=maker)
    assert (planned.problems, planned.actions) == ([], [])
    assert planned.notes == ["the BMC's cipher suites are as wanted"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (SUPERMICRO_SET, [3]),
        (SUPERMICRO_SET, [6]),
        (SIMULATOR, [3]),
        (SIMULATOR, list(range(1, 15))),  # suite 15 has no level by number, and stays
    ],
)
def test_what_is_not_certain_is_a_problem_that_says_how_to_tell_it(name: str, wanted: list[int]) -> None:
    found = read(name)
    planned = plan(found, wanted)
    (problem,) = planned.problems
    assert planned.actions == []
    assert problem.path == "oob.cipher_suites"
    assert "cipher_index" in problem.hint
    for index in (found.by_place, found.by_number):
        assert ",".join(str(suite) for suite in found.find_usable(index)) in problem.message
    assert found.levels in problem.message


def test_the_template_says_the_index_where_it_is_not_certain() -> None:
    found = read(SIMULATOR)
    by_number = plan(found, [3, 15], index="number")
    by_place = plan(found, [3], index="place")
    assert by_number.problems == by_place.problems == []
    assert (
        by_number.actions[0].detail.levels == "aXXaXXXXXXXXXXX"
    )  # 15 has no level by number, 0 is not listed
    assert by_place.actions[0].detail.levels == "XXaXXXXXXXXXXXX"


def test_a_template_that_says_the_other_index_than_the_bmc_shows_is_refused() -> None:
    (problem,) = plan(read(SUPERMICRO), [3], index="place").problems
    assert problem.path == "oob.cipher_index"
    assert "can only be by number" in problem.message


def test_levels_that_are_not_as_the_maker_of_the_bmc_keeps_them_are_left_to_the_template() -> None:
    """What was written by the other index before must not be written so again."""
    found = Ciphers(suites=(1, 2, 3, 6, 7, 8, 11, 12), levels="XXaXXaXXXXXXXXX")
    (problem,) = plan(found, [3], maker=10876).problems
    assert "cipher_index" in problem.hint
    assert "print" in problem.message
    by_number = plan(found, [3], maker=10876, index="number")
    by_place = plan(found, [3], maker=10876, index="place")
    assert by_number.problems == by_place.problems == []
    assert by_number.actions[0].detail.levels == "XXXaXaXXXXXXXXX"
    assert by_place.actions[0].detail.levels == "XXaXXXXXXXXXXXX"


def test_a_suite_without_a_level_cannot_be_switched_off() -> None:
    (problem,) = plan(read(SIMULATOR), [3], index="number").problems
    assert "cipher suite 15 of this BMC has no level" in problem.message


def test_suites_without_a_level_alone_are_no_way_in_that_is_certain() -> None:
    """15 levels by number: those of suites 15 to 17 are none, and an iLO refuses its 17."""
    found = Ciphers(suites=(1, 2, 3, 6, 7, 8, 11, 12, 15, 16, 17), levels="XaaaXXaaaXXaaXX")
    planned = plan(found, [15, 16, 17], maker=10876)
    (problem,) = planned.problems
    assert (problem.path, planned.actions) == ("oob.cipher_suites", [])
    assert "none of 15, 16, 17 has a level" in problem.message
    assert "1, 2, 3, 6" in problem.hint
    with_3 = plan(found, [3, 15, 16, 17], maker=10876)
    assert with_3.problems == []
    assert with_3.actions[0].detail.levels == "XXXaXXXXXXXXXXX"


@pytest.mark.parametrize(
    ("suites", "levels", "is_open"),
    [
        (AMI, "caaaaaaaaaaaXXX", True),
        (AMI, "XaaaaaaaaaaaXXX", False),
        ((1, 2, 3, 6, 7, 8, 11, 12, 0), "aaaaXXaaaXXaaXX", True),
        ((1, 2, 3, 6, 7, 8, 11, 12), "XaaaXXaaaXXaaXX", False),
        ((0, 1, 2, 3), "aaaaaaaaaaaaaaa", True),
    ],
)
def test_an_open_suite_0_is_found(suites: tuple[int, ...], levels: str, is_open: bool) -> None:
    assert Ciphers(suites=suites, levels=levels).has_open_suite_0() is is_open


def test_an_open_suite_0_is_noted_where_the_template_asks_nothing_of_suites() -> None:
    planned = Planned()
    found = Ciphers(suites=(0, 1, 2, 3), levels="aaaaaaaaaaaaaaa")
    plan_services(Service(ciphers=found), Oob(), 1, uefi=False, planned=planned)
    (note,) = planned.notes
    assert "cipher suite 0 is open" in note


@pytest.mark.parametrize(
    ("name", "wanted", "levels"),
    [(HPE, [3], "XXXaXXXXXXXXXXX"), (HPE, [2, 3], "XXuaXXXXXXXXXXX"), (HPE, [0, 3], "aXXaXXXXXXXXXXX")],
)
def test_a_list_that_counts_from_0_is_certain(name: str, wanted: list[int], levels: str) -> None:
    planned = plan(read(name), wanted)
    assert planned.problems == []
    (action,) = planned.actions
    assert action.detail.levels == levels


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (HPE, [1, 2, 3]),
        (SIMULATOR, list(range(1, 16))),  # every level is the same
    ],
)
def test_what_is_as_wanted_by_both_readings_is_no_problem(name: str, wanted: list[int]) -> None:
    planned = plan(read(name), wanted)
    assert (planned.problems, planned.actions) == ([], [])
    assert planned.notes == ["the BMC's cipher suites are as wanted"]


def test_a_list_may_have_gaps_behind_what_is_wanted() -> None:
    """Suites 0 to 3 stand in their own places, the others are off by both readings, and stay so."""
    found = Ciphers(suites=(0, 1, 2, 3, 6, 7), levels="aaaaXXXXXXXXXXX")
    (action,) = plan(found, [3]).actions
    assert action.detail.levels == "XXXaXXXXXXXXXXX"
    assert plan(found, [3, 6]).problems
    switched_on = Ciphers(suites=(0, 1, 2, 3, 6, 7), levels="aaaaaaXXXXXXXXX")  # 6 and 7 by place
    assert plan(switched_on, [3]).actions[0].detail.levels == "XXXaXXXXXXXXXXX"


@pytest.mark.parametrize(
    "suites", [(0, 1, 2, 3), (1, 2, 3, 6, 7, 8, 11, 12), (3, 17), tuple(range(15)), (0, 3, 2, 1)]
)
@pytest.mark.parametrize(
    "levels", ["a" * 15, "X" * 15, "XaaaXXaaaXXaaXX", "aXXXXXXXXXXXXXX", "XuuaXXXXXXXXXXX"]
)
def test_no_plan_switches_a_wanted_suite_off_or_leaves_another_on(
    suites: tuple[int, ...], levels: str
) -> None:
    """Every set of wanted suites of the list; by the index that is certain, and by both where none is."""
    found = Ciphers(suites=suites, levels=levels)
    for bits in range(1, 1 << min(len(suites), 8)):
        wanted = {suite for place, suite in enumerate(suites) if bits >> place & 1}
        planned = plan(found, sorted(wanted))
        if planned.problems:
            continue
        after = found
        for action in planned.actions:
            after = Ciphers(suites=suites, levels=action.detail.levels)
        certain = found.find_index()
        for index in ("number", "place") if certain is None else (certain,):
            assert set(after.find_usable(after.get_index(index))) == wanted
