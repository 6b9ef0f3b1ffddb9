"""`oob.cipher_suites` against lists that real BMCs printed: what is not right by both readings is a problem."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bootos.drivers.contract import Planned
from bootos.drivers.oob.cipher import Ciphers, parse_ciphers
from bootos.drivers.oob.service import Commands, Service, plan_services
from bootos.template.oob import Oob

GOLDEN = Path(__file__).parents[2] / "golden"
SUPERMICRO = "drivers/oob.ipmi/lan-print-supermicro.txt"
SUPERMICRO_SET = "drivers/oob.ipmi/lan-print-supermicro-suite-3.txt"
BY_PLACE = "drivers/oob.ipmi/lan-print-by-place.txt"
HPE = "hardware/ipmitool/hpe-lan-print-2.txt"
SIMULATOR = "hardware/ipmitool/ipmi_sim-lan-print-1.txt"


def read(name: str) -> Ciphers:
    found = parse_ciphers((GOLDEN / name).read_text())
    assert found is not None
    return found


def plan(found: Ciphers, wanted: Sequence[int]) -> Planned:
    planned = Planned()
    plan_services(Service(ciphers=found), Oob(cipher_suites=list(wanted)), 1, uefi=False, planned=planned)
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
    ("name", "wanted"),
    [
        (SUPERMICRO, [3]),  # by place XXaXXXXX...: that switches suite 3 off
        (SUPERMICRO, [3, 12]),
        (SUPERMICRO, [1, 2, 3, 6, 7, 8, 11, 12]),  # as wanted by number, not by place
        (SUPERMICRO_SET, [3]),
        (SUPERMICRO_SET, [6]),
        (BY_PLACE, [3, 17]),  # as wanted by place, not by number
        (BY_PLACE, [17]),
        (SIMULATOR, [3]),
        (SIMULATOR, list(range(1, 15))),  # suite 15 has no level by number, and stays
    ],
)
def test_what_is_not_right_by_both_readings_is_a_problem(name: str, wanted: list[int]) -> None:
    found = read(name)
    planned = plan(found, wanted)
    (problem,) = planned.problems
    assert planned.actions == []
    assert problem.path == "oob.cipher_suites"
    for index in (found.by_place, found.by_number):
        assert ",".join(str(suite) for suite in found.find_usable(index)) in problem.message
    assert found.levels in problem.message


@pytest.mark.parametrize(
    ("name", "wanted", "levels"),
    [(HPE, [3], "XXXaXXXXXXXXXXX"), (HPE, [2, 3], "XXuaXXXXXXXXXXX"), (HPE, [0, 3], "aXXaXXXXXXXXXXX")],
)
def test_a_list_that_counts_from_0_is_certain(name: str, wanted: list[int], levels: str) -> None:
    planned = plan(read(name), wanted)
    assert planned.problems == []
    (action,) = planned.actions
    assert isinstance(action.detail, Commands)
    assert action.detail.commands == (("lan", "set", "1", "cipher_privs", levels),)


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
    assert action.detail.commands == (("lan", "set", "1", "cipher_privs", "XXXaXXXXXXXXXXX"),)
    assert plan(found, [3, 6]).problems
    switched_on = Ciphers(suites=(0, 1, 2, 3, 6, 7), levels="aaaaaaXXXXXXXXX")  # 6 and 7 by place
    assert plan(switched_on, [3]).problems


@pytest.mark.parametrize(
    "suites", [(0, 1, 2, 3), (1, 2, 3, 6, 7, 8, 11, 12), (3, 17), tuple(range(15)), (0, 3, 2, 1)]
)
@pytest.mark.parametrize(
    "levels", ["a" * 15, "X" * 15, "XaaaXXaaaXXaaXX", "aXXXXXXXXXXXXXX", "XuuaXXXXXXXXXXX"]
)
def test_no_plan_switches_a_wanted_suite_off_or_leaves_another_on_by_either_reading(
    suites: tuple[int, ...], levels: str
) -> None:
    """Every set of wanted suites of the list."""
    found = Ciphers(suites=suites, levels=levels)
    for bits in range(1, 1 << min(len(suites), 8)):
        wanted = {suite for place, suite in enumerate(suites) if bits >> place & 1}
        planned = plan(found, sorted(wanted))
        if planned.problems:
            continue
        after = found
        for action in planned.actions:
            after = Ciphers(suites=suites, levels=action.detail.commands[0][-1])
        for index in (after.by_place, after.by_number):
            assert set(after.find_usable(index)) == wanted
